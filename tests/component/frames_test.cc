// A client that breaks the protocol of the fd channel loses its own session, and nothing else happens.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <thread>

#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "tests/component/raw_client.h"
#include "tests/component/test_daemon.h"

namespace p2pd {
namespace {

size_t OpenFds() {
  size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
  return count;
}

class FramesTest : public testing::Test {
 protected:
  FramesTest() { bystander_.Hello(); }

  // Does this to a session, which must end while another goes on.
  void ExpectEnds(const std::function<void(RawClient&)>& violate) {
    RawClient client(daemon_.fd_path());
    client.Hello();
    violate(client);
    while (const auto frame = client.Read()) EXPECT_TRUE(frame->has_ended());
    v1::ListSessionsResponse sessions;
    EXPECT_TRUE(stub_->ListSessions(CallAs(bystander_.welcome().token()).get(), {}, &sessions).ok());
  }

  TestDaemon daemon_;
  RawClient bystander_{daemon_.fd_path()};
  std::unique_ptr<v1::Broker::Stub> stub_ = daemon_.NewStub();
};

TEST_F(FramesTest, AFrameOverFourKibibytesEndsItsSession) {
  ExpectEnds([](RawClient& client) { client.SendBytes(std::string(5000, 'x')); });
}

TEST_F(FramesTest, AnEmptyPacketEndsItsSession) {
  ExpectEnds([](RawClient& client) { client.SendBytes(""); });
}

TEST_F(FramesTest, GarbageEndsItsSession) {
  ExpectEnds([](RawClient& client) { client.SendBytes("\xff\xff\xff\xff"); });
}

TEST_F(FramesTest, AFrameOfAnUnknownKindEndsItsSession) {
  ExpectEnds([](RawClient& client) { client.SendBytes("\xf2\x3f\x00"); });
}

TEST_F(FramesTest, ASecondHelloEndsItsSession) {
  ExpectEnds([](RawClient& client) {
    v1::ClientFrame frame;
    frame.mutable_hello()->set_client("again");
    client.Send(frame);
  });
}

TEST_F(FramesTest, AnAckOfNoOperationEndsItsSession) {
  ExpectEnds([](RawClient& client) {
    v1::ClientFrame frame;
    frame.mutable_ack_quiesce()->set_operation("operations/none");
    client.Send(frame);
  });
}

TEST_F(FramesTest, AnAckOfAnOperationThatIsOverIsIgnored) {
  v1::ClientFrame frame;
  frame.mutable_ack_quiesce()->set_operation("operations/4711");
  bystander_.Send(frame);
  bystander_.Send(OfferMemory("memory"), {SealedMemory(4096).get()});
  const auto answer = bystander_.Read();
  ASSERT_TRUE(answer.has_value());
  EXPECT_TRUE(answer->has_memory_accepted());
}

TEST_F(FramesTest, TheFirstFrameMustBeHello) {
  RawClient client(daemon_.fd_path());
  client.Send(OfferMemory("memory"), {SealedMemory(4096).get()});
  EXPECT_TRUE(client.Read()->has_ended());
  EXPECT_FALSE(client.Read().has_value());
}

TEST_F(FramesTest, SurplusDescriptorsEndTheSessionAndAreClosed) {
  const UniqueFd fd(open("/dev/null", O_RDONLY | O_CLOEXEC));
  ExpectEnds([&](RawClient& client) { client.Send(OfferMemory("memory"), std::vector<int>(253, fd.get())); });
  ExpectEnds([&](RawClient& client) { client.Send(OfferMemory("memory")); });
  const size_t before = OpenFds();
  for (int i = 0; i < 10; ++i) {
    ExpectEnds([&](RawClient& client) {
      v1::ClientFrame ack;
      ack.mutable_ack_quiesce()->set_operation("operations/1");
      client.Send(ack, std::vector<int>(100, fd.get()));
    });
  }
  // They are closed by and by, on threads of their own.
  const absl::Time deadline = absl::Now() + absl::Seconds(20);
  while (OpenFds() > before && absl::Now() < deadline) std::this_thread::yield();
  EXPECT_LE(OpenFds(), before);
}

TEST_F(FramesTest, AFloodOfFramesKeepsNobodyWaiting) {
  v1::ClientFrame ack;
  ack.mutable_ack_quiesce()->set_operation("operations/1");
  const std::string bytes = ack.SerializeAsString();
  RawClient flooder(daemon_.fd_path());
  flooder.Hello();
  for (int i = 0; i < 2000; ++i) flooder.SendBytes(bytes);
  RawClient newcomer(daemon_.fd_path());
  EXPECT_NE(newcomer.Hello().token(), "");
}

TEST_F(FramesTest, MemoryThatIsFitIsAcceptedAndOtherMemoryIsRefusedWithAReason) {
  bystander_.Send(OfferMemory("good"), {SealedMemory(8192).get()});
  auto answer = bystander_.Read();
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->memory_accepted().name(), "good");
  EXPECT_EQ(answer->memory_accepted().error(), "");
  const UniqueFd file(open("/dev/null", O_RDWR | O_CLOEXEC));
  bystander_.Send(OfferMemory("bad"), {file.get()});
  answer = bystander_.Read();
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->memory_accepted().name(), "bad");
  EXPECT_NE(answer->memory_accepted().error(), "");
  EXPECT_EQ(answer->memory_accepted().reason(), v1::ErrorDetail::MEMORY_UNSUITABLE);
  EXPECT_NE(answer->memory_accepted().code(), 0);
}

}  // namespace
}  // namespace p2pd
