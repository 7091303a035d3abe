// Reading of device sets, patterns, windows, conditions and limits: what they mean, and which are refused.
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "policy/fake_user_database.h"
#include "policy/policy_file.h"

namespace p2pd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// A rule that is right but for what `body` adds, which starts on line 2.
std::string RuleWith(absl::string_view body, absl::string_view action = "MAP", absl::string_view effect = "ALLOW") {
  return absl::StrCat("rule { name: \"a\" effect: ", effect, " action: ", action, "\n", body, "\n}");
}

Rule RuleOf(absl::string_view text) {
  const auto policy = ParsePolicy(text, "p", FakeUserDatabase());
  EXPECT_TRUE(policy.ok()) << policy.status();
  return policy.ok() ? policy->rules().at(0) : Rule();
}

std::string ErrorOf(absl::string_view text) {
  const auto policy = ParsePolicy(text, "p", FakeUserDatabase());
  EXPECT_EQ(policy.status().code(), absl::StatusCode::kInvalidArgument) << text;
  return std::string(policy.status().message());
}

TEST(ConditionsReaderTest, ReadsEveryCondition) {
  const Rule rule = RuleOf(absl::StrCat(RuleWith(R"(
      subject { user: "alice" unit: "spdk*.service" user_unit: "x.scope" label: "*:spdk_t:*" }
      exporter { bdf: "0000:3A:*" class: "0108*" set: "fast" numa_node: 1 window { offset: 4096 length: 8192 } kind: MEMORY }
      when { access: READ path: SAME_SWITCH ats: false offered: true context: "0000:02:*" }
      unsupported_path: true)"),
                                        "device_set { name: \"fast\" device { vendor_device: \"8086:*\" } }"));
  EXPECT_THAT(rule.subject->units, ElementsAre(Glob("spdk*.service")));
  EXPECT_THAT(rule.subject->user_units, ElementsAre(Glob("x.scope")));
  EXPECT_THAT(rule.subject->labels, ElementsAre(Glob("*:spdk_t:*")));
  EXPECT_THAT(rule.exporter->address_globs, ElementsAre(Glob("0000:3a:*")));
  EXPECT_THAT(rule.exporter->classes, ElementsAre(Glob("0108*")));
  EXPECT_EQ(rule.exporter->sets.at(0).devices.at(0).ids.at(0).ToString(), "8086:*");
  EXPECT_THAT(rule.exporter->numa_nodes, ElementsAre(1));
  EXPECT_THAT(rule.windows, ElementsAre(WindowRange{.offset = 4096, .length = 8192}));
  EXPECT_EQ(rule.control, false);
  EXPECT_EQ(rule.access, AskedAccess::kRead);
  EXPECT_EQ(rule.path, PathRelation::kSwitch);
  EXPECT_EQ(rule.ats, false);
  EXPECT_EQ(rule.offered, true);
  EXPECT_THAT(rule.contexts, ElementsAre(Glob("0000:02:*")));
  EXPECT_TRUE(rule.unsupported_path);
}

TEST(ConditionsReaderTest, ReadsEveryLimit) {
  const GrantLimits limits = RuleOf(RuleWith("limits { max_count: 3 max_bytes: 4096 time_to_live_seconds: 60 "
                                             "quiesce_deadline_ms: 250 shared: true }",
                                             "EXPORT"))
                                 .limits;
  EXPECT_EQ(limits.max_count, 3u);
  EXPECT_EQ(limits.max_bytes, 4096u);
  EXPECT_EQ(limits.time_to_live, absl::Minutes(1));
  EXPECT_EQ(limits.quiesce_deadline, absl::Milliseconds(250));
  EXPECT_TRUE(limits.shared);
  EXPECT_EQ(RuleOf(RuleWith("limits { scrub: ZERO }", "DRIVE")).limits.scrub, Scrub::kZero);
  EXPECT_EQ(RuleOf(RuleWith("")).limits, GrantLimits());
}

TEST(ConditionsReaderTest, AnyPathIsNoCondition) {
  EXPECT_EQ(RuleOf(RuleWith("when { path: ANY }")).path, std::nullopt);
}

TEST(ConditionsReaderTest, LimitsOutOfRangeAreRefused) {
  for (const char* limit : {"max_count: 0", "max_bytes: 0", "time_to_live_seconds: 0", "time_to_live_seconds: 31536001",
                            "quiesce_deadline_ms: 0", "quiesce_deadline_ms: 60001"}) {
    EXPECT_THAT(ErrorOf(RuleWith(absl::StrCat("limits { ", limit, " }"), "EXPORT")),
                ::testing::AllOf(StartsWith("p:2:10: rule \"a\": "), HasSubstr("out of range, expected ")));
  }
  EXPECT_EQ(RuleOf(RuleWith("limits { quiesce_deadline_ms: 60000 }")).limits.quiesce_deadline, absl::Minutes(1));
}

TEST(ConditionsReaderTest, LimitsThatNoActionOfTheRuleKnowsAreRefused) {
  EXPECT_THAT(ErrorOf(RuleWith("limits { max_bytes: 1 }", "DRIVE")), StartsWith("p:2:10: rule \"a\": max_bytes is"));
  EXPECT_THAT(ErrorOf(RuleWith("limits { shared: true }")), HasSubstr("shared is about overlapping windows"));
  EXPECT_THAT(ErrorOf(RuleWith("limits { max_count: 1 }", "OBSERVE")), HasSubstr("max_count is about what is held"));
}

