#include "daemon/config/settings.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "daemon/config/config_file.h"
#include "daemon/config/limit_fields.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

class SettingsTest : public ::testing::Test {
 protected:
  SettingsTest() {
    for (const LimitField& field : kLimitFields) defaults_.*field.setting = {.per_user = 64, .total = 512};
  }

  absl::Status Complete(const std::string& text) {
    settings_ = Settings();
    const absl::Status parsed = ParseConfig(text, "c", settings_);
    EXPECT_TRUE(parsed.ok()) << parsed;
    return CompleteSettings(defaults_, settings_);
  }

  LimitSettings defaults_;
  Settings settings_;
};

TEST_F(SettingsTest, LimitsThatNobodySetHaveTheirDefault) {
  ASSERT_TRUE(Complete("limits { exports { per_user: 7 } mappings { total: 1000 } }").ok());
  EXPECT_EQ(settings_.limits.exports.per_user, 7u);
  EXPECT_EQ(settings_.limits.exports.total, 512u);
  EXPECT_EQ(settings_.limits.mappings.per_user, 64u);
  EXPECT_EQ(settings_.limits.mappings.total, 1000u);
  EXPECT_EQ(settings_.limits.watchers.per_user, 64u);
}

TEST_F(SettingsTest, AUsersDefaultShrinksToATotalThatWasSet) {
  ASSERT_TRUE(Complete("limits { sessions { total: 10 } }").ok());
  EXPECT_EQ(settings_.limits.sessions.per_user, 10u);
}

TEST_F(SettingsTest, AUsersLimitIsAtMostTheTotal) {
  EXPECT_TRUE(Complete("limits { sessions { per_user: 10 total: 10 } }").ok());
  EXPECT_EQ(Complete("limits { sessions { per_user: 11\ntotal: 10 } }").message(),
            "c:2:1: limits.sessions: per_user is 11, expected at most the total, 10");
  EXPECT_EQ(Complete("limits { unread_fds { per_user: 513 } }").message(),
            "c:1:23: limits.unread_fds: per_user is 513, expected at most the total, 512");
}

TEST_F(SettingsTest, WhatIsMergedIsManaged) {
  const std::string merged = "merged_contexts { devices: [\"0000:01:00.0\", \"0000:02:00.0\"] }\n";
  EXPECT_TRUE(Complete(merged).ok()) << "every device that is bound to vfio-pci";
  EXPECT_TRUE(Complete(merged + "managed_devices: [\"0000:01:00.0\", \"0000:02:00.0\"]").ok());
  EXPECT_EQ(Complete(merged + "managed_devices: \"0000:01:00.0\"").message(),
            "c:1:1: merged_contexts: p2pd does not manage 0000:02:00.0, expected devices of managed_devices or "
            "--manage");
}

}  // namespace
}  // namespace p2pd
