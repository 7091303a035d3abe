#include <atomic>
#include <future>
#include <thread>
#include <vector>

#include "daemon/base/manual_scheduler.h"
#include "daemon/base/strand.h"
#include "daemon/base/thread_scheduler.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

TEST(StrandTest, RunsNothingUntilAsked) {
  Strand strand;
  int ran = 0;
  strand.Post([&] { ++ran; });
  EXPECT_EQ(ran, 0);
  strand.RunPosted();
  EXPECT_EQ(ran, 1);
}

TEST(StrandTest, ATaskPostedByATaskRunsAfterItNotInside) {
  Strand strand;
  std::vector<int> order;
  strand.Post([&] {
    strand.Post([&] { order.push_back(2); });
    strand.RunPosted();
    order.push_back(1);
  });
  strand.RunPosted();
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

TEST(StrandTest, WhoRunsItsOwnTaskRunsNoneThatOthersPostMeanwhile) {
  Strand strand;
  std::vector<int> order;
  const uint64_t mine = strand.Post([&] {
    strand.Post([&] { order.push_back(2); });
    strand.RunPosted();  // as another thread would
    order.push_back(1);
  });
  EXPECT_TRUE(strand.RunMine(mine));
  EXPECT_EQ(order, (std::vector<int>{1}));
  strand.RunPosted();
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
  EXPECT_FALSE(strand.RunMine(mine)) << "it has run, and nothing is left";
}

TEST(StrandTest, ATaskBehindAnotherIsNotRunBeforeItNorByItsOwner) {
  Strand strand;
  std::vector<int> order;
  strand.Post([&] { order.push_back(1); });
  EXPECT_TRUE(strand.RunMine(strand.Post([&] { order.push_back(2); })));
  EXPECT_TRUE(order.empty());
  strand.RunPosted();
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

TEST(StrandTest, TasksOfManyThreadsNeverOverlap) {
  Strand strand;
  int inside = 0;  // Unguarded on purpose: ThreadSanitizer sees it if two tasks ever overlap.
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 1000; ++i) {
        const uint64_t mine = strand.Post([&] { ++inside; });
        if (t % 2 == 0 || strand.RunMine(mine)) strand.RunPosted();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  strand.RunPosted();
  EXPECT_EQ(inside, 4000);
}

TEST(ManualSchedulerTest, RunsTasksAtTheirTimeInOrder) {
  ManualScheduler scheduler;
  std::vector<int> order;
  scheduler.RunAfter(absl::Seconds(2), [&] { order.push_back(2); });
  scheduler.RunAfter(absl::Seconds(1), [&] {
    order.push_back(1);
    EXPECT_EQ(scheduler.Now(), absl::Seconds(1));
  });
  EXPECT_EQ(scheduler.RunReady(), 0);
  scheduler.Advance(absl::Seconds(1));
  EXPECT_EQ(order, (std::vector<int>{1}));
  scheduler.Advance(absl::Seconds(5));
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
  EXPECT_EQ(scheduler.Now(), absl::Seconds(6));
}

TEST(ThreadSchedulerTest, ABlockedTaskHoldsUpNoOther) {
  ThreadScheduler scheduler;
  std::promise<void> release;
  std::promise<void> done;
  scheduler.Run([gate = release.get_future()]() mutable { gate.wait(); });
  scheduler.Run([&] { done.set_value(); });
  done.get_future().wait();
  release.set_value();
}

TEST(ThreadSchedulerTest, ATimerRunsNoEarlierThanItsTime) {
  ThreadScheduler scheduler;
  std::promise<absl::Duration> at;
  const absl::Duration start = scheduler.Now();
  scheduler.RunAfter(absl::Milliseconds(5), [&] { at.set_value(scheduler.Now()); });
  EXPECT_GE(at.get_future().get() - start, absl::Milliseconds(5));
}

}  // namespace
}  // namespace p2pd
