// The program itself, as a service manager sees it: ready, sockets, a clean stop.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <vector>

#include "daemon/front/unix_socket.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "gtest/gtest.h"
#include "proto/p2pd/v1/broker.grpc.pb.h"
#include "tests/component/raw_client.h"

namespace p2pd {
namespace {

constexpr char kProgram[] = "daemon/p2pd";
constexpr char kMachine[] = "--simulate=deploy/simulation/two_nvme.textproto";

class DaemonTest : public testing::Test {
 protected:
  DaemonTest() {
    char name[] = "/tmp/p2pd-XXXXXX";
    folder_ = mkdtemp(name);
    std::ofstream(folder_ + "/policy") << "rule { name: 'all' effect: ALLOW action: OBSERVE }";
    notify_ = UniqueFd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    (folder_ + "/notify").copy(address.sun_path, sizeof(address.sun_path) - 1);
    EXPECT_EQ(bind(notify_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }
  ~DaemonTest() override {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    std::filesystem::remove_all(folder_);
  }

  // `prepare` runs in the child, before p2pd does.
  void Start(
      std::vector<std::string> arguments, const std::function<void()>& prepare = [] {}) {
    const std::string notify = folder_ + "/notify";
    arguments.insert(arguments.begin(),
                     {kProgram, "--policy=" + folder_ + "/policy", "--fd-socket=" + folder_ + "/fds.sock",
                      "--grpc-socket=" + folder_ + "/grpc.sock"});
    std::vector<char*> words;
    for (std::string& argument : arguments) words.push_back(argument.data());
    words.push_back(nullptr);
    pid_ = fork();
    if (pid_ == 0) {
      setenv("NOTIFY_SOCKET", notify.c_str(), 1);
      setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent", 1);
      prepare();
      execv(kProgram, words.data());
      _exit(127);
    }
  }

  // The next notification; "" after 20 s.
  std::string Notification() {
    pollfd wait = {.fd = notify_.get(), .events = POLLIN, .revents = 0};
    if (poll(&wait, 1, 20000) != 1) return "";
    char buffer[512];
    const ssize_t n = recv(notify_.get(), buffer, sizeof(buffer), 0);
    return std::string(buffer, static_cast<size_t>(std::max<ssize_t>(n, 0)));
  }

  int ExitCode() {
    int status = 0;
    EXPECT_EQ(waitpid(pid_, &status, 0), pid_);
    pid_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  std::string folder_;
  UniqueFd notify_;
  pid_t pid_ = 0;
};

TEST_F(DaemonTest, SaysWhenItIsReadyAndStopsCleanlyOnSigterm) {
  Start({kMachine});
  EXPECT_EQ(Notification(), "READY=1\nSTATUS=4 devices, 0 sessions, 0 mappings");
  RawClient client(folder_ + "/fds.sock");
  EXPECT_EQ(client.Hello().token().size(), 64u);
  EXPECT_EQ(Notification(), "STATUS=4 devices, 1 session, 0 mappings");
  kill(pid_, SIGTERM);
  EXPECT_EQ(Notification(), "STOPPING=1\nSTATUS=ends 1 sessions");
  const auto last = client.Read();
  ASSERT_TRUE(last.has_value());
  EXPECT_TRUE(last->has_ended());
  EXPECT_EQ(ExitCode(), 0);
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/fds.sock"));
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/grpc.sock"));
}

TEST_F(DaemonTest, TakesTheSocketsOfASocketUnit) {
  const auto fds = ListenAt(folder_ + "/unit-fds.sock", SOCK_SEQPACKET);
  const auto grpc = ListenAt(folder_ + "/unit-grpc.sock", SOCK_STREAM);
  ASSERT_TRUE(fds.ok() && grpc.ok());
  Start({kMachine}, [&] {
    // By way of high numbers, as 3 and 4 may be taken.
    dup2(fds->get(), 100);
    dup2(grpc->get(), 101);
    dup2(101, 3);
    dup2(100, 4);
    setenv("LISTEN_PID", std::to_string(getpid()).c_str(), 1);
    setenv("LISTEN_FDS", "2", 1);
    setenv("LISTEN_FDNAMES", "grpc:fds", 1);
  });
  EXPECT_EQ(Notification().substr(0, 7), "READY=1");
  RawClient client(folder_ + "/unit-fds.sock");
  EXPECT_EQ(client.Hello().token().size(), 64u);
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/fds.sock"));
  kill(pid_, SIGINT);
  EXPECT_EQ(ExitCode(), 0);
  EXPECT_TRUE(std::filesystem::exists(folder_ + "/unit-fds.sock"));
}

TEST_F(DaemonTest, RefusesAnInheritedSocketOfTheWrongType) {
  const auto stream = ListenAt(folder_ + "/unit.sock", SOCK_STREAM);
  ASSERT_TRUE(stream.ok());
  Start({kMachine}, [&] {
    dup2(stream->get(), 100);
    dup2(100, 3);
    setenv("LISTEN_PID", std::to_string(getpid()).c_str(), 1);
    setenv("LISTEN_FDS", "1", 1);
    setenv("LISTEN_FDNAMES", "fds", 1);
  });
  EXPECT_EQ(ExitCode(), 1);
}

TEST_F(DaemonTest, DoesNotStartWithoutAPolicyThatItCanRead) {
  std::filesystem::remove(folder_ + "/policy");
  Start({kMachine});
  EXPECT_EQ(ExitCode(), 1);
  std::ofstream(folder_ + "/policy") << "rule { oops }";
  Start({kMachine});
  EXPECT_EQ(ExitCode(), 1);
}

TEST_F(DaemonTest, TakesTheDeadlineForHelloFromItsConfiguration) {
  std::ofstream(folder_ + "/p2pd.conf") << "deadlines { hello: '50ms' }";
  Start({kMachine, "--config=" + folder_ + "/p2pd.conf"});
  EXPECT_EQ(Notification().substr(0, 7), "READY=1");
  RawClient silent(folder_ + "/fds.sock");
  const auto last = silent.Read();
  ASSERT_TRUE(last.has_value());
  EXPECT_EQ(last->ended().reason(), "no Hello came in time");
}

TEST_F(DaemonTest, TakesLimitsFromItsConfiguration) {
  std::ofstream(folder_ + "/p2pd.conf") << "limits { sessions { per_user: 1 } }";
  Start({kMachine, "--config=" + folder_ + "/p2pd.conf"});
  EXPECT_EQ(Notification().substr(0, 7), "READY=1");
  RawClient first(folder_ + "/fds.sock");
  first.Hello();
  RawClient second(folder_ + "/fds.sock");
  v1::ClientFrame hello;
  hello.mutable_hello()->set_client("second");
  second.Send(hello);
  const auto last = second.Read();
  ASSERT_TRUE(last.has_value());
  EXPECT_NE(last->ended().reason().find("sessions"), std::string::npos) << last->ShortDebugString();
}

TEST_F(DaemonTest, GivesTheWatchdogASignOfLife) {
  Start({kMachine}, [] {
    setenv("WATCHDOG_USEC", "20000", 1);
    unsetenv("WATCHDOG_PID");
  });
  EXPECT_EQ(Notification().substr(0, 7), "READY=1");
  EXPECT_EQ(Notification(), "WATCHDOG=1");
  EXPECT_EQ(Notification(), "WATCHDOG=1");
}

TEST_F(DaemonTest, NeverLogsAToken) {
  Start({kMachine, "--log-level=debug"}, [&] {
    const int log = open((folder_ + "/log").c_str(), O_CREAT | O_WRONLY, 0600);
    dup2(log, STDERR_FILENO);
  });
  EXPECT_EQ(Notification().substr(0, 7), "READY=1");
  RawClient client(folder_ + "/fds.sock");
  const std::string token = client.Hello("a client").token();
  const auto stub =
      v1::Broker::NewStub(grpc::CreateChannel("unix:" + folder_ + "/grpc.sock", grpc::InsecureChannelCredentials()));
  v1::ResetDeviceRequest request;
  request.set_name("devices/0000:01:00.0");
  request.set_request_id("1");
  v1::Operation operation;
  EXPECT_EQ(stub->ResetDevice(CallAs(token).get(), request, &operation).error_code(),
            grpc::StatusCode::PERMISSION_DENIED);
  std::string almost = token;
  almost.back() = almost.back() == '0' ? '1' : '0';
  EXPECT_EQ(stub->ResetDevice(CallAs(almost).get(), request, &operation).error_code(),
            grpc::StatusCode::UNAUTHENTICATED);
  client.SendBytes(token);  // no frame: p2pd hangs up, and says why
  while (client.Read().has_value()) continue;
  kill(pid_, SIGTERM);
  EXPECT_EQ(ExitCode(), 0);
  std::ifstream file(folder_ + "/log");
  const std::string log(std::istreambuf_iterator<char>(file), {});
  EXPECT_NE(log.find("a client"), std::string::npos) << log;
  EXPECT_NE(log.find("may not RESET devices/0000:01:00.0"), std::string::npos) << log;
  EXPECT_EQ(log.find(token.substr(0, 16)), std::string::npos) << log;
}

TEST_F(DaemonTest, DoesNotTakeAnotherDaemonsSocket) {
  const auto other = ListenAt(folder_ + "/fds.sock", SOCK_SEQPACKET);
  ASSERT_TRUE(other.ok());
  Start({kMachine});
  EXPECT_EQ(ExitCode(), 1);
  EXPECT_TRUE(std::filesystem::exists(folder_ + "/fds.sock"));
}

TEST_F(DaemonTest, RefusesAMachineThatIsNotThere) {
  Start({"--simulate=" + folder_ + "/none"});
  EXPECT_EQ(ExitCode(), 1);
}

}  // namespace
}  // namespace p2pd
