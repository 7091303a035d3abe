#include "daemon/textproto/trusted_file.h"

#include <unistd.h>

#include <cerrno>
#include <fstream>

#include "daemon/base/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr size_t kMax = 4096;
constexpr uid_t kSelf = 990;

struct stat FileOf(uid_t owner, mode_t mode, off_t size = 100) {
  struct stat status = {};
  status.st_uid = owner;
  status.st_mode = mode;
  status.st_size = size;
  return status;
}

absl::Status Check(const struct stat& status) { return CheckTrusted(status, "/etc/p", kSelf, kMax); }

TEST(CheckTrustedTest, FilesOfRootAndOfOneselfAreTrusted) {
  EXPECT_TRUE(Check(FileOf(0, S_IFREG | 0644)).ok());
  EXPECT_TRUE(Check(FileOf(kSelf, S_IFREG | 0600)).ok());
  EXPECT_TRUE(Check(FileOf(0, S_IFREG | 0644, kMax)).ok());
}

TEST(CheckTrustedTest, AFileOfAnybodyElseIsRefused) {
  const absl::Status status = Check(FileOf(1000, S_IFREG | 0600));
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.message(),
            "read a trusted file: /etc/p: belongs to uid 1000, who could change it at will (chown it to root)");
}

TEST(CheckTrustedTest, AFileThatOthersMayWriteIsRefused) {
  for (mode_t mode : {0620, 0602, 0666, 0664}) {
    const absl::Status status = Check(FileOf(0, S_IFREG | mode));
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << std::oct << mode;
    EXPECT_THAT(std::string(status.message()), HasSubstr("others than its owner may write it (chmod go-w)"));
  }
}

TEST(CheckTrustedTest, WhatIsNotARegularFileIsRefused) {
  for (mode_t type : {S_IFDIR, S_IFIFO, S_IFCHR, S_IFSOCK}) {
    EXPECT_THAT(std::string(Check(FileOf(0, type | 0600)).message()), HasSubstr("is not a regular file"));
  }
}

TEST(CheckTrustedTest, AFileThatIsTooLargeIsRefused) {
  EXPECT_THAT(std::string(Check(FileOf(0, S_IFREG | 0644, kMax + 1)).message()),
              HasSubstr("has 4097 bytes; at most 4096 are read"));
}

class TrustedFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = ::testing::TempDir() + "/trusted_file_XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    directory_ = name;
  }

  std::string Write(const std::string& name, const std::string& content, mode_t mode = 0600) {
    const std::string path = directory_ + "/" + name;
    std::ofstream(path) << content;
    EXPECT_EQ(chmod(path.c_str(), mode), 0);
    return path;
  }

  std::string directory_;
};

TEST_F(TrustedFileTest, GivesTheWholeContent) {
  const std::string content = std::string("rule\n\0\xff", 7) + std::string(3000, 'x');
  const auto read = ReadTrustedFile(Write("f", content), kMax);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, content);
  EXPECT_EQ(ReadTrustedFile(Write("empty", ""), kMax).value(), "");
}

TEST_F(TrustedFileTest, AFileWritableByOthersIsNotRead) {
  EXPECT_EQ(ReadTrustedFile(Write("f", "x", 0666), kMax).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(TrustedFileTest, ASymbolicLinkIsNotFollowed) {
  const std::string link = directory_ + "/link";
  ASSERT_EQ(symlink(Write("f", "x").c_str(), link.c_str()), 0);
  const absl::Status status = ReadTrustedFile(link, kMax).status();
  EXPECT_EQ(GetErrorInfo(status).error, ELOOP);
  EXPECT_THAT(std::string(status.message()), HasSubstr("it is a symbolic link"));
}

TEST_F(TrustedFileTest, AFifoWithoutAWriterIsRefusedNotWaitedFor) {
  const std::string fifo = directory_ + "/fifo";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_THAT(std::string(ReadTrustedFile(fifo, kMax).status().message()), HasSubstr("is not a regular file"));
}

TEST_F(TrustedFileTest, AFileThatIsNotThereIsNotFound) {
  const absl::Status status = ReadTrustedFile(directory_ + "/none", kMax).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(GetErrorInfo(status).step, "open");
}

TEST_F(TrustedFileTest, AFoldersFilesComeInTheOrderOfTheirNames) {
  for (const char* name : {"20-b.conf", "10-z.conf", "100.conf", ".hidden.conf", "20-b.conf~", "README"})
    Write(name, "");
  const auto files = ListTrustedFolder(directory_, ".conf");
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_THAT(*files, ElementsAre(directory_ + "/10-z.conf", directory_ + "/100.conf", directory_ + "/20-b.conf"));
}

TEST_F(TrustedFileTest, AFolderThatIsNotThereIsEmpty) {
  const auto files = ListTrustedFolder(directory_ + "/none", ".conf");
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_THAT(*files, IsEmpty());
}

TEST_F(TrustedFileTest, AFolderThatOthersMayWriteIsRefused) {
  ASSERT_EQ(chmod(directory_.c_str(), 0777), 0);
  const absl::Status status = ListTrustedFolder(directory_, ".conf").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("has mode 0777: others than its owner may write it"));
}

TEST_F(TrustedFileTest, AFileIsNoFolder) {
  EXPECT_EQ(GetErrorInfo(ListTrustedFolder(Write("f", ""), ".conf").status()).error, ENOTDIR);
}

}  // namespace
}  // namespace p2pd
