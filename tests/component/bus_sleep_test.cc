// p2pd delays the system's sleep until whoever uses a device has stopped, and listens to logind alone.
#include <memory>
#include <optional>
#include <string>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "tests/component/fake_logind.h"
#include "tests/component/private_bus.h"
#include "tests/component/raw_client.h"
#include "tests/component/test_daemon.h"

namespace p2pd {
namespace {

constexpr char kDevice[] = "devices/0000:00:10.0";

class BusSleepTest : public testing::Test {
 protected:
  BusSleepTest() {
    bus_.Start();
    logind_.emplace(bus_.address());
    daemon_.emplace(TestDaemonOptions{.bus = bus_.address()});
    BusClient(bus_.address()).AwaitName();
    client_.emplace(daemon_->fd_path());
    client_->Hello();
    stub_ = daemon_->NewStub();
    logind_->AwaitInhibitors(1);
  }

  grpc::Status Drive() {
    v1::OpenDeviceRequest open;
    open.set_name(kDevice);
    open.set_request_id(std::to_string(++requests_));
    v1::Device device;
    const grpc::Status status = stub_->OpenDevice(CallAs(client_->welcome().token()).get(), open, &device);
    if (status.ok()) {
      EXPECT_TRUE(client_->Read()->has_grant());
    }
    return status;
  }
  void Ack(const v1::QuiesceRequested& quiesce) {
    v1::ClientFrame ack;
    ack.mutable_ack_quiesce()->set_operation(quiesce.operation());
    client_->Send(ack);
  }
  // Sleeps once p2pd's only driver has stopped.
  void Sleep() {
    ASSERT_TRUE(Drive().ok());
    logind_->Prepare(true);
    const auto asked = client_->Read();
    ASSERT_TRUE(asked.has_value() && asked->has_quiesce_requested());
    EXPECT_FALSE(logind_->IsReleased());
    Ack(asked->quiesce_requested());
    EXPECT_TRUE(logind_->AwaitRelease());
  }
  // Waits until the device is its driver's again.
  void AwaitDriversTurn() {
    v1::GetDeviceRequest get;
    get.set_name(kDevice);
    v1::Device device;
    const auto deadline = absl::Now() + absl::Seconds(20);
    while (device.state() != v1::Device::AWAITING_DRIVER && absl::Now() < deadline) {
      EXPECT_TRUE(stub_->GetDevice(CallAs(client_->welcome().token()).get(), get, &device).ok());
    }
    EXPECT_EQ(device.state(), v1::Device::AWAITING_DRIVER);
  }

  PrivateBus bus_;
  std::optional<FakeLogind> logind_;
  std::optional<TestDaemon> daemon_;
  std::optional<RawClient> client_;
  std::unique_ptr<v1::Broker::Stub> stub_;
  int requests_ = 0;
};

TEST_F(BusSleepTest, TheSystemWaitsForWhoeverDrivesADeviceAndIsDelayedAnewWhenItIsAwake) {
  Sleep();
  logind_->Prepare(false);
  logind_->AwaitInhibitors(2);
  EXPECT_FALSE(logind_->IsReleased());
  AwaitDriversTurn();
}

TEST_F(BusSleepTest, WithoutAnybodyToAskItIsNotDelayed) {
  logind_->Prepare(true);
  EXPECT_TRUE(logind_->AwaitRelease());
}

TEST_F(BusSleepTest, WhoeverElseSaysSoIsNotListenedTo) {
  BusClient other(bus_.address());
  sd_bus_message* signal = nullptr;
  ASSERT_GE(sd_bus_message_new_signal(other.bus(), &signal, "/org/freedesktop/login1", "org.freedesktop.login1.Manager",
                                      "PrepareForSleep"),
            0);
  ASSERT_GE(sd_bus_message_append(signal, "b", 1), 0);
  ASSERT_GE(sd_bus_message_set_destination(signal, "org.p2pd.Broker1"), 0);
  ASSERT_GE(sd_bus_send(other.bus(), signal, nullptr), 0);
  sd_bus_message_unref(signal);
  // p2pd has read the signal when it answers this.
  EXPECT_NE(other.Get("/org/p2pd/Broker1", "org.p2pd.Broker1.Manager", "Version"), "");
  EXPECT_TRUE(Drive().ok()) << "it is not asleep";
  EXPECT_FALSE(logind_->IsReleased());
}

TEST_F(BusSleepTest, ALogindThatComesBackIsAskedAgainAndNobodyStaysAsleep) {
  Sleep();
  logind_.reset();
  AwaitDriversTurn();
  logind_.emplace(bus_.address());
  logind_->AwaitInhibitors(1);
}

TEST_F(BusSleepTest, WithoutTheBusNobodyStaysAsleep) {
  Sleep();
  bus_.Stop();
  AwaitDriversTurn();
}

}  // namespace
}  // namespace p2pd