TEST(ConditionsReaderTest, PatternsThatMatchNothingAreRefused) {
  for (const char* bdf : {"01:00.*", "0000:01:2*.0", "0000:01:00.8*", "g*", "00000:*", "????"}) {
    EXPECT_THAT(ErrorOf(RuleWith(absl::StrCat("exporter { bdf: \"", bdf, "\" }"))),
                HasSubstr("no PCI address is like"));
  }
  for (const char* bdf : {"*", "0000:*", "10000:01:1?.7", "*.0"}) {
    EXPECT_EQ(RuleOf(RuleWith(absl::StrCat("exporter { bdf: \"", bdf, "\" }"))).exporter->address_globs.size(), 1u);
  }
  for (const char* code : {"", "0108", "0x0108*", "01080200", "NVMe"}) {
    EXPECT_THAT(ErrorOf(RuleWith(absl::StrCat("exporter { class: \"", code, "\" }"))), HasSubstr("no class is like"));
  }
  EXPECT_THAT(ErrorOf(RuleWith("subject { unit: \"\" }")), HasSubstr("an empty pattern matches nothing"));
  EXPECT_THAT(ErrorOf(RuleWith("subject { unit: \"spdk\" }")), HasSubstr("\"spdk\" is no unit, expected a suffix"));
  EXPECT_THAT(ErrorOf(RuleWith("subject { label: \"[ab]\" }")), HasSubstr("patterns know * and ? only"));
}

TEST(ConditionsReaderTest, AUserUnitIsNoProofOfWhoSomebodyIs) {
  EXPECT_THAT(ErrorOf(RuleWith("subject { user_unit: \"a.service\" }")),
              StartsWith("p:2:11: rule \"a\": any user can have a unit of that name"));
  EXPECT_EQ(RuleOf(RuleWith("subject { user_unit: \"a.service\" }", "MAP", "DENY")).subject->user_units.size(), 1u);
}

TEST(ConditionsReaderTest, DeviceSetsAreNamedOnceAndMadeOfDevices) {
  const std::string use = RuleWith("exporter { set: \"fast\" }");
  EXPECT_THAT(ErrorOf(use), StartsWith("p:2:12: rule \"a\": there is no device_set \"fast\""));
  EXPECT_THAT(ErrorOf(absl::StrCat(use, "device_set { name: \"slow\" device { class: \"*\" } }")),
              HasSubstr("expected one of \"slow\""));
  EXPECT_THAT(ErrorOf("device_set { name: \"a\" }"), StartsWith("p:1:1: device_set \"a\": a set of no device"));
  EXPECT_THAT(ErrorOf("device_set { device { class: \"*\" } }"), StartsWith("p:1:1: device_set without a name: "));
  EXPECT_THAT(ErrorOf("device_set { name: \"a\" device { class: \"*\" } }\ndevice_set { name: \"a\" device { class: "
                      "\"*\" } }"),
              StartsWith("p:2:14: device_set \"a\": the device_set at p:1 has this name too"));
  EXPECT_THAT(ErrorOf("device_set { name: \"a\" device { set: \"b\" } }"), HasSubstr("a set is not made of sets"));
  EXPECT_THAT(ErrorOf("device_set { name: \"a\" device { class: \"*\" bar: 1 } }"),
              HasSubstr("expected \"bar\" in exporter, not in a device_set"));
}

TEST(ConditionsReaderTest, WindowsAreWithinABar) {
  EXPECT_THAT(ErrorOf(RuleWith("exporter { window { offset: 4096 } }")), HasSubstr("a window of no bytes"));
  EXPECT_THAT(ErrorOf(RuleWith("exporter { window { offset: 2 length: 0xffffffffffffffff } }")),
              HasSubstr("ends within 64 bits"));
}

TEST(ConditionsReaderTest, ConditionsOnWhatAnActionDoesNotHaveAreRefused) {
  const std::pair<const char*, const char*> cases[] = {
      {"when { access: READ }", "EXPORT"},
      {"when { path: SAME_SWITCH }", "MAP_MEMORY"},
      {"when { ats: false }", "RECEIVE_FD"},
      {"when { offered: true }", "MAP_MEMORY"},
      {"when { context: \"*\" }", "ADMIN"},
      {"unsupported_path: true", "EXPORT"},
      {"exporter { kind: MEMORY }", "DRIVE"},
      {"exporter { kind: CONTROL }", "EXPORT"},
      {"exporter { kind: MEMORY }", "EXPORT_CONTROL"},
  };
  for (const auto& [body, action] : cases) {
    EXPECT_THAT(ErrorOf(RuleWith(body, action)),
                ::testing::AllOf(StartsWith("p:2:"), HasSubstr(absl::StrCat("rule \"a\": ", action, " ")),
                                 HasSubstr("write a rule of its own for")))
        << body;
  }
  EXPECT_THAT(ErrorOf(RuleWith("unsupported_path: true", "MAP", "DENY")), HasSubstr("a DENY is about every path"));
}

TEST(ConditionsReaderTest, ValuesThatDoNotExistAreRefused) {
  EXPECT_THAT(ErrorOf(RuleWith("when { access: 4 }")), HasSubstr("expected access: READ"));
  EXPECT_THAT(ErrorOf(RuleWith("when { path: 9 }")), HasSubstr("expected path: SAME_SWITCH"));
  EXPECT_THAT(ErrorOf(RuleWith("exporter { kind: 3 }")), HasSubstr("expected kind: MEMORY"));
  EXPECT_THAT(ErrorOf(RuleWith("exporter { numa_node: -1 }")), HasSubstr("there is no NUMA node -1"));
}

}  // namespace
}  // namespace p2pd
