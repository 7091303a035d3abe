#include "daemon/front/unread_fds.h"

#include <sys/socket.h>
#include <unistd.h>

#include <optional>
#include <utility>

#include "daemon/base/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

using ::testing::HasSubstr;

// A session's channel, with the client's end of it.
struct Session {
  Session(UnreadFds& table, uint32_t uid) : Session(table, uid, SocketPair()) {}
  Session(UnreadFds& table, uint32_t uid, std::pair<UniqueFd, UniqueFd> sockets)
      : ours(std::move(sockets.first)), client(std::move(sockets.second)), account(table.Open(uid, ours)) {}

  static std::pair<UniqueFd, UniqueFd> SocketPair() {
    int fds[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    return {UniqueFd(fds[0]), UniqueFd(fds[1])};
  }

  absl::Status Send() {
    if (absl::Status reserved = account.Reserve(); !reserved.ok()) return reserved;
    account.Settle(write(ours.get(), "x", 1) == 1);
    return absl::OkStatus();
  }
  void Read() {
    char byte = 0;
    while (read(client.get(), &byte, 1) == 1) continue;
  }

  UniqueFd ours;
  UniqueFd client;
  UnreadFds::Account account;
};

TEST(UnreadFdsTest, ASessionLeavesSixteenUnread) {
  UnreadFds table(UnreadFdLimits{});
  Session session(table, 1000);
  for (uint64_t i = 0; i < UnreadFds::kPerSession; ++i) EXPECT_TRUE(session.Send().ok()) << i;
  const absl::Status refused = session.Send();
  EXPECT_EQ(GetErrorInfo(refused).reason, Reason::kQuota);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("the session: leaves 16 descriptors unread"));
  session.Read();
  EXPECT_TRUE(session.Send().ok());
}

TEST(UnreadFdsTest, AUsersSessionsAreCountedTogetherAndNobodyElses) {
  UnreadFds table({.per_user = 3, .total = 100});
  Session first(table, 1000);
  Session second(table, 1000);
  Session other(table, 1001);
  EXPECT_TRUE(first.Send().ok());
  EXPECT_TRUE(first.Send().ok());
  EXPECT_TRUE(second.Send().ok());
  EXPECT_THAT(std::string(second.Send().message()), HasSubstr("uid 1000: leaves 3 descriptors unread"));
  EXPECT_TRUE(other.Send().ok());
}

TEST(UnreadFdsTest, WhatAnotherSessionHasReadSinceMakesRoom) {
  UnreadFds table({.per_user = 2, .total = 3});
  Session first(table, 1000);
  Session second(table, 1000);
  Session other(table, 1001);
  EXPECT_TRUE(first.Send().ok());
  EXPECT_TRUE(first.Send().ok());
  EXPECT_FALSE(second.Send().ok());
  first.Read();
  EXPECT_TRUE(second.Send().ok());
  EXPECT_TRUE(second.Send().ok());
  EXPECT_TRUE(other.Send().ok());
  EXPECT_THAT(std::string(other.Send().message()), HasSubstr("all of p2pd's clients together: leaves 3"));
  second.Read();
  EXPECT_TRUE(other.Send().ok());
}

TEST(UnreadFdsTest, RootGoesPastTheTotalOnly) {
  UnreadFds table({.per_user = 2, .total = 1});
  Session user(table, 1000);
  Session root(table, 0);
  EXPECT_TRUE(user.Send().ok());
  EXPECT_TRUE(root.Send().ok());
  EXPECT_TRUE(root.Send().ok());
  EXPECT_FALSE(root.Send().ok());
}

TEST(UnreadFdsTest, WhatCouldNotBeSentIsNotCounted) {
  UnreadFds table({.per_user = 1, .total = 1});
  Session session(table, 1000);
  ASSERT_TRUE(session.account.Reserve().ok());
  session.account.Settle(false);
  EXPECT_TRUE(session.Send().ok());
}

TEST(UnreadFdsTest, WhatIsAboutToBeSentIsCounted) {
  UnreadFds table({.per_user = 1, .total = 1});
  Session session(table, 1000);
  ASSERT_TRUE(session.account.Reserve().ok());
  EXPECT_FALSE(session.account.Reserve().ok());
  session.account.Settle(false);
}

TEST(UnreadFdsTest, AClosedChannelCountsNoMore) {
  UnreadFds table({.per_user = 1, .total = 1});
  std::optional<Session> first(std::in_place, table, 1000);
  Session second(table, 1000);
  EXPECT_TRUE(first->Send().ok());
  EXPECT_FALSE(second.Send().ok());
  first.reset();
  EXPECT_TRUE(second.Send().ok());
}

TEST(UnreadFdsTest, AnAccountMayOutliveTheTable) {
  std::optional<UnreadFds> table(UnreadFdLimits{});
  Session session(*table, 1000);
  table.reset();
  EXPECT_TRUE(session.Send().ok());
}

}  // namespace
}  // namespace p2pd
