// What p2pd asks of systemd where policy has the unit of an fd's holder killed.
#include <signal.h>
#include <systemd/sd-bus.h>

#include <atomic>
#include <string>
#include <thread>

#include "daemon/bus/unit_killer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/component/private_bus.h"

namespace p2pd {
namespace {

using ::testing::HasSubstr;

// A systemd that kills nobody and says that it has, but for one unit; on a thread of its own, until the end.
class FakeSystemd {
 public:
  explicit FakeSystemd(const std::string& address) {
    static const sd_bus_vtable kVtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("KillUnit", "ssi", "", OnKill, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
    };
    EXPECT_GE(sd_bus_new(&bus_), 0);
    EXPECT_GE(sd_bus_set_address(bus_, address.c_str()), 0);
    EXPECT_GE(sd_bus_set_bus_client(bus_, 1), 0);
    EXPECT_GE(sd_bus_start(bus_), 0);
    EXPECT_GE(sd_bus_add_object_vtable(bus_, nullptr, "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager",
                                       kVtable, this),
              0);
    EXPECT_GE(sd_bus_request_name(bus_, "org.freedesktop.systemd1", 0), 0);
    thread_ = std::thread([this] {
      while (!done_) {
        if (sd_bus_process(bus_, nullptr) == 0) sd_bus_wait(bus_, 20000);
      }
    });
  }
  ~FakeSystemd() {
    done_ = true;
    thread_.join();
    sd_bus_flush_close_unref(bus_);
  }

  // After the call that was answered.
  const std::string& asked() const { return asked_; }

 private:
  static int OnKill(sd_bus_message* call, void* data, sd_bus_error*) {
    auto& self = *static_cast<FakeSystemd*>(data);
    const char* unit = nullptr;
    const char* whom = nullptr;
    int signal = 0;
    EXPECT_GT(sd_bus_message_read(call, "ssi", &unit, &whom, &signal), 0);
    self.asked_ = std::string(unit) + " " + whom + " " + std::to_string(signal);
    if (std::string(unit) == "gone.service") {
      return sd_bus_reply_method_errorf(call, "org.freedesktop.systemd1.NoSuchUnit", "Unit %s not loaded.", unit);
    }
    return sd_bus_reply_method_return(call, "");
  }

  sd_bus* bus_ = nullptr;
  std::string asked_;
  std::atomic<bool> done_ = false;
  std::thread thread_;
};

class BusKillingTest : public testing::Test {
 protected:
  BusKillingTest() { bus_.Start(); }

  UnitKiller Killer() const { return UnitKiller({.address = bus_.address(), .own_unit = "p2pd.service"}); }

  PrivateBus bus_;
};

TEST_F(BusKillingTest, SystemdIsToldToKillAllOfTheUnit) {
  const FakeSystemd systemd(bus_.address());
  EXPECT_EQ(Killer().Kill("spdk.service"), absl::OkStatus());
  EXPECT_EQ(systemd.asked(), "spdk.service all " + std::to_string(SIGKILL));
}

TEST_F(BusKillingTest, WhatSystemdSaysAgainstItIsPassedOn) {
  const FakeSystemd systemd(bus_.address());
  EXPECT_THAT(std::string(Killer().Kill("gone.service").message()), HasSubstr("Unit gone.service not loaded."));
}

TEST_F(BusKillingTest, SystemdIsNotAskedForWhatIsSpared) {
  const FakeSystemd systemd(bus_.address());
  EXPECT_FALSE(Killer().Kill("p2pd.service").ok());
  EXPECT_EQ(systemd.asked(), "");
}

TEST_F(BusKillingTest, ABusWithoutSystemdIsAnError) { EXPECT_TRUE(absl::IsUnavailable(Killer().Kill("spdk.service"))); }

}  // namespace
}  // namespace p2pd
