// Watching: everything as it is, IN_SYNC, then every change.
#include <optional>
#include <thread>

#include "client/error.h"
#include "client/testing/session_fixture.h"

namespace p2p::testing {
namespace {

class WatchTest : public SessionFixture {
 protected:
  WatchTest() : session_(Connect()), events_(session_->Watch()) {}

  // The next event of `type`.
  v1::Event NextOf(v1::Event::Type type) {
    for (;;) {
      auto event = events_->Next();
      if (!event.ok()) {
        ADD_FAILURE() << event.status();
        return {};
      }
      if (event->type() == type) return *std::move(event);
    }
  }

  std::unique_ptr<Session> session_;
  std::unique_ptr<EventStream> events_;
};

TEST_F(WatchTest, BeginsWithASnapshotAndGoesOnWithChanges) {
  EXPECT_EQ(NextOf(v1::Event::SNAPSHOT).device().name(), kExporter);
  EXPECT_EQ(NextOf(v1::Event::SNAPSHOT).device().name(), kImporter);
  NextOf(v1::Event::IN_SYNC);
  const auto mine = session_->CreateExport({.device = kExporter, .bar = 2, .length = 4096});
  EXPECT_EQ(NextOf(v1::Event::CREATED).export_().name(), mine->name());
}

TEST_F(WatchTest, CancelWakesTheReader) {
  NextOf(v1::Event::IN_SYNC);
  std::thread canceller([this] { events_->Cancel(); });
  EXPECT_EQ(events_->Next().status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(events_->Next().status().code(), absl::StatusCode::kCancelled);
  canceller.join();
}

TEST_F(WatchTest, AStreamMayGoWhileEventsCome) {
  NextOf(v1::Event::SNAPSHOT);
  events_.reset();
  EXPECT_TRUE(session_->GetStatus().ok());
}

TEST_F(WatchTest, AStreamMayOutliveItsSession) {
  NextOf(v1::Event::IN_SYNC);
  session_.reset();
  p2pd_.WaitForSessionEnds(1);
  events_->Cancel();
  while (events_->Next().ok()) {
  }
}

TEST_F(WatchTest, TellsWhenP2pdGoesAway) {
  NextOf(v1::Event::IN_SYNC);
  p2pd_.CutGrpcConnections();
  EXPECT_TRUE(IsDisconnected(events_->Next().status()));
}

TEST_F(WatchTest, PassesOnThatTheReaderWasTooSlow) {
  v1::ErrorDetail detail;
  detail.set_reason(v1::ErrorDetail::QUOTA);
  detail.set_hint("read faster");
  NextOf(v1::Event::IN_SYNC);
  p2pd_.calls().FailNext("WatchEvents", MakeFailure(grpc::StatusCode::RESOURCE_EXHAUSTED, detail, "too slow"));
  const auto slow = session_->Watch();
  const absl::Status status = slow->Next().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(GetErrorDetail(status).hint(), "read faster");
}

}  // namespace
}  // namespace p2p::testing
