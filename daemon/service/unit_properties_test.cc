#include "daemon/service/unit_properties.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include <cstddef>
#include <string>
#include <thread>

#include "daemon/base/unique_fd.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

// systemd's private socket, with one unit behind it, p2pd.service, that says how many descriptors it has stored.
class FakeManager {
 public:
  FakeManager()
      : name_("p2pd-unit-properties-test-" + std::to_string(getpid())),
        listening_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    // In the abstract namespace: a test's folder may have a longer name than a socket can.
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    name_.copy(address.sun_path + 1, sizeof(address.sun_path) - 1);
    const socklen_t length = offsetof(sockaddr_un, sun_path) + 1 + name_.size();
    EXPECT_EQ(bind(listening_.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
    EXPECT_EQ(listen(listening_.get(), 1), 0);
    thread_ = std::thread([this] { Serve(); });
  }
  ~FakeManager() {
    shutdown(listening_.get(), SHUT_RDWR);
    thread_.join();
  }
  std::string address() const { return "unix:abstract=" + name_; }

 private:
  static int Stored(sd_bus*, const char*, const char*, const char*, sd_bus_message* reply, void*, sd_bus_error*) {
    return sd_bus_message_append(reply, "u", 7u);
  }

  void Serve() {
    const int raw = accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (raw < 0) return;
    static const sd_bus_vtable kTable[] = {
        SD_BUS_VTABLE_START(0), SD_BUS_PROPERTY("NFileDescriptorStore", "u", Stored, 0, 0), SD_BUS_VTABLE_END};
    sd_bus* bus = nullptr;
    EXPECT_GE(sd_bus_new(&bus), 0);
    EXPECT_GE(sd_bus_set_fd(bus, raw, raw), 0);
    EXPECT_GE(sd_bus_set_server(bus, 1, {}), 0);
    EXPECT_GE(sd_bus_start(bus), 0);
    EXPECT_GE(sd_bus_add_object_vtable(bus, nullptr, "/org/freedesktop/systemd1/unit/p2pd_2eservice",
                                       "org.freedesktop.systemd1.Service", kTable, nullptr),
              0);
    for (int done = 0; done >= 0;) {
      done = sd_bus_process(bus, nullptr);
      if (done == 0) done = sd_bus_wait(bus, UINT64_MAX);
    }
    sd_bus_unref(bus);
  }

  const std::string name_;
  const UniqueFd listening_;
  std::thread thread_;
};

TEST(UnitPropertiesTest, SystemdIsAskedAboutTheUnit) {
  FakeManager manager;
  const auto properties = UnitProperties::Connect({.address = manager.address(), .unit = "p2pd.service"});
  ASSERT_TRUE(properties.ok()) << properties.status();
  const auto stored = (*properties)->Get("NFileDescriptorStore");
  ASSERT_TRUE(stored.ok()) << stored.status();
  EXPECT_EQ(*stored, 7u);
  const absl::Status unknown = (*properties)->Get("FileDescriptorStoreMax").status();
  EXPECT_TRUE(absl::IsUnavailable(unknown)) << unknown;
  EXPECT_NE(unknown.message().find("FileDescriptorStoreMax"), std::string::npos) << unknown;
}

TEST(UnitPropertiesTest, AnotherUnitIsNotThisOne) {
  FakeManager manager;
  const auto properties = UnitProperties::Connect({.address = manager.address(), .unit = "other.service"});
  ASSERT_TRUE(properties.ok()) << properties.status();
  EXPECT_TRUE(absl::IsUnavailable((*properties)->Get("NFileDescriptorStore").status()));
}

TEST(UnitPropertiesTest, WithoutAManagerThereIsNobodyToAsk) {
  const auto properties = UnitProperties::Connect({.address = "unix:path=/nonexistent/private", .unit = "x.service"});
  EXPECT_TRUE(absl::IsUnavailable(properties.status())) << properties.status();
}

}  // namespace
}  // namespace p2pd
