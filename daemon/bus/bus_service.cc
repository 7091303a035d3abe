#include "daemon/bus/bus_service.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"
#include "daemon/bus/bus_address.h"
#include "daemon/bus/bus_properties.h"
#include "daemon/service/log.h"

namespace p2pd {
namespace {

constexpr char kLocal[] = "org.freedesktop.DBus.Local";
constexpr uint32_t kPrimaryOwner = 1;  // DBUS_REQUEST_NAME_REPLY_PRIMARY_OWNER

}  // namespace

BusService::BusService(EventLoop& loop, Broker& broker, Scheduler& workers, const BusModel& model, BusOptions options,
                       std::function<void()> on_log_level)
    : loop_(loop),
      options_(std::move(options)),
      calls_(std::make_shared<BusCalls>(loop, broker, workers, std::move(on_log_level))),
      objects_{.model = model, .calls = *calls_},
      sleep_(std::make_shared<SleepWatch>(loop, broker)),
      next_retry_(options_.first_retry) {}

BusService::~BusService() { Disconnect(); }

void BusService::Start() {
  if (const absl::Status status = Connect(); !status.ok()) Retry(std::string(status.message()));
}

absl::Status BusService::Connect() {
  const std::string address = BusAddress(options_.address);
  int result = sd_bus_new(&bus_);
  if (result >= 0) result = sd_bus_set_address(bus_, address.c_str());
  if (result >= 0) result = sd_bus_set_bus_client(bus_, 1);
  if (result >= 0) result = sd_bus_negotiate_fds(bus_, 1);
  if (result >= 0) result = sd_bus_attach_event(bus_, loop_.sd(), SD_EVENT_PRIORITY_NORMAL);
  if (result >= 0) result = sd_bus_start(bus_);
  if (result < 0) return ErrnoError("connect to D-Bus", address, -result);
  P2PD_RETURN_IF_ERROR(AddObjects(bus_, objects_));
  P2PD_RETURN_IF_ERROR(sleep_->Attach(bus_));
  // From sd-bus itself; the bus is not asked.
  result =
      sd_bus_match_signal_async(bus_, nullptr, kLocal, nullptr, kLocal, "Disconnected", OnDisconnected, nullptr, this);
  if (result >= 0) result = sd_bus_request_name_async(bus_, nullptr, kBusName, 0, OnName, this);
  return result < 0 ? ErrnoError("ask for the D-Bus name", kBusName, -result) : absl::OkStatus();
}

void BusService::Disconnect() {
  connected_ = false;
  calls_->Forget();
  sleep_->Detach();
  if (bus_ == nullptr) return;
  sd_bus_detach_event(bus_);
  bus_ = sd_bus_close_unref(bus_);
}

int BusService::OnName(sd_bus_message* reply, void* data, sd_bus_error*) {
  auto& self = *static_cast<BusService*>(data);
  uint32_t answer = 0;
  if (sd_bus_message_is_method_error(reply, nullptr) > 0) {
    self.Retry(absl::StrCat("the bus refuses the name ", kBusName, ": ", sd_bus_message_get_error(reply)->message));
  } else if (sd_bus_message_read(reply, "u", &answer) < 0 || answer != kPrimaryOwner) {
    self.Retry(absl::StrCat("somebody else has the name ", kBusName));
  } else {
    self.Connected();
  }
  return 1;
}

int BusService::OnDisconnected(sd_bus_message*, void* data, sd_bus_error*) {
  static_cast<BusService*>(data)->Retry("the bus has hung up");
  return 1;
}

void BusService::Connected() {
  connected_ = true;
  next_retry_ = options_.first_retry;
  {
    MutexLock lock(mutex_);
    trouble_.clear();
  }
  Log(LogLevel::kInfo, absl::StrCat("is on D-Bus as ", kBusName));
}

void BusService::Retry(const std::string& why) {
  connected_ = false;
  bool news = false;
  {
    MutexLock lock(mutex_);
    news = std::exchange(trouble_, why) != why;
  }
  Log(news ? LogLevel::kNotice : LogLevel::kDebug, absl::StrCat("is not on D-Bus, and works without: ", why));
  // Later, because this may be sd-bus' own callback.
  auto timer = loop_.After(next_retry_, [this] {
    Disconnect();
    Start();
  });
  next_retry_ = std::min(next_retry_ * 2, options_.last_retry);
  if (timer.ok()) {
    retry_ = *std::move(timer);
  } else {
    Log(LogLevel::kWarning, absl::StrCat("stays off D-Bus: ", std::string(timer.status().message())));
  }
}

void BusService::Tell(const BusChanges& changes) {
  if (!connected_) return;
  if (const absl::Status status = Emit(bus_, changes); !status.ok()) {
    Log(LogLevel::kDebug, std::string(status.message()));
  }
}

CapabilityView BusService::Connection() const {
  MutexLock lock(mutex_);
  return {.name = "D-Bus",
          .available = trouble_.empty(),
          .detail = trouble_.empty() ? std::string(kBusName) : absl::StrCat("not connected: ", trouble_)};
}

}  // namespace p2pd
