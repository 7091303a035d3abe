#include "daemon/flags.h"

#include "gtest/gtest.h"

namespace p2pd {
namespace {

std::variant<Flags, int> Parse(std::vector<const char*> words) {
  words.insert(words.begin(), "p2pd");
  return ParseFlags(static_cast<int>(words.size()), words.data(), "1.2.3");
}

TEST(FlagsTest, WhatIsNotGivenOverridesNothing) {
  Settings settings;
  settings.fd_socket = "/a";
  settings.grpc_socket = "/b";
  settings.config_socket = "/d";
  settings.policy = "/c";
  settings.managed = {*PciAddress::Parse("0000:01:00.0")};
  settings.quiesce_deadline = absl::Seconds(7);
  settings.log_level = LogLevel::kError;
  const auto parsed = Parse({});
  Override(std::get<Flags>(parsed), settings);
  EXPECT_EQ(settings.fd_socket, "/a");
  EXPECT_EQ(settings.grpc_socket, "/b");
  EXPECT_EQ(settings.config_socket, "/d");
  EXPECT_EQ(settings.policy, "/c");
  ASSERT_EQ(settings.managed.size(), 1u);
  EXPECT_EQ(settings.quiesce_deadline, absl::Seconds(7));
  EXPECT_EQ(settings.log_level, LogLevel::kError);
  EXPECT_EQ(std::get<Flags>(parsed).config, std::nullopt);
  EXPECT_FALSE(std::get<Flags>(parsed).check_config);
}

TEST(FlagsTest, WhatIsGivenOverridesTheConfiguration) {
  Settings settings;
  settings.managed = {*PciAddress::Parse("0000:07:00.0")};
  const auto parsed =
      Parse({"--manage=0000:01:00.0,0000:02:00.0", "--quiesce-deadline", "250ms", "--log-level=debug", "--policy=p",
             "--fd-socket=f", "--grpc-socket=g", "--config-socket=s", "--config=c", "--check-config"});
  const Flags& flags = std::get<Flags>(parsed);
  Override(flags, settings);
  ASSERT_EQ(settings.managed.size(), 2u);
  EXPECT_EQ(settings.managed[1].ToString(), "0000:02:00.0");
  EXPECT_EQ(settings.quiesce_deadline, absl::Milliseconds(250));
  EXPECT_EQ(settings.log_level, LogLevel::kDebug);
  EXPECT_EQ(settings.policy, "p");
  EXPECT_EQ(settings.fd_socket, "f");
  EXPECT_EQ(settings.grpc_socket, "g");
  EXPECT_EQ(settings.config_socket, "s");
  EXPECT_EQ(flags.config, "c");
  EXPECT_TRUE(flags.check_config);
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
