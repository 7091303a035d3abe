// ReloadPolicy and ExplainPolicy through the sockets.
#include <unistd.h>

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/component/raw_client.h"
#include "tests/component/test_daemon.h"

namespace p2pd {
namespace {

using ::testing::HasSubstr;

constexpr char kNothing[] = "rule { name: 'nothing' effect: DENY action: [EXPORT, MAP] }\n";
constexpr char kAdmin[] = "rule { name: 'admin' effect: ALLOW action: [ADMIN, DRIVE, OBSERVE] }\n";

class PolicyTest : public ::testing::Test {
 protected:
  PolicyTest() : daemon_({.next_policy = next_}), client_(daemon_.fd_path()), stub_(daemon_.NewStub()) {
    client_.Hello();
  }
  std::unique_ptr<grpc::ClientContext> Call() { return CallAs(client_.welcome().token()); }
  grpc::Status Reload(const std::string& policy, bool dry_run = false) {
    *next_ = policy;
    v1::ReloadPolicyRequest request;
    request.set_request_id("reload " + std::to_string(++last_request_));
    request.set_dry_run(dry_run);
    return stub_->ReloadPolicy(Call().get(), request, &reloaded_);
  }
  grpc::Status Explain(const v1::ExplainPolicyRequest& request) {
    return stub_->ExplainPolicy(Call().get(), request, &explained_);
  }
  std::string Export() {
    v1::CreateExportRequest request;
    request.mutable_window()->set_device("devices/0000:00:11.0");
    request.mutable_window()->set_bar(2);
    request.mutable_window()->set_length(4096);
    request.set_request_id("export");
    v1::Export window;
    EXPECT_TRUE(stub_->CreateExport(Call().get(), request, &window).ok());
    EXPECT_EQ(window.rule_origin(), "test.textproto:1");
    return window.name();
  }
  std::string FactOf(const std::string& name) const {
    for (const auto& fact : explained_.facts()) {
      if (fact.name() == name) return fact.value();
    }
    return "";
  }

  const std::shared_ptr<std::string> next_ = std::make_shared<std::string>();
  TestDaemon daemon_;
  RawClient client_;
  std::unique_ptr<v1::Broker::Stub> stub_;
  v1::ReloadPolicyResponse reloaded_;
  v1::ExplainPolicyResponse explained_;
  int last_request_ = 0;
};

TEST_F(PolicyTest, AReloadRevokesWhatIsNotAllowedAnyMore) {
  const std::string window = Export();
  ASSERT_TRUE(Reload(std::string(kNothing) + kAdmin, /*dry_run=*/true).ok());
  ASSERT_EQ(reloaded_.fallen_size(), 1);
  EXPECT_EQ(reloaded_.fallen(0).object(), window);
  EXPECT_THAT(reloaded_.fallen(0).reason(), HasSubstr("\"nothing\" (next.textproto:1)"));
  EXPECT_EQ(reloaded_.policy_generation(), 1u);
  ASSERT_TRUE(Reload(std::string(kNothing) + kAdmin).ok());
  EXPECT_EQ(reloaded_.policy_generation(), 2u);
  v1::GetOperationRequest receipt;
  receipt.set_name(reloaded_.operation());
  v1::Operation operation;
  ASSERT_TRUE(stub_->GetOperation(Call().get(), receipt, &operation).ok());
  EXPECT_EQ(operation.kind(), v1::Operation::POLICY);
  v1::GetExportRequest request;
  request.set_name(window);
  v1::Export gone;
  EXPECT_EQ(stub_->GetExport(Call().get(), request, &gone).error_code(), grpc::StatusCode::NOT_FOUND);
  v1::Status status;
  ASSERT_TRUE(stub_->GetStatus(Call().get(), {}, &status).ok());
  EXPECT_EQ(status.policy_generation(), 2u);
}

TEST_F(PolicyTest, AMistakeIsNamedWithItsPlace) {
  const grpc::Status status = Reload("rule { nme: 'x' }");
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("next.textproto:1:8: "));
  ASSERT_TRUE(Reload(kAdmin).ok());
  EXPECT_EQ(reloaded_.policy_generation(), 2u);
}

TEST_F(PolicyTest, ExplainsByWhichFactsAndRule) {
  v1::ExplainPolicyRequest request;
  request.set_action("MAP");
  request.set_exporter("devices/0000:01:00.0");
  request.set_importer("devices/0000:02:00.0");
  request.set_access(v1::READ);
  ASSERT_TRUE(Explain(request).ok());
  EXPECT_TRUE(explained_.allowed());
  EXPECT_EQ(explained_.rule_origin(), "test.textproto:1");
  EXPECT_EQ(FactOf("uid"), std::to_string(getuid()));
  EXPECT_EQ(FactOf("path"), "below one host bridge, known good");
  EXPECT_EQ(FactOf("access"), "READ");
}

TEST_F(PolicyTest, ExplainsOneselfToAnybodyAndOthersToAdministrators) {
  ASSERT_TRUE(
      Reload("rule { name: 'few' effect: ALLOW action: DRIVE subject { user: '7' } limits { max_count: 3 } }").ok());
  v1::ExplainPolicyRequest request;
  request.set_action("DRIVE");
  request.set_exporter("devices/0000:02:00.0");
  ASSERT_TRUE(Explain(request).ok());
  EXPECT_FALSE(explained_.allowed());
  EXPECT_THAT(explained_.reason(), HasSubstr("the nearest is \"few\" (next.textproto:1), but it is for uid 7"));
  request.mutable_subject()->set_uid(7);
  EXPECT_EQ(Explain(request).error_code(), grpc::StatusCode::PERMISSION_DENIED);
}

TEST_F(PolicyTest, ExplainsAnotherUsersRightsAndLimits) {
  ASSERT_TRUE(
      Reload(std::string(kAdmin) + "rule { name: 'few' effect: ALLOW action: EXPORT limits { max_count: 3 } }").ok());
  v1::ExplainPolicyRequest request;
  request.set_action("EXPORT");
  request.mutable_window()->set_device("devices/0000:01:00.0");
  request.mutable_window()->set_bar(2);
  request.mutable_window()->set_length(4096);
  request.mutable_subject()->set_uid(7);
  request.mutable_subject()->set_unit("a.service");
  ASSERT_TRUE(Explain(request).ok());
  EXPECT_TRUE(explained_.allowed());
  EXPECT_EQ(FactOf("unit"), "a.service");
  EXPECT_EQ(FactOf("window"), "BAR 2 [0, +0x1000], MEMORY");
  ASSERT_EQ(explained_.limits_size(), 1);
  EXPECT_EQ(explained_.limits(0).value(), "3");
  request.set_action("FLY");
  EXPECT_EQ(Explain(request).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

}  // namespace
}  // namespace p2pd
