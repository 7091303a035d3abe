#include "daemon/helper/config_server.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "daemon/device/testing/pci_machine.h"
#include "daemon/helper/config_protocol.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

using ::p2pd::testing::ConfigOf;
using ::p2pd::testing::Express;
using ::p2pd::testing::FunctionSpec;
using ::testing::HasSubstr;

const FunctionSpec kBridge = {.address = "0000:00:01.0",
                              .above = "pci0000:00",
                              .class_code = 0x060400,
                              .express = Express::kRootPort,
                              .acs = 0x1d};
const FunctionSpec kOfVfio = {.address = "0000:01:00.0", .above = "0000:00:01.0", .ats = 0x8000};
const FunctionSpec kOfAnother = {.address = "0000:01:00.1", .above = "0000:00:01.0"};

class ConfigServerTest : public ::testing::Test {
 protected:
  ConfigServerTest() {
    for (const FunctionSpec& spec : {kBridge, kOfVfio, kOfAnother}) machine_.Add(spec);
    machine_.OfferByVfio(kOfVfio.address);
    int fds[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
    ours_ = UniqueFd(fds[0]);
    theirs_ = UniqueFd(fds[1]);
  }
  std::string Answer(absl::string_view request) const { return AnswerConfig(request, machine_.sysfs()); }
  int Error(absl::string_view request) const { return ErrorOf(Answer(request)); }
  static int ErrorOf(const std::string& reply) {
    ConfigReplyHeader header;
    EXPECT_GE(reply.size(), sizeof(header));
    memcpy(&header, reply.data(), sizeof(header));
    EXPECT_TRUE(header.error == 0 || reply.size() == sizeof(header)) << "bytes beside an error";
    return header.error;
  }
  void Send(absl::string_view packet) const {
    ASSERT_EQ(send(ours_.get(), packet.data(), packet.size(), 0), static_cast<ssize_t>(packet.size()));
  }
  absl::Status ServeAll() {
    shutdown(ours_.get(), SHUT_WR);
    return ServeConfig(theirs_, machine_.sysfs(), getuid());
  }
  std::string NextReply() const {
    std::string reply(kMaxConfigReply + 1, '\0');
    const ssize_t size = recv(ours_.get(), reply.data(), reply.size(), MSG_DONTWAIT);
    EXPECT_GE(size, 0) << strerror(errno);
    reply.resize(size < 0 ? 0 : size);
    return reply;
  }
  std::filesystem::path Folder(const std::string& address) const {
    return std::filesystem::path(machine_.sysfs()) / "bus/pci/devices" / address;
  }

  testing::PciMachine machine_;
  UniqueFd ours_;
  UniqueFd theirs_;
};

TEST_F(ConfigServerTest, ABridgesConfigurationSpaceIsReadWhole) {
  const std::string reply = Answer("0000:00:01.0");
  EXPECT_EQ(ErrorOf(reply), 0);
  EXPECT_EQ(reply.substr(sizeof(ConfigReplyHeader)), ConfigOf(kBridge));
}

TEST_F(ConfigServerTest, SoIsThatOfADeviceOfVfios) {
  const std::string reply = Answer("0000:01:00.0");
  EXPECT_EQ(ErrorOf(reply), 0);
  EXPECT_EQ(reply.substr(sizeof(ConfigReplyHeader)), ConfigOf(kOfVfio));
}

TEST_F(ConfigServerTest, ABridgeOfSeveralFunctionsIsABridge) {
  std::string config = ConfigOf(kBridge);
  config[0x0e] = static_cast<char>(config[0x0e] | 0x80);
  std::ofstream(Folder("0000:00:01.0") / "config", std::ios::binary) << config;
  EXPECT_EQ(Error("0000:00:01.0"), 0);
}

TEST_F(ConfigServerTest, NoOtherFunctionIsRead) {
  EXPECT_EQ(Error("0000:01:00.1"), EPERM);
  std::string cardbus = ConfigOf(kOfAnother);
  cardbus[0x0e] = 2;
  std::ofstream(Folder("0000:01:00.1") / "config", std::ios::binary) << cardbus;
  EXPECT_EQ(Error("0000:01:00.1"), EPERM);
}

TEST_F(ConfigServerTest, WhatIsNotThereIsSaid) {
  EXPECT_EQ(Error("0000:02:00.0"), ENOENT);
  std::filesystem::remove(Folder("0000:00:01.0") / "config");
  EXPECT_EQ(Error("0000:00:01.0"), ENOENT);
}

TEST_F(ConfigServerTest, AHeaderThatIsCutShortIsNoBridgesYet) {
  std::filesystem::resize_file(Folder("0000:00:01.0") / "config", 63);
  EXPECT_EQ(Error("0000:00:01.0"), EIO);
}

TEST_F(ConfigServerTest, OnlyAnAddressAsSysfsSpellsItIsOne) {
  const std::string folder = Folder("0000:00:01.0");
  std::filesystem::create_directory_symlink(folder, absl::StrCat(machine_.sysfs(), "/bus/pci/devices/0000:00:0A.0"));
  for (const absl::string_view request :
       {"", "0", "0000:00:01", "0000:00:01.0 ", " 0000:00:01.0", "0000:00:01.0\n", "00000:00:01.0", "00000000:00:01.0",
        "0000:00:0A.0", "0000:00:20.0", "0000:00:01.8", "../devices/0000:00:01.0", "0000:00:01.0/", "0000:00:01.0/..",
        "../../../../etc/shadow"}) {
    EXPECT_EQ(Error(request), EINVAL) << request;
  }
  EXPECT_EQ(Error(absl::string_view("0000:00:01.0\0", 13)), EINVAL);
}

TEST_F(ConfigServerTest, ALinkInPlaceOfTheFileIsNotFollowed) {
  std::filesystem::rename(Folder("0000:00:01.0") / "config", Folder("0000:00:01.0") / "elsewhere");
  std::filesystem::create_symlink("elsewhere", Folder("0000:00:01.0") / "config");
  EXPECT_EQ(Error("0000:00:01.0"), ELOOP);
}

TEST_F(ConfigServerTest, NothingIsReadBeyondTheLargestConfigurationSpace) {
  std::ofstream(Folder("0000:00:01.0") / "config", std::ios::binary | std::ios::app) << "more";
  EXPECT_EQ(Answer("0000:00:01.0").size(), kMaxConfigReply);
}

TEST_F(ConfigServerTest, AConnectionHasAsManyAnswersAsRequests) {
  Send("0000:00:01.0");
  Send("nonsense");
  Send(std::string(100000, '0'));
  Send("0000:01:00.0");
  EXPECT_TRUE(ServeAll().ok());
  EXPECT_EQ(NextReply(), Answer("0000:00:01.0"));
  EXPECT_EQ(ErrorOf(NextReply()), EINVAL);
  EXPECT_EQ(ErrorOf(NextReply()), EINVAL);
  EXPECT_EQ(NextReply(), Answer("0000:01:00.0"));
}

// Its start is an address: it must not count as one.
TEST_F(ConfigServerTest, ALongPacketIsNotTakenForItsStart) {
  Send("00000000:00:01.0junk");
  Send(absl::StrCat("0000:00:01.0", std::string(5, ' ')));
  EXPECT_TRUE(ServeAll().ok());
  EXPECT_EQ(ErrorOf(NextReply()), EINVAL);
  EXPECT_EQ(ErrorOf(NextReply()), EINVAL);
}

TEST_F(ConfigServerTest, DescriptorsThatComeAlongAreNotTaken) {
  char byte = 'x';
  iovec part = {.iov_base = &byte, .iov_len = 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  const int sent = ours_.get();
  memcpy(CMSG_DATA(header), &sent, sizeof(sent));
  ASSERT_EQ(sendmsg(ours_.get(), &message, 0), 1);
  const int next_free = dup(ours_.get());
  close(next_free);
  EXPECT_TRUE(ServeAll().ok());
  EXPECT_EQ(ErrorOf(NextReply()), EINVAL);
  const int next_free_after = dup(ours_.get());
  close(next_free_after);
  EXPECT_EQ(next_free_after, next_free);
}

TEST_F(ConfigServerTest, NobodyButTheAskerIsAnswered) {
  Send("0000:00:01.0");
  shutdown(ours_.get(), SHUT_WR);
  const absl::Status status = ServeConfig(theirs_, machine_.sysfs(), getuid() + 1);
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(status.message(), HasSubstr(absl::StrCat("uid ", getuid())));
  theirs_.Reset();
  char byte;
  EXPECT_EQ(recv(ours_.get(), &byte, 1, MSG_DONTWAIT), -1);
  EXPECT_EQ(errno, ECONNRESET);
}

TEST_F(ConfigServerTest, WhoeverLeavesWithoutItsAnswerDoesNoHarm) {
  Send("0000:00:01.0");
  ours_.Reset();
  EXPECT_TRUE(ServeConfig(theirs_, machine_.sysfs(), getuid()).ok());
}

TEST_F(ConfigServerTest, OnlyASocketOfPacketsIsServed) {
  const UniqueFd file(open("/dev/null", O_RDWR | O_CLOEXEC));
  EXPECT_EQ(ServeConfig(file, machine_.sysfs(), getuid()).code(), absl::StatusCode::kInvalidArgument);
  int fds[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  const UniqueFd one(fds[0]);
  const UniqueFd other(fds[1]);
  EXPECT_EQ(ServeConfig(one, machine_.sysfs(), getuid()).code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace p2pd
