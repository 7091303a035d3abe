// What happens when everything is used up: connections, descriptors. Who is in keeps working, who is not in is
// told or hung up on, and when there is room again p2pd takes it.
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/component/raw_client.h"
#include "tests/component/test_daemon.h"

namespace p2pd {
namespace {

UniqueFd ConnectTo(const std::string& path, int type) {
  UniqueFd fd(socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) fd.Reset();
  return fd;
}

class ExhaustionTest : public testing::Test {
 protected:
  void ExpectService() {
    v1::ListDevicesResponse devices;
    const grpc::Status status = stub_->ListDevices(CallAs(client_.welcome().token()).get(), {}, &devices);
    EXPECT_TRUE(status.ok()) << status.error_message();
  }
  bool SomebodyNewGetsIn() {
    const absl::Time deadline = absl::Now() + absl::Seconds(20);
    while (absl::Now() < deadline) {
      RawClient client(daemon_.fd_path());
      v1::ClientFrame hello;
      hello.mutable_hello()->set_client("new");
      client.Send(hello);
      const auto frame = client.Read();
      if (frame.has_value() && frame->has_welcome()) return true;
    }
    return false;
  }

  TestDaemon daemon_;
  RawClient client_{daemon_.fd_path()};
  std::unique_ptr<v1::Broker::Stub> stub_ = daemon_.NewStub();
};

TEST_F(ExhaustionTest, TwoThousandConnectionsThatSayNothingKeepNobodyOut) {
  client_.Hello();
  ExpectService();
  std::vector<UniqueFd> silent;
  for (int i = 0; i < 2000; ++i) {
    UniqueFd fd =
        ConnectTo(i % 2 == 0 ? daemon_.fd_path() : daemon_.grpc_path(), i % 2 == 0 ? SOCK_SEQPACKET : SOCK_STREAM);
    if (fd.valid()) silent.push_back(std::move(fd));
    if (i % 250 == 0) ExpectService();
  }
  EXPECT_GT(silent.size(), 1000u);
  ExpectService();
  silent.clear();
  EXPECT_TRUE(SomebodyNewGetsIn());
}

TEST_F(ExhaustionTest, WithoutADescriptorToSparePeopleAreTurnedAwayAndServiceGoesOn) {
  client_.Hello();
  ExpectService();
  // p2pd is in this process: what is left to it is what the limit leaves.
  rlimit before = {};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  std::vector<UniqueFd> waiting;
  for (int i = 0; i < 20; ++i) waiting.emplace_back(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  const UniqueFd highest(dup(0));
  rlimit tight = before;
  tight.rlim_cur = static_cast<rlim_t>(highest.get()) + 1;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &tight), 0);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  daemon_.fd_path().copy(address.sun_path, sizeof(address.sun_path) - 1);
  for (const UniqueFd& fd : waiting) {
    static_cast<void>(connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)));
  }
  // Each is accepted with the spare descriptor and closed: it reads an end.
  for (const UniqueFd& fd : waiting) {
    char byte = 0;
    EXPECT_LE(recv(fd.get(), &byte, 1, 0), 0);
  }
  ExpectService();
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  waiting.clear();
  EXPECT_TRUE(SomebodyNewGetsIn());
}

TEST_F(ExhaustionTest, AClientThatNeverReadsIsHungUpOn) {
  client_.Hello();
  RawClient deaf(daemon_.fd_path());
  deaf.Hello();
  const UniqueFd memory = SealedMemory(4096);
  // Each offer has an answer, until p2pd has had enough of answers that nobody reads.
  v1::ListSessionsResponse sessions;
  for (int i = 0; i < 20000; ++i) {
    deaf.Send(OfferMemory("same"), {memory.get()});
    if (i % 500 != 0) continue;
    ASSERT_TRUE(stub_->ListSessions(CallAs(client_.welcome().token()).get(), {}, &sessions).ok());
    if (sessions.sessions_size() == 1) break;
  }
  ExpectService();
}

}  // namespace
}  // namespace p2pd
