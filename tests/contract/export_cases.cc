// Exporting a range of a BAR as a dma-buf.
#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>
#include <optional>

#include "tests/contract/fixture.h"

namespace p2pd::contract {
namespace {

constexpr uint64_t kBarSize = uint64_t{64} << 20;
constexpr uint64_t kIova = 0x2000000;

class ExportTest : public ContractTest {
 protected:
  void SetUp() override {
    context_ = NewContext();
    device_ = OpenBound(Role::kPlainMemory, context_);
    ioas_ = NewIoas(context_);
  }

  std::optional<bool> IsShared(FdRef dma_buf) {
    const absl::StatusOr<bool> shared = kernel().IsShared(dma_buf);
    EXPECT_THAT(shared, Succeeds());
    return shared.ok() ? std::optional<bool>(*shared) : std::nullopt;
  }

  UniqueFd context_;
  UniqueFd device_;
  IoasId ioas_;
};

TEST_F(ExportTest, IsThere) { EXPECT_THAT(kernel().ProbeExport(device_), Succeeds()); }

TEST_F(ExportTest, TakesAPageOrAWholeBar) {
  EXPECT_THAT(Export(device_, kPage), Succeeds());
  EXPECT_THAT(Export(device_, kPage, kBarSize - kPage), Succeeds());
  EXPECT_THAT(Export(device_, kBarSize), Succeeds());
}

TEST_F(ExportTest, GivesADescriptorThatOtherProgramsDoNotInherit) {
  const absl::StatusOr<UniqueFd> dma_buf = Export(device_, kPage);
  ASSERT_THAT(dma_buf, Succeeds());
  EXPECT_NE(fcntl(dma_buf->get(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST_F(ExportTest, RefusesWhatIsNotMadeOfPages) {
  EXPECT_THAT(Export(device_, 0), FailsWith(EINVAL));
  EXPECT_THAT(Export(device_, kPage - 1), FailsWith(EINVAL));
  EXPECT_THAT(Export(device_, kPage, 512), FailsWith(EINVAL));
}

TEST_F(ExportTest, RefusesWhatIsBeyondTheBar) {
  EXPECT_THAT(Export(device_, kBarSize + kPage), FailsWith(EINVAL));
  EXPECT_THAT(Export(device_, kPage, kBarSize), FailsWith(EINVAL));
  EXPECT_THAT(Export(device_, 2 * kPage, kBarSize - kPage), FailsWith(EINVAL));
  EXPECT_EQ(Export(device_, kPage, UINT64_MAX - kPage + 1).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Export(device_, UINT64_MAX - kPage + 1).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(ExportTest, RefusesABarThatIsNotThere) {
  EXPECT_THAT(Export(device_, kPage, 0, 5), FailsWith(ENODEV));
  EXPECT_THAT(Export(device_, kPage, 0, 6), FailsWith(ENODEV));
  EXPECT_THAT(Export(device_, kPage, 0, -1), FailsWith(ENODEV));
  EXPECT_THAT(Export(device_, kPage, 0, kConfigRegion), FailsWith(ENODEV));
}

TEST_F(ExportTest, RefusesABarSmallerThanAPage) { EXPECT_THAT(Export(device_, kPage, 0, 0), FailsWith(EINVAL)); }

TEST_F(ExportTest, TakesOverlappingRanges) {
  const absl::StatusOr<UniqueFd> one = Export(device_, 2 * kPage);
  const absl::StatusOr<UniqueFd> two = Export(device_, 2 * kPage, kPage);
  EXPECT_THAT(one, Succeeds());
  EXPECT_THAT(two, Succeeds());
}

TEST_F(ExportTest, TakesTheInterruptTableToo) {
  // The kernel leaves MSI-X pages to whoever exports.
  const UniqueFd nvme = OpenBound(Role::kExporter, context_);
  EXPECT_THAT(Export(nvme, kPage, 0x2000, 0), Succeeds());
}

TEST_F(ExportTest, IsBornRevokedWhileMemoryDecodeIsOff) {
  ASSERT_THAT(SetCommandBits(device_, kMemoryDecode, false), Succeeds());
  const absl::StatusOr<UniqueFd> dma_buf = Export(device_, kPage);
  ASSERT_THAT(dma_buf, Succeeds());
  EXPECT_THAT(Map(context_, ioas_, *dma_buf, kIova, kPage), FailsWith(ENODEV));
  ASSERT_THAT(SetCommandBits(device_, kMemoryDecode, true), Succeeds());
  EXPECT_THAT(Map(context_, ioas_, *dma_buf, kIova, kPage), Succeeds());
}

TEST_F(ExportTest, DoesNotKeepTheDeviceOpen) {
  const absl::StatusOr<UniqueFd> dma_buf = Export(device_, kPage);
  ASSERT_THAT(dma_buf, Succeeds());
  device_.Reset();
  const UniqueFd again = Open(Role::kPlainMemory);
  EXPECT_THAT(kernel().BindDevice(again, context_), Succeeds());
}

// ---- Sharing ---------------------------------------------------------------------------------------------

TEST_F(ExportTest, IsSharedWhileWhatWasGivenAwayIsOpen) {
  const absl::StatusOr<UniqueFd> dma_buf = Export(device_, kPage);
  ASSERT_THAT(dma_buf, Succeeds());
  EXPECT_EQ(IsShared(*dma_buf), false);
  absl::StatusOr<UniqueFd> first = kernel().ShareDmaBuf(*dma_buf);
  absl::StatusOr<UniqueFd> second = kernel().ShareDmaBuf(*dma_buf);
  ASSERT_THAT(first, Succeeds());
  ASSERT_THAT(second, Succeeds());
  EXPECT_NE(fcntl(first->get(), F_GETFD) & FD_CLOEXEC, 0);
  first->Reset();
  EXPECT_EQ(IsShared(*dma_buf), true);
  second->Reset();
  EXPECT_EQ(IsShared(*dma_buf), false);
}

TEST_F(ExportTest, IsSharedWhileItIsUnderWayToSomebody) {
  const absl::StatusOr<UniqueFd> dma_buf = Export(device_, kPage);
  ASSERT_THAT(dma_buf, Succeeds());
  int ends[2] = {};
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
  UniqueFd sender(ends[0]);
  UniqueFd receiver(ends[1]);
  {
    const absl::StatusOr<UniqueFd> given = kernel().ShareDmaBuf(*dma_buf);
    ASSERT_THAT(given, Succeeds());
    SendInto(sender.get(), *given);
  }
  EXPECT_EQ(IsShared(*dma_buf), true);
  receiver.Reset();
  EXPECT_EQ(IsShared(*dma_buf), false);
}

TEST_F(ExportTest, IsSharedWhileAnAreaMapsIt) {
  const absl::StatusOr<UniqueFd> dma_buf = Export(device_, kPage);
  ASSERT_THAT(dma_buf, Succeeds());
  ASSERT_THAT(Map(context_, ioas_, *dma_buf, kIova, kPage), Succeeds());
  EXPECT_EQ(IsShared(*dma_buf), true);
  ASSERT_THAT(Unmap(context_, ioas_, kIova, kPage), Succeeds());
  EXPECT_EQ(IsShared(*dma_buf), false);
}

TEST_F(ExportTest, OnlyADmaBufCanBeAskedWhoSharesIt) { EXPECT_THAT(kernel().IsShared(context_), FailsWith(EINVAL)); }

}  // namespace
}  // namespace p2pd::contract
