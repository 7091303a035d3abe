#include "client/p2pctl/window.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2p::ctl {
namespace {

using ::testing::HasSubstr;

TEST(WindowTest, SizesAreBytesOrPowersOf1024) {
  for (const auto& [typed, bytes] :
       std::initializer_list<std::pair<const char*, uint64_t>>{{"0", 0},
                                                               {"4096", 4096},
                                                               {"0x1000", 4096},
                                                               {"64K", 64 << 10},
                                                               {"2m", 2 << 20},
                                                               {"0x2M", 2 << 20},
                                                               {"1G", 1 << 30},
                                                               {"3T", 3ULL << 40},
                                                               {"18446744073709551615", UINT64_MAX}}) {
    EXPECT_EQ(ParseSize(typed).value_or(77), bytes) << typed;
  }
}

TEST(WindowTest, RefusesWhatIsNoSize) {
  for (const char* typed :
       {"", "K", "64KB", "-1", "+1", " 1", "1 K", "0x", "0x0x1", "1.5M", "18446744073709551616", "16777216T", "ten"}) {
    EXPECT_EQ(ParseSize(typed).status().code(), absl::StatusCode::kInvalidArgument) << typed;
  }
  EXPECT_EQ(ParseSize("64KB").status().message(),
            "'64KB' is not a number of bytes (write 4096, 0x1000, 64K, 2M, 1G or 1T)");
}

TEST(WindowTest, AWindowIsADeviceABarAnOffsetAndALength) {
  const auto window = ParseWindow("01:00.0/2/64K+2M");
  ASSERT_TRUE(window.ok()) << window.status();
  EXPECT_EQ(window->device, "devices/0000:01:00.0");
  EXPECT_EQ(window->bar, 2u);
  EXPECT_EQ(window->offset, 65536u);
  EXPECT_EQ(window->length, 2u << 20);
}

TEST(WindowTest, WithoutAnOffsetItBeginsWhereTheBarDoes) {
  const auto window = ParseWindow("devices/0000:01:00.0/0+4K");
  ASSERT_TRUE(window.ok()) << window.status();
  EXPECT_EQ(window->device, "devices/0000:01:00.0");
  EXPECT_EQ(window->offset, 0u);
  EXPECT_EQ(window->length, 4096u);
}

TEST(WindowTest, RefusesWhatIsNoWindow) {
  for (const char* typed : {"", "01:00.0", "01:00.0/2", "01:00.0+4K", "01:00.0/2/0/0+4K", "01:00.0/2+4K+4K", "x/2+4K",
                            "01:00.0/6+4K", "01:00.0/-1+4K", "01:00.0/2+", "01:00.0/2+0", "01:00.0/2/+4K"}) {
    EXPECT_EQ(ParseWindow(typed).status().code(), absl::StatusCode::kInvalidArgument) << typed;
  }
  EXPECT_THAT(std::string(ParseWindow("01:00.0/2").status().message()), HasSubstr("as in 01:00.0/2/64K+2M"));
  EXPECT_THAT(std::string(ParseWindow("01:00.0/7+4K").status().message()), HasSubstr("'7' is not a BAR's number"));
}

TEST(WindowTest, OnTheCommandLineAWindowStaysAsItWasTyped) {
  EXPECT_EQ(WindowText("01:00.0/2+4K").value_or("refused"), "01:00.0/2+4K");
  EXPECT_FALSE(WindowText("01:00.0").ok());
}

}  // namespace
}  // namespace p2p::ctl
