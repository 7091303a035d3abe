#include "daemon/front/unix_socket.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "gtest/gtest.h"

namespace p2pd {
namespace {

class UnixSocketTest : public testing::Test {
 protected:
  UnixSocketTest() {
    char name[] = "/tmp/p2pd-XXXXXX";
    folder_ = mkdtemp(name);
    path_ = folder_ + "/fds.sock";
  }
  ~UnixSocketTest() override { std::filesystem::remove_all(folder_); }

  std::string folder_;
  std::string path_;
};

TEST_F(UnixSocketTest, EverybodyMayConnectWhateverTheUmask) {
  const mode_t before = umask(0077);
  const auto listening = ListenAt(path_, SOCK_SEQPACKET);
  umask(before);
  ASSERT_TRUE(listening.ok()) << listening.status();
  struct stat file = {};
  ASSERT_EQ(stat(path_.c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777, 0666u);
}

TEST_F(UnixSocketTest, ReplacesASocketThatNobodyListensAt) {
  { ASSERT_TRUE(ListenAt(path_, SOCK_STREAM).ok()); }
  ASSERT_TRUE(std::filesystem::exists(path_));
  EXPECT_TRUE(ListenAt(path_, SOCK_STREAM).ok());
}

TEST_F(UnixSocketTest, LeavesASocketThatSomebodyListensAt) {
  const auto first = ListenAt(path_, SOCK_STREAM);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(ListenAt(path_, SOCK_STREAM).status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(ListenAt(path_, SOCK_SEQPACKET).status().code(), absl::StatusCode::kAlreadyExists);
}

TEST_F(UnixSocketTest, NeverRemovesAnythingButASocket) {
  std::ofstream(path_) << "precious";
  EXPECT_EQ(ListenAt(path_, SOCK_STREAM).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(std::filesystem::exists(path_));
}

TEST_F(UnixSocketTest, NamesAFolderThatIsMissing) {
  const auto listening = ListenAt(folder_ + "/none/fds.sock", SOCK_STREAM);
  EXPECT_EQ(listening.status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ListenAt("/" + std::string(200, 'x'), SOCK_STREAM).ok(), false);
}

TEST_F(UnixSocketTest, AnInheritedSocketMustListenAndBeOfItsType) {
  auto listening = ListenAt(path_, SOCK_STREAM);
  ASSERT_TRUE(listening.ok());
  fcntl(listening->get(), F_SETFL, 0);
  auto checked = CheckListening(*Duplicate(*listening), SOCK_STREAM);
  ASSERT_TRUE(checked.ok()) << checked.status();
  EXPECT_NE(fcntl(checked->get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_EQ(CheckListening(*Duplicate(*listening), SOCK_SEQPACKET).status().code(), absl::StatusCode::kInvalidArgument);
  UniqueFd not_listening(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(CheckListening(std::move(not_listening), SOCK_STREAM).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace p2pd
