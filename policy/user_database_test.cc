#include "policy/user_database.h"

#include "gtest/gtest.h"

namespace p2pd {
namespace {

TEST(SystemUserDatabaseTest, KnowsRoot) {
  const auto user = SystemUserDatabase().FindUser("root");
  ASSERT_TRUE(user.ok()) << user.status();
  EXPECT_EQ(*user, std::optional<uint32_t>(0));
  const auto group = SystemUserDatabase().FindGroup("root");
  ASSERT_TRUE(group.ok()) << group.status();
  EXPECT_EQ(*group, std::optional<uint32_t>(0));
}

TEST(SystemUserDatabaseTest, ANameThatNobodyHasIsNotAnError) {
  const auto user = SystemUserDatabase().FindUser("no such user of p2pd");
  ASSERT_TRUE(user.ok()) << user.status();
  EXPECT_EQ(*user, std::nullopt);
  const auto group = SystemUserDatabase().FindGroup("");
  ASSERT_TRUE(group.ok()) << group.status();
  EXPECT_EQ(*group, std::nullopt);
}

TEST(SystemUserDatabaseTest, ANameIsNotCutAtItsFirstNul) {
  const auto user = SystemUserDatabase().FindUser(std::string("root\0x", 6));
  ASSERT_TRUE(user.ok()) << user.status();
  EXPECT_EQ(*user, std::nullopt);
}

}  // namespace
}  // namespace p2pd
