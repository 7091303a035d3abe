// What a successor finds changed: clients that have left meanwhile, and time that has gone on.
#include <fcntl.h>
#include <sys/mman.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/crash/crash_world.h"

namespace p2pd {
namespace {

class SuccessorTest : public ::testing::Test {
 protected:
  template <typename... Args>
  auto Ask(Args&&... args) {
    return world_.Ask(*client_, absl::StrCat("request-", ++requests_), std::forward<Args>(args)...);
  }

  SuccessorTest() {
    const auto opened = Ask(&Broker::OpenDevice, CoreWorld::kEngine);
    EXPECT_TRUE(opened.ok() && Ask(&Broker::DeviceReady, CoreWorld::kEngine, opened->generation).ok());
    space_ = Ask(&Broker::CreateAddressSpace, std::vector<PciAddress>{CoreWorld::kEngine})->id;
  }

  // A window that is mapped for the engine.
  ExportView Map(const Terms& terms) {
    const Window window = {.device = CoreWorld::kExporter, .bar = 2, .range = {0, 1 << 16}};
    const auto source = Ask(&Broker::CreateExport, window, terms);
    EXPECT_TRUE(source.ok()) << source.status();
    EXPECT_TRUE(Ask(&Broker::Map, MapArgs{.source = source->id, .address_space = space_}).ok());
    EXPECT_TRUE(Reaches());
    return *source;
  }
  bool Reaches() { return world_.kernel().CanReach(CoreWorld::kEngine, CoreWorld::kExporter, 2, 0); }

  CrashWorld world_{0, 0};
  std::shared_ptr<CrashChannel> client_ = world_.Connect(1000);
  AddressSpaceId space_;
  int requests_ = 0;
};

TEST_F(SuccessorTest, AClientThatHasLeftMeanwhileLeavesNothing) {
  Map(Terms());
  world_.Leave(*client_);
  world_.Boot(0);
  EXPECT_FALSE(Reaches());
  const StatusView status = world_.broker().GetStatus();
  EXPECT_EQ(status.sessions + status.exports + status.mappings + status.address_spaces, 0u);
  EXPECT_FALSE(world_.broker().GetDevice(CoreWorld::kEngine)->driver.has_value());
}

TEST_F(SuccessorTest, AnExportStillEndsInTime) {
  Map(Terms(Grade::kMapped, absl::Hours(1)));
  world_.Boot(0);
  EXPECT_TRUE(Reaches());
  world_.Pass(absl::Hours(1));
  EXPECT_FALSE(Reaches());
}

TEST_F(SuccessorTest, WhatCouldNotBeUnmappedIsNotBroughtBackByAReset) {
  Map(Terms());
  const MappingId mapping = world_.broker().ListMappings(client_->session).front().id;
  world_.kernel().FailNth(sim::Verb::kUnmap, 1, EIO);
  EXPECT_FALSE(Ask(&Broker::Unmap, mapping).ok());
  world_.Boot(0);
  EXPECT_TRUE(Reaches());
  EXPECT_EQ(world_.broker().ListMappings(client_->session).size(), 1u) << "the books say so, too";
  EXPECT_TRUE(Ask(&Broker::ResetDevice, ResetArgs(CoreWorld::kExporter)).ok());
  EXPECT_FALSE(Reaches());
  EXPECT_TRUE(world_.broker().ListMappings(client_->session).empty());
}

TEST_F(SuccessorTest, AnExportWhoseEndFailedIsEndedByTheNext) {
  const ExportView source = Map(Terms());
  world_.kernel().FailNth(sim::Verb::kUnmap, 1, EIO);
  EXPECT_EQ(Ask(&Broker::DeleteExport, source.id)->state, OperationState::kFailed);
  EXPECT_TRUE(Reaches());
  world_.Boot(0);
  EXPECT_FALSE(Reaches());
  EXPECT_TRUE(world_.broker().ListExports(client_->session).empty());
}

// Its answer may have got lost with p2pd.
TEST_F(SuccessorTest, TheSameMemoryMayBeOfferedOnceMore) {
  constexpr off_t kSize = 1 << 20;
  UniqueFd memory(memfd_create("client", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  UniqueFd other(memfd_create("other", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  for (const UniqueFd* file : {&memory, &other}) {
    ASSERT_EQ(fallocate(file->get(), 0, 0, kSize), 0);
    ASSERT_EQ(fcntl(file->get(), F_ADD_SEALS, F_SEAL_SHRINK), 0);
  }
  ASSERT_TRUE(world_.broker().OfferMemory(client_->session, "buffer", *Duplicate(memory)).ok());
  world_.Boot(0);
  EXPECT_TRUE(world_.broker().OfferMemory(client_->session, "buffer", *Duplicate(memory)).ok());
  EXPECT_TRUE(absl::IsAlreadyExists(world_.broker().OfferMemory(client_->session, "buffer", *Duplicate(other))));
}

TEST(OpenDeviceTest, WhoWasOnlyAboutToGetADeviceIsNotToldThatItIsTakenAway) {
  const int before = [] {
    CrashWorld world(0, 0);
    world.Connect(1000);
    return world.life().points();
  }();
  int point = before;
  for (int boots = 2; boots > 1 && !testing::Test::HasFailure();) {
    CrashWorld world(++point, 0);
    const auto client = world.Connect(1000);
    const auto opened = world.Ask(*client, "open", &Broker::OpenDevice, CoreWorld::kEngine);
    boots = world.boots();
    EXPECT_TRUE(opened.ok()) << opened.status() << "; " << world.Tell();
    EXPECT_EQ(client->revoked, 0) << world.Tell();
    EXPECT_EQ(client->grants.count("open"), 1u) << world.Tell();
  }
  EXPECT_GT(point, before + 4) << "it ended nowhere";
}

}  // namespace
}  // namespace p2pd
