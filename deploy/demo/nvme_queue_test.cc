#include "deploy/demo/nvme_queue.h"

#include <array>

#include "gtest/gtest.h"

namespace demo::nvme {
namespace {

SubmissionEntry Command(uint16_t id) { return {.opcode = kRead, .id = id}; }

// Writes completions as a controller does: round and round, turning the phase with every lap.
class Controller {
 public:
  explicit Controller(absl::Span<CompletionEntry> entries) : entries_(entries) {}

  void Complete(uint16_t id, uint16_t status = 0) {
    entries_[tail_] = {.id = id, .status = static_cast<uint16_t>(status << 1 | (phase_ ? 1 : 0))};
    tail_ = (tail_ + 1) % entries_.size();
    if (tail_ == 0) phase_ = !phase_;
  }

 private:
  absl::Span<CompletionEntry> entries_;
  size_t tail_ = 0;
  bool phase_ = true;
};

TEST(SubmissionQueueTest, CommandsGoWhereTheTailWas) {
  std::array<SubmissionEntry, 4> ring = {};
  SubmissionQueue queue(absl::MakeSpan(ring));
  EXPECT_TRUE(queue.Push(Command(7)));
  EXPECT_TRUE(queue.Push(Command(8)));
  EXPECT_EQ(ring[0].id, 7);
  EXPECT_EQ(ring[1].id, 8);
  EXPECT_EQ(queue.tail(), 2u);
}

TEST(SubmissionQueueTest, KeepsOneEntryFreeAndRefusesWhenFull) {
  std::array<SubmissionEntry, 4> ring = {};
  SubmissionQueue queue(absl::MakeSpan(ring));
  for (uint16_t id = 0; id < 3; ++id) EXPECT_TRUE(queue.Push(Command(id)));
  EXPECT_FALSE(queue.Push(Command(99)));
  EXPECT_EQ(queue.tail(), 3u);
  EXPECT_EQ(ring[3].id, 0) << "the refused command was written";
}

TEST(SubmissionQueueTest, WrapsAroundOnceTheControllerHasFetched) {
  std::array<SubmissionEntry, 4> ring = {};
  SubmissionQueue queue(absl::MakeSpan(ring));
  for (uint16_t id = 0; id < 3; ++id) ASSERT_TRUE(queue.Push(Command(id)));
  queue.Consumed(2);
  EXPECT_TRUE(queue.Push(Command(3)));
  EXPECT_EQ(queue.tail(), 0u);
  EXPECT_TRUE(queue.Push(Command(4)));
  EXPECT_EQ(queue.tail(), 1u);
  EXPECT_EQ(ring[0].id, 4);
  EXPECT_FALSE(queue.Push(Command(5))) << "the controller is still to fetch entry 2";
}

TEST(CompletionQueueTest, ZeroedMemoryHoldsNoCompletion) {
  std::array<CompletionEntry, 4> ring = {};
  CompletionQueue queue(absl::MakeSpan(ring));
  EXPECT_EQ(queue.Pop(), std::nullopt);
  EXPECT_EQ(queue.head(), 0u);
}

TEST(CompletionQueueTest, PopsInOrderWithStatus) {
  std::array<CompletionEntry, 4> ring = {};
  CompletionQueue queue(absl::MakeSpan(ring));
  Controller controller(absl::MakeSpan(ring));
  controller.Complete(5);
  controller.Complete(6, 0x281);
  const auto first = queue.Pop();
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->id, 5);
  EXPECT_EQ(StatusOf(*first), 0);
  const auto second = queue.Pop();
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(StatusOf(*second), 0x281);
  EXPECT_EQ(queue.Pop(), std::nullopt);
  EXPECT_EQ(queue.head(), 2u);
}

TEST(CompletionQueueTest, EntriesOfTheLastLapAreNotNew) {
  std::array<CompletionEntry, 4> ring = {};
  CompletionQueue queue(absl::MakeSpan(ring));
  Controller controller(absl::MakeSpan(ring));
  uint16_t id = 0;
  for (int lap = 0; lap < 3; ++lap) {
    for (size_t i = 0; i < ring.size(); ++i) {
      EXPECT_EQ(queue.Pop(), std::nullopt) << "lap " << lap << " entry " << i;
      controller.Complete(id);
      const auto completion = queue.Pop();
      ASSERT_TRUE(completion.has_value()) << "lap " << lap << " entry " << i;
      EXPECT_EQ(completion->id, id++);
    }
    EXPECT_EQ(queue.head(), 0u);
  }
}

}  // namespace
}  // namespace demo::nvme
