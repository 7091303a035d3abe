#include "daemon/service/systemd_fd_store.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <map>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

ino_t InodeOf(FdRef fd) {
  struct stat info = {};
  EXPECT_EQ(fstat(fd.get(), &info), 0);
  return info.st_ino;
}

UniqueFd NewFd() { return UniqueFd(memfd_create("x", MFD_CLOEXEC)); }

// PID 1, as far as a unit's fd store goes: what systemd 252 does in service_notify_message and manager_dispatch_notify.
class FakeManager {
 public:
  explicit FakeManager(size_t most) : most_(most), socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    const std::string name = "p2pd-fd-store-test-" + std::to_string(getpid());
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    name.copy(address.sun_path + 1, sizeof(address.sun_path) - 1);
    const socklen_t length = offsetof(sockaddr_un, sun_path) + 1 + name.size();
    EXPECT_EQ(bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
    setenv("NOTIFY_SOCKET", ("@" + name).c_str(), 1);
    thread_ = std::thread([this] { Run(); });
  }
  ~FakeManager() {
    shutdown(socket_.get(), SHUT_RD);
    thread_.join();
    unsetenv("NOTIFY_SOCKET");
  }

  uint32_t Count() {
    MutexLock lock(mutex_);
    return static_cast<uint32_t>(fds_.size());
  }
  bool Holds(const std::string& name, ino_t inode) {
    MutexLock lock(mutex_);
    return fds_.contains(name) && InodeOf(fds_.at(name)) == inode;
  }
  // Reads, but never says that it has.
  void Stall() { stalled_ = true; }
  bool all_unpolled() const { return all_unpolled_; }

 private:
  void Run() {
    for (;;) {
      char text[4096];
      alignas(cmsghdr) char control[512];
      iovec part = {.iov_base = text, .iov_len = sizeof(text)};
      msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
      const ssize_t length = recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC);
      if (length <= 0) return;
      UniqueFd fd;
      for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
        int raw = -1;
        std::memcpy(&raw, CMSG_DATA(c), sizeof(raw));
        fd.Reset(raw);
      }
      Take(std::string(text, static_cast<size_t>(length)), std::move(fd));
    }
  }

  void Take(const std::string& text, UniqueFd fd) {
    std::map<std::string, std::string> fields;
    for (const auto line : absl::StrSplit(text, '\n')) {
      fields.insert(absl::StrSplit(line, absl::MaxSplits('=', 1)));
    }
    if (fields.contains("BARRIER")) {
      // It is answered by its close.
      if (stalled_) barriers_.push_back(std::move(fd));
      return;
    }
    MutexLock lock(mutex_);
    if (fields.contains("FDSTORE")) {
      if (fields["FDPOLL"] != "0") all_unpolled_ = false;
      if (fds_.size() < most_) fds_[fields["FDNAME"]] = std::move(fd);
    } else if (fields.contains("FDSTOREREMOVE")) {
      fds_.erase(fields["FDNAME"]);
    }
  }

  const size_t most_;
  const UniqueFd socket_;
  std::atomic<bool> stalled_ = false;
  std::atomic<bool> all_unpolled_ = true;
  std::vector<UniqueFd> barriers_;
  Mutex mutex_;
  std::map<std::string, UniqueFd> fds_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

class SystemdFdStoreTest : public testing::Test {
 protected:
  SystemdFdStoreTest() : manager_(2), store_(Options(), nothing_) {}

  SystemdFdStore::Options Options(absl::Duration timeout = absl::Seconds(60)) {
    return {.count = [this]() -> absl::StatusOr<uint32_t> { return manager_.Count(); }, .timeout = timeout};
  }

  FakeManager manager_;
  std::vector<NamedFd> nothing_;
  SystemdFdStore store_;
};

TEST_F(SystemdFdStoreTest, WhatIsPutIsInTheStoreWhenItIsConfirmed) {
  const UniqueFd fd = NewFd();
  ASSERT_TRUE(store_.Put("dev-0000-3a-00.0", fd).ok());
  EXPECT_TRUE(manager_.Holds("dev-0000-3a-00.0", InodeOf(fd)));
  EXPECT_TRUE(manager_.all_unpolled());
}

TEST_F(SystemdFdStoreTest, WhatIsRemovedIsGoneFromTheStoreWhenItIsConfirmed) {
  ASSERT_TRUE(store_.Put("sess-1", NewFd()).ok());
  ASSERT_TRUE(store_.Remove("sess-1").ok());
  EXPECT_EQ(manager_.Count(), 0u);
  EXPECT_TRUE(store_.Put("sess-1", NewFd()).ok());
}

