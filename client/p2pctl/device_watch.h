// Tells when a driven device was reset, by whomever, and waits for its driver: p2pd tells a driver that by events
// only. A thread of its own, as long as it lives.
#ifndef P2PD_CLIENT_P2PCTL_DEVICE_WATCH_H_
#define P2PD_CLIENT_P2PCTL_DEVICE_WATCH_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "client/p2pctl/session_news.h"
#include "client/session.h"
#include "daemon/base/mutex.h"

namespace p2p::ctl {

class DeviceWatch {
 public:
  // Puts a DeviceWasReset into `news` for each reset of one of `devices`. Both outlive it.
  DeviceWatch(Session& session, const std::vector<Device>& devices, SessionNews& news);
  ~DeviceWatch();

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  // What has just happened to a device, if it is one of ours and was reset.
  void Look(const v1::Device& device);

  Session& session_;
  SessionNews& news_;
  std::map<std::string, uint64_t> generations_;
  p2pd::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::unique_ptr<EventStream> events_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace p2p::ctl

#endif  // P2PD_CLIENT_P2PCTL_DEVICE_WATCH_H_
