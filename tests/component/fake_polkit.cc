#include "tests/component/fake_polkit.h"

#include "gtest/gtest.h"

namespace p2pd {
namespace {

constexpr char kInterface[] = "org.freedesktop.PolicyKit1.Authority";

const sd_bus_vtable kVtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("CheckAuthorization", "(sa{sv})sa{ss}us", "(bba{ss})", FakePolkit::OnCheck,
                  SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};

}  // namespace

FakePolkit::FakePolkit(const std::string& address, Answer answer) : answer_(answer) {
  EXPECT_GE(sd_bus_new(&bus_), 0);
  EXPECT_GE(sd_bus_set_address(bus_, address.c_str()), 0);
  EXPECT_GE(sd_bus_set_bus_client(bus_, 1), 0);
  EXPECT_GE(sd_bus_start(bus_), 0);
  EXPECT_GE(sd_bus_add_object_vtable(bus_, nullptr, "/org/freedesktop/PolicyKit1/Authority", kInterface, kVtable, this),
            0);
  EXPECT_GE(sd_bus_request_name(bus_, "org.freedesktop.PolicyKit1", 0), 0);
  thread_ = std::thread([this] { Serve(); });
}

FakePolkit::~FakePolkit() {
  Stop();
  sd_bus_close_unref(bus_);
}

std::vector<FakePolkit::Question> FakePolkit::Stop() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
  return questions_;
}

void FakePolkit::Serve() {
  constexpr uint64_t kLookMicroseconds = 10000;
  while (!stop_) {
    if (sd_bus_process(bus_, nullptr) == 0) sd_bus_wait(bus_, kLookMicroseconds);
  }
}

int FakePolkit::OnCheck(sd_bus_message* message, void* data, sd_bus_error*) {
  auto& self = *static_cast<FakePolkit*>(data);
  const char* kind = nullptr;
  const char* key = nullptr;
  const char* sender = nullptr;
  const char* action = nullptr;
  uint32_t flags = 0;
  EXPECT_GT(sd_bus_message_read(message, "(sa{sv})s", &kind, 1, &key, "s", &sender, &action), 0);
  EXPECT_GE(sd_bus_message_skip(message, "a{ss}"), 0);
  EXPECT_GT(sd_bus_message_read(message, "u", &flags), 0);
  EXPECT_STREQ(kind, "system-bus-name");
  EXPECT_STREQ(key, "name");
  self.questions_.push_back({.sender = sender, .action = action, .may_interact = (flags & 1) != 0});
  switch (self.answer_) {
    case Answer::kError:
      return sd_bus_reply_method_errorf(message, "org.freedesktop.PolicyKit1.Error.Failed", "no such action");
    case Answer::kNonsense:
      return sd_bus_reply_method_return(message, "s", "yes");
    default:
      return sd_bus_reply_method_return(message, "(bba{ss})", self.answer_ == Answer::kYes,
                                        self.answer_ == Answer::kChallenge, 0);
  }
}

}  // namespace p2pd