TEST_F(SystemdFdStoreTest, AFullStoreRefuses) {
  ASSERT_TRUE(store_.Put("sess-1", NewFd()).ok());
  ASSERT_TRUE(store_.Put("sess-2", NewFd()).ok());
  const absl::Status full = store_.Put("sess-3", NewFd());
  EXPECT_TRUE(absl::IsResourceExhausted(full)) << full;
  EXPECT_NE(full.message().find("FileDescriptorStoreMax"), std::string::npos) << full;
  ASSERT_TRUE(store_.Remove("sess-1").ok());
  EXPECT_TRUE(store_.Put("sess-3", NewFd()).ok());
}

TEST_F(SystemdFdStoreTest, AManagerThatDoesNotAnswerConfirmsNothing) {
  std::vector<NamedFd> nothing;
  SystemdFdStore store(Options(absl::Milliseconds(20)), nothing);
  manager_.Stall();
  const absl::Status late = store.Put("sess-1", NewFd());
  EXPECT_TRUE(absl::IsDeadlineExceeded(late)) << late;
  // And what was perhaps stored is called back.
  while (manager_.Count() != 0) std::this_thread::yield();
  EXPECT_TRUE(absl::IsNotFound(store.Remove("sess-1")));
}

TEST_F(SystemdFdStoreTest, NamesAreCheckedBeforeAnythingIsSent) {
  EXPECT_TRUE(absl::IsInvalidArgument(store_.Put("sess-1\nREADY=1", NewFd())));
  EXPECT_TRUE(absl::IsNotFound(store_.Remove("sess-1")));
  ASSERT_TRUE(store_.Put("sess-1", NewFd()).ok());
  EXPECT_TRUE(absl::IsAlreadyExists(store_.Put("sess-1", NewFd())));
  EXPECT_EQ(manager_.Count(), 1u);
}

TEST_F(SystemdFdStoreTest, ACountThatCannotBeHadConfirmsNothing) {
  std::vector<NamedFd> nothing;
  SystemdFdStore store({.count = [] { return absl::StatusOr<uint32_t>(absl::InternalError("no bus")); }}, nothing);
  EXPECT_TRUE(absl::IsInternal(store.Put("sess-1", NewFd())));
  EXPECT_EQ(manager_.Count(), 0u);
}

TEST_F(SystemdFdStoreTest, ASuccessorTakesWhatWasStoredAndLeavesTheSockets) {
  std::vector<NamedFd> inherited;
  for (const char* name : {"fds", "sess-1", "dev-0000-3a-00.0", "sess-1", "journal"}) {
    inherited.push_back({.name = name, .fd = NewFd()});
  }
  const ino_t session = InodeOf(inherited[1].fd);
  SystemdFdStore store(Options(), inherited);
  const std::vector<StoredFd> left = store.TakeAll();
  ASSERT_EQ(left.size(), 3u);
  EXPECT_EQ(left[0].name, "sess-1");
  EXPECT_EQ(InodeOf(left[0].fd), session);
  EXPECT_EQ(left[1].name, "dev-0000-3a-00.0");
  EXPECT_EQ(left[2].name, "journal");
  EXPECT_TRUE(inherited[0].fd.valid());
  EXPECT_TRUE(store.TakeAll().empty());
  // They are in the store still.
  EXPECT_TRUE(absl::IsAlreadyExists(store.Put("journal", NewFd())));
}

TEST(NoFdStoreTest, SaysWhyItKeepsNothing) {
  NoFdStore store("p2pd was not started by systemd");
  EXPECT_FALSE(store.keeps());
  const absl::Status status = store.Put("sess-1", NewFd());
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_NE(status.message().find("not started by systemd"), std::string::npos);
  EXPECT_TRUE(absl::IsUnavailable(store.Remove("sess-1")));
  EXPECT_TRUE(store.TakeAll().empty());
}

TEST(SystemdFdStoreAloneTest, WithoutAManagerNothingIsKept) {
  std::vector<NamedFd> nothing;
  SystemdFdStore store({.count = [] { return absl::StatusOr<uint32_t>(0); }}, nothing);
  EXPECT_TRUE(absl::IsUnavailable(store.Put("sess-1", NewFd())));
}

}  // namespace
}  // namespace p2pd
