// Resets of everything on a bus at once: who may, what they revoke, and what they leave. The set is two NVMes in
// IOMMU groups of their own, the twins are two functions in one group.
#include <cerrno>

#include "tests/contract/fixture.h"

namespace p2pd::contract {
namespace {

using ::testing::ElementsAre;

HotResetMember Owned(Role role) { return {.address = AddressOf(role), .owned = true}; }
HotResetMember NotOwned(Role role) { return {.address = AddressOf(role), .owned = false}; }

// Windows of the set's memory, mapped for a DMA engine.
class HotResetTest : public DmaTest {
 protected:
  static constexpr uint64_t kOtherIova = kWindowIova + 16 * kPage;

  // An NVMe of the set with a window of its memory at `iova`, which holds Pattern(seed).
  struct Exporter {
    UniqueFd device;
    UniqueFd window;
    uint64_t iova = 0;
    uint8_t seed = 0;
  };

  Exporter MappedExporter(Role role, FdRef context, uint64_t iova, uint8_t seed) {
    Exporter made = {.device = OpenBound(role, context), .iova = iova, .seed = seed};
    absl::StatusOr<UniqueFd> window = Export(made.device, kPage);
    EXPECT_THAT(window, Succeeds());
    if (window.ok()) made.window = *std::move(window);
    EXPECT_THAT(Map(context_, ioas_, made.window, iova, kPage), Succeeds());
    EXPECT_TRUE(Reaches(made));
    return made;
  }

  // Whether the engine reads the memory through the mapping, once its driver has enabled and filled it.
  bool Reaches(const Exporter& exporter) {
    EnableMemoryBuffer(exporter.device);
    WriteBar(exporter.device, kMemoryBar, 0, Pattern(exporter.seed));
    return Fetch(exporter.iova) == Pattern(exporter.seed, kChunk);
  }

