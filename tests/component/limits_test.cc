// What one user, and one session, may pile up.
#include <string>

#include "gtest/gtest.h"
#include "tests/component/raw_client.h"
#include "tests/component/test_daemon.h"

namespace p2pd {
namespace {

TEST(LimitsTest, AUsersConnectionsAreCountedOverBothSockets) {
  TestDaemon daemon({.connections = {.per_user = 2, .total = 100}});
  RawClient first(daemon.fd_path());
  const std::string token = first.Hello().token();
  auto stub = daemon.NewStub();
  v1::ListDevicesResponse devices;
  ASSERT_TRUE(stub->ListDevices(CallAs(token).get(), {}, &devices).ok());

  RawClient third(daemon.fd_path());
  v1::ClientFrame hello;
  hello.mutable_hello()->set_client("third");
  third.Send(hello);
  const auto refusal = third.Read();
  ASSERT_TRUE(refusal.has_value());
  EXPECT_NE(refusal->ended().reason().find("already has 2 connections"), std::string::npos);
  EXPECT_FALSE(third.Read().has_value());
  const auto other_stub = daemon.NewStub();
  EXPECT_EQ(other_stub->ListDevices(CallAs(token).get(), {}, &devices).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_TRUE(stub->ListDevices(CallAs(token).get(), {}, &devices).ok());
}

// Connects until there is room; the place of a connection is given back a moment after it was closed.
bool GetsIn(const TestDaemon& daemon) {
  const absl::Time deadline = absl::Now() + absl::Seconds(10);
  while (absl::Now() < deadline) {
    RawClient client(daemon.fd_path());
    v1::ClientFrame hello;
    hello.mutable_hello()->set_client("test");
    client.Send(hello);
    const auto frame = client.Read();
    if (frame.has_value() && frame->has_welcome()) return true;
  }
  return false;
}

TEST(LimitsTest, AClosedGrpcConnectionGivesItsPlaceBack) {
  TestDaemon daemon({.connections = {.per_user = 2, .total = 100}});
  RawClient first(daemon.fd_path());
  const std::string token = first.Hello().token();
  auto stub = daemon.NewStub();
  v1::ListDevicesResponse devices;
  ASSERT_TRUE(stub->ListDevices(CallAs(token).get(), {}, &devices).ok());
  stub.reset();
  EXPECT_TRUE(GetsIn(daemon));
}

TEST(LimitsTest, AClosedFdChannelGivesItsPlaceBack) {
  TestDaemon daemon({.connections = {.per_user = 1, .total = 100}});
  {
    RawClient first(daemon.fd_path());
    first.Hello();
  }
  EXPECT_TRUE(GetsIn(daemon));
}

std::string MachineOf(int devices) {
  std::string machine;
  for (int i = 0; i < devices; ++i) {
    char bdf[16];
    snprintf(bdf, sizeof(bdf), "0000:%02x:00.0", i + 1);
    machine += "device { bdf: '" + std::string(bdf) + "' vendor_id: 0x1af4 device_id: 0x1110 class_code: 0x050000 " +
               "iommu_group: " + std::to_string(i + 1) + " bar { index: 2 size: 65536 prefetchable: true } }\n";
  }
  return machine;
}

TEST(LimitsTest, ASessionThatLeavesSixteenFdsUnreadGetsNoMore) {
  TestDaemon daemon({.machine = MachineOf(18)});
  RawClient client(daemon.fd_path());
  const std::string token = client.Hello().token();
  const auto stub = daemon.NewStub();
  v1::ListDevicesResponse devices;
  ASSERT_TRUE(stub->ListDevices(CallAs(token).get(), {}, &devices).ok());
  ASSERT_EQ(devices.devices_size(), 18);
  const auto open = [&](int index) {
    v1::OpenDeviceRequest request;
    request.set_name(devices.devices(index).name());
    request.set_request_id(std::to_string(index));
    v1::Device device;
    return stub->OpenDevice(CallAs(token).get(), request, &device);
  };
  for (int i = 0; i < 16; ++i) {
    const grpc::Status status = open(i);
    ASSERT_TRUE(status.ok()) << i << ": " << status.error_message();
  }
  const grpc::Status refused = open(16);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(DetailOf(refused).reason(), v1::ErrorDetail::QUOTA);
  for (int i = 0; i < 16; ++i) {
    const auto frame = client.ReadNow();
    ASSERT_TRUE(frame.has_value()) << i;
    EXPECT_EQ(frame->grant().name(), devices.devices(i).name());
    EXPECT_EQ(client.fds().size(), 1u);
  }
  const grpc::Status again = open(17);
  EXPECT_TRUE(again.ok()) << again.error_message();
}

TEST(LimitsTest, AnFdIsThereBeforeItsReply) {
  TestDaemon daemon;
  RawClient client(daemon.fd_path());
  const std::string token = client.Hello().token();
  v1::OpenDeviceRequest request;
  request.set_name("devices/0000:01:00.0");
  request.set_request_id("open-1");
  v1::Device device;
  const grpc::Status status = daemon.NewStub()->OpenDevice(CallAs(token).get(), request, &device);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(device.driver_session(), client.welcome().session());
  const auto frame = client.ReadNow();
  ASSERT_TRUE(frame.has_value());
  EXPECT_EQ(frame->grant().kind(), v1::Grant::DEVICE);
  EXPECT_EQ(frame->grant().name(), device.name());
  EXPECT_EQ(frame->grant().request_id(), "open-1");
  EXPECT_EQ(client.fds().size(), 1u);
}

TEST(LimitsTest, ASessionHasAtMostEightWatches) {
  TestDaemon daemon;
  RawClient client(daemon.fd_path());
  const std::string token = client.Hello().token();
  const auto stub = daemon.NewStub();
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientReader<v1::Event>>> watches;
  v1::Event event;
  for (int i = 0; i < 8; ++i) {
    contexts.push_back(CallAs(token));
    watches.push_back(stub->WatchEvents(contexts.back().get(), {}));
    EXPECT_TRUE(watches.back()->Read(&event));
  }
  const auto context = CallAs(token);
  const auto ninth = stub->WatchEvents(context.get(), {});
  EXPECT_FALSE(ninth->Read(&event));
  EXPECT_EQ(ninth->Finish().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  for (const auto& open : contexts) open->TryCancel();
  for (const auto& watch : watches) {
    while (watch->Read(&event)) continue;
    EXPECT_EQ(watch->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
}

}  // namespace
}  // namespace p2pd
