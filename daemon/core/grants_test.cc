// Exports, address spaces and mappings: what is granted, and what is refused with which reason.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/base/errors.h"
#include "daemon/core/testing/core_world.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kMiB = 1 << 20;

class GrantsTest : public ::testing::Test {
 protected:
  Reason ReasonOf(const absl::Status& status) { return GetErrorInfo(status).reason; }
  absl::StatusOr<ExportView> TryExport(const Client& client, Range range, int bar = 2) {
    return world_.Call(&Broker::CreateExport, client,
                       Window{.device = CoreWorld::kExporter, .bar = bar, .range = range}, Grade::kMapped);
  }

  CoreWorld world_;
  Client client_ = world_.Connect();
};

TEST_F(GrantsTest, AMappingIsReachableUntilItIsUnmapped) {
  world_.Drive(client_, CoreWorld::kEngine);
  const ExportView window = world_.Export(client_, CoreWorld::kExporter, {kMiB, kMiB});
  const AddressSpaceView space = world_.Space(client_, CoreWorld::kEngine);
  EXPECT_FALSE(world_.Reaches(CoreWorld::kEngine, CoreWorld::kExporter, kMiB));
  const MappingView mapping = world_.Map(client_, window.id, space.id);
  EXPECT_EQ(mapping.iova.length, kMiB);
  EXPECT_TRUE(world_.Reaches(CoreWorld::kEngine, CoreWorld::kExporter, kMiB));
  EXPECT_FALSE(world_.Reaches(CoreWorld::kEngine, CoreWorld::kExporter, kMiB - 1));
  EXPECT_FALSE(world_.Reaches(CoreWorld::kEngine, CoreWorld::kExporter, 2 * kMiB));
  const auto unmapped = world_.Call(&Broker::Unmap, client_, mapping.id);
  ASSERT_TRUE(unmapped.ok()) << unmapped.status();
  EXPECT_EQ(unmapped->state, MappingState::kRevoked);
  EXPECT_FALSE(world_.Reaches(CoreWorld::kEngine, CoreWorld::kExporter, kMiB));
  EXPECT_TRUE(world_.broker->ListMappings(client_.id).empty());
  EXPECT_EQ(world_.broker->GetStatus().mapped_bytes, 0u);
}

TEST_F(GrantsTest, AMappingIsOfTheBytesThatWereAskedFor) {
  world_.Drive(client_, CoreWorld::kEngine);
  const ExportView window = world_.Export(client_, CoreWorld::kExporter, {kMiB, kMiB});
  const AddressSpaceView space = world_.Space(client_, CoreWorld::kEngine);
  const auto mapping =
      world_.Call(&Broker::Map, client_,
                  MapArgs{.source = window.id, .address_space = space.id, .offset = 4 * kPage, .length = kPage});
  ASSERT_TRUE(mapping.ok()) << mapping.status();
  EXPECT_TRUE(world_.Reaches(CoreWorld::kEngine, CoreWorld::kExporter, kMiB + 4 * kPage));
  EXPECT_FALSE(world_.Reaches(CoreWorld::kEngine, CoreWorld::kExporter, kMiB + 3 * kPage));
  EXPECT_FALSE(world_.Reaches(CoreWorld::kEngine, CoreWorld::kExporter, kMiB + 5 * kPage));
}

TEST_F(GrantsTest, DeletingAnExportTakesItsMappingsAlong) {
  world_.Drive(client_, CoreWorld::kEngine);
  const ExportView window = world_.Export(client_, CoreWorld::kExporter, {0, kMiB});
  const AddressSpaceView space = world_.Space(client_, CoreWorld::kEngine);
  world_.Map(client_, window.id, space.id);
  world_.Map(client_, window.id, space.id);
  const auto deleted = world_.Call(&Broker::DeleteExport, client_, window.id);
  ASSERT_TRUE(deleted.ok()) << deleted.status();
  EXPECT_EQ(deleted->mappings.size(), 2u);
  EXPECT_FALSE(world_.Reaches(CoreWorld::kEngine, CoreWorld::kExporter, 0));
  EXPECT_TRUE(world_.broker->ListExports(client_.id).empty());
}

