#include "daemon/service/loop_signals.h"

#include <sys/eventfd.h>

#include <thread>

#include "gtest/gtest.h"

namespace p2pd {
namespace {

class LoopSignalsTest : public ::testing::Test {
 protected:
  std::unique_ptr<EventLoop> loop_ = *EventLoop::Create();
  LoopSignals signals_{*loop_};
  UniqueFd theirs_{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};

  std::unique_ptr<SignalWaiter::Watch> Wait(absl::AnyInvocable<void()> on_signal) {
    return signals_.Wait(*Duplicate(theirs_), std::move(on_signal));
  }
};

TEST_F(LoopSignalsTest, TellsOnceForEachSignal) {
  int told = 0;
  const auto watch = Wait([&] {
    if (++told == 2) return loop_->Quit();
    eventfd_write(theirs_.get(), 1);
  });
  eventfd_write(theirs_.get(), 1);
  EXPECT_TRUE(loop_->Run().ok());
  EXPECT_EQ(told, 2);
}

TEST_F(LoopSignalsTest, TellsNothingOnceItsWatchIsGone) {
  bool told = false;
  auto watch = Wait([&] { told = true; });
  watch.reset();
  eventfd_write(theirs_.get(), 1);
  loop_->Post([this] { loop_->Post([this] { loop_->Quit(); }); });
  EXPECT_TRUE(loop_->Run().ok());
  EXPECT_FALSE(told);
}

TEST_F(LoopSignalsTest, MayBeUsedFromAnyThread) {
  bool told = false;
  std::unique_ptr<SignalWaiter::Watch> watch;
  std::thread other([&] {
    watch = Wait([&] {
      told = true;
      loop_->Quit();
    });
    eventfd_write(theirs_.get(), 1);
  });
  EXPECT_TRUE(loop_->Run().ok());
  other.join();
  EXPECT_TRUE(told);
  std::thread([&] { watch.reset(); }).join();
}

}  // namespace
}  // namespace p2pd
