// Revocation: what kills a device's mappings, and that only an unmap brings their addresses back.
#include <cerrno>

#include "tests/contract/fixture.h"

namespace p2pd::contract {
namespace {

constexpr uint64_t kDeviceControl = 8;      // in the PCI Express capability
constexpr uint8_t kInitiateFlrHigh = 0x80;  // its bit 15

// An NVMe's memory buffer mapped at kWindowIova, with Pattern(1) in it.
class RevocationTest : public DmaTest {
 protected:
  void SetUp() override {
    DmaTest::SetUp();
    exporter_ = OpenBound(Role::kExporter, context_);
    absl::StatusOr<UniqueFd> dma_buf = Export(exporter_, 4 * kPage);
    ASSERT_THAT(dma_buf, Succeeds());
    dma_buf_ = *std::move(dma_buf);
    ASSERT_THAT(MapWindow(), Succeeds());
    FillWindow();
    ASSERT_EQ(Fetch(kWindowIova), Pattern(1, kChunk));
  }

  absl::Status MapWindow(uint64_t iova = kWindowIova) { return Map(context_, ioas_, dma_buf_, iova, 4 * kPage); }
  absl::Status UnmapWindow() { return Unmap(context_, ioas_, kWindowIova, 4 * kPage); }

  // What the exporter's driver does before the window may be used.
  void FillWindow() {
    EnableMemoryBuffer(exporter_);
    WriteBar(exporter_, kMemoryBar, 0, Pattern(1));
  }

  // The area is dead: nothing goes through it, its address is taken, and only Unmap frees it.
  void ExpectDead() {
    FillWindow();
    EXPECT_NE(Fetch(kWindowIova), Pattern(1, kChunk));
    Put(kWindowIova, Pattern(2, kChunk));
    EXPECT_EQ(ReadBar(exporter_, kMemoryBar, 0), Pattern(1));
    EXPECT_THAT(MapWindow(), FailsWith(EEXIST));
    EXPECT_THAT(UnmapWindow(), Succeeds());
    EXPECT_THAT(MapWindow(), Succeeds());
    EXPECT_EQ(Fetch(kWindowIova), Pattern(1, kChunk));
  }

  void ExpectAlive() {
    FillWindow();
    EXPECT_EQ(Fetch(kWindowIova), Pattern(1, kChunk));
    Put(kWindowIova + kPage, Pattern(2, kChunk));
    EXPECT_EQ(ReadBar(exporter_, kMemoryBar, kPage, kChunk), Pattern(2, kChunk));
  }

