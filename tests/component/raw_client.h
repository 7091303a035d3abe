// A client of the fd channel without manners: sends whatever bytes and descriptors a test wants to.
#ifndef P2PD_TESTS_COMPONENT_RAW_CLIENT_H_
#define P2PD_TESTS_COMPONENT_RAW_CLIENT_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/base/unique_fd.h"
#include "grpcpp/client_context.h"
#include "proto/p2pd/v1/broker.pb.h"
#include "proto/p2pd/v1/fd_channel.pb.h"

namespace p2pd {

class RawClient {
 public:
  // Connects; says nothing yet.
  explicit RawClient(const std::string& path);

  void SendBytes(const std::string& bytes, const std::vector<int>& fds = {});
  void Send(const v1::ClientFrame& frame, const std::vector<int>& fds = {}) {
    SendBytes(frame.SerializeAsString(), fds);
  }

  // The next frame; nothing when p2pd hung up. Fails the test after 10 s.
  std::optional<v1::ServerFrame> Read();
  // What is there already; nothing if nothing is.
  std::optional<v1::ServerFrame> ReadNow();
  // The descriptors that came with the last frame.
  std::vector<UniqueFd>& fds() { return fds_; }

  // Says Hello and keeps the answer.
  const v1::Welcome& Hello(const std::string& client = "test");
  const v1::Welcome& welcome() const { return welcome_; }
  void HangUp() { socket_.Reset(); }

 private:
  UniqueFd socket_;
  std::vector<UniqueFd> fds_;
  v1::Welcome welcome_;
};

// A call's context with a token and a deadline.
std::unique_ptr<grpc::ClientContext> CallAs(const std::string& token);

// The detail that every error of p2pd carries.
v1::ErrorDetail DetailOf(const grpc::Status& status);

// A frame that offers memory, and memory that is fit to be offered.
v1::ClientFrame OfferMemory(const std::string& name);
UniqueFd SealedMemory(size_t size);

}  // namespace p2pd

#endif  // P2PD_TESTS_COMPONENT_RAW_CLIENT_H_
