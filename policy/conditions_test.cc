// The conditions beyond user, device and BAR: when each holds, and what an ALLOW and a DENY make of what cannot be
// told.
#include <functional>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "policy/explanation.h"
#include "policy/rule.h"

namespace p2pd {
namespace {

using ::testing::ElementsAre;

PolicyRequest MapRequest() {
  PolicyRequest request;
  request.subject = {.uid = 1000, .gid = 100, .groups = {44}, .unit = "spdk.service", .label = "u:r:spdk_t:s0"};
  request.subject.user_unit = "";
  request.action = Action::kMap;
  request.exporter = {.address = {.bus = 1}, .vendor = 0x1b36, .device = 0x10, .class_code = 0x010802, .numa_node = 0};
  request.importer = {
      .address = {.bus = 2}, .vendor = 0x1234, .device = 0x11e8, .class_code = 0x00ff00, .numa_node = 1, .ats = false};
  request.window = WindowFacts{.bar = 2, .offset = 0x2000, .length = 0x1000, .control = false};
  request.access = AskedAccess::kRead;
  request.path = PathFacts{.relation = PathRelation::kRootPort, .supported = true};
  request.offered = true;
  request.context = "0000:02:00.0";
  return request;
}

// Holds for the request as it is; `blind` takes the fact away, `spoil` changes it so that the condition does not hold.
struct Case {
  const char* name;
  std::function<void(Rule&)> add;
  Matcher matcher;
  std::function<void(PolicyRequest&)> spoil;
  std::function<void(PolicyRequest&)> blind;
};

class ConditionTest : public ::testing::TestWithParam<Case> {
 protected:
  static Rule With(Effect effect) {
    Rule rule;
    rule.effect = effect;
    rule.actions = {Action::kMap};
    GetParam().add(rule);
    return rule;
  }
  static PolicyRequest After(const std::function<void(PolicyRequest&)>& change) {
    PolicyRequest request = MapRequest();
    change(request);
    return request;
  }
};

TEST_P(ConditionTest, HoldsForWhatFits) {
  for (Effect effect : {Effect::kAllow, Effect::kDeny}) EXPECT_TRUE(Matches(With(effect), MapRequest()));
}

TEST_P(ConditionTest, DoesNotHoldForWhatDoesNotFitAndThatIsExplained) {
  const PolicyRequest request = After(GetParam().spoil);
  for (Effect effect : {Effect::kAllow, Effect::kDeny}) {
    EXPECT_THAT(FailedMatchers(With(effect), request), ElementsAre(GetParam().matcher));
    EXPECT_NE(ExplainFailure(With(effect), GetParam().matcher, request), "");
  }
}

TEST_P(ConditionTest, WhatCannotBeToldIsNotAllowedButDenied) {
  const PolicyRequest request = After(GetParam().blind);
  EXPECT_THAT(FailedMatchers(With(Effect::kAllow), request), ElementsAre(GetParam().matcher));
  EXPECT_TRUE(Matches(With(Effect::kDeny), request));
}

INSTANTIATE_TEST_SUITE_P(
    All, ConditionTest,
    ::testing::Values(
        Case{"unit",
             [](Rule& r) {
               r.subject = SubjectMatch{.units = {Glob("x"), Glob("spdk*")}};
             },
             Matcher::kSubject, [](PolicyRequest& q) { q.subject.unit = "cron.service"; },
             [](PolicyRequest& q) { q.subject.unit = ""; }},
        Case{"user_unit", [](Rule& r) { r.subject = SubjectMatch{.users = {1000}, .user_units = {Glob("*")}}; },
             Matcher::kSubject, [](PolicyRequest& q) { q.subject.uid = 1; },
             [](PolicyRequest& q) { q.subject.user_unit.reset(); }},
        Case{"label", [](Rule& r) { r.subject = SubjectMatch{.labels = {Glob("*:spdk_t:*")}}; }, Matcher::kSubject,
             [](PolicyRequest& q) { q.subject.label = "u:r:cron_t:s0"; },
             [](PolicyRequest& q) { q.subject.label = ""; }},
        Case{"class", [](Rule& r) { r.exporter = DeviceMatch{.classes = {Glob("0108*")}}; }, Matcher::kExporter,
             [](PolicyRequest& q) { q.exporter->class_code = 0x020000; },
             [](PolicyRequest& q) { q.exporter->class_code.reset(); }},
        Case{"node",
             [](Rule& r) {
               r.importer = DeviceMatch{.numa_nodes = {3, 1}};
             },
             Matcher::kImporter, [](PolicyRequest& q) { q.importer->numa_node = 0; },
             [](PolicyRequest& q) { q.importer->numa_node.reset(); }},
        Case{"set",
             [](Rule& r) {
               r.exporter = DeviceMatch{.sets = {DeviceSet{"s", {{.numa_nodes = {7}}, {.classes = {Glob("01*")}}}}}};
             },
             Matcher::kExporter, [](PolicyRequest& q) { q.exporter->class_code = 0x020000; },
             [](PolicyRequest& q) { q.exporter->class_code.reset(); }},
        Case{"window",
             [](Rule& r) {
               r.windows = {{.offset = 0, .length = 1}, {.offset = 0x2000, .length = 0x1000}};
             },
             Matcher::kWindow, [](PolicyRequest& q) { q.window->offset = 0x3000; },
             [](PolicyRequest& q) { q.window.reset(); }},
        Case{"kind", [](Rule& r) { r.control = false; }, Matcher::kKind,
             [](PolicyRequest& q) { q.window->control = true; }, [](PolicyRequest& q) { q.window.reset(); }},
        Case{"access", [](Rule& r) { r.access = AskedAccess::kRead; }, Matcher::kAccess,
             [](PolicyRequest& q) { q.access = AskedAccess::kWrite; }, [](PolicyRequest& q) { q.access.reset(); }},
        Case{"path", [](Rule& r) { r.path = PathRelation::kRootPort; }, Matcher::kPath,
             [](PolicyRequest& q) { q.path->relation = PathRelation::kHostBridge; },
             [](PolicyRequest& q) { q.path->relation.reset(); }},
        Case{"ats", [](Rule& r) { r.ats = false; }, Matcher::kAts, [](PolicyRequest& q) { q.importer->ats = true; },
             [](PolicyRequest& q) { q.importer->ats.reset(); }},
        Case{"offered", [](Rule& r) { r.offered = true; }, Matcher::kOffered,
             [](PolicyRequest& q) { q.offered = false; }, [](PolicyRequest& q) { q.offered.reset(); }},
        Case{"context", [](Rule& r) { r.contexts = {Glob("0000:02:*")}; }, Matcher::kContext,
             [](PolicyRequest& q) { q.context = "0000:03:00.0"; }, [](PolicyRequest& q) { q.context.reset(); }}),
    [](const ::testing::TestParamInfo<Case>& info) { return std::string(info.param.name); });

Rule MapRule(Effect effect) {
  Rule rule;
  rule.effect = effect;
  rule.actions = {Action::kMap};
  return rule;
}

TEST(SubjectConditionTest, AUserOfAnotherUnitIsAnother) {
  Rule rule = MapRule(Effect::kAllow);
  rule.subject = SubjectMatch{.users = {1000}, .units = {Glob("cron.service")}};
  EXPECT_FALSE(Matches(rule, MapRequest()));
  rule.subject->units = {Glob("spdk.service")};
  EXPECT_TRUE(Matches(rule, MapRequest()));
  EXPECT_EQ(rule.subject->ToString(), "uid 1000 in unit spdk.service");
}

TEST(SubjectConditionTest, AProcessOfNoUserUnitIsInNoneThatADenyMeans) {
  Rule rule = MapRule(Effect::kDeny);
  rule.subject = SubjectMatch{.user_units = {Glob("browser.service")}};
  EXPECT_FALSE(Matches(rule, MapRequest()));
}

TEST(DeviceConditionTest, WhatADeviceIsNotNeedsNoFurtherFacts) {
  Rule rule = MapRule(Effect::kDeny);
  rule.exporter = DeviceMatch{.addresses = {PciAddress{.bus = 9}}, .numa_nodes = {0}};
  PolicyRequest request = MapRequest();
  request.exporter->numa_node.reset();
  EXPECT_FALSE(Matches(rule, request));
  rule.exporter->addresses.push_back(request.exporter->address);
  EXPECT_TRUE(Matches(rule, request));
}

TEST(WindowConditionTest, AnAllowWantsTheWholeWindowADenyAnyByte) {
  Rule allow = MapRule(Effect::kAllow);
  Rule deny = MapRule(Effect::kDeny);
  allow.windows = deny.windows = {{.offset = 0x1000, .length = 0x2000}};
  PolicyRequest request = MapRequest();
  const auto judge = [&](uint64_t offset, uint64_t length) {
    request.window->offset = offset;
    request.window->length = length;
    return absl::StrCat(Matches(allow, request) ? "allow " : "", Matches(deny, request) ? "deny" : "");
  };
  EXPECT_EQ(judge(0x1000, 0x2000), "allow deny");
  EXPECT_EQ(judge(0x2000, 0x1000), "allow deny");
  EXPECT_EQ(judge(0x1000, 0x2001), "deny");
  EXPECT_EQ(judge(0x0fff, 0x2000), "deny");
  EXPECT_EQ(judge(0x0fff, 1), "");
  EXPECT_EQ(judge(0x3000, 1), "");
  EXPECT_EQ(judge(0x2fff, 1), "allow deny");
  EXPECT_EQ(judge(0x2000, UINT64_MAX), "deny") << "the sum of both is past 64 bits";
  EXPECT_EQ(judge(0, UINT64_MAX), "deny");
}

TEST(AccessConditionTest, AnAllowGivesAtMostThisADenyNoneOfIt) {
  using enum AskedAccess;
  const auto matches = [](Effect effect, AskedAccess named, AskedAccess asked) {
    Rule rule = MapRule(effect);
    rule.access = named;
    PolicyRequest request = MapRequest();
    request.access = asked;
    return Matches(rule, request);
  };
  EXPECT_FALSE(matches(Effect::kAllow, kRead, kReadWrite));
  EXPECT_TRUE(matches(Effect::kAllow, kReadWrite, kWrite));
  EXPECT_TRUE(matches(Effect::kDeny, kWrite, kReadWrite));
  EXPECT_FALSE(matches(Effect::kDeny, kWrite, kRead));
}

TEST(PathConditionTest, WhatIsNearerIsIncluded) {
  Rule rule = MapRule(Effect::kAllow);
  rule.path = PathRelation::kRootPort;
  PolicyRequest request = MapRequest();
  for (PathRelation near : {PathRelation::kSelf, PathRelation::kSwitch, PathRelation::kRootPort}) {
    request.path->relation = near;
    EXPECT_TRUE(Matches(rule, request));
  }
  for (PathRelation far : {PathRelation::kHostBridge, PathRelation::kNothing}) {
    request.path->relation = far;
    EXPECT_FALSE(Matches(rule, request));
  }
}

TEST(PathConditionTest, APairThatTheKernelWouldRefuseIsAllowedByNameOnly) {
  PolicyRequest request = MapRequest();
  request.path->supported = false;
  Rule rule = MapRule(Effect::kAllow);
  EXPECT_THAT(FailedMatchers(rule, request), ElementsAre(Matcher::kPathSupport));
  EXPECT_EQ(ExplainFailure(rule, Matcher::kPathSupport, request),
            "the way between the two devices is not known to be good, and it does not say unsupported_path: true");
  rule.unsupported_path = true;
  EXPECT_TRUE(Matches(rule, request));
  EXPECT_TRUE(Matches(MapRule(Effect::kDeny), request));
}

TEST(PathConditionTest, APathThatNobodyHasJudgedIsNoRefusal) {
  PolicyRequest request = MapRequest();
  request.path.reset();
  EXPECT_TRUE(Matches(MapRule(Effect::kAllow), request));
}

TEST(ExplanationTest, AFactThatIsMissingIsToldApartFromOneThatDoesNotFit) {
  Rule rule = MapRule(Effect::kAllow);
  rule.offered = true;
  PolicyRequest request = MapRequest();
  request.offered = false;
  EXPECT_EQ(ExplainFailure(rule, Matcher::kOffered, request), "it is for windows within an offer of the driver");
  request.offered.reset();
  EXPECT_EQ(ExplainFailure(rule, Matcher::kOffered, request),
            "it is for windows within an offer of the driver, and of this request that is not known");
}

TEST(ExplanationTest, DevicesAreDescribedByAllThatIsSaidOfThem) {
  const DeviceMatch match = {.ids = {*DeviceIdPattern::Parse("8086:*")},
                             .address_globs = {Glob("0000:3a:*")},
                             .classes = {Glob("0108*")},
                             .sets = {DeviceSet{.name = "fast", .devices = {}}},
                             .numa_nodes = {0, 1}};
  EXPECT_EQ(match.ToString(), "0000:3a:* or 8086:* or of class 0108* or of set fast at NUMA node 0 or 1");
}

}  // namespace
}  // namespace p2pd
