#include "daemon/bus/sleep_watch.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "daemon/base/errors.h"
#include "daemon/service/log.h"

namespace p2pd {
namespace {

constexpr char kDaemon[] = "org.freedesktop.DBus";
constexpr char kLogind[] = "org.freedesktop.login1";
constexpr char kPath[] = "/org/freedesktop/login1";
constexpr char kManager[] = "org.freedesktop.login1.Manager";

absl::string_view SenderOf(sd_bus_message* message) {
  const char* const sender = sd_bus_message_get_sender(message);
  return sender == nullptr ? "" : sender;
}

}  // namespace

absl::Status SleepWatch::Attach(sd_bus* bus) {
  bus_ = bus;
  int result =
      sd_bus_match_signal_async(bus, &prepare_, kLogind, kPath, kManager, "PrepareForSleep", OnPrepare, nullptr, this);
  const std::string owner = absl::StrCat("type='signal',sender='", kDaemon, "',interface='", kDaemon,
                                         "',member='NameOwnerChanged',arg0='", kLogind, "'");
  if (result >= 0) result = sd_bus_add_match_async(bus, &owner_, owner.c_str(), OnOwner, nullptr, this);
  if (result < 0) return ErrnoError("listen to logind", kLogind, -result);
  TakeInhibitor();
  return absl::OkStatus();
}

void SleepWatch::Detach() {
  if (bus_ == nullptr) return;
  for (sd_bus_slot** slot : {&asking_, &prepare_, &owner_}) *slot = sd_bus_slot_unref(*slot);
  bus_ = nullptr;
  logind_.clear();
  inhibitor_.Reset();
  Wake();
}

void SleepWatch::TakeInhibitor() {
  asking_ = sd_bus_slot_unref(asking_);
  const int result =
      sd_bus_call_method_async(bus_, &asking_, kLogind, kPath, kManager, "Inhibit", OnInhibited, this, "ssss", "sleep",
                               "p2pd", "takes the mappings between devices down first", "delay");
  if (result < 0) Log(LogLevel::kWarning, "cannot ask logind to wait for p2pd before the system sleeps");
}

int SleepWatch::OnInhibited(sd_bus_message* reply, void* data, sd_bus_error*) {
  auto& self = *static_cast<SleepWatch*>(data);
  // The bus answers for a logind that is not there.
  if (SenderOf(reply) != kDaemon) self.logind_ = std::string(SenderOf(reply));
  int fd = -1;  // the message's
  if (const sd_bus_error* const error = sd_bus_message_get_error(reply); error != nullptr) {
    Log(LogLevel::kNotice, absl::StrCat("the system can sleep without waiting for p2pd: ", error->message));
  } else if (sd_bus_message_read(reply, "h", &fd) > 0) {
    absl::StatusOr<UniqueFd> inhibitor = Duplicate(FdRef(fd));
    if (inhibitor.ok()) self.inhibitor_ = *std::move(inhibitor);
  }
  return 1;
}

int SleepWatch::OnPrepare(sd_bus_message* signal, void* data, sd_bus_error*) {
  auto& self = *static_cast<SleepWatch*>(data);
  int begins = 0;
  if (SenderOf(signal) != self.logind_ || sd_bus_message_read(signal, "b", &begins) <= 0) return 0;
  if (begins != 0) {
    self.Sleep();
  } else {
    self.Wake();
    self.TakeInhibitor();
  }
  return 0;
}

int SleepWatch::OnOwner(sd_bus_message* signal, void* data, sd_bus_error*) {
  auto& self = *static_cast<SleepWatch*>(data);
  const char* name = nullptr;
  const char* before = nullptr;
  const char* after = nullptr;
  if (SenderOf(signal) != kDaemon || sd_bus_message_read(signal, "sss", &name, &before, &after) <= 0) return 0;
  self.logind_.clear();
  self.Wake();
  if (*after != '\0') self.TakeInhibitor();
  return 0;
}

void SleepWatch::Sleep() {
  if (std::exchange(asleep_, true)) return;
  Log(LogLevel::kInfo, "the system is about to sleep: everything is unmapped");
  broker_.Sleep([weak = weak_from_this(), &loop = loop_, sleep = ++sleeps_] {
    loop.Post([weak, sleep] {
      const auto self = weak.lock();
      if (self == nullptr || !self->asleep_ || self->sleeps_ != sleep) return;
      Log(LogLevel::kInfo, "nothing is mapped: the system may sleep");
      self->inhibitor_.Reset();
    });
  });
}

void SleepWatch::Wake() {
  if (!std::exchange(asleep_, false)) return;
  Log(LogLevel::kInfo, "the system is awake: what was unmapped comes back");
  broker_.Wake();
}

}  // namespace p2pd
