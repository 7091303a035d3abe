#include "client/p2pctl/signals.h"

#include <poll.h>
#include <unistd.h>

#include "gtest/gtest.h"

namespace p2p::ctl {
namespace {

TEST(SignalsTest, ABlockedSignalIsReadInsteadOfDelivered) {
  auto signals = Signals::Block({SIGTERM, SIGHUP});
  ASSERT_TRUE(signals.ok()) << signals.status();
  EXPECT_FALSE(signals->Take().has_value());
  kill(getpid(), SIGTERM);
  pollfd wait = {.fd = signals->fd().get(), .events = POLLIN};
  ASSERT_EQ(poll(&wait, 1, -1), 1);
  const auto signal = signals->Take();
  ASSERT_TRUE(signal.has_value());
  EXPECT_EQ(signal->number, SIGTERM);
  EXPECT_FALSE(signal->from_terminal);
  EXPECT_FALSE(signals->Take().has_value());
}

TEST(SignalsTest, KeepsTheMaskForWhomItStarts) {
  sigset_t before;
  sigprocmask(SIG_SETMASK, nullptr, &before);
  sigdelset(&before, SIGQUIT);
  sigprocmask(SIG_SETMASK, &before, nullptr);
  const auto signals = Signals::Block({SIGQUIT});
  ASSERT_TRUE(signals.ok()) << signals.status();
  EXPECT_EQ(sigismember(&signals->old_mask(), SIGQUIT), 0);
  sigset_t now;
  sigprocmask(SIG_SETMASK, nullptr, &now);
  EXPECT_EQ(sigismember(&now, SIGQUIT), 1);
}

}  // namespace
}  // namespace p2p::ctl
