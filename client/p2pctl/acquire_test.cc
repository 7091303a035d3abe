// Windows for scripts: acquire, and release. The holder is a real process.
#include <poll.h>
#include <signal.h>

#include <functional>

#include "absl/strings/strip.h"
#include "client/p2pctl/p2pctl_process.h"
#include "client/p2pctl/pidfd.h"
#include "google/protobuf/util/json_util.h"

namespace p2p::ctl {
namespace {

using ::p2p::testing::FakeState;
using ::p2p::testing::kExporter;
using ::p2p::testing::kImporter;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class AcquireTest : public P2pctlProcessFixture {
 protected:
  // The session's name, without the newline. What acquire left behind is released with the fake: it hangs up.
  std::string Acquire(std::vector<std::string> words) {
    words.insert(words.begin(), "acquire");
    EXPECT_EQ(RunP2pctl(words), 0) << err_;
    return std::string(absl::StripSuffix(out_, "\n"));
  }
  template <typename Result>
  Result State(const std::function<Result(FakeState&)>& look) {
    Result result;
    p2pd_.broker().WithState([&](FakeState& state) { result = look(state); });
    return result;
  }
  int64_t Expires() {
    return State<int64_t>([](FakeState& state) { return state.exports.begin()->second.expire_time().seconds(); });
  }
  size_t Exports() {
    return State<size_t>([](FakeState& state) { return state.exports.size(); });
  }
};

TEST_F(AcquireTest, PrintsTheSessionThatHoldsTheWindow) {
  const std::string session = Acquire({"01:00.0/2/64K+2M"});
  EXPECT_THAT(session, StartsWith("sessions/"));
  const auto held = State<v1::Export>([](FakeState& state) { return state.exports.begin()->second; });
  EXPECT_EQ(held.session(), session);
  EXPECT_EQ(held.window().device(), kExporter);
  EXPECT_EQ(held.window().offset(), 65536u);
  EXPECT_EQ(held.window().length(), 2u << 20);
  EXPECT_EQ(held.grade(), v1::MAPPED);
}

TEST_F(AcquireTest, ReleaseGivesItBackBeforeItReturns) {
  const std::string session = Acquire({"01:00.0/2+64K"});
  ASSERT_EQ(Exports(), 1u);
  EXPECT_EQ(RunP2pctl({"release", session}), 0) << err_;
  EXPECT_EQ(out_, "");
  EXPECT_EQ(Exports(), 0u);
  p2pd_.WaitForSessionEnds(2);
  EXPECT_EQ(RunP2pctl({"release", session}), 5);
}

TEST_F(AcquireTest, TheWindowIsMappedForTheDevicesThatItIsFor) {
  const std::string session = Acquire({"01:00.0/2+64K", "--for", "02:00.0", "--json"});
  v1::AcquireResponse response;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(out_, &response).ok()) << out_;
  ASSERT_EQ(response.mappings_size(), 1);
  EXPECT_EQ(response.mappings(0).length(), 65536u);
  const auto driver = State<std::string>([](FakeState& state) { return state.devices[kImporter].driver_session(); });
  EXPECT_EQ(driver, response.export_().session());
  EXPECT_EQ(RunP2pctl({"release", driver}), 0) << err_;
  EXPECT_EQ(State<std::string>([](FakeState& state) { return state.devices[kImporter].driver_session(); }), "");
}

TEST_F(AcquireTest, RawIsAskedForByName) {
  Acquire({"01:00.0/2+64K", "--raw"});
  EXPECT_EQ(State<v1::Grade>([](FakeState& state) { return state.exports.begin()->second.grade(); }), v1::RAW);
}

TEST_F(AcquireTest, ARefusalIsTheExitStatusAndNothingStaysBehind) {
  v1::ErrorDetail detail;
  detail.set_reason(v1::ErrorDetail::POLICY);
  detail.set_step("Acquire");
  detail.set_object(kExporter);
  p2pd_.calls().FailNext("Acquire", p2p::testing::MakeFailure(grpc::StatusCode::PERMISSION_DENIED, detail, "no rule"));
  EXPECT_EQ(RunP2pctl({"acquire", "01:00.0/2+64K"}), 4);
  EXPECT_EQ(out_, "");
  EXPECT_EQ(err_, "p2pctl: Acquire: devices/0000:01:00.0: no rule\n");
  p2pd_.WaitForSessionEnds(1);
}

TEST_F(AcquireTest, TheHolderDoesNoDmaSoItAcknowledgesAtOnce) {
  Acquire({"01:00.0/2+64K"});
  v1::ServerFrame frame;
  frame.mutable_quiesce_requested()->set_operation("operations/9");
  frame.mutable_quiesce_requested()->set_device(kExporter);
  p2pd_.Send(frame);
  EXPECT_EQ(p2pd_.WaitForAcks(1)[0], "operations/9");
}

TEST_F(AcquireTest, TheHolderEndsWithItsSession) {
  const std::string session = Acquire({"01:00.0/2+64K"});
  const pid_t pid = State<pid_t>([&](FakeState& state) { return state.sessions[session].pid(); });
  const p2pd::UniqueFd holder = OpenPidfd(pid);
  ASSERT_TRUE(holder.valid());
  p2pd_.HangUp();
  pollfd wait = {.fd = holder.get(), .events = POLLIN};
  EXPECT_EQ(poll(&wait, 1, -1), 1);
}

TEST_F(AcquireTest, TheHolderEndsWithTheDeviceThatIsTakenAwayForGood) {
  Acquire({"01:00.0/2+64K", "--raw"});
  v1::ServerFrame frame;
  frame.mutable_device_revoked()->set_device(kExporter);
  p2pd_.Send(frame);
  p2pd_.WaitForSessionEnds(1);
  EXPECT_EQ(Exports(), 0u);
}

TEST_F(AcquireTest, ATimeToLiveReachesP2pdAndTheHolderEndsWithIt) {
  Acquire({"01:00.0/2+64K", "--time-to-live", "1h"});
  EXPECT_EQ(Expires(), p2p::testing::kStarted + 3600);
  EXPECT_EQ(RunP2pctl({"acquire", "02:00.0/0+4K", "--time-to-live=20ms"}), 0) << err_;
  p2pd_.WaitForSessionEnds(1);
  EXPECT_EQ(Exports(), 1u);
}

TEST_F(AcquireTest, RenewBeginsTheTimeToLiveAnewBeforeItReturns) {
  const std::string session = Acquire({"01:00.0/2+64K", "--time-to-live=1h"});
  EXPECT_EQ(RunP2pctl({"renew", session}), 0) << err_;
  EXPECT_EQ(out_, "");
  EXPECT_EQ(Expires(), p2p::testing::kStarted + 1 + 3600);
  EXPECT_EQ(RunP2pctl({"renew", session, "--json"}), 0) << err_;
  v1::Export renewed;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(out_, &renewed).ok()) << out_;
  EXPECT_EQ(renewed.expire_time().seconds(), p2p::testing::kStarted + 2 + 3600);
  EXPECT_EQ(p2pd_.calls().Of("RenewExport").size(), 2u);
}

