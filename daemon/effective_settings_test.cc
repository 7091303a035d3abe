#include "daemon/effective_settings.h"

#include <sys/stat.h>

#include <fstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

using ::testing::EndsWith;

Flags WithConfig(const std::string& text) {
  const std::string path = ::testing::TempDir() + "/effective_settings_test.conf";
  std::ofstream(path) << text;
  EXPECT_EQ(chmod(path.c_str(), 0644), 0);
  Flags flags;
  flags.config = path;
  return flags;
}

TEST(EffectiveSettingsTest, FlagsOverrideTheConfiguration) {
  Flags flags = WithConfig("policy: '/a' deadlines { quiesce: '3s' }");
  flags.policy = "/b";
  const auto settings = EffectiveSettings(flags);
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->policy, "/b");
  EXPECT_EQ(settings->quiesce_deadline, absl::Seconds(3));
}

TEST(EffectiveSettingsTest, CoreGetsTheLimitsThatWereSetAndItsOwnDefaults) {
  const auto settings = EffectiveSettings(WithConfig("limits { mapped_bytes { per_user: 8192 total: 16384 } }"));
  ASSERT_TRUE(settings.ok()) << settings.status();
  const QuotaLimits limits = QuotaLimitsOf(*settings);
  const QuotaLimits defaults;
  for (int i = 0; i < kNumResources; ++i) {
    const auto resource = static_cast<Resource>(i);
    const bool set = resource == Resource::kMappedBytes;
    EXPECT_EQ(limits[resource].per_user, set ? 8192 : defaults[resource].per_user) << Name(resource);
    EXPECT_EQ(limits[resource].total, set ? 16384 : defaults[resource].total) << Name(resource);
  }
}

TEST(EffectiveSettingsTest, TheFrontGetsItsLimits) {
  const auto plain = EffectiveSettings(WithConfig(""));
  ASSERT_TRUE(plain.ok()) << plain.status();
  EXPECT_EQ(ConnectionLimitsOf(*plain).total, ConnectionLimits().total);
  EXPECT_EQ(UnreadFdLimitsOf(*plain).per_user, UnreadFdLimits().per_user);
  const auto settings = EffectiveSettings(
      WithConfig("limits { connections { per_user: 65536 total: 65536 } unread_fds { per_user: 1 total: 2 } }"));
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(ConnectionLimitsOf(*settings).per_user, 65536);
  EXPECT_EQ(ConnectionLimitsOf(*settings).total, 65536);
  EXPECT_EQ(UnreadFdLimitsOf(*settings).per_user, 1u);
  EXPECT_EQ(UnreadFdLimitsOf(*settings).total, 2u);
}

TEST(EffectiveSettingsTest, TheDefaultsGoTogether) { EXPECT_TRUE(EffectiveSettings(WithConfig("")).ok()); }

TEST(EffectiveSettingsTest, AUsersLimitAboveTheDefaultTotalIsRefused) {
  const auto settings = EffectiveSettings(WithConfig("limits { connections { per_user: 65536 } }"));
  EXPECT_EQ(settings.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(settings.status().message()),
              EndsWith("effective_settings_test.conf:1:24: limits.connections: per_user is 65536, expected at most "
                       "the total, 1024"));
}

TEST(EffectiveSettingsTest, ManagedDevicesOfTheCommandLineReplaceThoseOfTheFile) {
  Flags flags = WithConfig(
      "managed_devices: ['0000:01:00.0', '0000:02:00.0']\n"
      "merged_contexts { devices: ['0000:01:00.0', '0000:02:00.0'] }");
  EXPECT_TRUE(EffectiveSettings(flags).ok());
  flags.manage = {*PciAddress::Parse("0000:02:00.0")};
  EXPECT_THAT(std::string(EffectiveSettings(flags).status().message()),
              EndsWith(".conf:2:1: merged_contexts: p2pd does not manage 0000:01:00.0, expected devices of "
                       "managed_devices or --manage"));
}

TEST(EffectiveSettingsTest, ASimulatedMachineTakesNoConfigurationButTheOneThatIsNamed) {
  Flags flags;
  flags.simulate = "machine.textproto";
  const auto plain = EffectiveSettings(flags);
  ASSERT_TRUE(plain.ok()) << plain.status();
  EXPECT_EQ(plain->policy, "/etc/p2pd/policy.d");
  flags.config = WithConfig("policy: '/named'").config;
  EXPECT_EQ(EffectiveSettings(flags)->policy, "/named");
  flags.config = ::testing::TempDir() + "/none.conf";
  EXPECT_EQ(EffectiveSettings(flags).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace p2pd
