// How p2pctl ends: the exit status, and what it says on stderr.
#include <algorithm>
#include <future>

#include "client/p2pctl/p2pctl_fixture.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/util/json_util.h"

namespace p2p::ctl {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class ExitStatusTest : public P2pctlFixture {
 protected:
  ExitStatus RunWithFailure(grpc::StatusCode code, v1::ErrorDetail::Reason reason) {
    v1::ErrorDetail detail;
    detail.set_reason(reason);
    detail.set_step("GetStatus");
    detail.set_object("p2pd");
    detail.set_hint("ask the administrator");
    p2pd_.calls().FailNext("GetStatus", p2p::testing::MakeFailure(code, detail, "no"));
    return Run({"status"});
  }
};

TEST_F(ExitStatusTest, TheHintIsOnALineOfItsOwn) {
  EXPECT_EQ(RunWithFailure(grpc::StatusCode::INTERNAL, v1::ErrorDetail::KERNEL), ExitStatus::kFailed);
  EXPECT_EQ(err_, "p2pctl: GetStatus: p2pd: no\nHint: ask the administrator\n");
  EXPECT_EQ(out_, "");
}

TEST_F(ExitStatusTest, ADenialByPolicyIsFour) {
  EXPECT_EQ(RunWithFailure(grpc::StatusCode::PERMISSION_DENIED, v1::ErrorDetail::POLICY), ExitStatus::kDenied);
}

TEST_F(ExitStatusTest, WhatIsNotThereIsFive) {
  EXPECT_EQ(RunWithFailure(grpc::StatusCode::NOT_FOUND, v1::ErrorDetail::NOT_FOUND), ExitStatus::kNotFound);
}

TEST_F(ExitStatusTest, AnEndedSessionIsThree) {
  EXPECT_EQ(RunWithFailure(grpc::StatusCode::UNAUTHENTICATED, v1::ErrorDetail::SESSION_ENDED),
            ExitStatus::kNoConnection);
}

TEST_F(ExitStatusTest, ABusyDeviceIsARefusalNotALostConnection) {
  EXPECT_EQ(RunWithFailure(grpc::StatusCode::UNAVAILABLE, v1::ErrorDetail::DEVICE_NOT_READY), ExitStatus::kFailed);
}

TEST_F(ExitStatusTest, NoAnswerInTimeIsSix) {
  std::promise<void> answer;
  p2pd_.calls().BeforeNextReply("GetStatus", [&answer] { answer.get_future().wait(); });
  EXPECT_EQ(Run({"status", "--timeout", "0.2"}), ExitStatus::kTimeout);
  answer.set_value();
  EXPECT_THAT(err_, HasSubstr("p2pd did not answer within 200ms"));
}

TEST_F(ExitStatusTest, WithoutP2pdItSaysHowToLookForIt) {
  EXPECT_EQ(RunBare({"--fd-socket=/nonexistent/fds.sock", "devices"}), ExitStatus::kNoConnection);
  EXPECT_EQ(err_,
            "p2pctl: connect to p2pd: /nonexistent/fds.sock: No such file or directory [ENOENT]\n"
            "Hint: is p2pd running? systemctl status p2pd\n");
}

TEST_F(ExitStatusTest, AnOlderP2pdIsSuspectedWhereItDoesNotKnowTheRequest) {
  p2pd_.calls().FailNext("GetStatus", grpc::Status(grpc::StatusCode::UNIMPLEMENTED, ""));
  EXPECT_EQ(Run({"status"}), ExitStatus::kFailed);
  EXPECT_EQ(err_, "p2pctl: p2pd does not know this request\nHint: is it older than p2pctl? p2pctl status\n");
}

TEST_F(ExitStatusTest, WithJsonTheErrorIsAnObjectWithItsFacts) {
  v1::ErrorDetail detail;
  detail.set_reason(v1::ErrorDetail::POLICY);
  detail.set_step("GetStatus");
  detail.set_object("a \"quoted\" name");
  p2pd_.calls().FailNext("GetStatus", p2p::testing::MakeFailure(grpc::StatusCode::PERMISSION_DENIED, detail, "no"));
  EXPECT_EQ(Run({"status", "--json"}), ExitStatus::kDenied);
  google::protobuf::Struct all;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(err_, &all).ok()) << err_;
  const auto& error = all.fields().at("error").struct_value().fields();
  EXPECT_EQ(error.at("code").string_value(), "PERMISSION_DENIED");
  EXPECT_EQ(error.at("exit_status").number_value(), 4);
  EXPECT_EQ(error.at("detail").struct_value().fields().at("reason").string_value(), "POLICY");
  EXPECT_EQ(error.at("detail").struct_value().fields().at("object").string_value(), "a \"quoted\" name");
  EXPECT_EQ(std::count(err_.begin(), err_.end(), '\n'), 1);
}

TEST_F(ExitStatusTest, WithJsonWrongUsageIsAnObjectToo) {
  EXPECT_EQ(RunBare({"devcies", "--json"}), ExitStatus::kUsage);
  EXPECT_THAT(err_, StartsWith("{\"error\":{\"code\":\"INVALID_ARGUMENT\",\"message\":\"unknown command 'devcies'"));
  EXPECT_EQ(RunBare({"run", "--dirve=x", "--", "nvme", "--json"}), ExitStatus::kUsage);
  EXPECT_THAT(err_, StartsWith("p2pctl: unknown option '--dirve'\nHint: did you mean '--drive'?\n"));
}

TEST_F(ExitStatusTest, OutputThatCannotBeWrittenIsAFailure) {
  std::ostringstream out;
  std::ostringstream err;
  out.setstate(std::ios::badbit);
  Console console = {.out = out, .err = err};
  const std::vector<std::string> words = {"--fd-socket", p2pd_.fd_socket(), "--grpc-socket", p2pd_.grpc_socket(),
                                          "devices"};
  EXPECT_EQ(RunP2pctl(words, console), ExitStatus::kFailed);
  EXPECT_THAT(err.str(), StartsWith("p2pctl: the output could not be written"));
}

}  // namespace
}  // namespace p2p::ctl