  UniqueFd exporter_;
  UniqueFd dma_buf_;
};

TEST_F(RevocationTest, ComesWithAReset) {
  ASSERT_THAT(kernel().ResetDevice(exporter_), Succeeds());
  ExpectDead();
}

TEST_F(RevocationTest, LeavesOtherAddressesFree) {
  ASSERT_THAT(kernel().ResetDevice(exporter_), Succeeds());
  ASSERT_THAT(MapWindow(kWindowIova + 16 * kPage), Succeeds());
  FillWindow();
  EXPECT_EQ(Fetch(kWindowIova + 16 * kPage), Pattern(1, kChunk));
}

TEST_F(RevocationTest, ComesWithAResetThatFails) {
  TheWorld().SetResettable(Role::kExporter, false);
  const absl::Status status = kernel().ResetDevice(exporter_);
  TheWorld().SetResettable(Role::kExporter, true);
  EXPECT_THAT(status, FailsWith(ENOTTY));
  ExpectDead();
}

TEST_F(RevocationTest, ComesWithAFunctionResetThroughConfiguration) {
  uint8_t config[256] = {};
  ASSERT_THAT(kernel().ReadConfig(exporter_, 0, config), Succeeds());
  uint8_t at = config[0x34];
  while (at != 0 && config[at] != 0x10) at = config[at + 1];
  ASSERT_NE(at, 0) << "no PCI Express capability";
  const uint8_t control[2] = {config[at + kDeviceControl],
                              static_cast<uint8_t>(config[at + kDeviceControl + 1] | kInitiateFlrHigh)};
  ASSERT_THAT(kernel().WriteConfig(exporter_, at + kDeviceControl, control), Succeeds());
  ExpectDead();
}

TEST_F(RevocationTest, ComesWithMemoryDecodeTurnedOff) {
  ASSERT_THAT(SetCommandBits(exporter_, kMemoryDecode, false), Succeeds());
  // Revoked now, so not to be mapped at all.
  EXPECT_THAT(MapWindow(kWindowIova + 16 * kPage), FailsWith(ENODEV));
  EXPECT_THAT(MapWindow(), FailsWith(ENODEV));
  ASSERT_THAT(SetCommandBits(exporter_, kMemoryDecode, true), Succeeds());
  ExpectDead();
}

TEST_F(RevocationTest, IsSparedByWritesThatLeaveMemoryDecodeOn) {
  ASSERT_THAT(SetCommandBits(exporter_, kBusMaster, true), Succeeds());
  ASSERT_THAT(SetCommandBits(exporter_, kBusMaster, false), Succeeds());
  ExpectAlive();
}

TEST_F(RevocationTest, ComesWithOneByteWrittenToCommand) {
  const uint8_t off = 0;
  ASSERT_THAT(kernel().WriteConfig(exporter_, kCommand, {&off, 1}), Succeeds());
  EXPECT_THAT(MapWindow(kWindowIova + 16 * kPage), FailsWith(ENODEV));
  ASSERT_THAT(SetCommandBits(exporter_, kMemoryDecode, true), Succeeds());
  ExpectDead();
}

TEST_F(RevocationTest, IsSparedByWritesBesideCommand) {
  const uint8_t zero[2] = {};
  ASSERT_THAT(kernel().WriteConfig(exporter_, kCommand + 2, zero), Succeeds());
  ASSERT_THAT(kernel().WriteConfig(exporter_, 0, zero), Succeeds());
  ExpectAlive();
}

TEST_F(RevocationTest, IsOneDevicesOnly) {
  const UniqueFd other = OpenBound(Role::kPlainMemory, context_);
  const absl::StatusOr<UniqueFd> window = Export(other, kPage);
  ASSERT_THAT(window, Succeeds());
  ASSERT_THAT(Map(context_, ioas_, *window, kWindowIova + 16 * kPage, kPage), Succeeds());
  WriteBar(other, kMemoryBar, 0, Pattern(3));
  ASSERT_THAT(kernel().ResetDevice(exporter_), Succeeds());
  EXPECT_EQ(Fetch(kWindowIova + 16 * kPage), Pattern(3, kChunk));
}

TEST_F(RevocationTest, IsOfEveryDmaBufOfTheDevice) {
  const absl::StatusOr<UniqueFd> second = Export(exporter_, kPage, 8 * kPage);
  ASSERT_THAT(second, Succeeds());
  ASSERT_THAT(Map(context_, ioas_, *second, kWindowIova + 16 * kPage, kPage), Succeeds());
  ASSERT_THAT(kernel().ResetDevice(exporter_), Succeeds());
  EnableMemoryBuffer(exporter_);
  WriteBar(exporter_, kMemoryBar, 8 * kPage, Pattern(4));
  EXPECT_NE(Fetch(kWindowIova + 16 * kPage), Pattern(4, kChunk));
  EXPECT_THAT(Map(context_, ioas_, *second, kWindowIova + 16 * kPage, kPage), FailsWith(EEXIST));
}

TEST_F(RevocationTest, ReachesEveryAddressSpace) {
  const UniqueFd other_context = NewContext();
  const IoasId other = NewIoas(other_context);
  ASSERT_THAT(Map(other_context, other, dma_buf_, kWindowIova, kPage), Succeeds());
  ASSERT_THAT(kernel().ResetDevice(exporter_), Succeeds());
  EXPECT_THAT(Map(other_context, other, dma_buf_, kWindowIova, kPage), FailsWith(EEXIST));
  EXPECT_THAT(Unmap(other_context, other, kWindowIova, kPage), Succeeds());
  EXPECT_THAT(Map(other_context, other, dma_buf_, kWindowIova, kPage), Succeeds());
}

TEST_F(RevocationTest, IsNotUndoneByAttaching) {
  ASSERT_THAT(kernel().ResetDevice(exporter_), Succeeds());
  ASSERT_THAT(kernel().DetachDevice(engine_), Succeeds());
  ASSERT_THAT(kernel().AttachDevice(engine_, ioas_), Succeeds());
  ExpectDead();
}

TEST_F(RevocationTest, SparesTheMappingsThatTheResetDeviceUses) {
  const UniqueFd importer = OpenAttached(Role::kSecondNvme, context_, ioas_);
  ASSERT_THAT(kernel().ResetDevice(importer), Succeeds());
  ExpectAlive();
}

}  // namespace
}  // namespace p2pd::contract
