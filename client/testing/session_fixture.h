// What the tests of the library share: a fake p2pd and a session with it.
#ifndef P2PD_CLIENT_TESTING_SESSION_FIXTURE_H_
#define P2PD_CLIENT_TESTING_SESSION_FIXTURE_H_

#include <memory>
#include <string>
#include <utility>

#include "client/session.h"
#include "client/testing/fake_p2pd.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2p::testing {

inline constexpr char kExporter[] = "devices/0000:01:00.0";
inline constexpr char kImporter[] = "devices/0000:02:00.0";

class SessionFixture : public ::testing::Test {
 protected:
  SessionOptions Options() const {
    return {.fd_socket = p2pd_.fd_socket(), .grpc_socket = p2pd_.grpc_socket(), .client_name = "a test"};
  }

  std::unique_ptr<Session> Connect(SessionOptions options) {
    auto session = Session::Connect(std::move(options));
    if (!session.ok()) {
      ADD_FAILURE() << session.status();
      abort();
    }
    return *std::move(session);
  }
  std::unique_ptr<Session> Connect() { return Connect(Options()); }

  FakeP2pd p2pd_;
};

}  // namespace p2p::testing

#endif  // P2PD_CLIENT_TESTING_SESSION_FIXTURE_H_
