// What a configuration file says, and what it may not say: each refusal with its place and what was expected.
#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "daemon/config/config_file.h"
#include "daemon/config/limit_fields.h"
#include "gtest/gtest.h"
#include "proto/p2pd/v1/config.pb.h"

namespace p2pd {
namespace {

Settings Parse(const std::string& text) {
  Settings settings;
  const absl::Status status = ParseConfig(text, "c", settings);
  EXPECT_TRUE(status.ok()) << status;
  return settings;
}

std::string ErrorOf(const std::string& text) {
  Settings settings;
  const absl::Status status = ParseConfig(text, "c", settings);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  return std::string(status.message());
}

TEST(ConfigReaderTest, ReadsEverything) {
  const Settings settings = Parse(R"(
    managed_devices: ["0000:01:00.0", "0000:02:00.0", "0001:03:00.1"]
    merged_contexts { devices: ["0000:01:00.0", "0000:02:00.0"] }
    sockets { fd: "/a/fds" grpc: "/a/grpc" config: "/a/config" }
    policy: "/a/policy"
    deadlines { quiesce: "250ms" hello: "1m" ready: "30s" }
    limits { sessions { per_user: 5 total: 50 } memory_bytes { total: 1048576 } }
    log_level: "debug")");
  ASSERT_EQ(settings.managed.size(), 3u);
  EXPECT_EQ(settings.managed[2].ToString(), "0001:03:00.1");
  ASSERT_EQ(settings.merged_contexts.size(), 1u);
  EXPECT_EQ(settings.merged_contexts[0].devices.size(), 2u);
  EXPECT_EQ(settings.merged_contexts[0].origin, "c:3:5");
  EXPECT_EQ(settings.fd_socket, "/a/fds");
  EXPECT_EQ(settings.grpc_socket, "/a/grpc");
  EXPECT_EQ(settings.config_socket, "/a/config");
  EXPECT_EQ(settings.policy, "/a/policy");
  EXPECT_EQ(settings.quiesce_deadline, absl::Milliseconds(250));
  EXPECT_EQ(settings.hello_deadline, absl::Minutes(1));
  EXPECT_EQ(settings.ready_deadline, absl::Seconds(30));
  EXPECT_EQ(settings.limits.sessions.per_user, 5u);
  EXPECT_EQ(settings.limits.sessions.total, 50u);
  EXPECT_EQ(settings.limits.memory_bytes.per_user, std::nullopt);
  EXPECT_EQ(settings.limits.memory_bytes.total, 1048576u);
  EXPECT_EQ(settings.limits.exports.total, std::nullopt);
  EXPECT_EQ(settings.log_level, LogLevel::kDebug);
}

TEST(ConfigReaderTest, ReadsTheSizesOfBars) {
  const Settings settings = Parse(R"(
    managed_devices: "0000:01:00.0"
    bar_sizes { device: "0000:01:00.0" bar: 0 size: "256MiB" }
    bar_sizes { device: "0000:01:00.0" bar: 2 size: "16GiB" })");
  ASSERT_EQ(settings.bar_sizes.size(), 2u);
  EXPECT_EQ(settings.bar_sizes[0].bar, 0);
  EXPECT_EQ(settings.bar_sizes[1].device.ToString(), "0000:01:00.0");
  EXPECT_EQ(settings.bar_sizes[1].bar, 2);
  EXPECT_EQ(settings.bar_sizes[1].size, "16GiB");
  EXPECT_EQ(settings.bar_sizes[1].origin, "c:4:5");
}

TEST(ConfigReaderTest, ABarsSizeIsOfOneBarAndAPowerOfTwo) {
  EXPECT_EQ(ErrorOf("bar_sizes { device: 'nvme0' bar: 2 size: '1GiB' }"),
            "c:1:13: \"nvme0\" is no PCI address, expected one as in 0000:3a:00.0 (see lspci -D)");
  EXPECT_EQ(ErrorOf("bar_sizes { device: '0000:01:00.0' bar: 6 size: '1GiB' }"),
            "c:1:36: bar: expected one from 0 to 5");
  EXPECT_EQ(ErrorOf("bar_sizes { device: '0000:01:00.0' size: '1GiB' }"), "c:1:1: bar: expected one from 0 to 5");
  EXPECT_EQ(ErrorOf("bar_sizes { device: '0000:01:00.0' bar: 1 size: '3GiB' }"),
            "c:1:43: \"3GiB\" is no BAR's size, expected a power of two from 1MiB to 128TiB, as in \"256MiB\" or "
            "\"16GiB\"");
  EXPECT_EQ(ErrorOf("bar_sizes { device: '0000:01:00.0' bar: 1 size: '1GiB' }\n"
                    "bar_sizes { device: '0000:01:00.0' bar: 1 size: '2GiB' }"),
            "c:2:1: BAR 1 of 0000:01:00.0 has a size at c:1:1 too, expected one");
}

TEST(ConfigReaderTest, WhatIsNotSaidStaysAsItWas) {
  const Settings settings = Parse("");
  EXPECT_EQ(settings.fd_socket, "/run/p2pd/fds.sock");
  EXPECT_EQ(settings.grpc_socket, "/run/p2pd/p2pd.sock");
  EXPECT_EQ(settings.config_socket, "/run/p2pd/config.sock");
  EXPECT_EQ(settings.policy, "/etc/p2pd/policy.d");
  EXPECT_EQ(settings.quiesce_deadline, absl::Seconds(2));
  EXPECT_EQ(settings.hello_deadline, absl::Seconds(5));
  EXPECT_EQ(settings.ready_deadline, absl::Minutes(1));
  EXPECT_EQ(settings.log_level, LogLevel::kInfo);
  EXPECT_TRUE(settings.managed.empty());
}

TEST(ConfigReaderTest, KnowsEveryLimitOfTheConfiguration) {
  const auto* limits = v1::Config::Limits::descriptor();
  ASSERT_EQ(limits->field_count(), static_cast<int>(std::size(kLimitFields)));
  for (const LimitField& field : kLimitFields) {
    ASSERT_NE(limits->FindFieldByName(field.name), nullptr) << field.name;
    const Settings settings = Parse(absl::StrCat("limits { ", field.name, " { total: 5000 } }"));
    EXPECT_EQ((settings.limits.*field.setting).total, 5000u);
    EXPECT_EQ((settings.limits.*field.setting).origin, absl::StrCat("c:1:", 13 + std::string(field.name).size()));
  }
}

TEST(ConfigReaderTest, AnUnknownFieldIsPlacedAndTheKnownOnesAreListed) {
  EXPECT_EQ(ErrorOf("\n  manage: \"0000:01:00.0\""),
            "c:2:3: \"manage\" is unknown here, expected one of managed_devices, merged_contexts, sockets, policy, "
            "deadlines, limits, bar_sizes, log_level");
  EXPECT_EQ(ErrorOf("limits {\n  bytes { total: 1 }\n}"),
            "c:2:3: \"bytes\" is unknown here, expected one of connections, sessions, exports, address_spaces, "
            "mappings, mapped_bytes, memories, memory_bytes, unread_fds, watchers");
}

TEST(ConfigReaderTest, WhatIsNoAddressIsRefused) {
  constexpr char kWhat[] = " is no PCI address, expected one as in 0000:3a:00.0 (see lspci -D)";
  EXPECT_EQ(ErrorOf("managed_devices: \"01:00.0\""), absl::StrCat("c:1:1: \"01:00.0\"", kWhat));
  EXPECT_EQ(ErrorOf("managed_devices: \"0000:01:00.0\"\nmanaged_devices: \"\""), absl::StrCat("c:2:1: \"\"", kWhat));
  EXPECT_EQ(ErrorOf("merged_contexts {\n  devices: \"0000:01:00.0\"\n  devices: \"nvme0\"\n}"),
            absl::StrCat("c:3:3: \"nvme0\"", kWhat));
}

TEST(ConfigReaderTest, AContextIsMergedOfTwoDevicesAtLeast) {
  constexpr char kWhat[] = "a merged context of fewer than two devices, expected those that share an iommufd";
  EXPECT_EQ(ErrorOf("merged_contexts {}"), absl::StrCat("c:1:1: ", kWhat));
  EXPECT_EQ(ErrorOf("\nmerged_contexts { devices: \"0000:01:00.0\" }"), absl::StrCat("c:2:1: ", kWhat));
  EXPECT_EQ(ErrorOf("merged_contexts { devices: \"0000:01:00.0\"\n devices: \"0000:01:00.0\" }"),
            "c:2:2: 0000:01:00.0 stands twice in this context, expected two devices");
}

TEST(ConfigReaderTest, ADeviceIsInOneMergedContextOnly) {
  EXPECT_EQ(ErrorOf("merged_contexts { devices: [\"0000:01:00.0\", \"0000:02:00.0\"] }\n"
                    "merged_contexts { devices: \"0000:03:00.0\" devices: \"0000:02:00.0\" }"),
            "c:2:43: 0000:02:00.0 is in the merged context at c:1:1 too, expected it in one of them");
}

TEST(ConfigReaderTest, PathsAreWholeAndSocketsPathsShort) {
  EXPECT_EQ(ErrorOf("policy: \"policy.textproto\""),
            "c:1:1: \"policy.textproto\" is no path, expected one from \"/\" on of at most 4095 bytes");
  EXPECT_EQ(ErrorOf("policy: \"\""), "c:1:1: \"\" is no path, expected one from \"/\" on of at most 4095 bytes");
  EXPECT_EQ(ErrorOf("policy: \"/a\\000b\""),
            "c:1:1: \"/a?b\" is no path, expected one from \"/\" on of at most 4095 bytes");
  EXPECT_EQ(ErrorOf("sockets {\n  fd: \"fds\"\n}"),
            "c:2:3: \"fds\" is no path, expected one from \"/\" on of at most 107 bytes");
  const std::string longest = "/" + std::string(106, 'x');
  EXPECT_EQ(Parse("sockets { grpc: \"" + longest + "\" }").grpc_socket, longest);
  EXPECT_EQ(ErrorOf("sockets { grpc: \"" + longest + "x\" }"),
            absl::StrCat("c:1:11: \"", longest, "x\" is no path, expected one from \"/\" on of at most 107 bytes"));
}

TEST(ConfigReaderTest, DeadlinesAreTimesWithinReason) {
  const std::string what = "expected a time from 0 to 10 minutes, as in \"500ms\" or \"2s\"";
  for (const char* text : {"soon", "", "5", "-1s", "601s", "inf"}) {
    EXPECT_EQ(ErrorOf(absl::StrCat("deadlines { quiesce: \"", text, "\" }")),
              absl::StrCat("c:1:13: \"", text, "\" is no deadline, ", what));
  }
  EXPECT_EQ(Parse("deadlines { quiesce: \"0\" }").quiesce_deadline, absl::ZeroDuration());
  EXPECT_EQ(Parse("deadlines { quiesce: \"10m\" }").quiesce_deadline, absl::Minutes(10));
  const std::string hello = "expected a time of more than 0 and up to a minute, as in \"500ms\" or \"5s\"";
  for (const char* text : {"0", "61s", "x"}) {
    EXPECT_EQ(ErrorOf(absl::StrCat("deadlines {\n hello: \"", text, "\" }")),
              absl::StrCat("c:2:2: \"", text, "\" is no deadline, ", hello));
  }
}

TEST(ConfigReaderTest, LimitsThatWouldLockEverybodyOutAreRefused) {
  const std::map<std::string, uint64_t> may_be_zero = {{"memories", 0}, {"memory_bytes", 0}, {"watchers", 0}};
  for (const LimitField& field : kLimitFields) {
    for (const char* which : {"per_user", "total"}) {
      const std::string text = absl::StrCat("limits {\n", field.name, " {\n ", which, ": 0 } }");
      if (may_be_zero.contains(field.name)) {
        Parse(text);
      } else {
        EXPECT_EQ(ErrorOf(text), absl::StrCat("c:3:2: 0 is too few, expected at least ", field.least));
      }
    }
  }
  EXPECT_EQ(ErrorOf("limits { connections { per_user: 1 } }"), "c:1:24: 1 is too few, expected at least 2");
  EXPECT_EQ(ErrorOf("limits { connections { total: 65537 } }"), "c:1:24: 65537 is too many, expected at most 65536");
}

TEST(ConfigReaderTest, WhatIsNoNumberIsRefused) {
  EXPECT_EQ(ErrorOf("limits { sessions { total: -1 } }"), "c:1:28: Expected integer, got: -");
  EXPECT_EQ(ErrorOf("limits { sessions { total: \"many\" } }"), "c:1:28: Expected integer, got: \"many\"");
}

TEST(ConfigReaderTest, LogLevelsHaveNames) {
  for (const char* text : {"loud", "", "6"}) {
    EXPECT_EQ(ErrorOf(absl::StrCat("log_level: \"", text, "\"")),
              absl::StrCat("c:1:1: \"", text, "\" is no log level, expected error, warning, notice, info or debug"));
  }
}

TEST(ConfigReaderTest, EverythingThatIsWrongIsTold) {
  EXPECT_EQ(ErrorOf("log_level: \"loud\"\nmanaged_devices: \"x\""),
            "c:2:1: \"x\" is no PCI address, expected one as in 0000:3a:00.0 (see lspci -D)\n"
            "c:1:1: \"loud\" is no log level, expected error, warning, notice, info or debug");
}

}  // namespace
}  // namespace p2pd
