#include "daemon/bus/event_feed.h"

#include <thread>

#include "gtest/gtest.h"

namespace p2pd {
namespace {

std::shared_ptr<const Event> Make(const decltype(Event::object)& object) {
  return std::make_shared<const Event>(Event{.type = EventType::kChanged, .object = object});
}

class EventFeedTest : public testing::Test {
 protected:
  EventFeedTest() : loop_(*EventLoop::Create()) {
    feed_ = EventFeed::Create(*loop_, [this](const EventFeed::Batch& batch) { batches_.push_back(batch); });
  }
  void Run() {
    loop_->Quit();
    EXPECT_TRUE(loop_->Run().ok());
  }

  std::unique_ptr<EventLoop> loop_;
  std::vector<EventFeed::Batch> batches_;
  std::shared_ptr<EventFeed> feed_;
};

TEST_F(EventFeedTest, WhatHappensTogetherComesInOrderAndInOneBatch) {
  std::thread other([this] {
    feed_->OnEvent(Make(DeviceView{}));
    feed_->OnEvent(Make(SessionView{}));
    feed_->OnEvent(Make(OperationView{}));
  });
  other.join();
  Run();
  ASSERT_EQ(batches_.size(), 1u);
  ASSERT_EQ(batches_[0].size(), 3u);
  EXPECT_TRUE(std::holds_alternative<DeviceView>(batches_[0][0]->object));
  EXPECT_TRUE(std::holds_alternative<OperationView>(batches_[0][2]->object));
}

TEST_F(EventFeedTest, OfAThousandMappingsOnlyThatSomethingChangedIsTold) {
  for (int i = 0; i < 1000; ++i) feed_->OnEvent(Make(MappingView{}));
  Run();
  ASSERT_EQ(batches_.size(), 1u);
  EXPECT_TRUE(batches_[0].empty());
}

TEST_F(EventFeedTest, OfAMappingThatIsNotLostNoEventNeedsToBeMade) {
  EXPECT_FALSE(feed_->Wants(MappingView{.state = MappingState::kSuspended}));
  EXPECT_TRUE(feed_->Wants(MappingView{.state = MappingState::kLost}));
  feed_->OnUnwanted();
  feed_->OnUnwanted();
  Run();
  ASSERT_EQ(batches_.size(), 1u);
  EXPECT_TRUE(batches_[0].empty());
}

TEST_F(EventFeedTest, ThatCountsChangeIsToldOnceUntilTheyAreLookedAt) {
  feed_->OnUnwanted();
  Run();
  feed_->OnUnwanted();
  feed_->OnEvent(Make(ExportView{}));
  Run();
  EXPECT_EQ(batches_.size(), 1u);
  feed_->LookAtCounts();
  feed_->OnUnwanted();
  Run();
  EXPECT_EQ(batches_.size(), 2u);
}

TEST_F(EventFeedTest, ALostMappingIsTold) {
  feed_->OnEvent(Make(MappingView{.state = MappingState::kLost}));
  Run();
  ASSERT_EQ(batches_.size(), 1u);
  EXPECT_EQ(batches_[0].size(), 1u);
}

TEST_F(EventFeedTest, SaysNothingOnceItIsGone) {
  feed_->OnEvent(Make(DeviceView{}));
  feed_.reset();
  Run();
  EXPECT_TRUE(batches_.empty());
}

}  // namespace
}  // namespace p2pd
