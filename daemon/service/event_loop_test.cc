#include "daemon/service/event_loop.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <optional>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace p2pd {
namespace {

std::unique_ptr<EventLoop> MakeLoop() {
  auto loop = EventLoop::Create();
  EXPECT_TRUE(loop.ok()) << loop.status();
  return *std::move(loop);
}

TEST(EventLoopTest, RunsWhatOtherThreadsPostInTheirOrderOnItsOwnThread) {
  const auto loop = MakeLoop();
  std::vector<int> seen;
  std::thread poster([&] {
    for (int i = 0; i < 100; ++i) loop->Post([&seen, i] { seen.push_back(i); });
    loop->Quit();
  });
  EXPECT_TRUE(loop->Run().ok());
  poster.join();
  ASSERT_EQ(seen.size(), 100u);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(seen[i], i);
}

TEST(EventLoopTest, RunsATaskThatATaskPosts) {
  const auto loop = MakeLoop();
  bool ran = false;
  loop->Post([&] {
    loop->Post([&] {
      ran = true;
      loop->Quit();
    });
  });
  EXPECT_TRUE(loop->Run().ok());
  EXPECT_TRUE(ran);
}

TEST(EventLoopTest, TellsThatADescriptorIsReadableUntilItIsRead) {
  const auto loop = MakeLoop();
  const UniqueFd fd(eventfd(2, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE));
  int calls = 0;
  auto watch = loop->WatchFd(fd, EPOLLIN, [&](uint32_t revents) {
    EXPECT_EQ(revents, static_cast<uint32_t>(EPOLLIN));
    eventfd_t value = 0;
    eventfd_read(fd.get(), &value);
    if (++calls == 2) loop->Quit();
  });
  ASSERT_TRUE(watch.ok());
  EXPECT_TRUE(loop->Run().ok());
  EXPECT_EQ(calls, 2);
}

TEST(EventLoopTest, AHandlerMayDropItsOwnWatchAndIsNotCalledAgain) {
  const auto loop = MakeLoop();
  const UniqueFd fd(eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK));
  std::optional<EventLoop::Watch> watch;
  const auto held_by_handler = std::make_shared<int>(0);
  auto made = loop->WatchFd(fd, EPOLLIN, [&watch, held_by_handler, &loop](uint32_t) {
    watch.reset();
    ++*held_by_handler;  // the handler outlives its watch until it returns
    loop->Post([&loop] { loop->Quit(); });
  });
  ASSERT_TRUE(made.ok());
  watch = *std::move(made);
  EXPECT_TRUE(loop->Run().ok());
  EXPECT_EQ(*held_by_handler, 1);
  EXPECT_EQ(held_by_handler.use_count(), 1);
}

TEST(EventLoopTest, ADroppedTimerDoesNotFire) {
  const auto loop = MakeLoop();
  bool fired = false;
  {
    auto dropped = loop->After(absl::ZeroDuration(), [&] { fired = true; });
    ASSERT_TRUE(dropped.ok());
  }
  auto last = loop->After(absl::Milliseconds(2), [&] { loop->Quit(); });
  ASSERT_TRUE(last.ok());
  EXPECT_TRUE(loop->Run().ok());
  EXPECT_FALSE(fired);
}

TEST(EventLoopTest, HandsABlockedSignalToItsHandler) {
  BlockStopSignals();
  const auto loop = MakeLoop();
  auto watch = loop->OnSignal(SIGTERM, [&] { loop->Quit(); });
  ASSERT_TRUE(watch.ok()) << watch.status();
  kill(getpid(), SIGTERM);
  EXPECT_TRUE(loop->Run().ok());
}

}  // namespace
}  // namespace p2pd