TEST_F(GrantsTest, DeletingAnAddressSpaceTakesItsMappingsAlong) {
  world_.Drive(client_, CoreWorld::kEngine);
  const ExportView window = world_.Export(client_, CoreWorld::kExporter, {0, kMiB});
  const AddressSpaceView space = world_.Space(client_, CoreWorld::kEngine);
  world_.Map(client_, window.id, space.id);
  ASSERT_TRUE(world_.Call(&Broker::DeleteAddressSpace, client_, space.id).ok());
  EXPECT_FALSE(world_.Reaches(CoreWorld::kEngine, CoreWorld::kExporter, 0));
  EXPECT_TRUE(world_.broker->ListAddressSpaces(client_.id).empty());
  world_.Space(client_, CoreWorld::kEngine);
}

TEST_F(GrantsTest, RefusesWindowsThatAreNotWindows) {
  for (const Range range :
       {Range{0, 0}, Range{0, kPage - 1}, Range{100, kPage}, Range{16 * kMiB, kPage}, Range{0, 16 * kMiB + kPage},
        Range{0, UINT64_MAX}, Range{UINT64_MAX - kPage + 1, 2 * kPage}, Range{UINT64_MAX - kPage + 1, kPage}}) {
    EXPECT_EQ(ReasonOf(TryExport(client_, range).status()), Reason::kWindowUnusable) << range.ToString();
  }
  EXPECT_EQ(ReasonOf(TryExport(client_, {0, kPage}, 1).status()), Reason::kWindowUnusable);
  EXPECT_EQ(ReasonOf(TryExport(client_, {0, kPage}, 77).status()), Reason::kWindowUnusable);
}

TEST_F(GrantsTest, RefusesMsixPages) {
  EXPECT_TRUE(TryExport(client_, {0, 2 * kPage}, 0).ok());
  const auto table = TryExport(client_, {2 * kPage, kPage}, 0);
  EXPECT_EQ(ReasonOf(table.status()), Reason::kWindowUnusable);
  EXPECT_THAT(std::string(table.status().message()), ::testing::HasSubstr("MSI-X"));
  EXPECT_FALSE(TryExport(client_, {0, 4 * kPage}, 0).ok());
}

