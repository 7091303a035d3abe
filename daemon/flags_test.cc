#include "daemon/flags.h"

#include "gtest/gtest.h"

namespace p2pd {
namespace {

std::variant<Flags, int> Parse(std::vector<const char*> words) {
  words.insert(words.begin(), "p2pd");
  return ParseFlags(static_cast<int>(words.size()), words.data(), "1.2.3");
}

TEST(FlagsTest, DefaultsAreThoseOfAService) {
  const auto parsed = Parse({});
  const Flags& flags = std::get<Flags>(parsed);
  EXPECT_EQ(flags.fd_socket, "/run/p2pd/fds.sock");
  EXPECT_EQ(flags.grpc_socket, "/run/p2pd/p2pd.sock");
  EXPECT_EQ(flags.policy, "/etc/p2pd/policy.textproto");
  EXPECT_TRUE(flags.manage.empty());
  EXPECT_EQ(flags.quiesce_deadline, absl::Seconds(2));
}

TEST(FlagsTest, ReadsDevicesTimesAndLevels) {
  const auto parsed = Parse({"--manage=0000:01:00.0,0000:02:00.0", "--quiesce-deadline", "250ms", "--log-level=debug"});
  const Flags& flags = std::get<Flags>(parsed);
  ASSERT_EQ(flags.manage.size(), 2u);
  EXPECT_EQ(flags.manage[1].ToString(), "0000:02:00.0");
  EXPECT_EQ(flags.quiesce_deadline, absl::Milliseconds(250));
  EXPECT_EQ(flags.log_level, LogLevel::kDebug);
}

TEST(FlagsTest, RefusesWhatItDoesNotUnderstand) {
  EXPECT_EQ(std::get<int>(Parse({"--manage=01:00.0"})), 2);
  EXPECT_EQ(std::get<int>(Parse({"--quiesce-deadline=soon"})), 2);
  EXPECT_EQ(std::get<int>(Parse({"--quiesce-deadline=-1s"})), 2);
  EXPECT_EQ(std::get<int>(Parse({"--log-level=loud"})), 2);
  EXPECT_EQ(std::get<int>(Parse({"--frobnicate"})), 2);
  EXPECT_EQ(std::get<int>(Parse({"stray"})), 2);
}

TEST(FlagsTest, HelpAndVersionExitWithZero) {
  EXPECT_EQ(std::get<int>(Parse({"--help"})), 0);
  EXPECT_EQ(std::get<int>(Parse({"--version"})), 0);
}

}  // namespace
}  // namespace p2pd
