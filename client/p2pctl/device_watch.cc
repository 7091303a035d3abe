#include "client/p2pctl/device_watch.h"

#include "client/error.h"

namespace p2p::ctl {

DeviceWatch::DeviceWatch(Session& session, const std::vector<Device>& devices, SessionNews& news)
    : session_(session), news_(news), events_(session.Watch()) {
  for (const Device& device : devices) generations_[device.name()] = device.info().generation();
  thread_ = std::thread([this] { Run(); });
}

DeviceWatch::~DeviceWatch() {
  {
    p2pd::MutexLock lock(mutex_);
    stopping_ = true;
    events_->Cancel();
  }
  thread_.join();
}

void DeviceWatch::Run() {
  for (;;) {
    EventStream* events = nullptr;
    {
      p2pd::MutexLock lock(mutex_);
      if (stopping_) return;
      events = events_.get();
    }
    // Not under the lock: it waits. Only this thread replaces the stream.
    absl::StatusOr<v1::Event> event = events->Next();
    while (event.ok()) {
      if (event->has_device()) Look(event->device());
      event = events->Next();
    }
    // The snapshot of a new stream tells what this one missed.
    if (GetErrorDetail(event.status()).reason() != v1::ErrorDetail::FELL_BEHIND) return;
    p2pd::MutexLock lock(mutex_);
    events_ = session_.Watch();
  }
}

void DeviceWatch::Look(const v1::Device& device) {
  const auto ours = generations_.find(device.name());
  if (ours == generations_.end() || device.state() != v1::Device::AWAITING_DRIVER) return;
  if (device.generation() <= ours->second) return;
  ours->second = device.generation();
  news_.Put(DeviceWasReset{device});
}

}  // namespace p2p::ctl