TEST_F(GrantsTest, AWindowOfRegistersNeedsAnActionOfItsOwn) {
  world_.policy->denied = {Action::kExportControl};
  EXPECT_EQ(TryExport(client_, {0, kPage}, 0).status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_TRUE(TryExport(client_, {0, kPage}, 2).ok());
}

TEST_F(GrantsTest, ExportsAreExclusiveBetweenSessions) {
  const Client other = world_.Connect(1001);
  const ExportView window = world_.Export(client_, CoreWorld::kExporter, {0, 4 * kPage});
  EXPECT_EQ(ReasonOf(TryExport(other, {3 * kPage, 4 * kPage}).status()), Reason::kOverlap);
  EXPECT_TRUE(TryExport(other, {4 * kPage, kPage}).ok());
  ASSERT_TRUE(world_.Call(&Broker::DeleteExport, client_, window.id).ok());
  EXPECT_TRUE(TryExport(other, {3 * kPage, kPage}).ok());
}

TEST_F(GrantsTest, AnotherSessionsObjectsDoNotExist) {
  world_.policy->denied = {Action::kObserve};
  world_.Drive(client_, CoreWorld::kEngine);
  const ExportView window = world_.Export(client_, CoreWorld::kExporter, {0, kMiB});
  const AddressSpaceView space = world_.Space(client_, CoreWorld::kEngine);
  const MappingView mapping = world_.Map(client_, window.id, space.id);
  const Client other = world_.Connect(1001);
  EXPECT_TRUE(absl::IsNotFound(world_.broker->GetExport(other.id, window.id).status()));
  EXPECT_TRUE(absl::IsNotFound(world_.broker->GetMapping(other.id, mapping.id).status()));
  EXPECT_TRUE(absl::IsNotFound(world_.Call(&Broker::DeleteExport, other, window.id).status()));
  EXPECT_TRUE(absl::IsNotFound(world_.Call(&Broker::Unmap, other, mapping.id).status()));
  EXPECT_TRUE(absl::IsNotFound(world_.Call(&Broker::DeleteAddressSpace, other, space.id).status()));
  EXPECT_TRUE(absl::IsNotFound(
      world_.Call(&Broker::Map, other, MapArgs{.source = window.id, .address_space = space.id}).status()));
  EXPECT_TRUE(world_.broker->ListMappings(other.id).empty());
  EXPECT_TRUE(world_.Reaches(CoreWorld::kEngine, CoreWorld::kExporter, 0));
}

TEST_F(GrantsTest, OnlyADriverGivesItsDeviceAnAddressSpace) {
  const auto space = world_.Call(&Broker::CreateAddressSpace, client_, std::vector<PciAddress>{CoreWorld::kEngine});
  EXPECT_EQ(ReasonOf(space.status()), Reason::kNotOwner);
}

TEST_F(GrantsTest, NoMappingFromADeviceThatIsNotReady) {
  world_.Drive(client_, CoreWorld::kEngine);
  const ExportView window = world_.Export(client_, CoreWorld::kExporter, {0, kMiB});
  const AddressSpaceView space = world_.Space(client_, CoreWorld::kEngine);
  const Client driver = world_.Connect(1001);
  const auto opened = world_.Call(&Broker::OpenDevice, driver, CoreWorld::kExporter);
  ASSERT_TRUE(opened.ok()) << opened.status();
  const auto early = world_.Call(&Broker::Map, client_, MapArgs{.source = window.id, .address_space = space.id});
  EXPECT_EQ(ReasonOf(early.status()), Reason::kDeviceNotReady);
  ASSERT_TRUE(world_.Call(&Broker::DeviceReady, driver, CoreWorld::kExporter, opened->generation).ok());
  EXPECT_TRUE(world_.Call(&Broker::Map, client_, MapArgs{.source = window.id, .address_space = space.id}).ok());
}

TEST_F(GrantsTest, MapRefusesSlicesOutsideTheExport) {
  world_.Drive(client_, CoreWorld::kEngine);
  const ExportView window = world_.Export(client_, CoreWorld::kExporter, {kMiB, kMiB});
  const AddressSpaceView space = world_.Space(client_, CoreWorld::kEngine);
  for (const Range slice : {Range{kMiB, 0}, Range{0, kMiB + kPage}, Range{kPage, kMiB}, Range{1, kPage},
                            Range{0, UINT64_MAX}, Range{UINT64_MAX - kPage + 1, kPage}}) {
    const auto mapping = world_.Call(
        &Broker::Map, client_,
        MapArgs{.source = window.id, .address_space = space.id, .offset = slice.start, .length = slice.length});
    EXPECT_EQ(mapping.status().code(), absl::StatusCode::kInvalidArgument) << slice.ToString();
  }
}

TEST_F(GrantsTest, AFailedMapLeavesNothingBehind) {
  world_.Drive(client_, CoreWorld::kEngine);
  const ExportView window = world_.Export(client_, CoreWorld::kExporter, {0, kMiB});
  const AddressSpaceView space = world_.Space(client_, CoreWorld::kEngine);
  world_.kernel->FailNth(sim::Verb::kMapFile, 1, ENOMEM);
  const MapArgs args = {.source = window.id, .address_space = space.id, .placement = {.iova = 1ull << 33}};
  EXPECT_EQ(GetErrorInfo(world_.Call(&Broker::Map, client_, args).status()).error, ENOMEM);
  EXPECT_EQ(world_.broker->GetStatus().mappings, 0u);
  EXPECT_TRUE(world_.Call(&Broker::Map, client_, args).ok());
}

TEST_F(GrantsTest, FailedUnmapKeepsTheMappingOnTheBooks) {
  world_.Drive(client_, CoreWorld::kEngine);
  const ExportView window = world_.Export(client_, CoreWorld::kExporter, {0, kMiB});
  const AddressSpaceView space = world_.Space(client_, CoreWorld::kEngine);
  const MappingView mapping = world_.Map(client_, window.id, space.id);
  world_.kernel->FailNth(sim::Verb::kUnmap, 1, EIO);
  EXPECT_FALSE(world_.Call(&Broker::Unmap, client_, mapping.id).ok());
  ASSERT_TRUE(world_.Reaches(CoreWorld::kEngine, CoreWorld::kExporter, 0));
  const auto still = world_.broker->GetMapping(client_.id, mapping.id);
  ASSERT_TRUE(still.ok());
  EXPECT_EQ(still->state, MappingState::kActive);
  EXPECT_TRUE(world_.Call(&Broker::Unmap, client_, mapping.id).ok());
  EXPECT_FALSE(world_.Reaches(CoreWorld::kEngine, CoreWorld::kExporter, 0));
}

TEST_F(GrantsTest, AWindowStaysTakenWhileAMappingOfItCouldNotBeRemoved) {
  world_.Drive(client_, CoreWorld::kEngine);
  const ExportView window = world_.Export(client_, CoreWorld::kExporter, {0, kMiB});
  const MappingView mapping = world_.Map(client_, window.id, world_.Space(client_, CoreWorld::kEngine).id);
  world_.kernel->FailNth(sim::Verb::kUnmap, 1, EIO);
  const auto deleted = world_.Call(&Broker::DeleteExport, client_, window.id);
  ASSERT_TRUE(deleted.ok());
  EXPECT_EQ(deleted->state, OperationState::kFailed);
  const Client other = world_.Connect(1001);
  EXPECT_EQ(ReasonOf(TryExport(other, {0, kMiB}).status()), Reason::kOverlap);
  EXPECT_TRUE(world_.Call(&Broker::Unmap, client_, mapping.id).ok());
  EXPECT_TRUE(TryExport(other, {0, kMiB}).ok());
}

TEST_F(GrantsTest, ABusyUnmapIsTriedAgain) {
  world_.Drive(client_, CoreWorld::kEngine);
  const ExportView window = world_.Export(client_, CoreWorld::kExporter, {0, kMiB});
  const MappingView mapping = world_.Map(client_, window.id, world_.Space(client_, CoreWorld::kEngine).id);
  world_.kernel->FailNth(sim::Verb::kUnmap, 1, EBUSY);
  EXPECT_TRUE(world_.Call(&Broker::Unmap, client_, mapping.id).ok());
  EXPECT_FALSE(world_.Reaches(CoreWorld::kEngine, CoreWorld::kExporter, 0));
}

TEST_F(GrantsTest, QuotasComeBackWithWhatTheyWereFor) {
  BrokerOptions options;
  options.quota[Resource::kExports].per_user = 1;
  options.quota[Resource::kMappings].per_user = 1;
  options.quota[Resource::kAddressSpaces].per_user = 1;
  options.quota[Resource::kSessions].per_user = 2;
  CoreWorld world(options);
  for (int round = 0; round < 3; ++round) {
    const Client client = world.Connect();
    world.Drive(client, CoreWorld::kEngine);
    const ExportView window = world.Export(client, CoreWorld::kExporter, {0, kMiB});
    const AddressSpaceView space = world.Space(client, CoreWorld::kEngine);
    const MappingView mapping = world.Map(client, window.id, space.id);
    const auto second = world.Call(&Broker::Map, client, MapArgs{.source = window.id, .address_space = space.id});
    EXPECT_EQ(ReasonOf(second.status()), Reason::kQuota);
    ASSERT_TRUE(world.Call(&Broker::Unmap, client, mapping.id).ok());
    world.Map(client, window.id, space.id);
    client.channel->grants.clear();
    world.broker->EndSession(client.id, "bye");
    world.scheduler.RunReady();
  }
}

TEST_F(GrantsTest, TheJournalHoldsTheIntentBeforeTheKernelHasTheMapping) {
  world_.Drive(client_, CoreWorld::kEngine);
  const ExportView window = world_.Export(client_, CoreWorld::kExporter, {0, kMiB});
  const AddressSpaceView space = world_.Space(client_, CoreWorld::kEngine);
  const int before = world_.kernel->CallCount(sim::Verb::kMapFile);
  world_.journal.FailNext(absl::ResourceExhaustedError("the journal is full"));
  EXPECT_FALSE(world_.Call(&Broker::Map, client_, MapArgs{.source = window.id, .address_space = space.id}).ok());
  EXPECT_EQ(world_.kernel->CallCount(sim::Verb::kMapFile), before);
  const MappingView mapping = world_.Map(client_, window.id, space.id);
  const JournalMapping& row = world_.journal.state().mappings.at(mapping.id);
  EXPECT_EQ(row.iova, mapping.iova);
  EXPECT_EQ(row.phase, JournalMapping::Phase::kMapped);
  EXPECT_TRUE(row.answered);
}

// ---- Clients' memory -------------------------------------------------------------------------------------

class MemoryTest : public GrantsTest {
 protected:
  static UniqueFd Memory(size_t size, unsigned seals, bool allocate = true) {
    UniqueFd fd(memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    EXPECT_EQ(ftruncate(fd.get(), size), 0);
    EXPECT_EQ(allocate ? fallocate(fd.get(), 0, 0, size) : 0, 0);
    EXPECT_EQ(fcntl(fd.get(), F_ADD_SEALS, seals), 0);
    return fd;
  }
};

TEST_F(MemoryTest, ASealedMemfdCanBeMappedForADevice) {
  world_.Drive(client_, CoreWorld::kEngine);
  const AddressSpaceView space = world_.Space(client_, CoreWorld::kEngine);
  UniqueFd memory = Memory(4 * kPage, F_SEAL_SHRINK);
  UniqueFd mine = *Duplicate(memory);
  ASSERT_TRUE(world_.broker->OfferMemory(client_.id, "queue", std::move(memory)).ok());
  const auto mapping =
      world_.Call(&Broker::MapMemory, client_, MapMemoryArgs{.memory = "queue", .address_space = space.id});
  ASSERT_TRUE(mapping.ok()) << mapping.status();
  EXPECT_TRUE(world_.kernel->CanReachFile(CoreWorld::kEngine, mine, 3 * kPage));
  world_.broker->EndSession(client_.id, "bye");
  world_.scheduler.RunReady();
  EXPECT_FALSE(world_.kernel->CanReachFile(CoreWorld::kEngine, mine, 3 * kPage));
}

TEST_F(MemoryTest, RefusesMemoryThatCouldVanishUnderADevice) {
  EXPECT_EQ(ReasonOf(world_.broker->OfferMemory(client_.id, "a", Memory(kPage, 0))), Reason::kMemoryUnsuitable);
  EXPECT_EQ(ReasonOf(world_.broker->OfferMemory(client_.id, "b", Memory(kPage, F_SEAL_SHRINK, false))),
            Reason::kMemoryUnsuitable);
  EXPECT_EQ(ReasonOf(world_.broker->OfferMemory(client_.id, "c", Memory(kPage / 2, F_SEAL_SHRINK))),
            Reason::kMemoryUnsuitable);
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  UniqueFd write_end(ends[1]);
  EXPECT_EQ(ReasonOf(world_.broker->OfferMemory(client_.id, "d", UniqueFd(ends[0]))), Reason::kMemoryUnsuitable);
}

TEST_F(MemoryTest, MemoryWithHolesPunchedSinceIsNotMapped) {
  world_.Drive(client_, CoreWorld::kEngine);
  const AddressSpaceView space = world_.Space(client_, CoreWorld::kEngine);
  UniqueFd memory = Memory(4 * kPage, F_SEAL_SHRINK);
  UniqueFd mine = *Duplicate(memory);
  ASSERT_TRUE(world_.broker->OfferMemory(client_.id, "holes", std::move(memory)).ok());
  ASSERT_EQ(fallocate(mine.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, kPage), 0);
  const auto mapping =
      world_.Call(&Broker::MapMemory, client_, MapMemoryArgs{.memory = "holes", .address_space = space.id});
  EXPECT_EQ(ReasonOf(mapping.status()), Reason::kMemoryUnsuitable);
}

TEST_F(MemoryTest, OneUserCannotFillUpTheDaemonsDescriptors) {
  BrokerOptions options;
  options.quota[Resource::kMemories].per_user = 2;
  CoreWorld world(options);
  const Client client = world.Connect();
  for (const char* name : {"a", "b"}) {
    EXPECT_TRUE(world.broker->OfferMemory(client.id, name, Memory(kPage, F_SEAL_SHRINK)).ok());
  }
  EXPECT_EQ(ReasonOf(world.broker->OfferMemory(client.id, "c", Memory(kPage, F_SEAL_SHRINK))), Reason::kQuota);
}

TEST_F(MemoryTest, ADeviceMayNotWriteWhatItsOwnerMayNot) {
  world_.Drive(client_, CoreWorld::kEngine);
  const AddressSpaceView space = world_.Space(client_, CoreWorld::kEngine);
  ASSERT_TRUE(world_.broker->OfferMemory(client_.id, "ro", Memory(kPage, F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE)).ok());
  MapMemoryArgs args = {.memory = "ro", .address_space = space.id, .access = Access::kReadWrite};
  EXPECT_EQ(ReasonOf(world_.Call(&Broker::MapMemory, client_, args).status()), Reason::kMemoryUnsuitable);
  args.access = Access::kRead;
  EXPECT_TRUE(world_.Call(&Broker::MapMemory, client_, args).ok());
}

TEST_F(GrantsTest, AnAddressSpaceHasEachDeviceOnce) {
  world_.Drive(client_, CoreWorld::kEngine);
  const auto twice = world_.Call(&Broker::CreateAddressSpace, client_,
                                 std::vector<PciAddress>{CoreWorld::kEngine, CoreWorld::kEngine});
  EXPECT_EQ(ReasonOf(twice.status()), Reason::kInvalidArgument);
}

}  // namespace
}  // namespace p2pd
