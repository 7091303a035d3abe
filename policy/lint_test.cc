#include "policy/lint.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "policy/fake_user_database.h"
#include "policy/policy_file.h"

namespace p2pd {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<Rule> RulesOf(const std::string& text) {
  const auto policy = ParsePolicy(text, "p", FakeUserDatabase());
  EXPECT_TRUE(policy.ok()) << policy.status();
  return policy.ok() ? policy->rules() : std::vector<Rule>();
}

std::string RuleText(const std::string& name, const std::string& effect, const std::string& body) {
  return absl::StrCat("rule { name: '", name, "' effect: ", effect, " ", body, " }\n");
}

TEST(LintTest, AnAllowBehindAWiderDenyIsIdleWhereverThatStands) {
  const std::string allow =
      RuleText("a", "ALLOW", "action: DRIVE subject { user: 'alice' } exporter { bdf: '0000:01:00.0' }");
  const std::string deny =
      RuleText("d", "DENY", "action: [DRIVE, RESET] exporter { bdf: ['0000:01:00.0', '0000:02:00.0'] }");
  EXPECT_THAT(FindIdleRules(RulesOf(allow + deny)),
              ElementsAre("p:1: rule \"a\" never allows anything: rule \"d\" (p:2) matches all that it matches, and "
                          "denies it"));
  EXPECT_EQ(FindIdleRules(RulesOf(deny + allow)).size(), 1u);
}

TEST(LintTest, ARuleBehindAWiderOneOfItsEffectIsIdle) {
  const std::string wide = RuleText("w", "ALLOW", "action: MAP subject { group: ['gpu', 'storage'] }");
  const std::string narrow = RuleText("n", "ALLOW", "action: MAP subject { group: 'gpu' } when { access: READ }");
  EXPECT_THAT(FindIdleRules(RulesOf(wide + narrow)),
              ElementsAre("p:2: rule \"n\" never allows anything: rule \"w\" (p:1) matches all that it matches, and "
                          "comes first"));
  EXPECT_THAT(FindIdleRules(RulesOf(narrow + wide)), IsEmpty()) << "the narrow one sets limits of its own";
}

TEST(LintTest, ARuleThatMatchesAnythingMoreIsNotIdle) {
  const std::string deny = "action: MAP subject { user: 'alice' unit: 'a.service' } exporter { class: '0108*' bar: 2 }";
  for (const char* body :
       {"action: MAP", "action: [MAP, EXPORT] subject { user: 'alice' unit: 'a.service' }",
        "action: MAP subject { user: 'alice' } exporter { class: '0108*' bar: 2 }",
        "action: MAP subject { user: ['alice', 'bob'] unit: 'a.service' } exporter { class: '0108*' bar: 2 }",
        "action: MAP subject { user: 'alice' unit: 'a.service' } exporter { class: '0108*' bar: [2, 3] }",
        "action: MAP subject { user: 'alice' unit: 'a.service' } exporter { class: '0108*' }"}) {
    EXPECT_THAT(FindIdleRules(RulesOf(RuleText("a", "ALLOW", body) + RuleText("d", "DENY", deny))), IsEmpty()) << body;
  }
  EXPECT_EQ(FindIdleRules(RulesOf(RuleText("a", "ALLOW", deny) + RuleText("d", "DENY", deny))).size(), 1u);
}

TEST(LintTest, ARuleForUnsupportedPathsIsNotIdleBehindOneWithout) {
  const std::string plain = RuleText("p", "ALLOW", "action: MAP");
  const std::string by_name = RuleText("n", "ALLOW", "action: MAP unsupported_path: true");
  EXPECT_THAT(FindIdleRules(RulesOf(plain + by_name)), IsEmpty());
  EXPECT_EQ(FindIdleRules(RulesOf(by_name + plain)).size(), 1u);
}

TEST(LintTest, ARuleThatContradictsItselfIsTold) {
  const std::string sets = "device_set { name: 's' device { class: '02*' numa_node: 1 } }\n";
  const std::string rules =
      RuleText("node", "ALLOW", "action: DRIVE exporter { set: 's' numa_node: 0 }") +
      RuleText("self", "ALLOW", "action: MAP exporter { bdf: '0000:01:00.0' } importer { bdf: '0000:01:00.0' }");
  EXPECT_THAT(FindImpossibleRules(RulesOf(sets + rules)),
              ElementsAre("p:2: rule \"node\" can never match: no device of exporter's sets is at a NUMA node that it "
                          "names",
                          "p:3: rule \"self\" can never match: exporter and importer are one device, a path that needs "
                          "unsupported_path: true"));
}

TEST(LintTest, ARuleThatMayMatchIsNotImpossible) {
  const std::string sets = "device_set { name: 's' device { class: '02*' numa_node: 1 } device { bdf: '*' } }\n";
  EXPECT_THAT(
      FindImpossibleRules(RulesOf(sets + RuleText("a", "ALLOW", "action: DRIVE exporter { set: 's' numa_node: 0 }") +
                                  RuleText("b", "ALLOW",
                                           "action: MAP exporter { bdf: '0000:01:00.0' } importer { bdf: "
                                           "'0000:01:00.0' } unsupported_path: true") +
                                  RuleText("c", "DENY",
                                           "action: MAP exporter { bdf: '0000:01:00.0' } importer { bdf: "
                                           "'0000:01:00.0' }"))),
      IsEmpty());
}

TEST(LintTest, TheTableSaysWhoMayReachWhatDenialsFirst) {
  const std::vector<Reach> lines = WhoCanReachWhat(
      RulesOf(RuleText("a", "ALLOW",
                       "action: MAP subject { user: 'alice' } exporter { class: '0108*' bar: 2 kind: MEMORY } "
                       "importer { bdf: '0000:02:00.0' } when { access: READ path: SAME_SWITCH } "
                       "limits { max_count: 4 time_to_live_seconds: 60 }") +
              RuleText("d", "DENY", "action: [EXPORT_CONTROL, RESET]")));
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_FALSE(lines[0].may);
  EXPECT_EQ(lines[0].who, "anybody");
  EXPECT_EQ(lines[0].actions, "EXPORT_CONTROL,RESET");
  EXPECT_EQ(lines[0].exporter, "");
  EXPECT_EQ(lines[1].who, "uid 1000");
  EXPECT_EQ(lines[1].exporter, "of class 0108*");
  EXPECT_EQ(lines[1].importer, "0000:02:00.0");
  EXPECT_EQ(lines[1].conditions, "BAR 2, MEMORY, READ, same switch, at most 4, for 1m");
  EXPECT_EQ(lines[1].origin, "p:1");
}

}  // namespace
}  // namespace p2pd
