// SetLogLevel through the sockets: how much p2pd logs, and who may say so.
#include <memory>
#include <string>

#include "daemon/service/log.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/component/raw_client.h"
#include "tests/component/test_daemon.h"

namespace p2pd {
namespace {

using ::testing::HasSubstr;

class LogLevelTest : public ::testing::Test {
 protected:
  explicit LogLevelTest(const std::string& policy = TestDaemonOptions().policy)
      : daemon_({.policy = policy}), client_(daemon_.fd_path()), stub_(daemon_.NewStub()) {
    client_.Hello();
  }
  ~LogLevelTest() override { p2pd::SetLogLevel(LogLevel::kInfo); }

  grpc::Status Set(const std::string& level) { return Set(level, client_.welcome().token()); }
  grpc::Status Set(const std::string& level, const std::string& token) {
    v1::SetLogLevelRequest request;
    request.set_level(level);
    return stub_->SetLogLevel(CallAs(token).get(), request, &response_);
  }
  std::string Shown() {
    v1::Status status;
    EXPECT_TRUE(stub_->GetStatus(CallAs(client_.welcome().token()).get(), {}, &status).ok());
    return status.log_level();
  }

  TestDaemon daemon_;
  RawClient client_;
  std::unique_ptr<v1::Broker::Stub> stub_;
  v1::SetLogLevelResponse response_;
};

TEST_F(LogLevelTest, IsSetAndShown) {
  EXPECT_EQ(Shown(), "info");
  ASSERT_TRUE(Set("warning").ok());
  EXPECT_EQ(response_.level(), "warning");
  EXPECT_EQ(GetLogLevel(), LogLevel::kWarning);
  EXPECT_EQ(Shown(), "warning");
}

TEST_F(LogLevelTest, OneThatDoesNotExistIsRefusedWithThoseThatDo) {
  const grpc::Status refused = Set("loud");
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(refused.error_message(), HasSubstr("error, warning, notice, info, debug"));
  EXPECT_EQ(Set("").error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Shown(), "info");
}

TEST_F(LogLevelTest, WhoHasNoSessionSetsNothing) {
  EXPECT_EQ(Set("debug", "nobody").error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(GetLogLevel(), LogLevel::kInfo);
}

// Of a session that is given nothing.
class QuietChannel final : public SessionChannel {
 public:
  absl::Status Grant(const Granted&, const std::string&, UniqueFd) override { return absl::OkStatus(); }
  void RequestQuiesce(const QuiesceNotice&) override {}
  void Resume(const ResumeNotice&) override {}
  void RevokeDevice(const PciAddress& /*device*/, const std::string& /*reason*/) override {}
  void End(const std::string&) override {}
};

class WithoutAdminTest : public LogLevelTest {
 protected:
  WithoutAdminTest() : LogLevelTest("rule { name: 'look' effect: ALLOW action: OBSERVE }") {}

  // A session of that user's, whoever runs the test.
  std::string TokenOf(uint32_t uid) {
    const auto session = daemon_.broker().OpenSession({.subject = {.uid = uid}}, std::make_shared<QuietChannel>());
    EXPECT_TRUE(session.ok()) << session.status();
    return session->token;
  }
};

TEST_F(WithoutAdminTest, RootMaySetItWhateverThePolicySaysAndNobodyElse) {
  EXPECT_EQ(Set("debug", TokenOf(1000)).error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(GetLogLevel(), LogLevel::kInfo);
  EXPECT_TRUE(Set("debug", TokenOf(0)).ok());
  EXPECT_EQ(GetLogLevel(), LogLevel::kDebug);
}

}  // namespace
}  // namespace p2pd
