#include "daemon/device/config_facts.h"

#include "daemon/device/testing/pci_machine.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

using ::p2pd::testing::ConfigOf;
using ::p2pd::testing::Express;
using ::p2pd::testing::FunctionSpec;
using ::testing::AllOf;
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

TEST(ConfigFactsTest, WhatIsCutShortSaysSoAndNothingElseDoes) {
  EXPECT_TRUE(Facts({}, 64).cut_short);
  EXPECT_TRUE(Facts({}, 256).cut_short);
  EXPECT_FALSE(Facts({}).cut_short);
  EXPECT_FALSE(Facts({.express = Express::kNone}).cut_short);
  EXPECT_FALSE(ParseConfig(std::string(64, '\xff')).cut_short);
}

ConfigFacts Completed(const absl::StatusOr<std::string>& whole) {
  return ParseConfig(ConfigOf({.acs = 0x1d}).substr(0, 64), whole);
}

TEST(ConfigFactsTest, WhatSomebodyElseReadCounts) {
  const ConfigFacts facts = Completed(ConfigOf({.acs = 0x1d}));
  EXPECT_TRUE(facts.redirects());
  EXPECT_EQ(facts.ats, Presence::kAbsent);
  EXPECT_FALSE(facts.cut_short);
  EXPECT_THAT(facts.problem, IsEmpty());
}

TEST(ConfigFactsTest, ButNotOfAnotherFunction) {
  for (const FunctionSpec& other :
       {FunctionSpec{.vendor = 0x8086}, FunctionSpec{.device = 0x1234}, FunctionSpec{.class_code = 0x020000}}) {
    const ConfigFacts facts = Completed(ConfigOf(other));
    EXPECT_EQ(facts.acs, Presence::kUnknown);
    EXPECT_THAT(facts.problem, AllOf(HasSubstr("read to byte 64"), HasSubstr("another function's")));
  }
  std::string config = ConfigOf({});
  for (const size_t at : {0x08, 0x09, 0x0e}) {  // revision, programming interface, header type
    config[at] = 0x7f;
    EXPECT_EQ(Completed(config).acs, Presence::kUnknown) << at;
    config[at] = 0;
  }
  EXPECT_EQ(Completed(std::string(4096, '\xff')).acs, Presence::kUnknown);
  config[0x0f] = 0x7f;  // its self test may run meanwhile
  config[0x04] = 0x06;  // and its driver turns something on
  EXPECT_EQ(Completed(config).acs, Presence::kAbsent);
}

TEST(ConfigFactsTest, NorHalfOfIt) {
  const std::string config = ConfigOf({.acs = 0x1d});
  for (const size_t size : {0, 4, 64, 255, 257, 0x150, 4095}) {
    const ConfigFacts facts = Completed(config.substr(0, size));
    EXPECT_EQ(facts.acs, Presence::kUnknown) << size;
    EXPECT_THAT(facts.problem, HasSubstr("read " + std::to_string(size) + " bytes"));
  }
  EXPECT_EQ(Completed(config + "more").acs, Presence::kUnknown);
  EXPECT_THAT(Completed(config.substr(0, 256)).problem, HasSubstr("could only be read to byte 256"));
}

TEST(ConfigFactsTest, WhyNobodyElseCouldReadItIsSaid) {
  const ConfigFacts facts = Completed(absl::UnavailableError("nobody is there"));
  EXPECT_EQ(facts.acs, Presence::kUnknown);
  EXPECT_EQ(facts.problem, "configuration space could only be read to byte 64; nobody is there");
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
