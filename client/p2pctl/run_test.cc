// `p2pctl run`: real commands, with descriptors from the fake.
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cstddef>
#include <future>

#include "client/p2pctl/p2pctl_process.h"

namespace p2p::ctl {
namespace {

using ::p2p::testing::FakeState;
using ::p2p::testing::kExporter;
using ::p2p::testing::kImporter;
using ::testing::HasSubstr;

// Tells where it listens, and what it is told; ends with 7 on SIGTERM.
constexpr char kObedient[] =
    "trap 'echo stop' USR1; trap 'echo go' USR2; trap 'exit 7' TERM; echo $NOTIFY_SOCKET; while :; do sleep 0.01; done";

class RunTest : public P2pctlProcessFixture {
 protected:
  // To p2pctl, as sd_notify(3) does it.
  static void Notify(const std::string& address, const std::string& text) {
    sockaddr_un to = {.sun_family = AF_UNIX, .sun_path = {}};
    std::copy(address.begin() + 1, address.end(), to.sun_path + 1);
    const p2pd::UniqueFd sender(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const socklen_t size = offsetof(sockaddr_un, sun_path) + address.size();
    ASSERT_EQ(sendto(sender.get(), text.data(), text.size(), 0, reinterpret_cast<const sockaddr*>(&to), size),
              static_cast<ssize_t>(text.size()));
  }
  void RequestQuiesce(const char* device) {
    v1::ServerFrame frame;
    frame.mutable_quiesce_requested()->set_operation("operations/9");
    frame.mutable_quiesce_requested()->set_device(device);
    p2pd_.Send(frame);
  }
  void Resume(const char* device) {
    v1::ServerFrame frame;
    frame.mutable_resumed()->set_device(device);
    p2pd_.Send(frame);
  }
  // Ends the command; its exit status.
  static int Finish(P2pctlProcess& process) {
    process.child.Signal(SIGTERM);
    return process.child.Wait();
  }
};

TEST_F(RunTest, TheCommandGetsDescriptorsAsServicesDo) {
  EXPECT_EQ(RunP2pctl({"run", "--acquire", "01:00.0/2+64K", "--drive=02:00.0", "--", "sh", "-c",
                       "readlink /proc/$$/fd/3 /proc/$$/fd/4; echo $LISTEN_FDS $LISTEN_FDNAMES; [ $LISTEN_PID = $$ ]; "
                       "echo $?; echo $P2PD_DEVICES; ls /proc/$$/fd; true"}),
            0)
      << err_;
  EXPECT_EQ(out_,
            "/memfd:fake-dma-buf (deleted)\n"
            "/memfd:fake-vfio-device (deleted)\n"
            "2 0000-01-00.0-bar2:0000-02-00.0\n"
            "0\n"
            "devices/0000:02:00.0\n"
            "0\n1\n2\n3\n4\n");
}

TEST_F(RunTest, TheCommandKnowsItsSessionAndItsExports) {
  EXPECT_EQ(RunP2pctl({"run", "--acquire", "01:00.0/2+64K", "--", "sh", "-c", "echo $P2PD_SESSION $P2PD_EXPORTS"}), 0);
  EXPECT_EQ(out_, "sessions/1 exports/2\n");
}

TEST_F(RunTest, ItsExitStatusIsTheCommands) {
  EXPECT_EQ(RunP2pctl({"run", "--drive=02:00.0", "--", "sh", "-c", "exit 42"}), 42);
  EXPECT_EQ(err_, "");
  EXPECT_EQ(RunP2pctl({"run", "--drive=02:00.0", "--", "sh", "-c", "kill -KILL $$"}), 128 + SIGKILL);
}

TEST_F(RunTest, EverythingIsGivenBackOnceTheCommandHasEnded) {
  EXPECT_EQ(RunP2pctl({"run", "--acquire=01:00.0/2+64K", "--drive=02:00.0", "--", "true"}), 0);
  p2pd_.broker().WithState([](FakeState& state) {
    EXPECT_TRUE(state.exports.empty());
    EXPECT_EQ(state.devices[kImporter].driver_session(), "");
  });
  p2pd_.WaitForSessionEnds(1);
}

TEST_F(RunTest, ACommandThatCannotBeStartedIsToldAsShellsDo) {
  EXPECT_EQ(RunP2pctl({"run", "--drive=02:00.0", "--", "/nonexistent/command"}), 127);
  EXPECT_THAT(err_, HasSubstr("exec: /nonexistent/command: No such file"));
  EXPECT_EQ(RunP2pctl({"run", "--drive=02:00.0", "--", "/etc/passwd"}), 126);
}

TEST_F(RunTest, ARefusedGrantStartsNothing) {
  EXPECT_EQ(RunP2pctl({"run", "--acquire=05:00.0/2+64K", "--", "echo", "started"}), 5);
  EXPECT_EQ(out_, "");
}

TEST_F(RunTest, WithNothingToPassItSaysWhatIsMissing) {
  EXPECT_EQ(RunP2pctl({"run", "--", "true"}), 2);
  EXPECT_THAT(err_, HasSubstr("Hint: say --acquire WINDOW or --drive BDF"));
}

TEST_F(RunTest, ASignalToP2pctlReachesTheCommand) {
  const auto process = StartP2pctl({"run", "--drive=02:00.0", "--", "sh", "-c", kObedient});
  process->out.Next();
  EXPECT_EQ(Finish(*process), 7);
}

TEST_F(RunTest, ReadyMakesTheDrivenDeviceReady) {
  const auto process = StartP2pctl({"run", "--drive=02:00.0", "--", "sh", "-c", kObedient});
  const std::string address = process->out.Next();
  std::promise<void> ready;
  p2pd_.calls().BeforeNextReply("DeviceReady", [&ready] { ready.set_value(); });
  Notify(address, "STATUS=up\nREADY=1\n");
  ready.get_future().wait();
  p2pd_.broker().WithState([](FakeState& state) { EXPECT_EQ(state.devices[kImporter].state(), v1::Device::READY); });
  EXPECT_EQ(Finish(*process), 7);
}

TEST_F(RunTest, ACommandThatCooperatesIsToldToStopAndItsAnswerIsPassedOn) {
  const auto process = StartP2pctl({"run", "--quiesce", "--acquire=01:00.0/2+64K", "--", "sh", "-c", kObedient});
  const std::string address = process->out.Next();
  RequestQuiesce(kExporter);
  EXPECT_EQ(process->out.Next(), "stop");
  EXPECT_TRUE(p2pd_.acks().empty());
  Notify(address, "X_P2PD_QUIESCED=1");
  EXPECT_EQ(p2pd_.WaitForAcks(1)[0], "operations/9");
  Resume(kExporter);
  EXPECT_EQ(process->out.Next(), "go");
  EXPECT_EQ(Finish(*process), 7);
}

TEST_F(RunTest, ItGoesOnOnlyOnceAllThatItWasStoppedForIsBack) {
  const auto process = StartP2pctl(
      {"run", "--quiesce", "--acquire=01:00.0/2+64K", "--acquire=02:00.0/0+4K", "--", "sh", "-c", kObedient});
  process->out.Next();
  RequestQuiesce(kExporter);
  EXPECT_EQ(process->out.Next(), "stop");
  RequestQuiesce(kImporter);
  EXPECT_EQ(process->out.Next(), "stop");
  Resume(kExporter);
  RequestQuiesce(kImporter);  // which is dealt with after Resumed
  EXPECT_EQ(process->out.Next(), "stop");
  Resume(kImporter);
  EXPECT_EQ(process->out.Next(), "go");
  EXPECT_EQ(Finish(*process), 7);
  EXPECT_EQ(process->out.Rest(), "");  // it was told once
}

TEST_F(RunTest, AResetOfTheBusStopsItForEachDeviceThatItHolds) {
  const auto process = StartP2pctl(
      {"run", "--quiesce", "--acquire=01:00.0/2+64K", "--acquire=02:00.0/0+4K", "--", "sh", "-c", kObedient});
  const std::string address = process->out.Next();
  v1::ServerFrame frame;
  frame.mutable_quiesce_requested()->set_operation("operations/9");
  frame.mutable_quiesce_requested()->set_device("devices/0000:07:00.0");
  for (const char* device : {kExporter, kImporter}) frame.mutable_quiesce_requested()->add_devices(device);
  p2pd_.Send(frame);
  EXPECT_EQ(process->out.Next(), "stop");
  Notify(address, "X_P2PD_QUIESCED=1");
  EXPECT_EQ(p2pd_.WaitForAcks(1)[0], "operations/9");
  Resume(kExporter);
  RequestQuiesce(kExporter);  // which is dealt with after Resumed
  EXPECT_EQ(process->out.Next(), "stop");
  Resume(kImporter);
  Resume(kExporter);
  EXPECT_EQ(process->out.Next(), "go");
  EXPECT_EQ(Finish(*process), 7);
}

TEST_F(RunTest, ACommandWhoseDeviceIsTakenAwayForGoodIsTerminated) {
  const auto process = StartP2pctl({"run", "--drive=02:00.0", "--", "sh", "-c", kObedient});
  process->out.Next();
  v1::ServerFrame frame;
  frame.mutable_device_revoked()->set_device(kExporter);  // which it does not hold
  p2pd_.Send(frame);
  frame.mutable_device_revoked()->set_device(kImporter);
  frame.mutable_device_revoked()->set_reason("it is unplugged");
  p2pd_.Send(frame);
  EXPECT_EQ(process->err.Next(),
            "p2pctl: devices/0000:02:00.0 is taken away for good (it is unplugged), and must be let go of: the command "
            "gets SIGTERM");
  EXPECT_EQ(process->child.Wait(), 7);
}

TEST_F(RunTest, ADriverIsToldOfAResetAndItsReadyIsForTheNewGeneration) {
  const auto process = StartP2pctl({"run", "--quiesce", "--drive=02:00.0", "--", "sh", "-c", kObedient});
  const std::string address = process->out.Next();
  RequestQuiesce(kImporter);
  EXPECT_EQ(process->out.Next(), "stop");
  Notify(address, "X_P2PD_QUIESCED=1");
  p2pd_.WaitForAcks(1);
  ASSERT_TRUE(Connect()->ResetDevice(kImporter).ok());
  EXPECT_EQ(process->out.Next(), "go");
  std::promise<void> ready;
  p2pd_.calls().BeforeNextReply("DeviceReady", [&ready] { ready.set_value(); });
  Notify(address, "READY=1");
  ready.get_future().wait();
  p2pd_.broker().WithState([](FakeState& state) {
    EXPECT_EQ(state.devices[kImporter].state(), v1::Device::READY);
    EXPECT_EQ(state.devices[kImporter].generation(), 2u);
  });
  EXPECT_EQ(Finish(*process), 7);
}

TEST_F(RunTest, ACommandThatDoesNotCooperateIsVouchedForOnlyOnceItHasEnded) {
  const auto process = StartP2pctl({"run", "--drive=02:00.0", "--", "sh", "-c", kObedient});
  process->out.Next();
  RequestQuiesce(kImporter);
  EXPECT_THAT(process->err.Next(), HasSubstr("the command is not told (--quiesce), and is cut off"));
  EXPECT_TRUE(p2pd_.acks().empty());
  EXPECT_EQ(Finish(*process), 7);
  EXPECT_EQ(p2pd_.WaitForAcks(1)[0], "operations/9");
}

TEST_F(RunTest, WhatTheCommandCannotUseIsAcknowledgedAtOnce) {
  const auto process = StartP2pctl({"run", "--acquire=01:00.0/2+64K", "--", "sh", "-c", kObedient});
  process->out.Next();
  RequestQuiesce(kImporter);
  EXPECT_EQ(p2pd_.WaitForAcks(1)[0], "operations/9");
  EXPECT_EQ(Finish(*process), 7);
}

TEST_F(RunTest, ACommandWhoseSessionEndsIsTerminated) {
  const auto process = StartP2pctl({"run", "--drive=02:00.0", "--", "sh", "-c", kObedient});
  process->out.Next();
  p2pd_.HangUp();
  EXPECT_THAT(process->err.Next(), HasSubstr("the session has ended"));
  EXPECT_EQ(process->child.Wait(), 3);
}

}  // namespace
}  // namespace p2p::ctl
