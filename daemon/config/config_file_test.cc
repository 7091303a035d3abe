#include "daemon/config/config_file.h"

#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class ConfigFileTest : public ::testing::Test {
 protected:
  ConfigFileTest() {
    std::string folder = ::testing::TempDir() + "/config_XXXXXX";
    EXPECT_NE(mkdtemp(folder.data()), nullptr);
    path_ = folder + "/p2pd.conf";
  }

  void Write(const std::string& path, const std::string& text, mode_t mode = 0644) {
    std::ofstream(path) << text;
    EXPECT_EQ(chmod(path.c_str(), mode), 0);
  }
  void WriteFragment(const std::string& name, const std::string& text, mode_t mode = 0644) {
    std::filesystem::create_directory(path_ + ".d");
    EXPECT_EQ(chmod((path_ + ".d").c_str(), 0755), 0);
    Write(path_ + ".d/" + name, text, mode);
  }

  std::string path_;
};

TEST_F(ConfigFileTest, OnlyTheDefaultFileMayBeMissing) {
  const auto defaults = LoadConfig(path_, true);
  ASSERT_TRUE(defaults.ok()) << defaults.status();
  EXPECT_EQ(defaults->policy, "/etc/p2pd/policy.d");
  const absl::Status missing = LoadConfig(path_, false).status();
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(missing.message()), StartsWith("open: " + path_ + ": "));
}

TEST_F(ConfigFileTest, ALaterFileReplacesValuesAndAddsToLists) {
  Write(path_, "managed_devices: '0000:01:00.0' log_level: 'debug' limits { sessions { per_user: 1 total: 9 } }");
  WriteFragment("20-b.conf", "managed_devices: '0000:03:00.0' policy: '/last' limits { sessions { total: 3 } }");
  WriteFragment("10-a.conf", "managed_devices: '0000:02:00.0' policy: '/first' limits { sessions { total: 7 } }");
  WriteFragment("30-c.conf.bak", "oops");
  const auto settings = LoadConfig(path_, true);
  ASSERT_TRUE(settings.ok()) << settings.status();
  ASSERT_EQ(settings->managed.size(), 3u);
  EXPECT_EQ(settings->managed[1].ToString(), "0000:02:00.0");
  EXPECT_EQ(settings->policy, "/last");
  EXPECT_EQ(settings->log_level, LogLevel::kDebug);
  EXPECT_EQ(settings->limits.sessions.per_user, 1u);
  EXPECT_EQ(settings->limits.sessions.total, 3u);
  EXPECT_EQ(settings->limits.sessions.origin, path_ + ".d/20-b.conf:1:69");
}

TEST_F(ConfigFileTest, FragmentsCountWithoutTheFile) {
  WriteFragment("a.conf", "policy: '/fragment'");
  const auto settings = LoadConfig(path_, true);
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->policy, "/fragment");
}

TEST_F(ConfigFileTest, WhatIsWrongWithEachFileIsTold) {
  Write(path_, "policy: 'x'");
  WriteFragment("a.conf", "log_level: 'loud'");
  WriteFragment("b.conf", "oops: 1");
  const absl::Status status = LoadConfig(path_, true).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  const std::string message(status.message());
  EXPECT_THAT(message, StartsWith(path_ + ":1:1: \"x\" is no path"));
  EXPECT_THAT(message, HasSubstr("\n" + path_ + ".d/a.conf:1:1: \"loud\" is no log level"));
  EXPECT_THAT(message, HasSubstr("\n" + path_ + ".d/b.conf:1:1: \"oops\" is unknown here"));
}

TEST_F(ConfigFileTest, ADeviceOfTwoMergedContextsInTwoFilesIsRefused) {
  Write(path_, "merged_contexts { devices: '0000:01:00.0' devices: '0000:02:00.0' }");
  WriteFragment("a.conf", "merged_contexts { devices: '0000:03:00.0' devices: '0000:02:00.0' }");
  EXPECT_EQ(LoadConfig(path_, true).status().message(),
            path_ + ".d/a.conf:1:43: 0000:02:00.0 is in the merged context at " + path_ +
                ":1:1 too, expected it in one of them");
}

TEST_F(ConfigFileTest, FilesThatOthersMayWriteAreRefused) {
  Write(path_, "", 0666);
  EXPECT_EQ(LoadConfig(path_, true).status().code(), absl::StatusCode::kFailedPrecondition);
  Write(path_, "");
  WriteFragment("a.conf", "", 0620);
  EXPECT_THAT(std::string(LoadConfig(path_, true).status().message()),
              HasSubstr("a.conf: has mode 0620: others than its owner may write it"));
}

TEST_F(ConfigFileTest, AFolderOfFragmentsThatOthersMayWriteIsRefused) {
  WriteFragment("a.conf", "");
  ASSERT_EQ(chmod((path_ + ".d").c_str(), 0777), 0);
  EXPECT_THAT(std::string(LoadConfig(path_, true).status().message()), HasSubstr(".d: has mode 0777"));
}

}  // namespace
}  // namespace p2pd
