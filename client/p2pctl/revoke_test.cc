// Taking away what another session holds.
#include "client/p2pctl/p2pctl_fixture.h"
#include "google/protobuf/util/json_util.h"

namespace p2p::ctl {
namespace {

using ::p2p::testing::FakeState;
using ::p2p::testing::kExporter;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class RevokeTest : public P2pctlFixture {
 protected:
  RevokeTest()
      : session_(Connect()), export_(*session_->CreateExport({.device = kExporter, .bar = 2, .length = 4096})) {}

  std::unique_ptr<Session> session_;
  Export export_;
};

TEST_F(RevokeTest, AnExportIsTakenAwayAndTheReceiptSaysWhatWasDone) {
  EXPECT_EQ(Run({"revoke", export_.name(), "--reason", "maintenance"}), ExitStatus::kOk) << err_;
  EXPECT_THAT(out_, HasSubstr(" SUCCEEDED after 118.00 ms"));
  p2pd_.broker().WithState([](FakeState& state) { EXPECT_TRUE(state.exports.empty()); });
  EXPECT_TRUE(session_->GetStatus().ok());
}

TEST_F(RevokeTest, ASessionIsEndedAndIsToldWhy) {
  EXPECT_EQ(Run({"revoke", session_->name(), "--reason=maintenance"}), ExitStatus::kOk) << err_;
  EXPECT_THAT(out_, HasSubstr("SESSION_END"));
  p2pd_.broker().WithState([&](FakeState& state) { EXPECT_EQ(state.sessions.count("sessions/1"), 0u); });
}

TEST_F(RevokeTest, JsonIsTheOperation) {
  EXPECT_EQ(Run({"revoke", export_.name(), "--json"}), ExitStatus::kOk) << err_;
  v1::Operation operation;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(out_, &operation).ok()) << out_;
  EXPECT_EQ(operation.state(), v1::Operation::SUCCEEDED);
}

TEST_F(RevokeTest, WhatIsNotThereIsNotFound) {
  EXPECT_EQ(Run({"revoke", "exports/77"}), ExitStatus::kNotFound);
  EXPECT_EQ(Run({"revoke", "sessions/77"}), ExitStatus::kNotFound);
}

TEST_F(RevokeTest, ANumberAloneCouldBeEitherSoItIsRefused) {
  EXPECT_EQ(Run({"revoke", "2"}), ExitStatus::kUsage);
  EXPECT_THAT(err_, HasSubstr("Hint: write sessions/7 or exports/12"));
}

TEST_F(RevokeTest, AReasonLongerThanP2pdKeepsIsRefused) {
  EXPECT_EQ(Run({"revoke", export_.name(), "--reason", std::string(257, 'x')}), ExitStatus::kUsage);
  EXPECT_THAT(err_, StartsWith("p2pctl: --reason: 257 bytes are too many"));
}

}  // namespace
}  // namespace p2p::ctl
