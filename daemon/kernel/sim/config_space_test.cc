#include "daemon/kernel/sim/config_space.h"

#include <vector>

#include "gtest/gtest.h"

namespace p2pd::sim {
namespace {

DeviceSpec ExpressDevice() {
  DeviceSpec spec;
  spec.address = {.bus = 1};
  spec.vendor = 0x1b36;
  spec.device = 0x0010;
  spec.class_code = 0x010802;
  spec.bars[0] = {.size = 0x4000, .address = 0xc0000000};
  spec.bars[2] = {.size = 0x100000000, .address = 0x3800000000, .prefetchable = true, .wide = true};
  return spec;
}

uint32_t Read32(const ConfigSpace& config, uint64_t offset) {
  uint32_t value = 0;
  for (int i = 3; i >= 0; --i) value = value << 8 | config.bytes()[offset + i];
  return value;
}

bool Write32(ConfigSpace& config, uint64_t offset, uint32_t value) {
  const uint8_t bytes[4] = {static_cast<uint8_t>(value), static_cast<uint8_t>(value >> 8),
                            static_cast<uint8_t>(value >> 16), static_cast<uint8_t>(value >> 24)};
  return config.Write(offset, bytes);
}

TEST(ConfigSpaceTest, KeepsIdentity) {
  ConfigSpace config(ExpressDevice());
  Write32(config, 0, 0);
  Write32(config, 8, 0);
  EXPECT_EQ(Read32(config, 0), 0x00101b36u);
  EXPECT_EQ(Read32(config, 8), 0x01080200u);
}

TEST(ConfigSpaceTest, AnswersTheSizeOfAWideBar) {
  ConfigSpace config(ExpressDevice());
  EXPECT_EQ(Read32(config, 0x18), 0x0000000cu);
  EXPECT_EQ(Read32(config, 0x1c), 0x38u);
  Write32(config, 0x18, 0xffffffff);
  Write32(config, 0x1c, 0xffffffff);
  EXPECT_EQ(Read32(config, 0x18), 0x0000000cu);
  EXPECT_EQ(Read32(config, 0x1c), 0xffffffffu);
}

TEST(ConfigSpaceTest, ReportsAFunctionResetThatWasAskedForOnce) {
  ConfigSpace config(ExpressDevice());
  const uint64_t express = config.bytes()[0x34];
  ASSERT_EQ(config.bytes()[express], 0x10);
  EXPECT_TRUE(Write32(config, express + 8, 0x8000));
  EXPECT_EQ(Read32(config, express + 8), 0u);
  EXPECT_FALSE(Write32(config, express + 8, 0));
  EXPECT_FALSE(Write32(config, 4, kCommandMemory));
}

TEST(ConfigSpaceTest, OfConventionalPciEndsAfter256Bytes) {
  DeviceSpec spec = ExpressDevice();
  spec.address = {.device = 3};
  const ConfigSpace config(spec);
  EXPECT_EQ(config.size(), 256u);
  EXPECT_EQ(config.bytes().size(), 256u);
  EXPECT_EQ(config.bytes()[0x34], 0);
}

TEST(ConfigSpaceTest, RemembersMemoryDecodeThatTheHardwareLost) {
  ConfigSpace config(ExpressDevice());
  config.set_command(kCommandMemory | kCommandBusMaster);
  config.LoseState();
  EXPECT_EQ(config.command(), 0);
  EXPECT_TRUE(config.memory_enabled());
  EXPECT_FALSE(config.decodes_memory());
  const uint8_t elsewhere[2] = {};
  config.Write(kCommandOffset + 2, elsewhere);
  EXPECT_TRUE(config.memory_enabled());
  const uint8_t off[2] = {};
  config.Write(kCommandOffset, off);
  EXPECT_FALSE(config.memory_enabled());
  const uint8_t on[2] = {kCommandMemory, 0};
  config.Write(kCommandOffset, on);
  EXPECT_TRUE(config.memory_enabled());
  EXPECT_TRUE(config.decodes_memory());
}

TEST(ConfigSpaceTest, ShowsMsix) {
  DeviceSpec spec = ExpressDevice();
  spec.msix = {.vectors = 65, .bar = 0, .table_offset = 0x2000, .pba_offset = 0x3000};
  const ConfigSpace config(spec);
  const uint64_t express = config.bytes()[0x34];
  const uint64_t msix = config.bytes()[express + 1];
  EXPECT_EQ(Read32(config, msix), 0x00400011u);
  EXPECT_EQ(Read32(config, msix + 4), 0x2000u);
  EXPECT_EQ(Read32(config, msix + 8), 0x3000u);
}

}  // namespace
}  // namespace p2pd::sim
