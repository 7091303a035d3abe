// What repeats the version agrees with it: each manual page, and the changelog's newest release.
#include "daemon/base/version.h"

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

using ::testing::HasSubstr;

// The first line of `path` that starts like this; "" if none does.
std::string FirstLine(const std::filesystem::path& path, const std::string& start, const std::string& but = "\n") {
  std::ifstream file(path);
  EXPECT_TRUE(file) << path;
  for (std::string line; std::getline(file, line);) {
    if (absl::StartsWith(line, start) && !absl::StartsWith(line, but)) return line;
  }
  return "";
}

TEST(VersionTest, EveryManualPageSaysIt) {
  int pages = 0;
  for (const auto& entry : std::filesystem::directory_iterator("deploy/man")) {
    const std::string section = entry.path().extension();
    if (section != ".1" && section != ".5" && section != ".8") continue;
    EXPECT_THAT(FirstLine(entry.path(), ".TH "), HasSubstr(absl::StrCat("\"p2pd ", kVersion, "\""))) << entry.path();
    ++pages;
  }
  EXPECT_GE(pages, 2);
}

TEST(VersionTest, TheChangelogsNewestReleaseIsIt) {
  EXPECT_THAT(FirstLine("CHANGELOG.md", "## ", "## Unreleased") + " ", HasSubstr(absl::StrCat(" ", kVersion, " ")));
}

}  // namespace
}  // namespace p2pd
