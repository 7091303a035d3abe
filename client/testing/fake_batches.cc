// What the fake p2pd does all or nothing: several grants, or several ends, in one call.
#include <string>

#include "client/testing/fake_state.h"

namespace p2p::testing {
namespace {

v1::MapRequest RequestOf(const v1::AcquireRequest::Importer& importer, const std::string& source) {
  v1::MapRequest request;
  request.set_export_(source);
  request.set_address_space(importer.address_space());
  request.set_access(importer.access());
  if (importer.has_iova()) request.set_iova(importer.iova());
  if (importer.has_iova_max()) request.set_iova_max(importer.iova_max());
  request.set_alignment(importer.alignment());
  return request;
}

}  // namespace

grpc::Status FakeState::BatchMap(const std::string& session, const v1::BatchMapRequest& request,
                                 v1::BatchMapResponse* response) {
  for (const v1::MapRequest& one : request.requests()) {
    const grpc::Status status = Map(session, one, response->add_mappings());
    if (status.ok()) continue;
    response->mutable_mappings()->RemoveLast();
    v1::Mapping unmapped;
    for (const v1::Mapping& mapping : response->mappings()) Unmap(mapping.name(), &unmapped);
    return status;
  }
  return grpc::Status::OK;
}

grpc::Status FakeState::Acquire(const std::string& session, const v1::AcquireRequest& request,
                                v1::AcquireResponse* response) {
  v1::CreateExportRequest create;
  *create.mutable_window() = request.window();
  create.set_grade(request.grade());
  if (request.has_time_to_live()) *create.mutable_time_to_live() = request.time_to_live();
  const grpc::Status made = CreateExport(session, create, response->mutable_export_());
  if (!made.ok()) return made;
  v1::BatchMapRequest maps;
  for (const auto& importer : request.importers()) {
    *maps.add_requests() = RequestOf(importer, response->export_().name());
  }
  v1::BatchMapResponse mapped;
  const grpc::Status status = BatchMap(session, maps, &mapped);
  v1::Operation receipt;
  if (!status.ok()) DeleteExport(response->export_().name(), &receipt);
  *response->mutable_mappings() = mapped.mappings();
  return status;
}

grpc::Status FakeState::BatchUnmap(const v1::BatchUnmapRequest& request, v1::BatchUnmapResponse* response) {
  for (const std::string& name : request.names()) {
    if (mappings.count(name) == 0) return NotFound("BatchUnmap", name);
  }
  grpc::Status result = grpc::Status::OK;
  for (const std::string& name : request.names()) {
    const grpc::Status status = Unmap(name, response->add_mappings());
    if (!status.ok()) result = status;
  }
  return result;
}

}  // namespace p2p::testing
