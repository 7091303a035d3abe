// Zeros in a memory BAR, written through VFIO.
#include <cerrno>

#include "tests/contract/fixture.h"

namespace p2pd::contract {
namespace {

class ClearBarTest : public ContractTest {
 protected:
  UniqueFd context_ = NewContext();
  UniqueFd memory_ = OpenBound(Role::kPlainMemory, context_);
};

TEST_F(ClearBarTest, ZeroesTheRangeAndNothingElse) {
  for (const uint64_t page : {0, 1, 2}) WriteBar(memory_, kMemoryBar, page * kPage, Pattern(1));
  ASSERT_THAT(kernel().ClearBar(memory_, kMemoryBar, {.start = kPage, .length = kPage}), Succeeds());
  EXPECT_EQ(ReadBar(memory_, kMemoryBar, 0), Pattern(1));
  EXPECT_EQ(ReadBar(memory_, kMemoryBar, kPage), Bytes(kPage));
  EXPECT_EQ(ReadBar(memory_, kMemoryBar, 2 * kPage), Pattern(1));
}

TEST_F(ClearBarTest, IsRefusedBeyondTheBar) {
  const auto region = kernel().GetRegionInfo(memory_, kMemoryBar);
  ASSERT_THAT(region, Succeeds());
  EXPECT_THAT(kernel().ClearBar(memory_, kMemoryBar, {.start = region->size, .length = kPage}), FailsWith(EINVAL));
  EXPECT_THAT(kernel().ClearBar(memory_, kMemoryBar, {.start = 0, .length = region->size + kPage}), FailsWith(EINVAL));
}

TEST_F(ClearBarTest, FailsWhileMemoryDecodeIsOff) {
  ASSERT_THAT(SetCommandBits(memory_, kMemoryDecode, false), Succeeds());
  EXPECT_THAT(kernel().ClearBar(memory_, kMemoryBar, {.start = 0, .length = kPage}), FailsWith(EIO));
  ASSERT_THAT(SetCommandBits(memory_, kMemoryDecode, true), Succeeds());
  EXPECT_THAT(kernel().ClearBar(memory_, kMemoryBar, {.start = 0, .length = kPage}), Succeeds());
}

TEST_F(ClearBarTest, IsNeededBecauseAResetKeepsAMemoryBuffer) {
  const UniqueFd nvme = OpenBound(Role::kExporter, context_);
  EnableMemoryBuffer(nvme);
  WriteBar(nvme, kMemoryBar, 0, Pattern(1));
  ASSERT_THAT(kernel().ResetDevice(nvme), Succeeds());
  EnableMemoryBuffer(nvme);
  EXPECT_EQ(ReadBar(nvme, kMemoryBar, 0), Pattern(1));
  ASSERT_THAT(kernel().ClearBar(nvme, kMemoryBar, {.start = 0, .length = kPage}), Succeeds());
  EXPECT_EQ(ReadBar(nvme, kMemoryBar, 0), Bytes(kPage));
}

}  // namespace
}  // namespace p2pd::contract
