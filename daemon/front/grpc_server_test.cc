#include "daemon/front/grpc_server.h"

#include <sys/socket.h>

#include <thread>
#include <utility>

#include "daemon/base/scheduler.h"
#include "daemon/core/testing/core_world.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

// Threads so quick that what they are given is done when Run() returns.
class QuickScheduler final : public Scheduler {
 public:
  absl::Duration Now() override { return absl::ZeroDuration(); }
  void Run(Task task) override {
    std::thread(std::move(task)).join();
    ++runs_;
  }
  void RunAfter(absl::Duration, Task) override { ADD_FAILURE() << "a timer nobody asked for"; }
  int runs() const { return runs_; }

 private:
  int runs_ = 0;
};

// Ends the loop after so many more turns.
void QuitAfter(EventLoop& loop, int turns) {
  if (turns == 0) return loop.Quit();
  loop.Post([&loop, turns] { QuitAfter(loop, turns - 1); });
}

TEST(GrpcServerTest, AConnectionThatHungUpIsForgottenBeforeItsDescriptorIsClosed) {
  const auto loop = *EventLoop::Create();
  CoreWorld world;
  QuickScheduler workers;
  auto server = GrpcServer::Start(*loop, *world.broker, workers, {});
  ASSERT_TRUE(server.ok()) << server.status();
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
  UniqueFd client(pair[0]);
  UniqueFd accepted(pair[1]);
  // As gRPC does it for some time: what was accepted stays open, and hung up.
  const auto kept = Duplicate(accepted);
  ASSERT_TRUE(kept.ok());
  ConnectionTable table({.per_user = 1, .total = 1});
  (*server)->Adopt(std::move(accepted), table.Take(1));
  client.Reset();
  QuitAfter(*loop, 10);
  ASSERT_TRUE(loop->Run().ok());  // aborts if it is told of what is gone
  EXPECT_EQ(workers.runs(), 1);
  EXPECT_TRUE(table.Take(1).ok());  // the place was given back
}

}  // namespace
}  // namespace p2pd
