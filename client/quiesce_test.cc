#include "client/quiesce.h"

#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2p {
namespace {

using ::testing::ElementsAre;

class QuiesceTest : public ::testing::Test {
 protected:
  QuiesceRequest NewRequest() {
    v1::QuiesceRequested request;
    request.set_operation("operations/5");
    request.set_device("devices/0000:01:00.0");
    request.set_generation(4);
    request.set_deadline_monotonic_ns(1'500'000'000);
    return QuiesceRequest(std::move(request), [this] {
      ++acks_;
      return answer_;
    });
  }

  int acks_ = 0;
  absl::Status answer_;
};

TEST_F(QuiesceTest, SaysWhatIsAsked) {
  const QuiesceRequest request = NewRequest();
  EXPECT_EQ(request.operation(), "operations/5");
  EXPECT_EQ(request.device(), "devices/0000:01:00.0");
  EXPECT_EQ(request.generation(), 4u);
  EXPECT_EQ(request.deadline().time_since_epoch(), std::chrono::milliseconds(1500));
}

TEST_F(QuiesceTest, NamesEveryDeviceOnceTheOneThatWasAskedForFirst) {
  EXPECT_THAT(NewRequest().devices(), ElementsAre("devices/0000:01:00.0"));
  v1::QuiesceRequested bus;
  bus.set_device("devices/0000:01:00.1");
  for (const char* device : {"devices/0000:01:00.0", "devices/0000:01:00.1"}) bus.add_devices(device);
  const QuiesceRequest request(std::move(bus), [] { return absl::OkStatus(); });
  EXPECT_THAT(request.devices(), ElementsAre("devices/0000:01:00.1", "devices/0000:01:00.0"));
}

TEST_F(QuiesceTest, IsAcknowledgedOnceHoweverOftenItIsSaid) {
  {
    QuiesceRequest request = NewRequest();
    EXPECT_TRUE(request.Ack().ok());
    EXPECT_TRUE(request.Ack().ok());
  }
  EXPECT_EQ(acks_, 1);
}

TEST_F(QuiesceTest, IsAcknowledgedWhenItGoes) {
  { const QuiesceRequest request = NewRequest(); }
  EXPECT_EQ(acks_, 1);
}

TEST_F(QuiesceTest, OnlyTheLastHolderAcknowledges) {
  {
    QuiesceRequest first = NewRequest();
    QuiesceRequest second = std::move(first);
    EXPECT_EQ(acks_, 0);
  }
  EXPECT_EQ(acks_, 1);
}

TEST_F(QuiesceTest, AnAssignmentAcknowledgesTheRequestItReplaces) {
  QuiesceRequest request = NewRequest();
  request = NewRequest();
  EXPECT_EQ(acks_, 1);
}

TEST_F(QuiesceTest, AnAckThatCannotBeSentSaysSo) {
  answer_ = absl::UnavailableError("gone");
  QuiesceRequest request = NewRequest();
  EXPECT_EQ(request.Ack(), answer_);
}

}  // namespace
}  // namespace p2p
