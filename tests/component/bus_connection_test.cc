// p2pd and a bus that is not there, goes away, comes back, or already has a p2pd.
#include <string>

#include "daemon/bus/bus_properties.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/component/private_bus.h"
#include "tests/component/raw_client.h"
#include "tests/component/test_daemon.h"

namespace p2pd {
namespace {

using ::testing::HasSubstr;

v1::Capability BusCapability(const TestDaemon& daemon, const RawClient& client) {
  v1::Status status;
  EXPECT_TRUE(daemon.NewStub()->GetStatus(CallAs(client.welcome().token()).get(), {}, &status).ok());
  for (const v1::Capability& capability : status.capabilities()) {
    if (capability.name() == "D-Bus") return capability;
  }
  ADD_FAILURE() << "GetStatus says nothing of D-Bus";
  return {};
}

TEST(BusConnectionTest, WithoutABusP2pdServesAndSaysSo) {
  TestDaemon daemon({.bus = "unix:path=/nonexistent/bus"});
  RawClient client(daemon.fd_path());
  client.Hello();
  const v1::Capability capability = BusCapability(daemon, client);
  EXPECT_FALSE(capability.available());
  EXPECT_THAT(capability.detail(), HasSubstr("not connected"));
  EXPECT_THAT(capability.detail(), HasSubstr("/nonexistent/bus"));
}

TEST(BusConnectionTest, ABusThatComesLaterIsFound) {
  PrivateBus bus;
  TestDaemon daemon({.bus = bus.address()});
  bus.Start();
  BusClient client(bus.address());
  client.AwaitName();
  EXPECT_EQ(client.ManagedObjects().size(), 4u);
}

TEST(BusConnectionTest, ARestartedBusHasEverythingAgain) {
  PrivateBus bus;
  bus.Start();
  TestDaemon daemon({.bus = bus.address()});
  BusClient(bus.address()).AwaitName();
  bus.Stop();
  RawClient session(daemon.fd_path());
  session.Hello();  // p2pd serves meanwhile
  bus.Start();
  BusClient client(bus.address());
  client.AwaitName();
  EXPECT_EQ(client.ManagedObjects().size(), 5u);
  EXPECT_EQ(client.Call("ResetDevice", "devices/0000:01:00.0").error, "");
  EXPECT_TRUE(BusCapability(daemon, session).available());
}

TEST(BusConnectionTest, ASecondP2pdDoesNotTakeTheName) {
  PrivateBus bus;
  bus.Start();
  TestDaemon first({.bus = bus.address()});
  BusClient client(bus.address());
  client.AwaitName();
  TestDaemon second({.bus = bus.address()});
  RawClient session(second.fd_path());
  session.Hello();
  v1::Capability capability = BusCapability(second, session);
  for (int i = 0; i < 1000 && capability.detail() == "not connected: not tried yet"; ++i) {
    capability = BusCapability(second, session);
  }
  EXPECT_FALSE(capability.available());
  EXPECT_THAT(capability.detail(), HasSubstr("somebody else has the name"));
}

}  // namespace
}  // namespace p2pd
