#include "policy/rule_chain.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

using ::testing::HasSubstr;

DeviceFacts Device(const char* address) {
  return {.address = PciAddress::Parse(address).value(), .vendor = 0x1b36, .device = 0x0010, .class_code = 0x010802};
}

DeviceMatch At(const char* address) { return {.addresses = {PciAddress::Parse(address).value()}, .ids = {}}; }

Rule MakeRule(const char* name, Effect effect, std::vector<Action> actions, uint32_t uid) {
  Rule rule;
  rule.name = name;
  rule.origin = std::string("p.textproto:") + name;
  rule.effect = effect;
  rule.actions = std::move(actions);
  rule.subject = SubjectMatch{.users = {uid}, .groups = {}};
  return rule;
}

PolicyRequest Ask(uint32_t uid, Action action, const char* exporter) {
  PolicyRequest request;
  request.subject.uid = uid;
  request.action = action;
  request.exporter = Device(exporter);
  return request;
}

TEST(RuleChainTest, WithoutRulesEverythingIsDenied) {
  for (int action = 1; action <= 9; ++action) {
    const Verdict verdict = RuleChain().Judge(Ask(0, static_cast<Action>(action), "0000:01:00.0"));
    EXPECT_FALSE(verdict.allowed);
    EXPECT_EQ(verdict.rule, "");
    EXPECT_EQ(verdict.origin, "");
    EXPECT_THAT(verdict.reason, HasSubstr("no rule allows it; the policy has no ALLOW rule"));
  }
}

TEST(RuleChainTest, RootIsAskedLikeEverybodyElse) {
  const RuleChain chain({MakeRule("a", Effect::kAllow, {Action::kDrive}, 1000)});
  EXPECT_FALSE(chain.Judge(Ask(0, Action::kDrive, "0000:01:00.0")).allowed);
}

TEST(RuleChainTest, AMatchingAllowAllowsAndIsNamed) {
  const RuleChain chain({MakeRule("a", Effect::kAllow, {Action::kDrive}, 1000)});
  const Verdict verdict = chain.Judge(Ask(1000, Action::kDrive, "0000:01:00.0"));
  EXPECT_TRUE(verdict.allowed);
  EXPECT_EQ(verdict.rule, "a");
  EXPECT_EQ(verdict.origin, "p.textproto:a");
  EXPECT_EQ(verdict.reason, "uid 1000 may DRIVE 0000:01:00.0: rule \"a\" (p.textproto:a) allows it");
}

TEST(RuleChainTest, TheFirstMatchingAllowSetsTheLimits) {
  Rule none = MakeRule("none", Effect::kAllow, {Action::kDrive}, 1000);
  none.limits.scrub = Scrub::kNone;
  const Rule zero = MakeRule("zero", Effect::kAllow, {Action::kDrive}, 1000);
  const PolicyRequest request = Ask(1000, Action::kDrive, "0000:01:00.0");
  EXPECT_EQ(RuleChain({none, zero}).Judge(request).limits.scrub, Scrub::kNone);
  EXPECT_EQ(RuleChain({zero, none}).Judge(request).limits.scrub, Scrub::kZero);
}

TEST(RuleChainTest, ADenyWinsWhereverItStands) {
  const Rule allow = MakeRule("allow", Effect::kAllow, {Action::kDrive}, 1000);
  const Rule deny = MakeRule("deny", Effect::kDeny, {Action::kDrive}, 1000);
  const PolicyRequest request = Ask(1000, Action::kDrive, "0000:01:00.0");
  for (const RuleChain& chain : {RuleChain({allow, deny}), RuleChain({deny, allow}), RuleChain({allow, allow, deny})}) {
    const Verdict verdict = chain.Judge(request);
    EXPECT_FALSE(verdict.allowed);
    EXPECT_EQ(verdict.rule, "deny");
    EXPECT_EQ(verdict.reason, "uid 1000 may not DRIVE 0000:01:00.0: rule \"deny\" (p.textproto:deny) denies it");
  }
}

