#include "client/testing/fake_state.h"

#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "client/testing/fake_calls.h"
#include "google/protobuf/util/time_util.h"

namespace p2p::testing {
namespace {

using ::google::protobuf::operator+=;

v1::Device NvmeDevice(const std::string& address) {
  v1::Device device;
  device.set_name("devices/" + address);
  device.set_vendor_id("144d");
  device.set_device_id("a80a");
  device.set_class_code("010802");
  device.set_kernel_driver("vfio-pci");
  device.set_state(v1::Device::READY);
  device.set_generation(1);
  device.set_can_reset(true);
  device.set_context("contexts/1");
  device.set_iommu_group(7);
  device.set_numa_node(-1);
  v1::Device::Bar* registers = device.add_bars();
  registers->set_size(16 << 10);
  registers->set_kind(v1::Device::CONTROL);
  registers->set_exportable(true);
  registers->add_msix()->set_offset(0x2000);
  registers->mutable_msix(0)->set_length(0x1000);
  return device;
}

template <typename Request>
void SetExpireTime(const Request& request, int64_t now, v1::Export& result) {
  result.clear_expire_time();
  if (!request.has_time_to_live()) return;
  result.mutable_expire_time()->set_seconds(now);
  *result.mutable_expire_time() += request.time_to_live();
}

}  // namespace

grpc::Status Failure(grpc::StatusCode code, v1::ErrorDetail::Reason reason, const std::string& step,
                     const std::string& object, const std::string& what, const std::string& hint) {
  v1::ErrorDetail detail;
  detail.set_reason(reason);
  detail.set_step(step);
  detail.set_object(object);
  detail.set_hint(hint);
  return MakeFailure(code, detail, what);
}

grpc::Status NotFound(const std::string& step, const std::string& name) {
  return Failure(grpc::StatusCode::NOT_FOUND, v1::ErrorDetail::NOT_FOUND, step, name, "no such object");
}

FakeState::FakeState() {
  v1::Device exporter = NvmeDevice("0000:01:00.0");
  v1::Device::Bar* buffer = exporter.add_bars();
  buffer->set_index(2);
  buffer->set_size(64 << 20);
  buffer->set_kind(v1::Device::MEMORY);
  buffer->set_exportable(true);
  devices[exporter.name()] = exporter;
  v1::Device importer = NvmeDevice("0000:02:00.0");
  devices[importer.name()] = importer;
}

v1::Event& FakeState::AddEvent(v1::Event::Type type) {
  v1::Event& event = events.emplace_back();
  event.set_type(type);
  event.set_sequence(events.size());
  event.mutable_time()->set_seconds(kStarted);
  return event;
}

v1::Welcome FakeState::BeginSession(const std::string& client) {
  v1::Session session;
  session.set_name(NewName("sessions/"));
  session.set_uid(getuid());
  session.set_gid(getgid());
  session.set_pid(getpid());
  session.set_comm("a-test");
  session.set_client(client);
  session.mutable_connected()->set_seconds(kStarted);
  v1::Welcome welcome;
  welcome.set_session(session.name());
  welcome.set_token("token of " + session.name());
  welcome.set_version("0.0.fake");
  tokens_[welcome.token()] = session.name();
  sessions[session.name()] = session;
  *AddEvent(v1::Event::CREATED).mutable_session() = session;
  return welcome;
}

std::string FakeState::SessionOf(const std::string& token) const {
  const auto found = tokens_.find(token);
  return found == tokens_.end() ? "" : found->second;
}

void FakeState::EndSession(const std::string& name) {
  v1::Operation operation;
  std::erase_if(tokens_, [&name](const auto& token) { return token.second == name; });
  std::erase_if(mappings, [&name](const auto& mapping) { return mapping.second.session() == name; });
  std::erase_if(exports, [&name](const auto& entry) { return entry.second.session() == name; });
  std::erase_if(address_spaces, [&name](const auto& space) { return space.second.session() == name; });
  for (auto& [device_name, device] : devices) {
    if (device.driver_session() == name) device.clear_driver_session();
  }
  if (const auto session = sessions.extract(name)) {
    *AddEvent(v1::Event::DELETED).mutable_session() = session.mapped();
  }
}

void FakeState::ChangeDevice(v1::Device& device, v1::Device::State state) {
  device.set_state(state);
  *AddEvent(v1::Event::CHANGED).mutable_device() = device;
}

grpc::Status FakeState::OpenDevice(const std::string& session, const std::string& name, v1::Device* device) {
  const auto found = devices.find(name);
  if (found == devices.end()) return NotFound("OpenDevice", name);
  if (!found->second.driver_session().empty()) {
    return Failure(grpc::StatusCode::FAILED_PRECONDITION, v1::ErrorDetail::DEVICE_BUSY, "OpenDevice", name,
                   absl::StrCat(found->second.driver_session(), " drives it"), "wait until that session is over");
  }
  found->second.set_driver_session(session);
  ChangeDevice(found->second, v1::Device::AWAITING_DRIVER);
  *device = found->second;
  return grpc::Status::OK;
}

grpc::Status FakeState::CloseDevice(const std::string& session, const std::string& name, v1::Device* device) {
  const auto found = devices.find(name);
  if (found == devices.end() || found->second.driver_session() != session) return NotFound("CloseDevice", name);
  v1::Operation operation = NewOperation(v1::Operation::DRIVER_END, name);
  EndExportsOf(name, operation);
  Record(operation);
  found->second.clear_driver_session();
  found->second.set_generation(found->second.generation() + 1);
  ChangeDevice(found->second, v1::Device::READY);
  *device = found->second;
  return grpc::Status::OK;
}

grpc::Status FakeState::DeviceReady(const std::string& session, const v1::DeviceReadyRequest& request,
                                    v1::Device* device) {
  const auto found = devices.find(request.name());
  if (found == devices.end() || found->second.driver_session() != session) {
    return NotFound("DeviceReady", request.name());
  }
  if (found->second.generation() != request.generation()) {
    return Failure(grpc::StatusCode::FAILED_PRECONDITION, v1::ErrorDetail::STALE_GENERATION, "DeviceReady",
                   request.name(), absl::StrCat("it is at generation ", found->second.generation()), "set it up again");
  }
  ChangeDevice(found->second, v1::Device::READY);
  *device = found->second;
  return grpc::Status::OK;
}

grpc::Status FakeState::CreateExport(const std::string& session, const v1::CreateExportRequest& request,
                                     v1::Export* result) {
  const v1::Window& window = request.window();
  const auto device = devices.find(window.device());
  if (device == devices.end()) return NotFound("CreateExport", window.device());
  const auto& bars = device->second.bars();
  const auto bar = std::find_if(bars.begin(), bars.end(), [&](const auto& b) { return b.index() == window.bar(); });
  if (bar == bars.end() || window.length() == 0 || window.offset() + window.length() > bar->size()) {
    return Failure(grpc::StatusCode::OUT_OF_RANGE, v1::ErrorDetail::WINDOW_UNUSABLE, "CreateExport",
                   absl::StrCat(window.device(), " BAR ", window.bar()), "the window is not inside the BAR");
  }
  result->set_name(NewName("exports/"));
  result->set_session(session);
  *result->mutable_window() = window;
  result->set_kind(bar->kind());
  result->set_grade(request.grade() == v1::RAW ? v1::RAW : v1::MAPPED);
  result->set_generation(device->second.generation());
  result->set_rule("everything for tests");
  result->set_state(v1::Export::ACTIVE);
  SetExpireTime(request, now_, *result);
  exports[result->name()] = *result;
  *AddEvent(v1::Event::CREATED).mutable_export_() = *result;
  return grpc::Status::OK;
}

grpc::Status FakeState::RenewExport(const std::string& session, const v1::RenewExportRequest& request,
                                    v1::Export* result) {
  const auto found = exports.find(request.name());
  if (found == exports.end() || found->second.session() != session) return NotFound("RenewExport", request.name());
  SetExpireTime(request, ++now_, found->second);
  *result = found->second;
  *AddEvent(v1::Event::CHANGED).mutable_export_() = *result;
  return grpc::Status::OK;
}

void FakeState::RevokeMapping(const std::string& name, v1::Operation& operation) {
  const auto mapping = mappings.extract(name);
  v1::Operation::Outcome* outcome = operation.add_mappings();
  operation.set_mapping_count(operation.mapping_count() + 1);
  outcome->set_mapping(name);
  outcome->set_iova(mapping.mapped().iova());
  outcome->set_state(v1::Mapping::REVOKED);
  *AddEvent(v1::Event::DELETED).mutable_mapping() = mapping.mapped();
}

void FakeState::EndExport(const std::string& name, v1::Operation& operation) {
  const auto all = mappings;
  for (const auto& [mapping_name, mapping] : all) {
    if (mapping.export_() == name) RevokeMapping(mapping_name, operation);
  }
  *AddEvent(v1::Event::DELETED).mutable_export_() = exports.extract(name).mapped();
}

void FakeState::EndExportsOf(const std::string& device, v1::Operation& operation) {
  const auto all = exports;
  for (const auto& [name, entry] : all) {
    if (entry.window().device() == device) EndExport(name, operation);
  }
}

grpc::Status FakeState::DeleteExport(const std::string& name, v1::Operation* operation) {
  const auto found = exports.find(name);
  if (found == exports.end()) return NotFound("DeleteExport", name);
  *operation = NewOperation(v1::Operation::RELEASE, found->second.window().device());
  EndExport(name, *operation);
  Record(*operation);
  return grpc::Status::OK;
}

grpc::Status FakeState::CreateAddressSpace(const std::string& session, const v1::CreateAddressSpaceRequest& request,
                                           v1::AddressSpace* result) {
  for (const std::string& device : request.devices()) {
    const auto found = devices.find(device);
    if (found == devices.end()) return NotFound("CreateAddressSpace", device);
    if (found->second.driver_session() != session) {
      return Failure(grpc::StatusCode::FAILED_PRECONDITION, v1::ErrorDetail::NOT_OWNER, "CreateAddressSpace", device,
                     "this session does not drive it", "OpenDevice first");
    }
  }
  result->set_name(NewName("address-spaces/"));
  result->set_session(session);
  result->set_context("contexts/1");
  *result->mutable_devices() = request.devices();
  result->set_alignment(4096);
  result->add_usable_iova()->set_length(0xfee00000);
  address_spaces[result->name()] = *result;
  *AddEvent(v1::Event::CREATED).mutable_address_space() = *result;
  return grpc::Status::OK;
}

grpc::Status FakeState::DeleteAddressSpace(const std::string& name, v1::Operation* operation) {
  if (address_spaces.count(name) == 0) return NotFound("DeleteAddressSpace", name);
  *operation = NewOperation(v1::Operation::RELEASE, "");
  const auto all = mappings;
  for (const auto& [mapping_name, mapping] : all) {
    if (mapping.address_space() == name) RevokeMapping(mapping_name, *operation);
  }
  *AddEvent(v1::Event::DELETED).mutable_address_space() = address_spaces.extract(name).mapped();
  return grpc::Status::OK;
}

grpc::Status FakeState::Map(const std::string& session, const v1::MapRequest& request, v1::Mapping* result) {
  const auto source = exports.find(request.export_());
  if (source == exports.end()) return NotFound("Map", request.export_());
  if (address_spaces.count(request.address_space()) == 0) return NotFound("Map", request.address_space());
  result->set_name(NewName("mappings/"));
  result->set_session(session);
  result->set_export_(request.export_());
  result->set_address_space(request.address_space());
  result->set_offset(request.offset());
  result->set_length(request.length() != 0 ? request.length() : source->second.window().length() - request.offset());
  result->set_iova(request.has_iova() ? request.iova() : std::exchange(next_iova_, next_iova_ + 0x10000000));
  result->set_access(request.access());
  result->set_state(v1::Mapping::ACTIVE);
  mappings[result->name()] = *result;
  *AddEvent(v1::Event::CREATED).mutable_mapping() = *result;
  return grpc::Status::OK;
}

grpc::Status FakeState::MapMemory(const std::string& session, const v1::MapMemoryRequest& request,
                                  v1::Mapping* result) {
  if (memories.count({session, request.memory()}) == 0) return NotFound("MapMemory", request.memory());
  if (address_spaces.count(request.address_space()) == 0) return NotFound("MapMemory", request.address_space());
  result->set_name(NewName("mappings/"));
  result->set_session(session);
  result->set_address_space(request.address_space());
  result->set_offset(request.offset());
  result->set_length(request.length() != 0 ? request.length() : 4096);
  result->set_iova(request.has_iova() ? request.iova() : std::exchange(next_iova_, next_iova_ + 0x10000000));
  result->set_access(request.access());
  result->set_state(v1::Mapping::ACTIVE);
  mappings[result->name()] = *result;
  return grpc::Status::OK;
}

grpc::Status FakeState::Unmap(const std::string& name, v1::Mapping* result) {
  if (stuck_mappings.count(name) != 0) {
    return Failure(grpc::StatusCode::INTERNAL, v1::ErrorDetail::KERNEL, "IOMMU_IOAS_UNMAP", name, "it does not go");
  }
  const auto mapping = mappings.extract(name);
  if (mapping.empty()) return NotFound("Unmap", name);
  *result = mapping.mapped();
  result->set_state(v1::Mapping::REVOKED);
  *AddEvent(v1::Event::DELETED).mutable_mapping() = *result;
  return grpc::Status::OK;
}

}  // namespace p2p::testing
