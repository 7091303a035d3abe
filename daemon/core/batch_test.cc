// Batches and Acquire: all or nothing, whatever fails.
#include <cerrno>

#include "daemon/base/errors.h"
#include "daemon/core/testing/core_world.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kPage = 4096;
constexpr uint64_t kMiB = 1 << 20;

class BatchTest : public ::testing::Test {
 protected:
  BatchTest() {
    world_.Drive(client_, CoreWorld::kEngine);
    world_.Drive(client_, CoreWorld::kEngine2);
    window_ = world_.Export(client_, CoreWorld::kExporter, {0, kMiB});
    space_ = world_.Space(client_, CoreWorld::kEngine);
    space2_ = world_.Space(client_, CoreWorld::kEngine2);
  }

  MapArgs Page(uint64_t number, AddressSpaceId space) {
    return {.source = window_.id, .address_space = space, .offset = number * kPage, .length = kPage};
  }
  auto Map(const std::vector<MapArgs>& args) { return world_.Call(&Broker::BatchMap, client_, args); }
  auto Unmap(const std::vector<MappingId>& ids) { return world_.Call(&Broker::BatchUnmap, client_, ids); }
  auto Acquire(const std::vector<AddressSpaceId>& spaces, Range range = {2 * kMiB, kMiB}) {
    AcquireArgs args = {.window = {.device = CoreWorld::kExporter, .bar = 2, .range = range}};
    for (AddressSpaceId space : spaces) args.importers.push_back({.address_space = space});
    return world_.Call(&Broker::Acquire, client_, args);
  }
  bool Reaches(uint64_t offset) { return world_.Reaches(CoreWorld::kEngine, CoreWorld::kExporter, offset); }
  bool Reaches2(uint64_t offset) { return world_.Reaches(CoreWorld::kEngine2, CoreWorld::kExporter, offset); }
  size_t Mappings() { return world_.broker->GetStatus().mappings; }
  // Nothing is left of what was begun: no mapping, no charge, no IOVA.
  void ExpectNothingLeft() {
    EXPECT_EQ(Mappings(), 0u);
    EXPECT_EQ(world_.broker->GetStatus().mapped_bytes, 0u);
    for (const UsageView& usage : world_.broker->GetStatus(client_.id).usage) {
      if (usage.resource == "mappings" || usage.resource == "mapped bytes") {
        EXPECT_EQ(usage.used, 0u) << usage.resource;
      }
    }
    EXPECT_FALSE(Reaches(0));
    EXPECT_FALSE(Reaches2(0));
  }

  CoreWorld world_;
  Client client_ = world_.Connect();
  ExportView window_;
  AddressSpaceView space_;
  AddressSpaceView space2_;
};

TEST_F(BatchTest, MapsAllInTheOrderOfTheRequest) {
  const auto made = Map({Page(0, space_.id), Page(1, space2_.id), Page(2, space_.id)});
  ASSERT_TRUE(made.ok()) << made.status();
  ASSERT_EQ(made->size(), 3u);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ((*made)[i].offset, i * kPage);
  EXPECT_EQ((*made)[1].address_space, space2_.id);
  EXPECT_TRUE(Reaches(0) && Reaches2(kPage) && Reaches(2 * kPage));
  EXPECT_FALSE(Reaches(kPage));
}

TEST_F(BatchTest, ARefusedPartLeavesNothingOfTheOthers) {
  MapArgs bad = Page(1, space_.id);
  bad.length = kPage + 1;
  const auto made = Map({Page(0, space_.id), bad});
  EXPECT_EQ(made.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(made.status().message()), HasSubstr("part 1 of 2: exports/"));
  ExpectNothingLeft();
}

TEST_F(BatchTest, AKernelFailureInTheMiddleUnmapsWhatWasMade) {
  for (int nth = 1; nth <= 3; ++nth) {
    world_.kernel->FailNth(sim::Verb::kMapFile, nth, ENOMEM);
    const auto made = Map({Page(0, space_.id), Page(0, space2_.id), Page(1, space_.id)});
    EXPECT_EQ(GetErrorInfo(made.status()).error, ENOMEM) << nth;
    EXPECT_THAT(GetErrorInfo(made.status()).object, HasSubstr("of 3")) << nth;
    ExpectNothingLeft();
  }
  EXPECT_TRUE(Map({Page(0, space_.id)}).ok()) << "its IOVA and its place in the kernel are free again";
}

