// Exports whose dma-buf is in a client's hands: p2pd never says that one is gone while somebody holds it.
#include <cerrno>

#include "daemon/base/errors.h"
#include "daemon/core/testing/core_world.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kMiB = 1 << 20;
constexpr Window kWindow = {.device = {.bus = 1}, .bar = 2, .range = {0, kMiB}};

class RawTest : public ::testing::Test {
 protected:
  absl::StatusOr<ExportView> Try(const Client& client) {
    return world_.Call(&Broker::CreateExport, client, kWindow, Grade::kRaw);
  }
  std::vector<ExportView> Exports() { return world_.broker->ListExports(client_.id); }
  void CloseFds(const Client& client) { client.channel->grants.clear(); }
  void LetTimePass() { world_.scheduler.Advance(absl::Minutes(1)); }

  CoreWorld world_;
  Client client_ = world_.Connect();
  Client other_ = world_.Connect(1001);
};

TEST_F(RawTest, TheDmaBufIsWithTheClientBeforeTheAnswer) {
  bool answered = false;
  world_.broker->CreateExport(client_.id, "r", kWindow, Grade::kRaw, [&](absl::StatusOr<ExportView> view) {
    ASSERT_TRUE(view.ok()) << view.status();
    EXPECT_EQ(view->grade, Grade::kRaw);
    ASSERT_EQ(client_.channel->grants.size(), 1u);
    EXPECT_EQ(std::get<ExportId>(client_.channel->grants[0].first), view->id);
    answered = true;
  });
  world_.scheduler.RunReady();
  EXPECT_TRUE(answered);
}

TEST_F(RawTest, ItConveysItsWindowAndNothingElse) {
  ASSERT_TRUE(Try(client_).ok());
  const FdRef dma_buf = client_.channel->grants[0].second;
  const absl::StatusOr<UniqueFd> context = world_.kernel->OpenContext();
  const absl::StatusOr<IoasId> ioas = world_.kernel->AllocIoas(*context);
  const auto map = [&](uint64_t length) {
    return world_.kernel->MapFile(*context, {.ioas = *ioas, .file = dma_buf, .iova = {1ull << 33, length}});
  };
  EXPECT_EQ(GetErrorInfo(map(kMiB + kPage)).error, EINVAL);
  EXPECT_TRUE(map(kMiB).ok());
}

TEST_F(RawTest, NeedsAnActionOfItsOwn) {
  world_.policy->denied = {Action::kReceiveFd};
  EXPECT_EQ(GetErrorInfo(Try(client_).status()).reason, Reason::kPolicy);
  EXPECT_TRUE(client_.channel->grants.empty());
  EXPECT_TRUE(world_.Call(&Broker::CreateExport, client_, kWindow, Grade::kMapped).ok());
}

