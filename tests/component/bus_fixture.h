// p2pd on a bus of the test's own, and a client of that bus.
#ifndef P2PD_TESTS_COMPONENT_BUS_FIXTURE_H_
#define P2PD_TESTS_COMPONENT_BUS_FIXTURE_H_

#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "tests/component/private_bus.h"
#include "tests/component/test_daemon.h"

namespace p2pd {

class BusFixture : public testing::Test {
 protected:
  explicit BusFixture(const std::string& policy = TestDaemonOptions().policy, bool keeps = false)
      : bus_(StartedBus()),
        daemon_({.policy = policy, .bus = bus_->address(), .keeps = keeps}),
        client_(bus_->address()) {
    client_.AwaitName();
  }

  const std::unique_ptr<PrivateBus> bus_;
  TestDaemon daemon_;
  BusClient client_;

 private:
  static std::unique_ptr<PrivateBus> StartedBus() {
    auto bus = std::make_unique<PrivateBus>();
    bus->Start();
    return bus;
  }
};

}  // namespace p2pd

#endif  // P2PD_TESTS_COMPONENT_BUS_FIXTURE_H_
