#include "client/p2pctl/text.h"

#include <unistd.h>

#include "gtest/gtest.h"

namespace p2p::ctl {
namespace {

google::protobuf::Duration Duration(int64_t seconds, int32_t nanos) {
  google::protobuf::Duration duration;
  duration.set_seconds(seconds);
  duration.set_nanos(nanos);
  return duration;
}

TEST(TextTest, SizesAreInTheLargestUnitThatFits) {
  EXPECT_EQ(SizeText(0), "0 B");
  EXPECT_EQ(SizeText(1023), "1023 B");
  EXPECT_EQ(SizeText(1536), "1.5 KiB");
  EXPECT_EQ(SizeText(64 << 20), "64 MiB");
  EXPECT_EQ(SizeText(UINT64_MAX), "16 EiB");
}

TEST(TextTest, DurationsAreInTheUnitThatReadsBest) {
  EXPECT_EQ(DurationText(Duration(0, 0)), "0 us");
  EXPECT_EQ(DurationText(Duration(0, 250'000)), "250 us");
  EXPECT_EQ(DurationText(Duration(0, 118'500'000)), "118.50 ms");
  EXPECT_EQ(DurationText(Duration(60, 10'000'000)), "60.01 s");
}

TEST(TextTest, NoTimeIsNoText) { EXPECT_EQ(TimeText({}), ""); }

TEST(TextTest, AddressesAreHexadecimal) { EXPECT_EQ(HexText(0x100000000), "0x100000000"); }

TEST(TextTest, AUserWithoutANameIsANumber) {
  EXPECT_EQ(UserText(0), "root");
  EXPECT_EQ(UserText(4242424), "4242424");
}

TEST(TextTest, AShortNameHasLostItsKind) {
  EXPECT_EQ(ShortName("devices/0000:01:00.0"), "0000:01:00.0");
  EXPECT_EQ(ShortName(""), "");
}

TEST(TextTest, ColoursTellSettledFromBusyFromTrouble) {
  EXPECT_EQ(StateCell(v1::Device::READY).color, Color::kGood);
  EXPECT_EQ(StateCell(v1::Device::AWAITING_DRIVER).color, Color::kBusy);
  EXPECT_EQ(StateCell(v1::Device::TAINTED).color, Color::kBad);
  EXPECT_EQ(StateCell(v1::Mapping::LOST).color, Color::kBad);
  EXPECT_EQ(StateCell(v1::Operation::RUNNING).color, Color::kBusy);
  EXPECT_EQ(AnswerCell(v1::Operation::Party::FORCED).color, Color::kBad);
}

TEST(TextTest, AStateOfALaterVersionHasNoNameYetAndNoColour) {
  EXPECT_EQ(StateCell(static_cast<v1::Device::State>(99)).color, Color::kNone);
}

}  // namespace
}  // namespace p2p::ctl
