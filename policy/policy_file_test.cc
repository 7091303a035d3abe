#include "policy/policy_file.h"

#include <sys/stat.h>

#include <cstdlib>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "policy/fake_user_database.h"

namespace p2pd {
namespace {

using ::testing::StartsWith;

constexpr char kOneRule[] = R"(
# Alice's accelerator.
rule {
  name: "alice drives"
  effect: ALLOW
  action: DRIVE
  subject { user: "alice" }
}
)";

PolicyRequest AliceDrives() {
  PolicyRequest request;
  request.subject.uid = 1000;
  request.action = Action::kDrive;
  return request;
}

std::string ErrorOf(absl::string_view text) {
  const auto policy = ParsePolicy(text, "p.textproto", FakeUserDatabase());
  EXPECT_EQ(policy.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(policy.status().message());
}

TEST(ParsePolicyTest, AVerdictNamesTheRulesFileAndLine) {
  const auto policy = ParsePolicy(kOneRule, "p.textproto", FakeUserDatabase());
  ASSERT_TRUE(policy.ok()) << policy.status();
  EXPECT_EQ(policy->rule_count(), 1);
  const Verdict verdict = policy->Judge(AliceDrives());
  EXPECT_TRUE(verdict.allowed);
  EXPECT_EQ(verdict.rule, "alice drives");
  EXPECT_EQ(verdict.origin, "p.textproto:3");
}

TEST(ParsePolicyTest, AnEmptyFileDeniesEverything) {
  for (const char* text : {"", "\n", "# nothing\n"}) {
    const auto policy = ParsePolicy(text, "p.textproto", FakeUserDatabase());
    ASSERT_TRUE(policy.ok()) << policy.status();
    EXPECT_EQ(policy->rule_count(), 0);
    EXPECT_FALSE(policy->Judge(AliceDrives()).allowed);
  }
}

TEST(ParsePolicyTest, WhatIsUnknownIsPlacedAndWhatIsKnownIsListed) {
  EXPECT_EQ(ErrorOf("rule {\n  effect: PERMIT\n}"),
            "p.textproto:2:11: \"PERMIT\" is unknown here, expected one of ALLOW, DENY");
}

TEST(ParsePolicyTest, AFileThatEndsTooSoonIsRefusedWhole) {
  EXPECT_THAT(ErrorOf(absl::StrCat(kOneRule, "rule {\n  name: \"b\"\n")), StartsWith("p.textproto:11:1: Expected"));
}

class LoadPolicyTest : public ::testing::Test {
 protected:
  std::string Write(const std::string& text, mode_t mode) {
    std::string directory = ::testing::TempDir() + "/policy_XXXXXX";
    EXPECT_NE(mkdtemp(directory.data()), nullptr);
    const std::string path = directory + "/p.textproto";
    std::ofstream(path) << text;
    EXPECT_EQ(chmod(path.c_str(), mode), 0);
    return path;
  }
};

TEST_F(LoadPolicyTest, ReadsATrustedFile) {
  const std::string path = Write(kOneRule, 0644);
  const auto policy = LoadPolicy(path, FakeUserDatabase());
  ASSERT_TRUE(policy.ok()) << policy.status();
  EXPECT_EQ(policy->Judge(AliceDrives()).origin, path + ":3");
}

TEST_F(LoadPolicyTest, RefusesAFileThatOthersMayWrite) {
  const auto policy = LoadPolicy(Write(kOneRule, 0666), FakeUserDatabase());
  EXPECT_EQ(policy.status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(LoadPolicyTest, OneWrongRuleRefusesTheWholeFile) {
  const std::string path = Write(absl::StrCat(kOneRule, "rule { name: \"b\" effect: ALLOW }\n"), 0644);
  const auto policy = LoadPolicy(path, FakeUserDatabase());
  EXPECT_EQ(policy.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(policy.status().message()), StartsWith(path + ":9:1: rule \"b\": expected at least one"));
}

}  // namespace
}  // namespace p2pd
