// Configuration space, as VFIO shows it.
#include <cerrno>
#include <cstring>

#include "tests/contract/fixture.h"

namespace p2pd::contract {
namespace {

constexpr uint64_t kBar0 = 0x10;
constexpr uint64_t kCapabilities = 0x34;
constexpr uint8_t kMsix = 0x11;

class ConfigTest : public ContractTest {
 protected:
  void SetUp() override {
    context_ = NewContext();
    device_ = OpenBound(Role::kExporter, context_);
  }

  template <typename T>
  T Read(uint64_t offset) {
    uint8_t bytes[sizeof(T)] = {};
    EXPECT_THAT(kernel().ReadConfig(device_, offset, bytes), Succeeds());
    T value;
    memcpy(&value, bytes, sizeof(value));
    return value;
  }
  template <typename T>
  void Write(uint64_t offset, T value) {
    uint8_t bytes[sizeof(T)];
    memcpy(bytes, &value, sizeof(value));
    EXPECT_THAT(kernel().WriteConfig(device_, offset, bytes), Succeeds());
  }

  UniqueFd context_;
  UniqueFd device_;
};

TEST_F(ConfigTest, SaysWhatTheDeviceIs) {
  EXPECT_EQ(Read<uint16_t>(0), 0x1b36);
  EXPECT_EQ(Read<uint16_t>(2), 0x0010);
  EXPECT_EQ(Read<uint32_t>(8) >> 8, 0x010802u);
}

TEST_F(ConfigTest, DoesNotChangeWhatTheDeviceIs) {
  Write<uint32_t>(0, 0x12345678);
  EXPECT_EQ(Read<uint32_t>(0), 0x00101b36u);
}

TEST_F(ConfigTest, KeepsWhatWasWrittenToCommand) {
  ASSERT_THAT(SetCommand(device_, kMemoryDecode | kBusMaster), Succeeds());
  EXPECT_EQ(Command(device_) & (kMemoryDecode | kBusMaster), kMemoryDecode | kBusMaster);
  ASSERT_THAT(SetCommand(device_, kBusMaster), Succeeds());
  EXPECT_EQ(Command(device_) & (kMemoryDecode | kBusMaster), kBusMaster);
}

TEST_F(ConfigTest, AnswersTheQuestionForABarsSize) {
  const uint32_t before = Read<uint32_t>(kBar0);
  Write<uint32_t>(kBar0, 0xffffffff);
  const uint32_t answer = Read<uint32_t>(kBar0);
  EXPECT_EQ(~(answer & ~0xfu) + 1, 16 * 1024u);
  Write<uint32_t>(kBar0, before);
  EXPECT_EQ(Read<uint32_t>(kBar0), before);
}

TEST_F(ConfigTest, MovesNoMemoryWithItsBars) {
  EnableMemoryBuffer(device_);
  WriteBar(device_, kMemoryBar, 0, Pattern(1));
  Write<uint32_t>(kBar0 + 8, 0);
  EXPECT_EQ(ReadBar(device_, kMemoryBar, 0), Pattern(1));
}

TEST_F(ConfigTest, ShowsWhereTheInterruptTableIs) {
  uint8_t at = Read<uint8_t>(kCapabilities);
  while (at != 0 && Read<uint8_t>(at) != kMsix) at = Read<uint8_t>(at + 1);
  ASSERT_NE(at, 0);
  EXPECT_EQ((Read<uint16_t>(at + 2) & 0x7ff) + 1, 65);
  EXPECT_EQ(Read<uint32_t>(at + 4), 0x2000u);
  EXPECT_EQ(Read<uint32_t>(at + 8), 0x3000u);
}

TEST_F(ConfigTest, EndsWhereItsRegionEnds) {
  const uint64_t size = kernel().GetRegionInfo(device_, kConfigRegion)->size;
  uint8_t bytes[4] = {};
  EXPECT_THAT(kernel().ReadConfig(device_, size - 4, bytes), Succeeds());
  EXPECT_THAT(kernel().ReadConfig(device_, size - 2, bytes), FailsWith(EFAULT));
  EXPECT_THAT(kernel().ReadConfig(device_, size, bytes), FailsWith(EFAULT));
  EXPECT_THAT(kernel().WriteConfig(device_, size, bytes), FailsWith(EFAULT));
}

}  // namespace
}  // namespace p2pd::contract
