// Exports that live for a time: asked for when they are made, and renewed.
#include "client/error.h"
#include "client/testing/session_fixture.h"

namespace p2p::testing {
namespace {

const WindowOptions kForAnHour = {.device = kExporter, .bar = 2, .length = 4096, .time_to_live = absl::Hours(1)};

class ExpiryTest : public SessionFixture {
 protected:
  std::unique_ptr<Session> session_ = Connect();
};

TEST_F(ExpiryTest, AnExportLivesAsLongAsItsSessionUnlessAskedOtherwise) {
  const auto window = session_->CreateExport({.device = kExporter, .bar = 2, .length = 4096});
  ASSERT_TRUE(window.ok()) << window.status();
  EXPECT_FALSE(window->info().has_expire_time());
}

TEST_F(ExpiryTest, ATimeToLiveReachesP2pdWhereverAnExportIsMade) {
  const auto window = session_->CreateExport(kForAnHour);
  ASSERT_TRUE(window.ok()) << window.status();
  EXPECT_EQ(window->info().expire_time().seconds(), kStarted + 3600);
  WindowOptions brief = kForAnHour;
  brief.time_to_live = absl::Milliseconds(1500);
  const auto acquired = session_->Acquire(brief, {});
  ASSERT_TRUE(acquired.ok()) << acquired.status();
  EXPECT_EQ(acquired->window.info().expire_time().seconds(), kStarted + 1);
  EXPECT_EQ(acquired->window.info().expire_time().nanos(), 500'000'000);
}

TEST_F(ExpiryTest, RenewBeginsANewTimeToLiveAndTheExportShowsIt) {
  auto window = session_->CreateExport(kForAnHour);
  ASSERT_TRUE(window.ok()) << window.status();
  EXPECT_TRUE(window->Renew(absl::Hours(2)).ok());
  EXPECT_EQ(window->info().expire_time().seconds(), kStarted + 1 + 7200);
  EXPECT_EQ(session_->GetExport(window->name())->expire_time().seconds(), kStarted + 1 + 7200);
  EXPECT_TRUE(window->Renew(absl::InfiniteDuration()).ok());
  EXPECT_FALSE(session_->GetExport(window->name())->has_expire_time());
}

TEST_F(ExpiryTest, RenewingARawExportKeepsItsDmaBuf) {
  WindowOptions raw = kForAnHour;
  raw.grade = v1::RAW;
  auto window = session_->CreateExport(raw);
  ASSERT_TRUE(window.ok()) << window.status();
  const int dma_buf = window->dma_buf();
  EXPECT_TRUE(window->Renew(absl::Hours(2)).ok());
  EXPECT_EQ(window->dma_buf(), dma_buf);
  EXPECT_EQ(window->info().grade(), v1::RAW);
}

TEST_F(ExpiryTest, ARenewalWhoseReplyWasLostIsDoneOnce) {
  auto window = session_->CreateExport(kForAnHour);
  ASSERT_TRUE(window.ok()) << window.status();
  p2pd_.calls().BeforeNextReply("RenewExport", [this] { p2pd_.CutGrpcConnections(); });
  EXPECT_TRUE(window->Renew(absl::Hours(2)).ok());
  const auto calls = p2pd_.calls().Of("RenewExport");
  ASSERT_EQ(calls.size(), 2u);
  EXPECT_EQ(calls[0].request_id, calls[1].request_id);
  EXPECT_NE(calls[0].request_id, "");
  EXPECT_TRUE(calls[1].repeated);
}

TEST_F(ExpiryTest, WhatHasExpiredCannotBeRenewedAndReleasingItIsFine) {
  auto window = session_->CreateExport(kForAnHour);
  ASSERT_TRUE(window.ok()) << window.status();
  p2pd_.broker().WithState([](FakeState& state) { state.exports.clear(); });
  const absl::Status status = window->Renew(absl::Hours(1));
  EXPECT_EQ(GetErrorDetail(status).reason(), v1::ErrorDetail::NOT_FOUND);
  EXPECT_EQ(window->info().expire_time().seconds(), kStarted + 3600);
  EXPECT_TRUE(window->Release().ok());
  EXPECT_EQ(window->Renew(absl::Hours(1)).code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace p2p::testing
