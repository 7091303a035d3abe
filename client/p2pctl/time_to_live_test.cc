#include "client/p2pctl/time_to_live.h"

#include "gtest/gtest.h"

namespace p2p::ctl {
namespace {

TEST(TimeToLiveTest, IsANumberWithItsUnitOrSeveral) {
  EXPECT_EQ(ParseTimeToLive("500ms").value_or(absl::ZeroDuration()), absl::Milliseconds(500));
  EXPECT_EQ(ParseTimeToLive("1.5s").value_or(absl::ZeroDuration()), absl::Milliseconds(1500));
  EXPECT_EQ(ParseTimeToLive("1h30m").value_or(absl::ZeroDuration()), absl::Minutes(90));
  EXPECT_EQ(ParseTimeToLive("87600h").value_or(absl::ZeroDuration()), absl::Hours(87600));
}

TEST(TimeToLiveTest, RefusesWhatIsNoTimeAndSaysWhatIs) {
  for (const char* typed : {"", "30", "ten", "5d", "1h 30m"}) {
    EXPECT_EQ(ParseTimeToLive(typed).status().code(), absl::StatusCode::kInvalidArgument) << typed;
  }
  EXPECT_EQ(ParseTimeToLive("30").status().message(),
            "'30' is not a time with its unit (write 500ms, 30s, 10m or 1h30m)");
}

TEST(TimeToLiveTest, RefusesWhatP2pdWouldRefuse) {
  for (const char* typed : {"0", "999us", "-5m", "87601h", "inf"}) {
    EXPECT_EQ(ParseTimeToLive(typed).status().code(), absl::StatusCode::kInvalidArgument) << typed;
  }
  EXPECT_EQ(ParseTimeToLive("inf").status().message(),
            "'inf' is not a time that a window can live (write 1ms to 87600h, which are ten years)");
}

TEST(TimeToLiveTest, OnTheCommandLineItStaysAsItWasTyped) {
  EXPECT_EQ(TimeToLiveText("1h30m").value_or("refused"), "1h30m");
  EXPECT_FALSE(TimeToLiveText("soon").ok());
}

}  // namespace
}  // namespace p2p::ctl
