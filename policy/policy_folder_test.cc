// A policy of several files: which count, in which order, and that they count together or not at all.
#include "policy/policy_folder.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "policy/fake_user_database.h"
#include "policy/policy_file.h"

namespace p2pd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string RuleText(const std::string& name) {
  return "rule { name: '" + name + "' effect: ALLOW action: OBSERVE }\n";
}

class PolicyFolderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    top_ = ::testing::TempDir() + "/policies_XXXXXX";
    ASSERT_NE(mkdtemp(top_.data()), nullptr);
    own_ = top_ + "/own";
    vendor_ = top_ + "/vendor";
    ASSERT_EQ(mkdir(own_.c_str(), 0755), 0);
    ASSERT_EQ(mkdir(vendor_.c_str(), 0755), 0);
  }
  static std::string Write(const std::string& path, const std::string& text) {
    std::ofstream(path) << text;
    EXPECT_EQ(chmod(path.c_str(), 0644), 0);
    return path;
  }
  std::vector<std::string> List() const {
    const auto files = ListPolicyFolders({own_, vendor_});
    EXPECT_TRUE(files.ok()) << files.status();
    return files.ok() ? *files : std::vector<std::string>();
  }
  absl::StatusOr<RuleChain> Load() const { return LoadPolicyFiles(List(), FakeUserDatabase()); }

  std::string top_;
  std::string own_;
  std::string vendor_;
};

TEST_F(PolicyFolderTest, FilesAreInTheOrderOfTheirNamesWhereverTheyLie) {
  const std::string b = Write(own_ + "/20-b.textproto", "");
  const std::string a = Write(vendor_ + "/10-a.textproto", "");
  const std::string c = Write(vendor_ + "/30-c.textproto", "");
  Write(own_ + "/notes.txt", "");
  Write(own_ + "/40-d.expect", "");
  EXPECT_THAT(List(), ElementsAre(a, b, c));
}

TEST_F(PolicyFolderTest, AFileHidesTheVendorsOfItsName) {
  Write(vendor_ + "/10-a.textproto", RuleText("vendor's"));
  const std::string own = Write(own_ + "/10-a.textproto", RuleText("own"));
  EXPECT_THAT(List(), ElementsAre(own));
}

TEST_F(PolicyFolderTest, ALinkToDevNullHidesAFile) {
  Write(vendor_ + "/10-a.textproto", RuleText("vendor's"));
  ASSERT_EQ(symlink("/dev/null", (own_ + "/10-a.textproto").c_str()), 0);
  EXPECT_THAT(List(), IsEmpty());
  EXPECT_EQ(Load()->rule_count(), 0);
}

TEST_F(PolicyFolderTest, AnyOtherLinkIsRefused) {
  const std::string elsewhere = Write(top_ + "/elsewhere", RuleText("a"));
  ASSERT_EQ(symlink(elsewhere.c_str(), (own_ + "/10-a.textproto").c_str()), 0);
  EXPECT_THAT(std::string(Load().status().message()), HasSubstr("symbolic link"));
}

TEST_F(PolicyFolderTest, AFolderThatOthersMayWriteIsRefused) {
  Write(vendor_ + "/10-a.textproto", "");
  ASSERT_EQ(chmod(vendor_.c_str(), 0777), 0);
  EXPECT_EQ(ListPolicyFolders({own_, vendor_}).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(PolicyFolderTest, AFolderThatDoesNotExistIsEmpty) {
  const std::string a = Write(own_ + "/a.textproto", "");
  EXPECT_THAT(*ListPolicyFolders({own_, top_ + "/none"}), ElementsAre(a));
}

TEST_F(PolicyFolderTest, RulesOfAllFilesMakeOnePolicyInTheirOrder) {
  Write(own_ + "/20-b.textproto", RuleText("b"));
  const std::string first = Write(vendor_ + "/10-a.textproto", RuleText("a"));
  const auto policy = Load();
  ASSERT_TRUE(policy.ok()) << policy.status();
  EXPECT_EQ(policy->rule_count(), 2);
  EXPECT_EQ(policy->Judge({}).origin, first + ":1");
}

TEST_F(PolicyFolderTest, OneWrongFileRefusesAllAndEveryProblemIsTold) {
  Write(own_ + "/10-a.textproto", RuleText("a"));
  const std::string b = Write(own_ + "/20-b.textproto", "rule {\n  nmae: 'b'\n}");
  const std::string c = Write(own_ + "/30-c.textproto", "rule {\n\n  effect: MAYBE\n}");
  const std::string message(Load().status().message());
  EXPECT_THAT(message, HasSubstr(b + ":2:3: \"nmae\" is unknown here"));
  EXPECT_THAT(message, HasSubstr(c + ":3:11: \"MAYBE\" is unknown here"));
}

TEST_F(PolicyFolderTest, NamesAreUniqueAcrossFilesAndSetsAreSharedByThem) {
  const std::string a = Write(own_ + "/10-a.textproto", RuleText("a"));
  Write(own_ + "/20-b.textproto", RuleText("a"));
  EXPECT_THAT(std::string(Load().status().message()), HasSubstr("the rule at " + a + ":1 has this name too"));
  Write(own_ + "/10-a.textproto", "rule { name: 'a' effect: ALLOW action: DRIVE exporter { set: 's' } }");
  Write(own_ + "/20-b.textproto", "device_set { name: 's' device { class: '0108*' } }");
  EXPECT_TRUE(Load().ok()) << Load().status();
}

TEST_F(PolicyFolderTest, AFileOfTenMegabytesIsRefusedUnread) {
  Write(own_ + "/10-a.textproto", std::string(10'000'000, '#'));
  EXPECT_THAT(std::string(Load().status().message()), HasSubstr("has 10000000 bytes; at most 1048576 are read"));
}

TEST_F(PolicyFolderTest, APathIsAFolderOrAFileOrAnError) {
  const std::string a = Write(own_ + "/10-a.textproto", RuleText("a"));
  EXPECT_THAT(*ListPolicyFiles(own_), ElementsAre(a));
  EXPECT_THAT(*ListPolicyFiles(own_ + "/"), ElementsAre(a));
  EXPECT_THAT(*ListPolicyFiles(a), ElementsAre(a));
  EXPECT_EQ(ListPolicyFiles(top_ + "/none").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(LoadPolicy(own_, FakeUserDatabase())->rule_count(), 1);
}

TEST_F(PolicyFolderTest, WhatLiesInEtcHasItsVendorsInUsrLib) {
  EXPECT_EQ(VendorFolder("/etc/p2pd/policy.d"), "/usr/lib/p2pd/policy.d");
  EXPECT_EQ(VendorFolder("/srv/etc/p2pd"), "");
}

TEST_F(PolicyFolderTest, UnknownUsersAreAWarningWhereThatIsAskedForAndMeanNobody) {
  const std::string a = Write(own_ + "/10-a.textproto",
                              "rule { name: 'a' effect: ALLOW action: OBSERVE\n  subject { user: 'zoe' unit: '*' } }");
  std::vector<std::string> warnings;
  const auto policy = LoadPolicyFiles({a}, FakeUserDatabase(), &warnings);
  ASSERT_TRUE(policy.ok()) << policy.status();
  EXPECT_THAT(warnings,
              ElementsAre(a + ":2:13: rule \"a\": there is no user \"zoe\", expected the name or number of a user"));
  PolicyRequest request;
  request.subject.unit = "a.service";
  EXPECT_FALSE(policy->Judge(request).allowed);
}

}  // namespace
}  // namespace p2pd
