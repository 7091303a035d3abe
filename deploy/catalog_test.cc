// The catalog explains every MESSAGE_ID of p2pd's, once, and nothing else; and uses only fields that are there.
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

std::string Read(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file) << path;
  return std::string(std::istreambuf_iterator<char>(file), {});
}

std::multiset<std::string> Matches(const std::string& text, const char* pattern) {
  const std::regex regex(pattern);
  std::multiset<std::string> found;
  for (std::sregex_iterator i(text.begin(), text.end(), regex); i != std::sregex_iterator(); ++i) {
    found.insert((*i)[1].str());
  }
  return found;
}

TEST(CatalogTest, ExplainsEveryMessageIdOnce) {
  const auto ids = Matches(Read("daemon/service/message_ids.h"), "\"([0-9a-f]{32})\"");
  EXPECT_GE(ids.size(), 13u);
  EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), ids.size());
  EXPECT_EQ(Matches(Read("deploy/p2pd.catalog"), "(?:^|\n)-- ([0-9a-f]{32})\nSubject: "), ids);
}

TEST(CatalogTest, TheManualListsTheSameIds) {
  EXPECT_EQ(Matches(Read("deploy/man/p2pd.8"), "\t([0-9a-f]{32})\n"),
            Matches(Read("daemon/service/message_ids.h"), "\"([0-9a-f]{32})\""));
}

TEST(CatalogTest, NamesOnlyFieldsThatEntriesHave) {
  const std::string sources = Read("daemon/bus/event_log.cc") + Read("daemon/bus/slow_operations.cc") +
                              Read("daemon/bus/denial_log.cc") + Read("daemon/bus/grant_log.cc") +
                              Read("daemon/bus/bus_calls.cc") + Read("daemon/front/fd_connection.cc");
  const auto fields = Matches(sources, "\"(P2PD_[A-Z_]+)\"");
  const auto used = Matches(Read("deploy/p2pd.catalog"), "@([A-Z0-9_]+)@");
  EXPECT_FALSE(used.empty());
  for (const std::string& name : used) EXPECT_TRUE(fields.contains(name)) << name;
}

}  // namespace
}  // namespace p2pd
