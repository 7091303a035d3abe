// What p2pctl tells while p2pd is at it: each step once, on stderr, the receipt apart from it on stdout.
#include "client/p2pctl/p2pctl_fixture.h"
#include "google/protobuf/util/json_util.h"

namespace p2p::ctl {
namespace {

using ::p2p::testing::FakeState;
using ::p2p::testing::kExporter;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class ProgressTest : public P2pctlFixture {
 protected:
  ProgressTest()
      : session_(Connect()), export_(*session_->CreateExport({.device = kExporter, .bar = 2, .length = 4096})) {}

  // What is told of the last operation, whose steps the fake makes up, as `subject`.
  std::string StepsOf(const std::string& subject) {
    const std::string name = session_->ListOperations()->back().name() + ": ";
    return name + subject + "\n" + name + "quiesce: ok, 1.50 ms\n" + name + "unmap: ok, 1.50 ms\n" + name +
           "reset: ok, 1.50 ms\n" + name + "restore: ok, 1.50 ms\n";
  }

  std::unique_ptr<Session> session_;
  Export export_;
};

TEST_F(ProgressTest, EveryStepIsToldOnceAndTheReceiptIsApart) {
  ASSERT_EQ(Run({"reset", "01:00.0", "--progress=always"}), ExitStatus::kOk) << err_;
  EXPECT_EQ(err_, StepsOf("RESET of 0000:01:00.0"));
  EXPECT_THAT(out_, StartsWith(session_->ListOperations()->back().name() + ": RESET of 0000:01:00.0 SUCCEEDED"));
}

TEST_F(ProgressTest, AReceiptOfBeforeIsNotToldAgain) {
  ASSERT_TRUE(session_->ResetDevice(kExporter).ok());
  ASSERT_EQ(Run({"reset", "01:00.0", "--progress=always"}), ExitStatus::kOk) << err_;
  EXPECT_EQ(err_, StepsOf("RESET of 0000:01:00.0"));
}

TEST_F(ProgressTest, RecoveriesAndRevocationsTellTheirStepsToo) {
  p2pd_.broker().WithState([](FakeState& state) { state.devices[kExporter].set_state(v1::Device::FAULTED); });
  ASSERT_EQ(Run({"device", "recover", "01:00.0", "--progress=always"}), ExitStatus::kOk) << err_;
  EXPECT_EQ(err_, StepsOf("RECOVERY of 0000:01:00.0"));
  const auto window = session_->CreateExport({.device = kExporter, .bar = 2, .length = 4096});
  ASSERT_EQ(Run({"revoke", window->name(), "--progress=always"}), ExitStatus::kOk) << err_;
  EXPECT_EQ(err_, StepsOf("RELEASE of 0000:01:00.0"));
  const auto victim = Connect();
  ASSERT_EQ(Run({"revoke", victim->name(), "--progress=always"}), ExitStatus::kOk) << err_;
  EXPECT_EQ(err_, StepsOf("SESSION_END"));
}

TEST_F(ProgressTest, ATerminalGetsItUnlessItIsNotWanted) {
  EXPECT_EQ(Run({"reset", "01:00.0"}), ExitStatus::kOk);
  EXPECT_EQ(err_, "");
  progress_terminal_ = true;
  EXPECT_EQ(Run({"reset", "01:00.0"}), ExitStatus::kOk);
  EXPECT_EQ(err_, StepsOf("RESET of 0000:01:00.0"));
  EXPECT_EQ(Run({"reset", "01:00.0", "--progress", "never"}), ExitStatus::kOk);
  EXPECT_EQ(err_, "");
}

TEST_F(ProgressTest, JsonIsTheReceiptAlone) {
  progress_terminal_ = true;
  EXPECT_EQ(Run({"reset", "01:00.0", "--json"}), ExitStatus::kOk);
  EXPECT_EQ(err_, "");
  v1::Operation operation;
  EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(out_, &operation).ok()) << out_;
  EXPECT_EQ(operation.steps_size(), 4);
}

TEST_F(ProgressTest, AskedForBesideJsonItSaysWhereJsonIs) {
  EXPECT_EQ(Run({"reset", "01:00.0", "--json", "--progress=always"}), ExitStatus::kUsage);
  EXPECT_THAT(err_, HasSubstr("p2pctl operations --follow --json tells each step as JSON"));
  EXPECT_TRUE(p2pd_.calls().Of("ResetDevice").empty());
}

TEST_F(ProgressTest, WhenIsAutoAlwaysOrNever) {
  EXPECT_EQ(Run({"revoke", "sessions/1", "--progress=sometimes"}), ExitStatus::kUsage);
  EXPECT_EQ(err_, "p2pctl: --progress: there is no 'sometimes'\nHint: write auto, always or never\n");
}

TEST_F(ProgressTest, ARefusalIsAllThereIsToTell) {
  EXPECT_EQ(Run({"reset", "05:00.0", "--progress=always"}), ExitStatus::kNotFound);
  EXPECT_EQ(err_, "p2pctl: ResetDevice: devices/0000:05:00.0: no such object\n");
}

TEST_F(ProgressTest, WithoutAWatchTheReceiptTellsTheSteps) {
  v1::ErrorDetail detail;
  detail.set_reason(v1::ErrorDetail::QUOTA);
  p2pd_.calls().FailNext("WatchEvents",
                         p2p::testing::MakeFailure(grpc::StatusCode::RESOURCE_EXHAUSTED, detail, "too many"));
  ASSERT_EQ(Run({"reset", "01:00.0", "--progress=always"}), ExitStatus::kOk) << err_;
  EXPECT_EQ(err_, StepsOf("RESET of 0000:01:00.0"));
}

}  // namespace
}  // namespace p2p::ctl
