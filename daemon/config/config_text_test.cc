#include "daemon/config/config_text.h"

#include "daemon/config/config_file.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

TEST(ConfigTextTest, ShowsWhatIsInForce) {
  EXPECT_EQ(ConfigText(Settings()),
            "sockets {\n  fd: \"/run/p2pd/fds.sock\"\n  grpc: \"/run/p2pd/p2pd.sock\"\n"
            "  config: \"/run/p2pd/config.sock\"\n}\n"
            "policy: \"/etc/p2pd/policy.d\"\n"
            "deadlines {\n  quiesce: \"2s\"\n  hello: \"5s\"\n  ready: \"1m\"\n}\n"
            "limits {\n}\n"
            "log_level: \"info\"\n");
}

TEST(ConfigTextTest, WhatItShowsIsAConfigurationOfTheSameMeaning) {
  Settings settings;
  const char* text = R"(
    managed_devices: ["0000:01:00.0", "0000:02:00.0"]
    merged_contexts { devices: ["0000:01:00.0", "0000:02:00.0"] }
    bar_sizes { device: "0000:02:00.0" bar: 0 size: "16GiB" }
    deadlines { quiesce: "1m30s" hello: "250ms" ready: "5m" }
    limits { sessions { per_user: 5 } watchers { total: 0 } }
    log_level: "warning")";
  ASSERT_TRUE(ParseConfig(text, "a", settings).ok());
  Settings again;
  const absl::Status status = ParseConfig(ConfigText(settings), "b", again);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(again.managed, settings.managed);
  ASSERT_EQ(again.merged_contexts.size(), 1u);
  EXPECT_EQ(again.merged_contexts[0].devices, settings.merged_contexts[0].devices);
  // As deploy/bind-devices reads it.
  EXPECT_NE(ConfigText(settings).find("bar_sizes {\n  device: \"0000:02:00.0\"\n  bar: 0\n  size: \"16GiB\"\n}\n"),
            std::string::npos);
  ASSERT_EQ(again.bar_sizes.size(), 1u);
  EXPECT_EQ(again.bar_sizes[0].size, "16GiB");
  EXPECT_EQ(again.quiesce_deadline, absl::Seconds(90));
  EXPECT_EQ(again.hello_deadline, absl::Milliseconds(250));
  EXPECT_EQ(again.ready_deadline, absl::Minutes(5));
  EXPECT_EQ(again.limits.sessions.per_user, 5u);
  EXPECT_EQ(again.limits.sessions.total, std::nullopt);
  EXPECT_EQ(again.limits.watchers.total, 0u);
  EXPECT_EQ(again.log_level, LogLevel::kWarning);
}

}  // namespace
}  // namespace p2pd