TEST(RuleChainTest, ADenyThatDoesNotMatchChangesNothing) {
  const RuleChain chain({MakeRule("deny", Effect::kDeny, {Action::kDrive}, 1001),
                         MakeRule("allow", Effect::kAllow, {Action::kDrive}, 1000)});
  EXPECT_TRUE(chain.Judge(Ask(1000, Action::kDrive, "0000:01:00.0")).allowed);
}

TEST(RuleChainTest, ADeniedRequestNeverCarriesALooserScrub) {
  Rule deny = MakeRule("deny", Effect::kDeny, {Action::kDrive}, 1000);
  deny.limits.scrub = Scrub::kNone;
  EXPECT_EQ(RuleChain({deny}).Judge(Ask(1000, Action::kDrive, "0000:01:00.0")).limits.scrub, Scrub::kZero);
}

TEST(RuleChainTest, ARefusalNamesTheNearestRuleAndWhatItLacks) {
  Rule other_device = MakeRule("near", Effect::kAllow, {Action::kDrive}, 1000);
  other_device.exporter = At("0000:02:00.0");
  const RuleChain chain({MakeRule("far", Effect::kAllow, {Action::kMap}, 1001), other_device});
  const Verdict verdict = chain.Judge(Ask(1000, Action::kDrive, "0000:01:00.0"));
  EXPECT_EQ(verdict.rule, "") << "no rule decided";
  EXPECT_EQ(verdict.reason,
            "uid 1000 may not DRIVE 0000:01:00.0: no rule allows it; the nearest is \"near\" (p.textproto:near), but "
            "its exporter is 0000:02:00.0");
}

TEST(RuleChainTest, OfEquallyNearRulesTheOneForThisActionThenThisSubjectIsNamed) {
  const Rule subject_lacks = MakeRule("subject lacks", Effect::kAllow, {Action::kDrive}, 1001);
  const Rule action_lacks = MakeRule("action lacks", Effect::kAllow, {Action::kMap}, 1000);
  Rule device_lacks = MakeRule("device lacks", Effect::kAllow, {Action::kDrive}, 1000);
  device_lacks.exporter = At("0000:02:00.0");
  const PolicyRequest request = Ask(1000, Action::kDrive, "0000:01:00.0");
  EXPECT_THAT(RuleChain({action_lacks, subject_lacks, device_lacks}).Judge(request).reason,
              HasSubstr("\"device lacks\""));
  EXPECT_THAT(RuleChain({action_lacks, subject_lacks}).Judge(request).reason, HasSubstr("\"subject lacks\""));
}

TEST(RuleChainTest, ADenyRuleIsNeverTheNearest) {
  const RuleChain chain({MakeRule("deny", Effect::kDeny, {Action::kDrive}, 1001)});
  EXPECT_THAT(chain.Judge(Ask(1000, Action::kDrive, "0000:01:00.0")).reason, HasSubstr("no ALLOW rule"));
}

TEST(RuleChainTest, EveryConditionThatLacksIsTold) {
  const RuleChain chain({MakeRule("far", Effect::kAllow, {Action::kMap}, 1001)});
  EXPECT_THAT(chain.Judge(Ask(1000, Action::kDrive, "0000:01:00.0")).reason,
              HasSubstr("but it is for MAP, and it is for uid 1001"));
}

TEST(RuleChainTest, AReasonSpellsOutTheWholeRequest) {
  PolicyRequest request = Ask(1000, Action::kMap, "0000:01:00.0");
  request.window = WindowFacts{.bar = 2, .offset = 0, .length = 0x1000, .control = false};
  request.importer = Device("0000:02:00.0");
  EXPECT_THAT(RuleChain().Judge(request).reason,
              HasSubstr("uid 1000 may not MAP BAR 2 of 0000:01:00.0 for 0000:02:00.0: "));
}

}  // namespace
}  // namespace p2pd
