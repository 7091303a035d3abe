// A session without the client library: gRPC's stub on a connection of its own, and the fd channel's packets. What
// is timed through it is p2pd and the way there, and hardly anything of the client.
#ifndef P2PD_TESTS_BENCH_BENCH_CLIENT_H_
#define P2PD_TESTS_BENCH_BENCH_CLIENT_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "daemon/base/unique_fd.h"
#include "proto/p2pd/v1/broker.grpc.pb.h"

namespace p2pd::bench {

inline constexpr uint64_t kPage = 4096;

// Where a p2pd listens.
struct Sockets {
  std::string fd;
  std::string grpc;
};

// For one thread at a time.
class BenchClient {
 public:
  static absl::StatusOr<std::unique_ptr<BenchClient>> Connect(const Sockets& sockets);
  // To a gRPC server that knows no sessions.
  static absl::StatusOr<std::unique_ptr<BenchClient>> ConnectBare(const std::string& grpc_socket);

  // A call as this session, with a request_id of its own if it takes one: Call("Map", &v1::Broker::Stub::Map, ...).
  template <typename Request, typename Response>
  absl::Status Call(absl::string_view name,
                    grpc::Status (v1::Broker::Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                    Request& request, Response& response) {
    grpc::ClientContext context;
    context.AddMetadata("p2pd-token", token_);
    if constexpr (requires { request.set_request_id(""); }) request.set_request_id(NextRequestId());
    return Explain(name, (stub_.get()->*method)(&context, request, &response));
  }

  // Begins a WatchEvents whose events `reactor` gets; it starts the call, and both outlive it.
  void Watch(grpc::ClientContext& context, grpc::ClientReadReactor<v1::Event>& reactor);

  // The floor: the same way, no session, nothing done.
  absl::Status Ping();

  // The descriptor that came before the last call's reply.
  absl::StatusOr<UniqueFd> ReceiveFd();

  // Drives a device, and makes it an address space; returns the space's name.
  absl::StatusOr<std::string> Drive(const std::string& device);
  absl::StatusOr<std::string> CreateExport(const v1::Window& window);
  // The export's first page, anywhere.
  absl::StatusOr<std::string> MapPage(const std::string& source, const std::string& space);
  absl::Status Unmap(const std::string& mapping);
  absl::Status DeleteExport(const std::string& source);
  // The same page, `count` times.
  absl::StatusOr<v1::BatchMapResponse> BatchMapPage(const std::string& source, const std::string& space, int count);

 private:
  BenchClient() = default;
  absl::Status Shake(const std::string& fd_socket);
  std::string NextRequestId();
  static absl::Status Explain(absl::string_view name, const grpc::Status& status);

  UniqueFd fd_socket_;
  std::string token_;
  std::unique_ptr<v1::Broker::Stub> stub_;
  uint64_t last_request_ = 0;
  const v1::WatchEventsRequest watch_;
};

// A window of a device's BAR 2.
v1::Window WindowOf(const std::string& device, uint64_t offset, uint64_t length);

}  // namespace p2pd::bench

#endif  // P2PD_TESTS_BENCH_BENCH_CLIENT_H_