TEST_F(RawTest, AClientThatCannotTakeItHasNoExport) {
  client_.channel->refuse_grants = absl::ResourceExhaustedError("16 fds unread");
  EXPECT_EQ(Try(client_).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(Exports().empty());
}

TEST_F(RawTest, WhatTheClientHasClosedIsGoneWithItsRelease) {
  const auto view = Try(client_);
  ASSERT_TRUE(view.ok());
  CloseFds(client_);
  ASSERT_TRUE(world_.Call(&Broker::DeleteExport, client_, view->id).ok());
  EXPECT_TRUE(Exports().empty());
  EXPECT_TRUE(Try(other_).ok());
}

TEST_F(RawTest, WhatTheClientStillHoldsLingersAndItsWindowStaysTaken) {
  const auto view = Try(client_);
  ASSERT_TRUE(view.ok());
  ASSERT_TRUE(world_.Call(&Broker::DeleteExport, client_, view->id).ok());
  LetTimePass();
  ASSERT_EQ(Exports().size(), 1u);
  EXPECT_EQ(Exports()[0].state, ExportState::kLingering);
  EXPECT_EQ(GetErrorInfo(Try(other_).status()).reason, Reason::kOverlap);
  EXPECT_EQ(GetErrorInfo(world_.Call(&Broker::DeleteExport, client_, view->id).status()).reason, Reason::kNotFound);
  CloseFds(client_);
  LetTimePass();
  EXPECT_TRUE(Exports().empty());
  EXPECT_TRUE(Try(other_).ok());
}

TEST_F(RawTest, ItOutlivesItsSessionOnTheBooksForAsLongAsAnybodyHoldsIt) {
  ASSERT_TRUE(Try(client_).ok());
  const auto kept = std::move(client_.channel->grants);  // a child of the client, say
  world_.broker->EndSession(client_.id, "killed");
  LetTimePass();
  const Client admin = world_.Connect(0);
  ASSERT_EQ(world_.broker->ListExports(admin.id).size(), 1u);
  EXPECT_EQ(world_.broker->ListExports(admin.id)[0].state, ExportState::kLingering);
  EXPECT_EQ(GetErrorInfo(Try(other_).status()).reason, Reason::kOverlap);
}

TEST_F(RawTest, AMappingOfAnothersHoldsItToo) {
  ASSERT_TRUE(Try(client_).ok());
  const absl::StatusOr<UniqueFd> context = world_.kernel->OpenContext();
  const absl::StatusOr<IoasId> ioas = world_.kernel->AllocIoas(*context);
  ASSERT_TRUE(
      world_.kernel
          ->MapFile(*context, {.ioas = *ioas, .file = client_.channel->grants[0].second, .iova = {1ull << 33, kMiB}})
          .ok());
  CloseFds(client_);
  world_.broker->EndSession(client_.id, "bye");
  LetTimePass();
  EXPECT_EQ(GetErrorInfo(Try(other_).status()).reason, Reason::kOverlap);
  ASSERT_TRUE(world_.kernel->Unmap(*context, *ioas, {1ull << 33, kMiB}).ok());
  LetTimePass();
  EXPECT_TRUE(Try(other_).ok());
}

TEST_F(RawTest, ADriversEndClosesTheDeviceAndWithThatRevokesItForEver) {
  const Client driver = world_.Connect(1002);
  world_.Drive(driver, CoreWorld::kExporter);
  ASSERT_TRUE(Try(client_).ok());
  CloseFds(driver);
  world_.broker->EndSession(driver.id, "killed");
  LetTimePass();
  EXPECT_TRUE(Exports().empty());
  const absl::StatusOr<UniqueFd> context = world_.kernel->OpenContext();
  const absl::StatusOr<IoasId> ioas = world_.kernel->AllocIoas(*context);
  const absl::Status map = world_.kernel->MapFile(
      *context, {.ioas = *ioas, .file = client_.channel->grants[0].second, .iova = {1ull << 33, kMiB}});
  EXPECT_EQ(GetErrorInfo(map).error, ENODEV);
}

TEST_F(RawTest, ItsHolderIsAskedToStopForAReset) {
  ASSERT_TRUE(Try(client_).ok());
  const Client admin = world_.Connect(0);
  auto reset = world_.Try(&Broker::ResetDevice, admin, CoreWorld::kExporter);
  EXPECT_FALSE(reset.has_value());
  ASSERT_EQ(client_.channel->quiesces.size(), 1u);
  EXPECT_TRUE(client_.channel->quiesces[0].mappings.empty());
  world_.broker->AckQuiesce(client_.id, client_.channel->quiesces[0].operation);
  world_.scheduler.RunReady();
  EXPECT_EQ(client_.channel->resumes.size(), 1u);
}

TEST_F(RawTest, ASessionThatEndsWhileItIsMadeLeavesNothingUnaccounted) {
  // The channel's fate is known only once the fd is sent: the session ends right then.
  client_.channel->on_grant = [&] { world_.broker->EndSession(client_.id, "killed"); };
  world_.Try(&Broker::CreateExport, client_, kWindow, Grade::kRaw);
  LetTimePass();
  EXPECT_EQ(GetErrorInfo(Try(other_).status()).reason, Reason::kOverlap) << "the dma-buf is out";
  CloseFds(client_);
  LetTimePass();
  EXPECT_TRUE(Try(other_).ok());
}

TEST_F(RawTest, TheAdministratorRevokesAnyonesExport) {
  const auto view = Try(client_);
  ASSERT_TRUE(view.ok());
  CloseFds(client_);
  const Client admin = world_.Connect(0);
  auto pending = world_.Try(&Broker::RevokeExport, admin, view->id, std::string("maintenance"));
  EXPECT_TRUE(pending.has_value() && pending->ok());
  EXPECT_TRUE(Exports().empty());
  world_.policy->denied = {Action::kAdmin};
  const auto again = Try(client_);
  EXPECT_EQ(GetErrorInfo(world_.Call(&Broker::RevokeExport, admin, again->id, std::string()).status()).reason,
            Reason::kPolicy);
}

TEST_F(RawTest, TheAdministratorRevokesASession) {
  ASSERT_TRUE(Try(client_).ok());
  CloseFds(client_);
  const Client admin = world_.Connect(0);
  const auto done = world_.Call(&Broker::RevokeSession, admin, client_.id, std::string("misbehaves"));
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_EQ(done->kind, OperationKind::kSessionEnd);
  EXPECT_FALSE(world_.broker->Authenticate(client_.token).ok());
  ASSERT_TRUE(client_.channel->ended.has_value());
  EXPECT_NE(client_.channel->ended->find("misbehaves"), std::string::npos);
  EXPECT_EQ(GetErrorInfo(world_.Call(&Broker::RevokeSession, admin, client_.id, std::string()).status()).reason,
            Reason::kNotFound);
}

}  // namespace
}  // namespace p2pd