TEST_F(BatchTest, WhatCannotBeUnmappedAgainIsSaidAndKept) {
  world_.kernel->FailNth(sim::Verb::kMapFile, 2, ENOMEM);
  world_.kernel->FailNth(sim::Verb::kUnmap, 1, EIO);
  const auto made = Map({Page(0, space_.id), Page(1, space_.id)});
  EXPECT_THAT(std::string(made.status().message()), HasSubstr("not all of the batch could be unmapped again"));
  EXPECT_EQ(Mappings(), 1u);
  EXPECT_TRUE(Reaches(0));
}

TEST_F(BatchTest, WatchersHearNothingOfARefusedBatch) {
  const auto watcher = std::make_shared<RecordingWatcher>();
  ASSERT_TRUE(world_.broker->Watch(client_.id, watcher).ok());
  watcher->events.clear();
  EXPECT_FALSE(Map({Page(0, space_.id), Page(0, AddressSpaceId(999))}).ok());
  EXPECT_TRUE(watcher->events.empty());
}

TEST_F(BatchTest, AnEmptyOrTooLargeBatchIsRefused) {
  EXPECT_EQ(GetErrorInfo(Map({}).status()).reason, Reason::kInvalidArgument);
  EXPECT_EQ(GetErrorInfo(Map(std::vector<MapArgs>(1025, Page(0, space_.id))).status()).reason,
            Reason::kInvalidArgument);
  EXPECT_EQ(GetErrorInfo(Unmap({}).status()).reason, Reason::kInvalidArgument);
  ExpectNothingLeft();
}

TEST_F(BatchTest, TheQuotaCountsTheWholeBatchBeforeTheFirstIsMapped) {
  BrokerOptions options;
  options.quota[Resource::kMappings].per_user = 2;
  CoreWorld world(options);
  const Client client = world.Connect();
  world.Drive(client, CoreWorld::kEngine);
  const ExportView window = world.Export(client, CoreWorld::kExporter, {0, kMiB});
  const AddressSpaceView space = world.Space(client, CoreWorld::kEngine);
  const MapArgs one = {.source = window.id, .address_space = space.id, .length = kPage};
  const int calls = world.kernel->CallCount(sim::Verb::kMapFile);
  EXPECT_EQ(GetErrorInfo(world.Call(&Broker::BatchMap, client, std::vector<MapArgs>{one, one, one}).status()).reason,
            Reason::kQuota);
  EXPECT_EQ(world.kernel->CallCount(sim::Verb::kMapFile), calls);
  EXPECT_TRUE(world.Call(&Broker::BatchMap, client, std::vector<MapArgs>{one, one}).ok());
}

TEST_F(BatchTest, UnmapsAllOrSaysWhichIsUnknown) {
  const auto made = Map({Page(0, space_.id), Page(1, space2_.id)});
  ASSERT_TRUE(made.ok());
  const MappingId first = (*made)[0].id;
  const MappingId second = (*made)[1].id;
  EXPECT_EQ(GetErrorInfo(Unmap({first, MappingId(999)}).status()).object, "mappings/999");
  EXPECT_EQ(GetErrorInfo(Unmap({first, first}).status()).reason, Reason::kInvalidArgument);
  EXPECT_TRUE(Reaches(0) && Reaches2(kPage));
  const auto gone = Unmap({second, first});
  ASSERT_TRUE(gone.ok()) << gone.status();
  EXPECT_EQ((*gone)[0].id, second);
  EXPECT_EQ((*gone)[1].state, MappingState::kRevoked);
  ExpectNothingLeft();
}

TEST_F(BatchTest, AnothersMappingIsNotUnmapped) {
  const auto made = Map({Page(0, space_.id)});
  ASSERT_TRUE(made.ok());
  const Client other = world_.Connect(1001);
  const auto stolen = world_.Call(&Broker::BatchUnmap, other, std::vector<MappingId>{made->front().id});
  EXPECT_EQ(GetErrorInfo(stolen.status()).reason, Reason::kNotFound);
  EXPECT_TRUE(Reaches(0));
}

TEST_F(BatchTest, AcquireGivesAnExportMappedForEachImporter) {
  const auto got = Acquire({space_.id, space2_.id});
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(got->mappings.size(), 2u);
  EXPECT_EQ(got->source.mappings, 2u);
  EXPECT_TRUE(Reaches(2 * kMiB) && Reaches2(2 * kMiB));
  ASSERT_TRUE(world_.Call(&Broker::DeleteExport, client_, got->source.id).ok());
  ExpectNothingLeft();
}