  void ExpectDeadUntilMappedAnew(const Exporter& exporter) {
    EXPECT_FALSE(Reaches(exporter));
    EXPECT_THAT(Map(context_, ioas_, exporter.window, exporter.iova, kPage), FailsWith(EEXIST));
    EXPECT_THAT(Unmap(context_, ioas_, exporter.iova, kPage), Succeeds());
    EXPECT_THAT(Map(context_, ioas_, exporter.window, exporter.iova, kPage), Succeeds());
    EXPECT_TRUE(Reaches(exporter));
  }
};

TEST_F(HotResetTest, OfALoneDeviceIsOfNothingElse) {
  const UniqueFd device = OpenBound(Role::kExporter, context_);
  const absl::StatusOr<HotResetInfo> info = kernel().GetHotResetInfo(device);
  ASSERT_THAT(info, Succeeds());
  EXPECT_THAT(info->members, ElementsAre(Owned(Role::kExporter)));
  EXPECT_TRUE(info->all_owned);
  const UniqueFd other = OpenBound(Role::kSecondNvme, context_);
  EnableController(device);
  EnableController(other);
  ASSERT_THAT(kernel().HotReset(device), Succeeds());
  EXPECT_FALSE(ControllerIsReady(device));
  EXPECT_TRUE(ControllerIsReady(other));
}

TEST_F(HotResetTest, NamesTheWholeSet) {
  const UniqueFd first = OpenBound(Role::kSetFirst, context_);
  const UniqueFd second = OpenBound(Role::kSetSecond, context_);
  for (const UniqueFd* const device : {&first, &second}) {
    const absl::StatusOr<HotResetInfo> info = kernel().GetHotResetInfo(*device);
    ASSERT_THAT(info, Succeeds());
    EXPECT_THAT(info->members, ElementsAre(Owned(Role::kSetFirst), Owned(Role::kSetSecond)));
    EXPECT_TRUE(info->all_owned);
  }
}

TEST_F(HotResetTest, TellsWhatTheContextDoesNotOwn) {
  const UniqueFd first = OpenBound(Role::kSetFirst, context_);
  const UniqueFd other_context = NewContext();
  UniqueFd second = Open(Role::kSetSecond);  // bound to none, and then to another
  for (int i = 0; i < 2; ++i) {
    const absl::StatusOr<HotResetInfo> info = kernel().GetHotResetInfo(first);
    ASSERT_THAT(info, Succeeds());
    EXPECT_THAT(info->members, ElementsAre(Owned(Role::kSetFirst), NotOwned(Role::kSetSecond)));
    EXPECT_FALSE(info->all_owned);
    if (i == 0) {
      ASSERT_THAT(kernel().BindDevice(second, other_context), Succeeds());
    }
  }
}

TEST_F(HotResetTest, OwnsWhatIsInItsGroup) {
  const UniqueFd first = OpenBound(Role::kTwinFirst, context_);
  const absl::StatusOr<HotResetInfo> info = kernel().GetHotResetInfo(first);
  ASSERT_THAT(info, Succeeds());
  EXPECT_THAT(info->members, ElementsAre(Owned(Role::kTwinFirst), Owned(Role::kTwinSecond)));
  EXPECT_TRUE(info->all_owned);
  EXPECT_THAT(kernel().HotReset(first), Succeeds());
}

TEST_F(HotResetTest, IsNotForTheRootBus) {
  for (const Role role : {Role::kPlainMemory, Role::kDmaEngine}) {
    const UniqueFd device = role == Role::kDmaEngine ? *Duplicate(engine_) : OpenBound(role, context_);
    EXPECT_THAT(kernel().GetHotResetInfo(device), FailsWith(ENODEV));
    EXPECT_THAT(kernel().HotReset(device), FailsWith(ENODEV));
  }
}

TEST_F(HotResetTest, RevokesNothingWhereItIsNotForTheBus) {
  const UniqueFd memory = OpenBound(Role::kPlainMemory, context_);
  const absl::StatusOr<UniqueFd> window = Export(memory, kPage);
  ASSERT_THAT(window, Succeeds());
  ASSERT_THAT(Map(context_, ioas_, *window, kWindowIova, kPage), Succeeds());
  ASSERT_THAT(kernel().HotReset(memory), FailsWith(ENODEV));
  WriteBar(memory, kMemoryBar, 0, Pattern(1));
  EXPECT_EQ(Fetch(kWindowIova), Pattern(1, kChunk));
}

TEST_F(HotResetTest, KillsTheMappingsOfTheWholeSet) {
  const Exporter first = MappedExporter(Role::kSetFirst, context_, kWindowIova, 1);
  const Exporter second = MappedExporter(Role::kSetSecond, context_, kOtherIova, 2);
  ASSERT_THAT(kernel().HotReset(first.device), Succeeds());
  ExpectDeadUntilMappedAnew(first);
  ExpectDeadUntilMappedAnew(second);
}

TEST_F(HotResetTest, ClearsTheStateOfTheWholeSetAndKeepsItsConfiguration) {
  const UniqueFd first = OpenBound(Role::kSetFirst, context_);
  const UniqueFd second = OpenBound(Role::kSetSecond, context_);
  EnableController(first);
  EnableController(second);
  ASSERT_THAT(SetCommandBits(second, kBusMaster, true), Succeeds());
  ASSERT_THAT(kernel().HotReset(first), Succeeds());
  EXPECT_FALSE(ControllerIsReady(first));
  EXPECT_FALSE(ControllerIsReady(second));
  EXPECT_EQ(Command(first) & (kMemoryDecode | kBusMaster), kMemoryDecode);
  EXPECT_EQ(Command(second) & (kMemoryDecode | kBusMaster), kMemoryDecode | kBusMaster);
}

TEST_F(HotResetTest, WorksForAFunctionThatCannotBeResetByItself) {
  TheWorld().SetResettable(Role::kSetFirst, false);
  const UniqueFd first = OpenBound(Role::kSetFirst, context_);
  const UniqueFd second = OpenBound(Role::kSetSecond, context_);
  EnableController(first);
  EXPECT_THAT(kernel().ResetDevice(first), FailsWith(EINVAL));
  EXPECT_THAT(kernel().HotReset(first), Succeeds());
  TheWorld().SetResettable(Role::kSetFirst, true);
  EXPECT_FALSE(ControllerIsReady(first));
}

TEST_F(HotResetTest, LeavesADmaBufRevokedWhereMemoryDecodeIsOff) {
  const UniqueFd first = OpenBound(Role::kSetFirst, context_);
  const Exporter second = MappedExporter(Role::kSetSecond, context_, kOtherIova, 2);
  ASSERT_THAT(SetCommandBits(second.device, kMemoryDecode, false), Succeeds());
  ASSERT_THAT(kernel().HotReset(first), Succeeds());
  EXPECT_THAT(Map(context_, ioas_, second.window, kWindowIova, kPage), FailsWith(ENODEV));
  ASSERT_THAT(SetCommandBits(second.device, kMemoryDecode, true), Succeeds());
  ExpectDeadUntilMappedAnew(second);
}

// The kernel walks the set in the order in which vfio-pci took the devices, and revokes as it goes.
TEST_F(HotResetTest, KillsWhatComesBeforeTheOneThatIsNotOwned) {
  const Exporter first = MappedExporter(Role::kSetFirst, context_, kWindowIova, 1);
  EnableController(first.device);
  EXPECT_THAT(kernel().HotReset(first.device), FailsWith(EINVAL));
  EXPECT_TRUE(ControllerIsReady(first.device)) << "it was reset all the same";
  ExpectDeadUntilMappedAnew(first);
}

TEST_F(HotResetTest, SparesWhatComesAfterTheOneThatIsNotOwned) {
  const Exporter second = MappedExporter(Role::kSetSecond, context_, kWindowIova, 1);
  EXPECT_THAT(kernel().HotReset(second.device), FailsWith(EINVAL));
  EXPECT_TRUE(Reaches(second));
}

TEST_F(HotResetTest, IsNoWayIntoAnotherContext) {
  const UniqueFd other_context = NewContext();
  const Exporter first = MappedExporter(Role::kSetFirst, context_, kWindowIova, 1);
  const Exporter second = MappedExporter(Role::kSetSecond, other_context, kOtherIova, 2);
  EXPECT_THAT(kernel().HotReset(first.device), FailsWith(EINVAL));
  EXPECT_TRUE(Reaches(second));
  ExpectDeadUntilMappedAnew(first);
}

TEST_F(HotResetTest, RevokesNothingWhereADeviceOfTheBusIsNotVfios) {
  TheWorld().Unbind(Role::kSetSecond);
  ASSERT_TRUE(Eventually([] { return TheWorld().HasLeft(Role::kSetSecond); }));
  const Exporter first = MappedExporter(Role::kSetFirst, context_, kWindowIova, 1);
  const absl::StatusOr<HotResetInfo> info = kernel().GetHotResetInfo(first.device);
  EXPECT_THAT(kernel().HotReset(first.device), FailsWith(EINVAL));
  EXPECT_TRUE(Reaches(first));
  TheWorld().Return(Role::kSetSecond);
  ASSERT_THAT(info, Succeeds());
  EXPECT_THAT(info->members, ElementsAre(Owned(Role::kSetFirst), NotOwned(Role::kSetSecond)));
}

TEST_F(HotResetTest, ComesWithTheLastCloseOfASetThatNeedsIt) {
  TheWorld().SetResettable(Role::kSetFirst, false);
  UniqueFd first = OpenBound(Role::kSetFirst, context_);
  UniqueFd second = OpenBound(Role::kSetSecond, context_);
  EnableController(first);
  first.Reset();
  first = OpenBound(Role::kSetFirst, context_);
  EXPECT_TRUE(ControllerIsReady(first)) << "the other device was still open";
  first.Reset();
  second.Reset();
  first = OpenBound(Role::kSetFirst, context_);
  TheWorld().SetResettable(Role::kSetFirst, true);
  EXPECT_FALSE(ControllerIsReady(first));
}

}  // namespace
}  // namespace p2pd::contract
