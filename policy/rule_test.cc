#include "policy/rule.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "policy/explanation.h"

namespace p2pd {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr DeviceFacts kNvme = {.address = {.domain = 0, .bus = 1, .device = 0, .function = 0},
                               .vendor = 0x1b36,
                               .device = 0x0010,
                               .class_code = 0};
constexpr DeviceFacts kEdu = {.address = {.domain = 0, .bus = 0, .device = 16, .function = 0},
                              .vendor = 0x1234,
                              .device = 0x11e8,
                              .class_code = 0};

DeviceIdPattern Id(const char* text) { return DeviceIdPattern::Parse(text).value(); }

Rule AllowsMap() {
  Rule rule;
  rule.name = "map";
  rule.effect = Effect::kAllow;
  rule.actions = {Action::kMap};
  return rule;
}

PolicyRequest MapRequest() {
  PolicyRequest request;
  request.subject.uid = 1000;
  request.subject.gid = 100;
  request.subject.groups = {30, 44};
  request.action = Action::kMap;
  request.exporter = kNvme;
  request.importer = kEdu;
  request.window = WindowFacts{.bar = 2, .offset = 0, .length = 0x1000, .control = false};
  return request;
}

TEST(DeviceIdPatternTest, ReadsWhatItWrites) {
  for (const char* text : {"8086:0b25", "8086:*", "*:0b25", "*:*"}) EXPECT_EQ(Id(text).ToString(), text);
  EXPECT_EQ(Id("8086:0B25").ToString(), "8086:0b25");
}

TEST(DeviceIdPatternTest, RefusesEverythingElse) {
  for (const char* text : {"", ":", "*", "8086", "8086:", ":0b25", "8086:b25", "8086:00b25", "0x8086:0b25", "8086:0b2g",
                           "8086:0b25:", "8086: b25", "8086:-b25", "8086:0b*", "**:*"}) {
    EXPECT_FALSE(DeviceIdPattern::Parse(text).has_value()) << text;
  }
}

TEST(DeviceIdPatternTest, AStarStandsForAnyIdOfItsPart) {
  EXPECT_TRUE(Id("1b36:0010").Matches(kNvme));
  EXPECT_TRUE(Id("1b36:*").Matches(kNvme));
  EXPECT_TRUE(Id("*:0010").Matches(kNvme));
  EXPECT_TRUE(Id("*:*").Matches(kNvme));
  EXPECT_FALSE(Id("1b36:0011").Matches(kNvme));
  EXPECT_FALSE(Id("1234:*").Matches(kNvme));
  EXPECT_FALSE(Id("*:11e8").Matches(kNvme));
}

TEST(RuleTest, AnAbsentConditionHoldsForEveryRequest) {
  EXPECT_TRUE(Matches(AllowsMap(), MapRequest()));
  EXPECT_THAT(FailedMatchers(AllowsMap(), MapRequest()), IsEmpty());
}

TEST(RuleTest, AnotherActionDoesNotMatch) {
  PolicyRequest request = MapRequest();
  request.action = Action::kMapMemory;
  EXPECT_THAT(FailedMatchers(AllowsMap(), request), ElementsAre(Matcher::kAction));
}

TEST(RuleTest, AnActionThatDoesNotExistMatchesNothing) {
  PolicyRequest request = MapRequest();
  request.action = static_cast<Action>(77);
  EXPECT_FALSE(Matches(AllowsMap(), request));
}

TEST(RuleTest, ASubjectMatchesByUserPrimaryGroupOrSupplementaryGroup) {
  Rule rule = AllowsMap();
  for (const SubjectMatch& match : {SubjectMatch{.users = {7, 1000}, .groups = {}},
                                    {.users = {}, .groups = {100}},
                                    {.users = {}, .groups = {44}},
                                    {.users = {7}, .groups = {30}}}) {
    rule.subject = match;
    EXPECT_TRUE(Matches(rule, MapRequest()));
  }
}

TEST(RuleTest, AUserNumberIsNotAGroupNumber) {
  Rule rule = AllowsMap();
  rule.subject = SubjectMatch{.users = {100, 30, 44}, .groups = {1000}};
  EXPECT_THAT(FailedMatchers(rule, MapRequest()), ElementsAre(Matcher::kSubject));
}

TEST(RuleTest, ASubjectWithoutMembersMatchesNobody) {
  Rule rule = AllowsMap();
  rule.subject = SubjectMatch{};
  EXPECT_FALSE(Matches(rule, MapRequest()));
}

TEST(RuleTest, ADeviceMatchesByAddressOrId) {
  Rule rule = AllowsMap();
  rule.exporter = DeviceMatch{.addresses = {kEdu.address, kNvme.address}, .ids = {}};
  EXPECT_TRUE(Matches(rule, MapRequest()));
  rule.exporter = DeviceMatch{.addresses = {kEdu.address}, .ids = {Id("1b36:*")}};
  EXPECT_TRUE(Matches(rule, MapRequest()));
  rule.exporter = DeviceMatch{.addresses = {kEdu.address}, .ids = {Id("1234:*")}};
  EXPECT_THAT(FailedMatchers(rule, MapRequest()), ElementsAre(Matcher::kExporter));
}

TEST(RuleTest, ExporterAndImporterAreNotInterchangeable) {
  Rule rule = AllowsMap();
  rule.exporter = DeviceMatch{.addresses = {kEdu.address}, .ids = {}};
  rule.importer = DeviceMatch{.addresses = {kNvme.address}, .ids = {}};
  EXPECT_THAT(FailedMatchers(rule, MapRequest()), ElementsAre(Matcher::kExporter, Matcher::kImporter));
}

TEST(RuleTest, AnAllowWithADeviceNeverMatchesARequestWithoutOne) {
  PolicyRequest request = MapRequest();
  request.exporter.reset();
  request.importer.reset();
  Rule rule = AllowsMap();
  rule.exporter = DeviceMatch{.addresses = {}, .ids = {Id("*:*")}};
  rule.importer = DeviceMatch{};
  EXPECT_THAT(FailedMatchers(rule, request), ElementsAre(Matcher::kExporter, Matcher::kImporter));
}

TEST(RuleTest, ABarConditionHoldsOnlyForWindowsOfThatBar) {
  Rule rule = AllowsMap();
  rule.bars = {0, 2};
  EXPECT_TRUE(Matches(rule, MapRequest()));
  PolicyRequest request = MapRequest();
  request.window->bar = 1;
  EXPECT_THAT(FailedMatchers(rule, request), ElementsAre(Matcher::kBar));
  request.window->bar = -1;
  EXPECT_FALSE(Matches(rule, request));
  request.window.reset();
  EXPECT_FALSE(Matches(rule, request));
}

TEST(RuleTest, AnExportOfRegistersIsJudgedAsExportControl) {
  PolicyRequest request = MapRequest();
  request.action = Action::kExport;
  request.window->control = true;
  Rule rule = AllowsMap();
  rule.actions = {Action::kExport};
  EXPECT_FALSE(Matches(rule, request));
  rule.actions = {Action::kExportControl};
  EXPECT_TRUE(Matches(rule, request));
}

TEST(RuleTest, EachFailureIsExplained) {
  Rule rule = AllowsMap();
  rule.actions = {Action::kExport, Action::kDrive};
  rule.subject = SubjectMatch{.users = {2002}, .groups = {5}};
  rule.exporter = DeviceMatch{.addresses = {kEdu.address}, .ids = {Id("8086:*")}};
  rule.bars = {0, 4};
  rule.importer = DeviceMatch{.addresses = {kNvme.address}, .ids = {}};
  PolicyRequest request = MapRequest();
  EXPECT_EQ(ExplainFailure(rule, Matcher::kAction, request), "it is for EXPORT or DRIVE");
  EXPECT_EQ(ExplainFailure(rule, Matcher::kSubject, request), "it is for uid 2002 or gid 5");
  EXPECT_EQ(ExplainFailure(rule, Matcher::kExporter, request), "its exporter is 0000:00:10.0 or 8086:*");
  EXPECT_EQ(ExplainFailure(rule, Matcher::kBar, request), "it is for windows of BAR 0 or BAR 4");
  EXPECT_EQ(ExplainFailure(rule, Matcher::kImporter, request), "its importer is 0000:01:00.0");
  request.importer.reset();
  EXPECT_EQ(ExplainFailure(rule, Matcher::kImporter, request), "it wants an importer, and the request has none");
}

TEST(RuleTest, ALongListIsCutShortInAnExplanation) {
  Rule rule = AllowsMap();
  rule.subject = SubjectMatch{.users = {1, 2, 3, 4, 5, 6}, .groups = {}};
  EXPECT_EQ(ExplainFailure(rule, Matcher::kSubject, MapRequest()),
            "it is for uid 1 or uid 2 or uid 3 or uid 4 or 2 more");
}

}  // namespace
}  // namespace p2pd