TEST_F(BatchTest, AcquireWithoutImportersIsAnExport) {
  const auto got = Acquire({});
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_TRUE(got->mappings.empty());
  EXPECT_TRUE(world_.broker->GetExport(client_.id, got->source.id).ok());
}

TEST_F(BatchTest, AnAcquireThatCannotBeMappedLeavesNoExport) {
  const size_t exports = world_.broker->GetStatus().exports;
  for (int nth = 1; nth <= 2; ++nth) {
    world_.kernel->FailNth(sim::Verb::kMapFile, nth, ENOMEM);
    EXPECT_EQ(GetErrorInfo(Acquire({space_.id, space2_.id}).status()).error, ENOMEM);
    EXPECT_EQ(world_.broker->GetStatus().exports, exports);
    ExpectNothingLeft();
  }
  world_.policy->denied = {Action::kMap};
  EXPECT_EQ(GetErrorInfo(Acquire({space_.id}).status()).reason, Reason::kPolicy);
  EXPECT_EQ(world_.broker->GetStatus().exports, exports);
}

TEST_F(BatchTest, ARepeatedAcquireGetsTheFirstOutcome) {
  const AcquireArgs args = {.window = {.device = CoreWorld::kExporter, .bar = 2, .range = {2 * kMiB, kMiB}},
                            .importers = {{.address_space = space_.id}}};
  std::vector<AcquiredView> got;
  for (int i = 0; i < 2; ++i) {
    world_.broker->Acquire(client_.id, "once", args, [&](absl::StatusOr<AcquiredView> view) {
      ASSERT_TRUE(view.ok()) << view.status();
      got.push_back(*view);
    });
    world_.scheduler.RunReady();
  }
  ASSERT_EQ(got.size(), 2u);
  EXPECT_EQ(got[0].source.id, got[1].source.id);
  EXPECT_EQ(got[0].mappings[0].id, got[1].mappings[0].id);
  EXPECT_EQ(Mappings(), 1u);
}

TEST_F(BatchTest, ADmaBufIsNotHandedOutWithMappingsThatMayFail) {
  AcquireArgs args = {.window = {.device = CoreWorld::kExporter, .bar = 2, .range = {2 * kMiB, kMiB}},
                      .terms = Grade::kRaw,
                      .importers = {{.address_space = space_.id}}};
  client_.channel->grants.clear();
  EXPECT_EQ(GetErrorInfo(world_.Call(&Broker::Acquire, client_, args).status()).reason, Reason::kInvalidArgument);
  EXPECT_TRUE(client_.channel->grants.empty());
  args.importers.clear();
  EXPECT_TRUE(world_.Call(&Broker::Acquire, client_, args).ok());
  EXPECT_EQ(client_.channel->grants.size(), 1u);
}

TEST_F(BatchTest, ASnapshotShowsNothingThatIsNotMadeYet) {
  const auto watcher = std::make_shared<RecordingWatcher>();
  world_.broker->BatchMap(client_.id, "b", {Page(0, space_.id)}, [](absl::StatusOr<std::vector<MappingView>>) {});
  ASSERT_TRUE(world_.broker->Watch(client_.id, watcher).ok());
  for (const auto& event : watcher->events) EXPECT_FALSE(std::holds_alternative<MappingView>(event->object));
  world_.scheduler.RunReady();
  EXPECT_TRUE(std::holds_alternative<MappingView>(watcher->events.back()->object));
}

TEST_F(BatchTest, AListsReceiptsLeaveOutWhatBecameOfEachMapping) {
  const auto got = Acquire({space_.id});
  ASSERT_TRUE(got.ok());
  const auto receipt = world_.Call(&Broker::DeleteExport, client_, got->source.id);
  ASSERT_TRUE(receipt.ok());
  EXPECT_EQ(receipt->mappings.size(), 1u);
  EXPECT_EQ(world_.broker->GetOperation(client_.id, receipt->id)->mappings.size(), 1u);
  const OperationView listed = world_.broker->ListOperations(client_.id).back();
  EXPECT_EQ(listed.id, receipt->id);
  EXPECT_TRUE(listed.mappings.empty());
  EXPECT_EQ(listed.mapping_count, 1u);
}

}  // namespace
}  // namespace p2pd
