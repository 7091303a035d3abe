#include "daemon/helper/config_client.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <functional>
#include <thread>

#include "daemon/base/unique_fd.h"
#include "daemon/device/testing/pci_machine.h"
#include "daemon/helper/config_protocol.h"
#include "daemon/helper/config_server.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

using ::p2pd::testing::ConfigOf;
using ::p2pd::testing::Express;
using ::p2pd::testing::FunctionSpec;
using ::testing::AllOf;
using ::testing::HasSubstr;

const FunctionSpec kBridge = {.address = "0000:00:01.0",
                              .above = "pci0000:00",
                              .class_code = 0x060400,
                              .express = Express::kRootPort,
                              .acs = 0x1d};
const FunctionSpec kEndpoint = {.address = "0000:01:00.0", .above = "0000:00:01.0"};

std::string Packet(int error, const std::string& bytes) {
  const ConfigReplyHeader header = {.error = error};
  return std::string(reinterpret_cast<const char*>(&header), sizeof(header)) + bytes;
}

class ConfigClientTest : public ::testing::Test {
 protected:
  ConfigClientTest() {
    machine_.Add(kBridge);
    machine_.Add(kEndpoint);
    char name[] = "/tmp/p2pd-config.XXXXXX";
    folder_ = mkdtemp(name);
    socket_ = folder_ + "/config.sock";
  }
  ~ConfigClientTest() override {
    if (server_.joinable()) server_.join();
    std::filesystem::remove_all(folder_);
  }

  void Listen() {
    listening_ = UniqueFd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = {}};
    memcpy(address.sun_path, socket_.data(), socket_.size());
    ASSERT_EQ(bind(listening_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    ASSERT_EQ(listen(listening_.get(), 1), 0);
  }
  // One connection, served like this.
  void Serve(std::function<void(FdRef)> serve) {
    Listen();
    server_ = std::thread([this, serve = std::move(serve)] {
      const UniqueFd connection(accept(listening_.get(), nullptr, nullptr));
      serve(connection);
    });
  }
  // The n-th request gets the n-th of these, then the connection is closed.
  void Reply(const std::vector<std::string>& replies) {
    Serve([replies](FdRef connection) {
      for (const std::string& reply : replies) {
        char request[64];
        recv(connection.get(), request, sizeof(request), 0);
        send(connection.get(), reply.data(), reply.size(), MSG_NOSIGNAL);
      }
    });
  }
  std::vector<absl::StatusOr<std::string>> Read(const std::vector<std::string>& functions) {
    std::vector<PciAddress> addresses;
    for (const std::string& function : functions) addresses.push_back(*PciAddress::Parse(function));
    return ConfigClient(socket_).Read(addresses);
  }

  testing::PciMachine machine_;
  std::string folder_;
  std::string socket_;
  UniqueFd listening_;
  std::thread server_;
};

TEST_F(ConfigClientTest, GetsFromP2pdConfigWhatThatReadsAndWhyItDoesNot) {
  Serve([this](FdRef connection) { EXPECT_TRUE(ServeConfig(connection, machine_.sysfs(), getuid()).ok()); });
  const auto spaces = Read({"0000:00:01.0", "0000:01:00.0", "0000:02:00.0", "0000:00:01.0"});
  ASSERT_EQ(spaces.size(), 4u);
  ASSERT_TRUE(spaces[0].ok()) << spaces[0].status();
  EXPECT_EQ(*spaces[0], ConfigOf(kBridge));
  EXPECT_THAT(spaces[1].status().message(), AllOf(HasSubstr("0000:01:00.0"), HasSubstr("only bridges")));
  EXPECT_THAT(spaces[2].status().message(), AllOf(HasSubstr("0000:02:00.0"), HasSubstr("[ENOENT]")));
  EXPECT_TRUE(spaces[3].ok()) << spaces[3].status();
}

TEST_F(ConfigClientTest, SaysWhereNobodyCanBeAsked) {
  for (const auto& space : Read({"0000:00:01.0", "0000:01:00.0"})) {
    EXPECT_THAT(space.status().message(),
                AllOf(HasSubstr("ask p2pd-config"), HasSubstr(socket_), HasSubstr("[ENOENT]"), HasSubstr(".socket")));
  }
  Listen();
  listening_.Reset();
  EXPECT_THAT(Read({"0000:00:01.0"})[0].status().message(), AllOf(HasSubstr(socket_), HasSubstr("[ECONNREFUSED]")));
}

TEST_F(ConfigClientTest, APathTooLongForASocketIsAnError) {
  socket_ = "/" + std::string(200, 'x');
  EXPECT_THAT(Read({"0000:00:01.0"})[0].status().message(), HasSubstr("[ENAMETOOLONG]"));
}

TEST_F(ConfigClientTest, WhoHangsUpIsAskedNothingMore) {
  Reply({Packet(0, ConfigOf(kBridge))});
  const auto spaces = Read({"0000:00:01.0", "0000:01:00.0", "0000:00:01.0"});
  ASSERT_EQ(spaces.size(), 3u);
  EXPECT_TRUE(spaces[0].ok()) << spaces[0].status();
  EXPECT_FALSE(spaces[1].ok());
  EXPECT_EQ(spaces[2].status(), spaces[1].status());
}

// Nobody accepts: the kernel connects all the same.
TEST_F(ConfigClientTest, WhoDoesNotAnswerIsWaitedForOnceOnly) {
  Listen();
  const std::vector<PciAddress> functions(1000, *PciAddress::Parse("0000:00:01.0"));
  const auto spaces = ConfigClient(socket_, absl::Milliseconds(10)).Read(functions);
  ASSERT_EQ(spaces.size(), functions.size());
  for (const auto& space : spaces) EXPECT_EQ(space.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(spaces[0].status().message(), HasSubstr("does not answer"));
}

TEST_F(ConfigClientTest, ARepliesSizeIsWithinBounds) {
  Reply({"abc", Packet(0, std::string(kMaxConfigSpace + 1, 'x')), Packet(0, std::string(kMaxConfigSpace, 'x'))});
  const auto spaces = Read({"0000:00:01.0", "0000:00:01.0", "0000:00:01.0"});
  EXPECT_THAT(spaces[0].status().message(), HasSubstr("a reply of 3 bytes"));
  EXPECT_THAT(spaces[1].status().message(), HasSubstr("a reply of 4101 bytes"));
  EXPECT_TRUE(spaces[2].ok()) << spaces[2].status();
}

}  // namespace
}  // namespace p2pd
