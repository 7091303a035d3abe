// WatchEvents: everything as it is, then every change, in order and without a gap.
#include <set>
#include <string>

#include "gtest/gtest.h"
#include "tests/component/raw_client.h"
#include "tests/component/test_daemon.h"

namespace p2pd {
namespace {

class WatchTest : public testing::Test {
 protected:
  explicit WatchTest(const TestDaemonOptions& options = {})
      : daemon_(options), context_(CallAs(client_.Hello().token())) {
    watch_ = stub_->WatchEvents(context_.get(), v1::WatchEventsRequest());
  }
  ~WatchTest() override {
    context_->TryCancel();
    v1::Event event;
    while (watch_->Read(&event)) continue;
    watch_->Finish();
  }

  v1::Event Next() {
    v1::Event event;
    EXPECT_TRUE(watch_->Read(&event));
    return event;
  }

  std::set<std::string> ReadSnapshot() {
    std::set<std::string> names;
    for (v1::Event event = Next(); event.type() != v1::Event::IN_SYNC; event = Next()) {
      EXPECT_EQ(event.type(), v1::Event::SNAPSHOT);
      names.insert(event.has_device() ? event.device().name() : event.session().name());
    }
    return names;
  }

  v1::Export CreateExport(const std::string& request_id) {
    v1::CreateExportRequest request;
    request.mutable_window()->set_device("devices/0000:00:11.0");
    request.mutable_window()->set_bar(2);
    request.mutable_window()->set_length(4096);
    request.set_request_id(request_id);
    v1::Export window;
    const grpc::Status status = stub_->CreateExport(CallAs(client_.welcome().token()).get(), request, &window);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return window;
  }

  TestDaemon daemon_;
  RawClient client_{daemon_.fd_path()};
  std::unique_ptr<v1::Broker::Stub> stub_ = daemon_.NewStub();
  std::unique_ptr<grpc::ClientContext> context_;
  std::unique_ptr<grpc::ClientReader<v1::Event>> watch_;
};

TEST_F(WatchTest, BeginsWithEverythingThatIsThere) {
  const std::set<std::string> names = ReadSnapshot();
  EXPECT_EQ(names.size(), 5u);
  EXPECT_TRUE(names.contains("devices/0000:01:00.0"));
  EXPECT_TRUE(names.contains(client_.welcome().session()));
}

TEST_F(WatchTest, TellsEachChangeInOrder) {
  ReadSnapshot();
  const v1::Export window = CreateExport("1");
  const v1::Event created = Next();
  EXPECT_EQ(created.type(), v1::Event::CREATED);
  EXPECT_EQ(created.export_().name(), window.name());
  v1::DeleteExportRequest request;
  request.set_name(window.name());
  request.set_request_id("2");
  v1::DeleteExportResponse response;
  const grpc::Status status = stub_->DeleteExport(CallAs(client_.welcome().token()).get(), request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.operation().kind(), v1::Operation::RELEASE);
  v1::Event event = Next();
  uint64_t sequence = created.sequence();
  while (event.type() != v1::Event::DELETED) {
    EXPECT_GT(event.sequence(), sequence);
    sequence = event.sequence();
    event = Next();
  }
  EXPECT_EQ(event.export_().name(), window.name());
}

class SlowWatchTest : public WatchTest {
 protected:
  SlowWatchTest() : WatchTest({.max_unread_events = 16}) {}
};

TEST_F(SlowWatchTest, AWatcherThatReadsTooSlowlyIsToldSo) {
  ReadSnapshot();
  // Two events a pair, or more; gRPC takes 64 KiB of them.
  for (int i = 0; i < 1000; ++i) {
    v1::DeleteExportRequest request;
    request.set_name(CreateExport("c" + std::to_string(i)).name());
    request.set_request_id("d" + std::to_string(i));
    v1::DeleteExportResponse response;
    ASSERT_TRUE(stub_->DeleteExport(CallAs(client_.welcome().token()).get(), request, &response).ok());
  }
  v1::Event event;
  while (watch_->Read(&event)) continue;
  const grpc::Status status = watch_->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED) << status.error_message();
  EXPECT_EQ(DetailOf(status).reason(), v1::ErrorDetail::FELL_BEHIND);
  context_ = CallAs(client_.welcome().token());
  watch_ = stub_->WatchEvents(context_.get(), v1::WatchEventsRequest());
}

TEST_F(WatchTest, ARepeatedRequestChangesNothingTwice) {
  ReadSnapshot();
  EXPECT_EQ(CreateExport("same").name(), CreateExport("same").name());
  EXPECT_TRUE(Next().has_export_());
  RawClient marker(daemon_.fd_path());
  marker.Hello();
  EXPECT_EQ(Next().session().name(), marker.welcome().session());
}

}  // namespace
}  // namespace p2pd
