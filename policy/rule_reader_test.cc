// What the rules of a file mean, and which rules are refused, each with its place and what was expected.
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "policy/fake_user_database.h"
#include "policy/policy_file.h"

namespace p2pd {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::vector<Rule> RulesOf(absl::string_view text) {
  const auto policy = ParsePolicy(text, "p", FakeUserDatabase());
  EXPECT_TRUE(policy.ok()) << policy.status();
  return policy.ok() ? policy->rules() : std::vector<Rule>(1);
}

// A rule that is right but for what `body` adds, which starts on line 2.
std::string RuleWith(absl::string_view body, absl::string_view action = "MAP") {
  return absl::StrCat("rule { name: \"a\" effect: ALLOW action: ", action, "\n", body, "\n}");
}

std::string ErrorOf(absl::string_view text, const FakeUserDatabase& users = FakeUserDatabase()) {
  const auto policy = ParsePolicy(text, "p", users);
  EXPECT_EQ(policy.status().code(), absl::StatusCode::kInvalidArgument) << text;
  return std::string(policy.status().message());
}

TEST(RuleReaderTest, ReadsEveryConditionOfARule) {
  const std::vector<Rule> rules = RulesOf(R"(
    rule {
      name: "all of it"
      effect: ALLOW
      action: EXPORT
      action: RECEIVE_FD
      subject { user: "alice" user: "2001" group: "gpu" group: "7" }
      exporter { bdf: "0000:01:00.0" vendor_device: "8086:*" bar: 2 bar: 4 }
    }
    rule { name: "map" effect: DENY action: MAP importer { bdf: "10000:02:1f.7" } })");
  ASSERT_EQ(rules.size(), 2u);
  EXPECT_EQ(rules[0].name, "all of it");
  EXPECT_EQ(rules[0].origin, "p:2");
  EXPECT_EQ(rules[0].effect, Effect::kAllow);
  EXPECT_THAT(rules[0].actions, ElementsAre(Action::kExport, Action::kReceiveFd));
  EXPECT_THAT(rules[0].subject->users, ElementsAre(1000u, 2001u));
  EXPECT_THAT(rules[0].subject->groups, ElementsAre(44u, 7u));
  EXPECT_EQ(rules[0].exporter->addresses.at(0).ToString(), "0000:01:00.0");
  EXPECT_EQ(rules[0].exporter->ids.at(0).ToString(), "8086:*");
  EXPECT_THAT(rules[0].bars, ElementsAre(2u, 4u));
  EXPECT_FALSE(rules[0].importer.has_value());
  EXPECT_EQ(rules[0].limits.scrub, Scrub::kZero);
  EXPECT_EQ(rules[1].effect, Effect::kDeny);
  EXPECT_EQ(rules[1].origin, "p:10");
  EXPECT_EQ(rules[1].importer->addresses.at(0).ToString(), "10000:02:1f.7");
}

TEST(RuleReaderTest, MemoryIsClearedUnlessARuleSaysOtherwise) {
  EXPECT_EQ(RulesOf(RuleWith("", "DRIVE"))[0].limits.scrub, Scrub::kZero);
  EXPECT_EQ(RulesOf(RuleWith("limits {}", "DRIVE"))[0].limits.scrub, Scrub::kZero);
  EXPECT_EQ(RulesOf(RuleWith("limits { scrub: RESET }", "DRIVE"))[0].limits.scrub, Scrub::kReset);
  EXPECT_EQ(RulesOf(RuleWith("limits { scrub: NONE }", "DRIVE"))[0].limits.scrub, Scrub::kNone);
}

TEST(RuleReaderTest, EveryActionHasItsName) {
  for (int i = 1; i <= 9; ++i) {
    const auto action = static_cast<Action>(i);
    EXPECT_THAT(RulesOf(RuleWith("", ActionName(action)))[0].actions, ElementsAre(action));
  }
}

TEST(RuleReaderTest, AnActionNamedTwiceCountsOnce) {
  EXPECT_THAT(RulesOf(RuleWith("action: MAP"))[0].actions, ElementsAre(Action::kMap));
}

TEST(RuleReaderTest, ANumberNeedsNobodyToHaveIt) {
  FakeUserDatabase users;
  users.down = absl::UnavailableError("no answer");
  EXPECT_TRUE(ParsePolicy(RuleWith("subject { user: \"4294967294\" group: \"0\" }"), "p", users).ok());
}

TEST(RuleReaderTest, EverythingWrongIsToldAtOnce) {
  EXPECT_EQ(ErrorOf("rule { effect: ALLOW action: MAP }\n\n  rule { name: \"b\"\n    subject { user: \"zoe\" }\n}"),
            "p:1:1: rule without a name: expected a name that no other rule has, as in name: \"storage\"\n"
            "p:3:3: rule \"b\": expected effect: ALLOW or effect: DENY\n"
            "p:3:3: rule \"b\": expected at least one action, of OBSERVE, EXPORT, EXPORT_CONTROL, RECEIVE_FD, MAP, "
            "MAP_MEMORY, DRIVE, RESET, ADMIN\n"
            "p:4:15: rule \"b\": there is no user \"zoe\", expected the name or number of a user");
}

TEST(RuleReaderTest, ANameIsUsedOnce) {
  const std::string rule = RuleWith("");
  EXPECT_EQ(ErrorOf(absl::StrCat(rule, "\n\n", rule)),
            "p:5:8: rule \"a\": the rule at p:1 has this name too, expected one of its own");
}

TEST(RuleReaderTest, ANameIsShortAndPrintable) {
  EXPECT_THAT(ErrorOf("rule { name: \"a\\nb\" effect: DENY action: MAP }"),
              StartsWith("p:1:8: rule \"a?b\": expected a name of printable ASCII characters"));
  EXPECT_THAT(ErrorOf("rule { name: \"\\377\" effect: DENY action: MAP }"), HasSubstr("printable"));
  EXPECT_THAT(ErrorOf(absl::StrCat("rule { name: \"", std::string(129, 'x'), "\" effect: DENY action: MAP }")),
              EndsWith("its name has 129 characters, expected at most 128"));
}

TEST(RuleReaderTest, AnEffectThatDoesNotExistIsRefused) {
  for (const char* effect : {"EFFECT_UNSPECIFIED", "3", "-1"}) {
    EXPECT_THAT(ErrorOf(absl::StrCat("rule { name: \"a\" action: MAP\neffect: ", effect, " }")),
                EndsWith("expected effect: ALLOW or effect: DENY"));
  }
}

TEST(RuleReaderTest, AnActionThatDoesNotExistIsRefused) {
  for (const char* action : {"ACTION_UNSPECIFIED", "10", "-1"}) {
    EXPECT_THAT(ErrorOf(RuleWith(absl::StrCat("action: ", action))), StartsWith("p:2:1: rule \"a\": "));
    EXPECT_THAT(ErrorOf(RuleWith(absl::StrCat("action: ", action))), HasSubstr(" is no action, expected one of "));
  }
}

TEST(RuleReaderTest, AnUnknownUserOrGroupIsRefused) {
  EXPECT_THAT(ErrorOf(RuleWith("subject { user: \"gpu\" }")),
              StartsWith("p:2:11: rule \"a\": there is no user \"gpu\""));
  EXPECT_THAT(ErrorOf(RuleWith("subject { group: \"bob\" }")), HasSubstr("there is no group \"bob\""));
  EXPECT_THAT(ErrorOf(RuleWith("subject { user: \"\" }")), HasSubstr("there is no user \"\""));
}

TEST(RuleReaderTest, AUserDatabaseThatDoesNotAnswerIsToldApartFromAnUnknownUser) {
  FakeUserDatabase users;
  users.down = absl::UnavailableError("no answer");
  EXPECT_THAT(ErrorOf(RuleWith("subject { user: \"alice\" }"), users),
              HasSubstr("cannot tell who user \"alice\" is: no answer"));
}

TEST(RuleReaderTest, ANumberThatIsNoUserIsRefused) {
  for (const char* user : {"4294967295", "4294967296", "99999999999999999999", "007"}) {
    EXPECT_THAT(ErrorOf(RuleWith(absl::StrCat("subject { user: \"", user, "\" }"))),
                HasSubstr("is no user number, expected 0 to 4294967294 in decimal"));
  }
  for (const char* user : {"-1", "+0", " 0", "0x0"}) {
    EXPECT_THAT(ErrorOf(RuleWith(absl::StrCat("subject { user: \"", user, "\" }"))), HasSubstr("there is no user"));
  }
}

TEST(RuleReaderTest, ASubjectThatNamesNobodyIsRefused) {
  EXPECT_THAT(ErrorOf(RuleWith("subject {}")), StartsWith("p:2:1: rule \"a\": a subject that names nobody"));
}

TEST(RuleReaderTest, AMatchOfNoDeviceIsRefused) {
  EXPECT_THAT(ErrorOf(RuleWith("exporter {}")), StartsWith("p:2:1: rule \"a\": a match of no device"));
  EXPECT_THAT(ErrorOf(RuleWith("importer {}")), StartsWith("p:2:1: rule \"a\": a match of no device"));
}

TEST(RuleReaderTest, ABadAddressIsRefused) {
  for (const char* bdf : {"", "01:00.0", "0000:01:00.8", "0000:01:00"}) {
    const std::string error = ErrorOf(RuleWith(absl::StrCat("exporter {\n bdf: \"", bdf, "\" }")));
    EXPECT_THAT(error, StartsWith("p:3:2: rule \"a\": "));
    EXPECT_THAT(error, HasSubstr("is no PCI address, expected one as in 0000:3a:00.0"));
  }
}

TEST(RuleReaderTest, ABadPairOfIdsIsRefused) {
  const std::string error = ErrorOf(RuleWith("importer { vendor_device: \"*:*\"\n vendor_device: \"8086\" }"));
  EXPECT_EQ(error,
            "p:3:2: rule \"a\": \"8086\" is no pair of ids, expected four hexadecimal digits or * for each, as in "
            "8086:0b25");
}

TEST(RuleReaderTest, ABarThatNoDeviceHasIsRefused) {
  EXPECT_EQ(ErrorOf(RuleWith("exporter { bar: 5 bar: 6 }")), "p:2:19: rule \"a\": there is no BAR 6, expected 0 to 5");
}

TEST(RuleReaderTest, BarsAreTheExporters) {
  EXPECT_EQ(ErrorOf(RuleWith("importer { bar: 2 }")),
            "p:2:12: rule \"a\": windows are the exporter's: expected \"bar\" in exporter, not in importer");
}

TEST(RuleReaderTest, AConditionThatAnActionCanNeverMeetIsRefused) {
  const std::string importer = "importer { vendor_device: \"*:*\" }";
  const std::string exporter = "exporter { vendor_device: \"*:*\" }";
  for (const char* action : {"OBSERVE", "EXPORT", "EXPORT_CONTROL", "RECEIVE_FD", "DRIVE", "RESET", "ADMIN"}) {
    EXPECT_THAT(ErrorOf(RuleWith(importer, action)),
                StartsWith(absl::StrCat(
                    "p:2:1: rule \"a\": ", action,
                    " has no importer: expected importer only with MAP and MAP_MEMORY; write a rule of its own for ")));
  }
  EXPECT_THAT(ErrorOf(RuleWith(exporter, "MAP_MEMORY")), HasSubstr("MAP_MEMORY has no exporter"));
  for (const char* action : {"OBSERVE", "DRIVE", "RESET", "ADMIN"}) {
    EXPECT_THAT(ErrorOf(RuleWith("exporter { bar: 0 }", action)), StartsWith("p:2:12: rule \"a\": "));
    EXPECT_THAT(ErrorOf(RuleWith("exporter { bar: 0 }", action)), HasSubstr("is about a whole device"));
  }
  EXPECT_THAT(ErrorOf(RuleWith(absl::StrCat("action: EXPORT\n", importer))), StartsWith("p:3:1: "));
}

TEST(RuleReaderTest, LimitsBelongToRulesThatAllowDriving) {
  EXPECT_THAT(ErrorOf(RuleWith("limits { scrub: NONE }")), EndsWith("expected scrub only with DRIVE"));
  EXPECT_EQ(ErrorOf("rule { name: \"a\" effect: DENY action: DRIVE\nlimits { scrub: NONE } }"),
            "p:2:1: rule \"a\": expected limits only in a rule that allows something");
  EXPECT_THAT(ErrorOf(RuleWith("limits { kill_holder: true }")), EndsWith("expected kill_holder only with DRIVE"));
  EXPECT_FALSE(RulesOf(RuleWith("", "DRIVE"))[0].limits.kill_holder);
  EXPECT_TRUE(RulesOf(RuleWith("limits { kill_holder: true }", "DRIVE"))[0].limits.kill_holder);
  EXPECT_THAT(ErrorOf(RuleWith("limits { scrub: 4 }", "DRIVE")),
              EndsWith("expected scrub: RESET, scrub: ZERO or scrub: NONE"));
}

}  // namespace
}  // namespace p2pd
