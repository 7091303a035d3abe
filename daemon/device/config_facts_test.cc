#include "daemon/device/config_facts.h"

#include "daemon/device/testing/pci_machine.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

using ::p2pd::testing::ConfigOf;
using ::p2pd::testing::Express;
using ::p2pd::testing::FunctionSpec;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

ConfigFacts Facts(const FunctionSpec& spec, size_t shown = std::string::npos) {
  return ParseConfig(ConfigOf(spec).substr(0, shown));
}

TEST(ConfigFactsTest, KnowsThePortsByTheirType) {
  EXPECT_EQ(Facts({.express = Express::kEndpoint}).port, PortType::kEndpoint);
  EXPECT_EQ(Facts({.express = Express::kRootPort}).port, PortType::kRootPort);
  EXPECT_EQ(Facts({.express = Express::kUpstream}).port, PortType::kUpstreamPort);
  EXPECT_EQ(Facts({.express = Express::kDownstream}).port, PortType::kDownstreamPort);
  EXPECT_EQ(Facts({.express = Express::kToPci}).port, PortType::kBridge);
}

TEST(ConfigFactsTest, ConventionalPciHasNeitherAcsNorAts) {
  const ConfigFacts facts = Facts({.express = Express::kNone});
  EXPECT_EQ(facts.port, PortType::kConventional);
  EXPECT_EQ(facts.acs, Presence::kAbsent);
  EXPECT_EQ(facts.ats, Presence::kAbsent);
  EXPECT_EQ(facts.max_payload, 0u);
  EXPECT_THAT(facts.problem, IsEmpty());
}

TEST(ConfigFactsTest, FindsTheAcsControlWhereverTheListHasIt) {
  const ConfigFacts facts = Facts({.acs = 0x1d, .ats = 0x8000});
  EXPECT_EQ(facts.acs, Presence::kPresent);
  EXPECT_EQ(facts.acs_control, 0x1d);
  EXPECT_TRUE(facts.redirects());
  EXPECT_TRUE(facts.ats_enabled);
  EXPECT_EQ(Facts({.ats = 0}).ats, Presence::kPresent);
  EXPECT_FALSE(Facts({.ats = 0}).ats_enabled);
  EXPECT_EQ(Facts({.ats = 0}).acs, Presence::kAbsent);
}

TEST(ConfigFactsTest, OnlyRequestAndCompletionRedirectAndEgressControlRedirect) {
  for (int bit = 0; bit < 7; ++bit) {
    const bool redirects = bit == 2 || bit == 3 || bit == 5;
    EXPECT_EQ(Facts({.acs = static_cast<uint16_t>(1 << bit)}).redirects(), redirects) << bit;
  }
  EXPECT_THAT(AcsRedirectBits(0x7f), ElementsAre("RR", "CR", "EC"));
  EXPECT_THAT(AcsRedirectBits(0x53), IsEmpty());
}

TEST(ConfigFactsTest, ReadsTheLargestPayload) {
  EXPECT_EQ(Facts({.max_payload = 128}).max_payload, 128u);
  EXPECT_EQ(Facts({.max_payload = 4096}).max_payload, 4096u);
}

TEST(ConfigFactsTest, WhatWasCutShortIsUnknownAndNeverAbsent) {
  for (const FunctionSpec& spec : {FunctionSpec{.acs = 0x1d}, FunctionSpec{}}) {
    for (const size_t shown : {size_t{1}, size_t{63}, size_t{64}, size_t{128}, size_t{256}, size_t{0x102}}) {
      const ConfigFacts facts = Facts(spec, shown);
      EXPECT_EQ(facts.acs, Presence::kUnknown) << shown;
      EXPECT_EQ(facts.ats, Presence::kUnknown) << shown;
      EXPECT_THAT(facts.problem, HasSubstr("could only be read to byte " + std::to_string(shown)));
    }
  }
  EXPECT_EQ(Facts({.acs = 0x1d}, 0x14d).acs, Presence::kUnknown);  // between the header and the register
  EXPECT_EQ(Facts({.express = Express::kNone}, 64).port, PortType::kUnknown);
  EXPECT_THAT(ParseConfig("").problem, HasSubstr("could not be read"));
}

TEST(ConfigFactsTest, AFunctionWithoutCapabilitiesHasNoneHoweverLittleIsRead) {
  EXPECT_EQ(ParseConfig(std::string(64, '\0')).acs, Presence::kAbsent);
}

TEST(ConfigFactsTest, AllOnesAreNobodysConfiguration) {
  const ConfigFacts facts = ParseConfig(std::string(4096, '\xff'));
  EXPECT_EQ(facts.acs, Presence::kUnknown);
  EXPECT_THAT(facts.problem, HasSubstr("powered down"));
}

TEST(ConfigFactsTest, AVirtualFunctionIsNotTakenForAMissingOne) {
  const ConfigFacts facts = Facts({.acs = 0, .physical_function = "0000:01:00.0"});
  EXPECT_EQ(facts.port, PortType::kEndpoint);
  EXPECT_EQ(facts.acs, Presence::kPresent);
}

TEST(ConfigFactsTest, ListsThatGoRoundEnd) {
  std::string config = ConfigOf({});
  config[0x103] = 0x10;  // the first extended capability names itself as the next
  config[0x102] = 0x01;
  EXPECT_EQ(ParseConfig(config).acs, Presence::kAbsent);
  config[0x81] = static_cast<char>(0x80);  // likewise the first one
  EXPECT_EQ(ParseConfig(config).port, PortType::kConventional);
}

}  // namespace
}  // namespace p2pd
