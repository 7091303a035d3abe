// What the fake p2pd takes away, and the receipts of it: each is done at once, and watchers see it step by step.
#include <string>

#include "client/testing/fake_state.h"

namespace p2p::testing {

v1::Operation FakeState::NewOperation(v1::Operation::Kind kind, const std::string& device) {
  v1::Operation operation;
  operation.set_name(NewName("operations/"));
  operation.set_kind(kind);
  operation.set_state(v1::Operation::SUCCEEDED);
  operation.set_device(device);
  operation.mutable_started()->set_seconds(kStarted);
  operation.mutable_took()->set_nanos(118'000'000);
  int32_t at = 0;
  for (const char* what : {"quiesce", "unmap", "reset", "restore"}) {
    v1::Operation::Step* step = operation.add_steps();
    step->set_what(what);
    step->mutable_started()->set_nanos(at);
    step->mutable_took()->set_nanos(1'500'000);
    at += 1'500'000;
  }
  return operation;
}

void FakeState::Record(const v1::Operation& operation) {
  v1::Operation seen = operation;
  seen.set_state(v1::Operation::RUNNING);
  seen.clear_took();
  seen.clear_steps();
  seen.clear_mappings();
  *AddEvent(v1::Event::CREATED).mutable_operation() = seen;
  for (const v1::Operation::Step& step : operation.steps()) {
    *seen.add_steps() = step;
    *AddEvent(v1::Event::CHANGED).mutable_operation() = seen;
  }
  seen = operation;
  seen.clear_mappings();
  *AddEvent(v1::Event::CHANGED).mutable_operation() = seen;
  operations[operation.name()] = operation;
}

void FakeState::ResetOne(v1::Device& device, v1::Operation& operation) {
  device.set_generation(device.generation() + 1);
  for (const auto& [mapping_name, mapping] : mappings) {
    const auto source = exports.find(mapping.export_());
    if (source == exports.end() || source->second.window().device() != device.name()) continue;
    v1::Operation::Outcome* outcome = operation.add_mappings();
    operation.set_mapping_count(operation.mapping_count() + 1);
    outcome->set_mapping(mapping_name);
    outcome->set_iova(mapping.iova());
    outcome->set_state(mapping.state());
  }
  operation.add_devices(device.name());
  ChangeDevice(device, device.driver_session().empty() ? v1::Device::READY : v1::Device::AWAITING_DRIVER);
}

grpc::Status FakeState::ResetDevice(const v1::ResetDeviceRequest& request, v1::Operation* operation) {
  const auto found = devices.find(request.name());
  if (found == devices.end()) return NotFound("ResetDevice", request.name());
  *operation = NewOperation(v1::Operation::RESET, request.name());
  for (auto& [name, device] : devices) {
    const bool along = request.scope() == v1::ResetDeviceRequest::BUS && device.context() == found->second.context();
    if (name == request.name() || along) ResetOne(device, *operation);
  }
  operation->set_generation(found->second.generation());
  for (const auto& [session_name, session] : sessions) {
    v1::Operation::Party* party = operation->add_parties();
    party->set_session(session_name);
    party->set_answer(v1::Operation::Party::ACKED);
    party->mutable_after()->set_nanos(250'000);
  }
  Record(*operation);
  return grpc::Status::OK;
}

grpc::Status FakeState::RecoverDevice(const std::string& name, v1::Operation* operation) {
  const auto found = devices.find(name);
  if (found == devices.end()) return NotFound("RecoverDevice", name);
  if (found->second.state() != v1::Device::FAULTED) {
    return Failure(grpc::StatusCode::FAILED_PRECONDITION, v1::ErrorDetail::INVALID_ARGUMENT, "RecoverDevice", name,
                   "it is not FAULTED");
  }
  *operation = NewOperation(v1::Operation::RECOVERY, name);
  EndExportsOf(name, *operation);
  found->second.set_generation(found->second.generation() + 1);
  found->second.clear_state_reason();
  operation->set_generation(found->second.generation());
  ChangeDevice(found->second, v1::Device::READY);
  Record(*operation);
  return grpc::Status::OK;
}

grpc::Status FakeState::RevokeExport(const std::string& name, v1::Operation* operation) {
  const grpc::Status status = DeleteExport(name, operation);
  return status.error_code() == grpc::StatusCode::NOT_FOUND ? NotFound("RevokeExport", name) : status;
}

grpc::Status FakeState::RevokeSession(const std::string& name, v1::Operation* operation) {
  if (sessions.count(name) == 0) return NotFound("RevokeSession", name);
  *operation = NewOperation(v1::Operation::SESSION_END, "");
  Record(*operation);
  EndSession(name);
  return grpc::Status::OK;
}

}  // namespace p2p::testing
