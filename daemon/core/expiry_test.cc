// Exports that live for a time.
#include "daemon/base/errors.h"
#include "daemon/core/testing/core_world.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

constexpr uint64_t kMiB = 1 << 20;
constexpr Window kWindow = {.device = {.bus = 1}, .bar = 2, .range = {0, kMiB}};

class ExpiryTest : public ::testing::Test {
 protected:
  ExpiryTest() {
    world_.Drive(client_, CoreWorld::kEngine);
    space_ = world_.Space(client_, CoreWorld::kEngine);
  }

  ExportView Export(absl::Duration time_to_live) {
    const auto made = world_.Call(&Broker::CreateExport, client_, kWindow, Terms(Grade::kMapped, time_to_live));
    EXPECT_TRUE(made.ok()) << made.status();
    return made.value_or(ExportView());
  }
  bool Exists(ExportId id) { return world_.broker->GetExport(client_.id, id).ok(); }
  bool Reaches() { return world_.Reaches(CoreWorld::kEngine, CoreWorld::kExporter, 0); }
  void Ack() {
    world_.broker->AckQuiesce(client_.id, client_.channel->quiesces.back().operation);
    world_.scheduler.RunReady();
  }
  OperationView LastOperation() { return world_.broker->ListOperations(client_.id).back(); }

  CoreWorld world_;
  Client client_ = world_.Connect();
  AddressSpaceView space_;
};

TEST_F(ExpiryTest, ItsUserIsAskedToStopAndThenItIsUnmapped) {
  const ExportView window = Export(absl::Seconds(5));
  ASSERT_TRUE(window.expires.has_value());
  const MappingView mapping = world_.Map(client_, window.id, space_.id);
  world_.scheduler.Advance(absl::Milliseconds(4999));
  EXPECT_TRUE(client_.channel->quiesces.empty());
  world_.scheduler.Advance(absl::Milliseconds(1));
  ASSERT_EQ(client_.channel->quiesces.size(), 1u);
  EXPECT_EQ(client_.channel->quiesces[0].mappings, std::vector<MappingId>{mapping.id});
  EXPECT_TRUE(Reaches()) << "it has not answered yet";
  Ack();
  EXPECT_FALSE(Reaches());
  EXPECT_FALSE(Exists(window.id));
}

TEST_F(ExpiryTest, LeavesAReceipt) {
  const ExportView window = Export(absl::Seconds(5));
  world_.Map(client_, window.id, space_.id);
  world_.scheduler.Advance(absl::Seconds(5));
  Ack();
  EXPECT_EQ(LastOperation().kind, OperationKind::kExpiry);
  EXPECT_EQ(LastOperation().device, CoreWorld::kExporter);
  EXPECT_EQ(LastOperation().state, OperationState::kSucceeded);
}

TEST_F(ExpiryTest, AClientThatDoesNotAnswerLosesItAllTheSame) {
  const ExportView window = Export(absl::Seconds(5));
  world_.Map(client_, window.id, space_.id);
  world_.scheduler.Advance(absl::Seconds(7));
  EXPECT_FALSE(Reaches());
  EXPECT_FALSE(Exists(window.id));
}

TEST_F(ExpiryTest, RenewedItLivesOnFromThen) {
  const ExportView window = Export(absl::Seconds(5));
  world_.scheduler.Advance(absl::Seconds(4));
  const auto renewed = world_.Call(&Broker::RenewExport, client_, window.id, absl::Seconds(5));
  ASSERT_TRUE(renewed.ok()) << renewed.status();
  EXPECT_GT(*renewed->expires, *window.expires - absl::Seconds(5));
  world_.scheduler.Advance(absl::Milliseconds(4999));
  EXPECT_TRUE(Exists(window.id));
  world_.scheduler.Advance(absl::Milliseconds(1));
  EXPECT_FALSE(Exists(window.id));
}

TEST_F(ExpiryTest, RenewedForAShorterTimeItGoesSooner) {
  const ExportView window = Export(absl::Hours(1));
  ASSERT_TRUE(world_.Call(&Broker::RenewExport, client_, window.id, absl::Seconds(1)).ok());
  world_.scheduler.Advance(absl::Seconds(1));
  EXPECT_FALSE(Exists(window.id));
}

TEST_F(ExpiryTest, RenewedWithoutATimeItLivesAsLongAsItsSession) {
  const ExportView window = Export(absl::Seconds(5));
  const auto renewed = world_.Call(&Broker::RenewExport, client_, window.id, absl::InfiniteDuration());
  ASSERT_TRUE(renewed.ok()) << renewed.status();
  EXPECT_FALSE(renewed->expires.has_value());
  world_.scheduler.Advance(absl::Hours(24));
  EXPECT_TRUE(Exists(window.id));
}

TEST_F(ExpiryTest, OverItCannotBeRenewed) {
  const ExportView window = Export(absl::Seconds(5));
  world_.Map(client_, window.id, space_.id);
  world_.scheduler.Advance(absl::Seconds(5));
  EXPECT_TRUE(absl::IsNotFound(world_.Call(&Broker::RenewExport, client_, window.id, absl::Hours(1)).status()))
      << "its users have been asked to stop";
}

TEST_F(ExpiryTest, OnlyItsSessionRenewsIt) {
  const ExportView window = Export(absl::Seconds(5));
  const Client other = world_.Connect(1001);
  EXPECT_TRUE(absl::IsNotFound(world_.Call(&Broker::RenewExport, other, window.id, absl::Hours(1)).status()));
}

TEST_F(ExpiryTest, ATimeThatMakesNoSenseIsRefused) {
  for (const absl::Duration time :
       {absl::ZeroDuration(), absl::Seconds(-1), absl::Microseconds(1), absl::Hours(90000)}) {
    const auto made = world_.Call(&Broker::CreateExport, client_, kWindow, Terms(Grade::kMapped, time));
    EXPECT_TRUE(absl::IsInvalidArgument(made.status())) << time;
  }
}

TEST_F(ExpiryTest, WhatWasAcquiredEndsTogether) {
  const AcquireArgs args = {
      .window = kWindow, .terms = Terms(Grade::kMapped, absl::Seconds(5)), .importers = {{.address_space = space_.id}}};
  const auto got = world_.Call(&Broker::Acquire, client_, args);
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_TRUE(Reaches());
  world_.scheduler.Advance(absl::Seconds(7));
  EXPECT_FALSE(Reaches());
  EXPECT_FALSE(Exists(got->source.id));
}

}  // namespace
}  // namespace p2pd
