// Sessions and what p2pd asks of them, for C.
#include <algorithm>
#include <cstddef>
#include <cstring>

#include "client/c/error.h"
#include "client/c/handles.h"
#include "daemon/base/errors.h"

using ::p2p::c::Tell;

namespace {

// The first header's options ended with `user`. Fields that a later one appended are not in an earlier program's.
constexpr size_t kFirstSize = offsetof(p2p_session_options, on_device_revoked);
static_assert(offsetof(p2p_session_options, user) + sizeof(void*) == kFirstSize);

void Subscribe(const p2p_session_options& given, p2p::SessionOptions& options) {
  void* const user = given.user;
  if (const auto on_quiesce = given.on_quiesce) {
    options.on_quiesce = [on_quiesce, user](p2p::QuiesceRequest request) {
      std::vector<std::string> devices = request.devices();
      on_quiesce(new p2p_quiesce{std::move(request), std::move(devices)}, user);
    };
  }
  if (const auto on_resumed = given.on_resumed) {
    options.on_resumed = [on_resumed, user](const p2p::v1::Resumed& resumed) {
      const p2p_resumed told = {.operation = resumed.operation().c_str(),
                                .device = resumed.device().c_str(),
                                .generation = resumed.generation(),
                                .restored = resumed.restored(),
                                .lost = resumed.lost()};
      on_resumed(&told, user);
    };
  }
  if (const auto on_device_revoked = given.on_device_revoked) {
    options.on_device_revoked = [on_device_revoked, user](const p2p::v1::DeviceRevoked& revoked) {
      const p2p_device_revoked told = {.device = revoked.device().c_str(), .reason = revoked.reason().c_str()};
      on_device_revoked(&told, user);
    };
  }
  if (const auto on_ended = given.on_ended) {
    options.on_ended = [on_ended, user](const absl::Status& why) {
      p2p_error told;
      Tell(why, &told);
      on_ended(&told, user);
    };
  }
}

absl::Duration TimeoutOr(uint64_t milliseconds, absl::Duration usual) {
  if (milliseconds == 0) return usual;
  return absl::Milliseconds(static_cast<int64_t>(std::min<uint64_t>(milliseconds, INT64_MAX)));
}

}  // namespace

int p2p_session_connect(const p2p_session_options* given, p2p_session** session, p2p_error* error) {
  p2p_session_options wanted = {};
  if (given != nullptr) {
    if (given->size < kFirstSize) return Tell(absl::InvalidArgumentError("p2p_session_options: size"), error);
    memcpy(&wanted, given, std::min(given->size, sizeof(wanted)));
  }
  p2p::SessionOptions options;
  if (wanted.fd_socket != nullptr) options.fd_socket = wanted.fd_socket;
  if (wanted.grpc_socket != nullptr) options.grpc_socket = wanted.grpc_socket;
  if (wanted.client_name != nullptr) options.client_name = wanted.client_name;
  options.connect_timeout = TimeoutOr(wanted.connect_timeout_ms, options.connect_timeout);
  options.call_timeout = TimeoutOr(wanted.call_timeout_ms, options.call_timeout);
  Subscribe(wanted, options);
  auto connected = p2p::Session::Connect(std::move(options));
  if (connected.ok()) *session = new p2p_session{*std::move(connected)};
  return Tell(connected.status(), error);
}

void p2p_session_close(p2p_session* session) { delete session; }
const char* p2p_session_name(const p2p_session* session) { return session->session->name().c_str(); }
const char* p2p_session_version(const p2p_session* session) { return session->session->server_version().c_str(); }

int p2p_session_ended(const p2p_session* session, p2p_error* error) { return Tell(session->session->ended(), error); }

int p2p_ping(p2p_session* session, uint64_t* nanoseconds, p2p_error* error) {
  const absl::StatusOr<absl::Duration> took = session->session->Ping();
  if (took.ok() && nanoseconds != nullptr) *nanoseconds = absl::ToInt64Nanoseconds(*took);
  return Tell(took.status(), error);
}

const char* p2p_quiesce_operation(const p2p_quiesce* request) { return request->request.operation().c_str(); }
const char* p2p_quiesce_device(const p2p_quiesce* request) { return request->request.device().c_str(); }
size_t p2p_quiesce_device_count(const p2p_quiesce* request) { return request->devices.size(); }

const char* p2p_quiesce_device_at(const p2p_quiesce* request, size_t index) {
  return index < request->devices.size() ? request->devices[index].c_str() : nullptr;
}

uint64_t p2p_quiesce_generation(const p2p_quiesce* request) { return request->request.generation(); }

uint64_t p2p_quiesce_deadline_ns(const p2p_quiesce* request) { return request->request.info().deadline_monotonic_ns(); }

size_t p2p_quiesce_mapping_count(const p2p_quiesce* request) { return request->request.info().mapping_count(); }

const char* p2p_quiesce_mapping(const p2p_quiesce* request, size_t index) {
  const auto& mappings = request->request.info().mappings();
  if (index >= static_cast<size_t>(mappings.size())) return nullptr;
  return mappings[static_cast<int>(index)].c_str();
}

int p2p_quiesce_ack(p2p_quiesce* request, p2p_error* error) {
  const absl::Status status = request->request.Ack();
  delete request;
  return Tell(status, error);
}