TEST_F(AcquireTest, WithoutATimeToLiveThereIsNothingToRenew) {
  const std::string session = Acquire({"01:00.0/2+64K"});
  EXPECT_EQ(RunP2pctl({"renew", session}), 1);
  EXPECT_THAT(err_, HasSubstr("Hint: p2pctl acquire --time-to-live gives it one"));
  EXPECT_TRUE(p2pd_.calls().Of("RenewExport").empty());
}

TEST_F(AcquireTest, WhatHasExpiredCannotBeRenewed) {
  const std::string session = Acquire({"01:00.0/2+64K", "--time-to-live=1h"});
  v1::ErrorDetail detail;
  detail.set_reason(v1::ErrorDetail::NOT_FOUND);
  p2pd_.calls().FailNext("RenewExport", p2p::testing::MakeFailure(grpc::StatusCode::NOT_FOUND, detail, "expired"));
  EXPECT_EQ(RunP2pctl({"renew", session}), 5);
  EXPECT_THAT(err_, HasSubstr("its time to live is over, or it was released"));
  p2pd_.WaitForSessionEnds(2);
  EXPECT_EQ(RunP2pctl({"renew", session}), 5);
}

TEST_F(AcquireTest, RenewDoesNotWaitForever) {
  const std::string session = Acquire({"01:00.0/2+64K", "--time-to-live=1h"});
  const pid_t pid = State<pid_t>([&](FakeState& state) { return state.sessions[session].pid(); });
  kill(pid, SIGSTOP);
  EXPECT_EQ(RunP2pctl({"renew", session, "--timeout=0.2"}), 6);
  EXPECT_THAT(err_, HasSubstr("its process has not renewed it in time"));
  kill(pid, SIGCONT);
}

TEST_F(AcquireTest, RenewTouchesNoOtherClients) {
  const auto other = Connect();
  EXPECT_EQ(RunP2pctl({"renew", other->name()}), 1);
  EXPECT_THAT(err_, HasSubstr("only for what p2pctl acquire printed"));
}

TEST_F(AcquireTest, ReleaseTouchesNoOtherClients) {
  const auto other = Connect();
  EXPECT_EQ(RunP2pctl({"release", other->name()}), 1);
  EXPECT_THAT(err_, HasSubstr("only for what p2pctl acquire printed"));
  EXPECT_TRUE(other->GetStatus().ok());
}

TEST_F(AcquireTest, ReleaseTouchesNoOtherUsersHolder) {
  const std::string session = Acquire({"01:00.0/2+64K"});
  p2pd_.broker().WithState([&](FakeState& state) { state.sessions[session].set_uid(getuid() + 1); });
  EXPECT_EQ(RunP2pctl({"release", session}), 1);
  EXPECT_THAT(err_, HasSubstr("another user's session"));
  EXPECT_EQ(Exports(), 1u);
}

TEST_F(AcquireTest, ReleaseDoesNotWaitForever) {
  const std::string session = Acquire({"01:00.0/2+64K"});
  const pid_t pid = State<pid_t>([&](FakeState& state) { return state.sessions[session].pid(); });
  kill(pid, SIGSTOP);
  EXPECT_EQ(RunP2pctl({"release", session, "--timeout=0.2"}), 6);
  EXPECT_THAT(err_, HasSubstr("its process has not ended in time"));
  kill(pid, SIGCONT);
  p2pd_.WaitForSessionEnds(2);
}

}  // namespace
}  // namespace p2p::ctl
