// When a session ends: with its connection, or with the process that opened it, whichever comes first.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gtest/gtest.h"
#include "tests/component/raw_client.h"
#include "tests/component/test_daemon.h"

namespace p2pd {
namespace {

class LifelineTest : public testing::Test {
 protected:
  LifelineTest() : context_(CallAs(observer_.Hello().token())) {
    watch_ = stub_->WatchEvents(context_.get(), v1::WatchEventsRequest());
    v1::Event event;
    while (watch_->Read(&event) && event.type() != v1::Event::IN_SYNC) continue;
  }
  ~LifelineTest() override {
    context_->TryCancel();
    v1::Event event;
    while (watch_->Read(&event)) continue;
    watch_->Finish();
  }

  // Waits until the session is gone; false if the watch ends before.
  bool SeesEndOf(const std::string& session) {
    v1::Event event;
    while (watch_->Read(&event)) {
      if (event.type() == v1::Event::DELETED && event.session().name() == session) return true;
    }
    return false;
  }

  TestDaemon daemon_;
  RawClient observer_{daemon_.fd_path()};
  std::unique_ptr<v1::Broker::Stub> stub_ = daemon_.NewStub();
  std::unique_ptr<grpc::ClientContext> context_;
  std::unique_ptr<grpc::ClientReader<v1::Event>> watch_;
};

TEST_F(LifelineTest, AHangUpEndsTheSession) {
  RawClient client(daemon_.fd_path());
  const std::string session = client.Hello().session();
  client.HangUp();
  EXPECT_TRUE(SeesEndOf(session));
}

TEST_F(LifelineTest, WhatTheSessionHeldIsRevoked) {
  RawClient client(daemon_.fd_path());
  const std::string token = client.Hello().token();
  v1::CreateExportRequest request;
  request.mutable_window()->set_device("devices/0000:00:11.0");
  request.mutable_window()->set_bar(2);
  request.mutable_window()->set_length(65536);
  request.set_request_id("1");
  v1::Export window;
  const grpc::Status status = stub_->CreateExport(CallAs(token).get(), request, &window);
  ASSERT_TRUE(status.ok()) << status.error_message();
  client.HangUp();
  ASSERT_TRUE(SeesEndOf(client.welcome().session()));
  v1::ListExportsResponse exports;
  ASSERT_TRUE(stub_->ListExports(CallAs(observer_.welcome().token()).get(), {}, &exports).ok());
  EXPECT_EQ(exports.exports_size(), 0);
}

TEST_F(LifelineTest, AChildThatInheritedTheSocketDoesNotProlongTheSession) {
  int input[2];
  int output[2];
  int child_lives[2];
  ASSERT_EQ(pipe2(input, O_CLOEXEC), 0);
  ASSERT_EQ(pipe2(output, O_CLOEXEC), 0);
  ASSERT_EQ(pipe2(child_lives, O_CLOEXEC), 0);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO);
  // By way of a high number: dup2 onto itself would keep O_CLOEXEC.
  posix_spawn_file_actions_adddup2(&actions, child_lives[0], 100);
  posix_spawn_file_actions_adddup2(&actions, 100, 3);
  std::string program = "tests/component/session_holder";
  std::string path = daemon_.fd_path();
  char* const arguments[] = {program.data(), path.data(), nullptr};
  pid_t holder = 0;
  ASSERT_EQ(posix_spawn(&holder, program.c_str(), &actions, nullptr, arguments, environ), 0);
  posix_spawn_file_actions_destroy(&actions);
  for (const int fd : {input[0], output[1], child_lives[0]}) close(fd);
  char line[64] = {};
  const ssize_t n = read(output[0], line, sizeof(line) - 1);
  ASSERT_GT(n, 1);
  const std::string session(line, static_cast<size_t>(n) - 1);

  close(input[1]);  // the holder ends, its child keeps the socket
  waitpid(holder, nullptr, 0);
  EXPECT_TRUE(SeesEndOf(session));
  close(child_lives[1]);
  close(output[0]);
}

TEST_F(LifelineTest, AWatchEndsWithItsOwnSession) {
  RawClient client(daemon_.fd_path());
  const auto context = CallAs(client.Hello().token());
  const auto stub = daemon_.NewStub();
  const auto watch = stub->WatchEvents(context.get(), v1::WatchEventsRequest());
  v1::Event event;
  while (watch->Read(&event) && event.type() != v1::Event::IN_SYNC) continue;
  client.HangUp();
  while (watch->Read(&event)) continue;
  EXPECT_EQ(watch->Finish().error_code(), grpc::StatusCode::UNAUTHENTICATED);
}

}  // namespace
}  // namespace p2pd
