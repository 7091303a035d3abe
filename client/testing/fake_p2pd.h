// A p2pd for tests of the client: both sockets for real, in a directory of its own under /tmp, over a state
// that a test can look at and change. It can also misbehave: cut connections, withhold or repeat grants, send
// frames that no p2pd would.
#ifndef P2PD_CLIENT_TESTING_FAKE_P2PD_H_
#define P2PD_CLIENT_TESTING_FAKE_P2PD_H_

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "client/testing/fake_broker.h"
#include "client/types.h"
#include "daemon/base/mutex.h"
#include "daemon/base/unique_fd.h"
#include "grpcpp/grpcpp.h"

namespace p2p::testing {

class FakeP2pd {
 public:
  // What the links in /proc/self/fd of the device fds that it grants contain.
  static constexpr char kDeviceFd[] = "memfd:fake-vfio-device";
  // And of the dma-bufs.
  static constexpr char kDmaBuf[] = "memfd:fake-dma-buf";

  FakeP2pd();
  ~FakeP2pd();

  std::string fd_socket() const { return directory_ + "/fds.sock"; }
  std::string grpc_socket() const { return directory_ + "/p2pd.sock"; }
  FakeBroker& broker() { return *broker_; }
  FakeCalls& calls() { return broker_->calls(); }

  // Breaks every gRPC connection, as a daemon's crash does. New ones are accepted.
  void CutGrpcConnections() ABSL_LOCKS_EXCLUDED(mutex_);
  // Takes the gRPC socket away for good; connections stay.
  void CloseGrpcSocket();

  // Hello is answered with these bytes instead of Welcome; "" is no answer.
  void AnswerHelloWith(const std::string& bytes) ABSL_LOCKS_EXCLUDED(mutex_);
  // Grants queue up from now on, until ReleaseGrants().
  void WithholdGrants() ABSL_LOCKS_EXCLUDED(mutex_);
  void ReleaseGrants() ABSL_LOCKS_EXCLUDED(mutex_);
  // The next memfd that is offered is refused.
  void RefuseNextMemory(v1::MemoryAccepted refusal) ABSL_LOCKS_EXCLUDED(mutex_);
  // The next offer is lost; a successor takes the session over.
  void RestartAtNextMemory() ABSL_LOCKS_EXCLUDED(mutex_);

  // To the session that connected last.
  void Send(const v1::ServerFrame& frame, std::optional<p2pd::FdRef> fd = std::nullopt) ABSL_LOCKS_EXCLUDED(mutex_);
  void SendBytes(absl::string_view bytes) ABSL_LOCKS_EXCLUDED(mutex_);
  void HangUp() ABSL_LOCKS_EXCLUDED(mutex_);

  // The AckQuiesce frames so far, by operation, in order; waits until there are `count`.
  std::vector<std::string> WaitForAcks(size_t count) ABSL_LOCKS_EXCLUDED(mutex_);
  std::vector<std::string> acks() ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits until `count` sessions have ended.
  void WaitForSessionEnds(int count) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Grant {
    std::string session;
    v1::ServerFrame frame;
  };

  void AcceptGrpc();
  void AcceptSessions() ABSL_LOCKS_EXCLUDED(mutex_);
  void Serve(int socket) ABSL_LOCKS_EXCLUDED(mutex_);
  void Handle(const std::string& session, int socket, const v1::ClientFrame& frame, bool has_fd)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void SendGrant(const std::string& session, const v1::Grant& grant) ABSL_LOCKS_EXCLUDED(mutex_);
  void SendGrantNow(const Grant& grant) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EndSession(const std::string& session, const std::string& reason) ABSL_LOCKS_EXCLUDED(mutex_);
  int LastSocket() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  std::string directory_;
  std::unique_ptr<FakeBroker> broker_;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor_;
  std::unique_ptr<grpc::Server> server_;
  p2pd::UniqueFd fd_listener_;
  p2pd::UniqueFd grpc_listener_;
  std::thread fd_thread_;
  std::thread grpc_thread_;

  p2pd::Mutex mutex_;
  std::condition_variable_any changed_;
  std::optional<std::string> hello_answer_ ABSL_GUARDED_BY(mutex_);
  bool withhold_grants_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<Grant> withheld_ ABSL_GUARDED_BY(mutex_);
  std::optional<v1::MemoryAccepted> refusal_ ABSL_GUARDED_BY(mutex_);
  bool restart_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::string> acks_ ABSL_GUARDED_BY(mutex_);
  int ended_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<p2pd::UniqueFd> grpc_connections_ ABSL_GUARDED_BY(mutex_);  // copies
  std::vector<p2pd::UniqueFd> sockets_ ABSL_GUARDED_BY(mutex_);           // fd channels, closed with the fake
  std::map<std::string, int> session_sockets_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace p2p::testing

#endif  // P2PD_CLIENT_TESTING_FAKE_P2PD_H_
