#include "policy/glob.h"

#include "gtest/gtest.h"

namespace p2pd {
namespace {

TEST(GlobTest, AStarStandsForAnyCharactersAndAQuestionMarkForOne) {
  EXPECT_TRUE(Glob("*").Matches(""));
  EXPECT_TRUE(Glob("*").Matches("anything"));
  EXPECT_TRUE(Glob("a*c").Matches("ac"));
  EXPECT_TRUE(Glob("a*c").Matches("abcbc"));
  EXPECT_TRUE(Glob("a?c").Matches("abc"));
  EXPECT_FALSE(Glob("a?c").Matches("ac"));
  EXPECT_FALSE(Glob("?").Matches(""));
  EXPECT_TRUE(Glob("*.service").Matches("a.service.service"));
  EXPECT_FALSE(Glob("*.service").Matches("a.service.scope"));
}

TEST(GlobTest, TheWholeTextMustMatch) {
  EXPECT_FALSE(Glob("spdk").Matches("spdk.service"));
  EXPECT_FALSE(Glob("dk").Matches("spdk"));
  EXPECT_FALSE(Glob("").Matches("a"));
  EXPECT_TRUE(Glob("").Matches(""));
}

TEST(GlobTest, EveryOtherCharacterStandsForItself) {
  EXPECT_TRUE(Glob("dev-disk-by\\x2did.mount").Matches("dev-disk-by\\x2did.mount"));
  EXPECT_FALSE(Glob("[ab]").Matches("a"));
  EXPECT_FALSE(Glob("A").Matches("a"));
}

TEST(GlobTest, KnowsWhatAllThatItMatchesBeginsWith) {
  EXPECT_EQ(Glob("worker-?.service").Beginning(), "worker-");
  EXPECT_EQ(Glob("0000:3a:*").Beginning(), "0000:3a:");
  EXPECT_EQ(Glob("*.scope").Beginning(), "");
  EXPECT_EQ(Glob("spdk.service").Beginning(), "spdk.service");
}

TEST(GlobTest, ManyStarsTakeNoExponentialTime) {
  std::string pattern;
  for (int i = 0; i < 200; ++i) pattern += "*a";
  EXPECT_FALSE(Glob(pattern + "b").Matches(std::string(4000, 'a')));
}

TEST(GlobTest, SomePatternsMatchNothingOfAGivenShape) {
  const std::vector<absl::string_view> shape = {"01", ":", "ab"};
  for (const char* pattern : {"*", "0*", "?:?", "1:a", "*:*", "*b", "***"}) EXPECT_TRUE(Glob(pattern).CanMatch(shape));
  for (const char* pattern : {"", "2*", "??", "????", "1:c", "*:", "a*", "*a*b*"}) {
    EXPECT_FALSE(Glob(pattern).CanMatch(shape)) << pattern;
  }
}

}  // namespace
}  // namespace p2pd
