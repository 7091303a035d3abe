#include "tests/component/fake_logind.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <chrono>

#include "gtest/gtest.h"

namespace p2pd {
namespace {

constexpr char kName[] = "org.freedesktop.login1";
constexpr char kPath[] = "/org/freedesktop/login1";
constexpr char kManager[] = "org.freedesktop.login1.Manager";
constexpr int kPatienceMilliseconds = 20000;

const sd_bus_vtable kVtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("Inhibit", "ssss", "h", FakeLogind::OnInhibit, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_SIGNAL("PrepareForSleep", "b", 0),
    SD_BUS_VTABLE_END,
};

bool HangsUp(const UniqueFd& fd, int milliseconds) {
  pollfd end = {.fd = fd.get(), .events = 0, .revents = 0};
  return poll(&end, 1, milliseconds) == 1 && (end.revents & POLLHUP) != 0;
}

}  // namespace

FakeLogind::FakeLogind(const std::string& address) {
  EXPECT_GE(sd_bus_new(&bus_), 0);
  EXPECT_GE(sd_bus_set_address(bus_, address.c_str()), 0);
  EXPECT_GE(sd_bus_set_bus_client(bus_, 1), 0);
  EXPECT_GE(sd_bus_negotiate_fds(bus_, 1), 0);
  EXPECT_GE(sd_bus_start(bus_), 0);
  EXPECT_GE(sd_bus_add_object_vtable(bus_, nullptr, kPath, kManager, kVtable, this), 0);
  EXPECT_GE(sd_bus_request_name(bus_, kName, 0), 0);
}

FakeLogind::~FakeLogind() { sd_bus_flush_close_unref(bus_); }

int FakeLogind::OnInhibit(sd_bus_message* call, void* data, sd_bus_error*) {
  auto& self = *static_cast<FakeLogind*>(data);
  const char* what = nullptr;
  const char* who = nullptr;
  const char* why = nullptr;
  const char* mode = nullptr;
  EXPECT_GT(sd_bus_message_read(call, "ssss", &what, &who, &why, &mode), 0);
  EXPECT_STREQ(what, "sleep");
  EXPECT_STREQ(who, "p2pd");
  EXPECT_STREQ(mode, "delay");
  int ends[2] = {};
  EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
  self.held_ = UniqueFd(ends[0]);
  const UniqueFd inhibitor(ends[1]);
  ++self.inhibitors_;
  return sd_bus_reply_method_return(call, "h", inhibitor.get());
}

void FakeLogind::AwaitInhibitors(int count) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(kPatienceMilliseconds);
  while (inhibitors_ < count && std::chrono::steady_clock::now() < deadline) {
    if (sd_bus_process(bus_, nullptr) == 0) sd_bus_wait(bus_, 1000000);
  }
  EXPECT_EQ(inhibitors_, count);
  EXPECT_GE(sd_bus_flush(bus_), 0);
}

void FakeLogind::Prepare(bool sleeps) {
  EXPECT_GE(sd_bus_emit_signal(bus_, kPath, kManager, "PrepareForSleep", "b", int{sleeps}), 0);
  EXPECT_GE(sd_bus_flush(bus_), 0);
}

bool FakeLogind::IsReleased() { return HangsUp(held_, 0); }

bool FakeLogind::AwaitRelease() { return HangsUp(held_, kPatienceMilliseconds); }

}  // namespace p2pd
