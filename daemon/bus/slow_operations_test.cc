#include "daemon/bus/slow_operations.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr absl::Time kStart = absl::UnixEpoch();

Event Running() {
  return {.type = EventType::kCreated,
          .object = OperationView{.id = OperationId(5), .device = PciAddress{.bus = 1}, .started = kStart}};
}

TEST(SlowOperationsTest, OneThatTakesLongIsToldOnce) {
  SlowOperations slow;
  slow.Apply(Running());
  EXPECT_TRUE(slow.any_running());
  EXPECT_THAT(slow.News(kStart + absl::Seconds(59)), IsEmpty());
  EXPECT_THAT(slow.Names(), IsEmpty());
  const auto news = slow.News(kStart + absl::Seconds(60));
  ASSERT_THAT(news, SizeIs(1));
  EXPECT_EQ(news[0].message, "operations/5 on devices/0000:01:00.0 takes long: nothing since its beginning");
  EXPECT_EQ(news[0].level, LogLevel::kWarning);
  EXPECT_THAT(slow.News(kStart + absl::Hours(1)), IsEmpty());
  EXPECT_THAT(slow.Names(), ElementsAre("operations/5"));
}

TEST(SlowOperationsTest, OneThatIsOverIsNotSlow) {
  SlowOperations slow;
  slow.Apply(Running());
  slow.News(kStart + absl::Hours(1));
  Event over = Running();
  std::get<OperationView>(over.object).state = OperationState::kSucceeded;
  slow.Apply(over);
  EXPECT_FALSE(slow.any_running());
  EXPECT_THAT(slow.Names(), IsEmpty());
}

TEST(SlowOperationsTest, SaysAfterWhichStepItHangs) {
  SlowOperations slow;
  Event event = Running();
  std::get<OperationView>(event.object).steps = {{.what = "quiesce"}, {.what = "unmap 1"}};
  slow.Apply(event);
  const auto news = slow.News(kStart + absl::Hours(1));
  ASSERT_THAT(news, SizeIs(1));
  EXPECT_EQ(news[0].message, "operations/5 on devices/0000:01:00.0 takes long: nothing since unmap 1");
}

}  // namespace
}  // namespace p2pd
