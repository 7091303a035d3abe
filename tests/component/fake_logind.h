// A logind that puts no system to sleep, on a bus of the test's own. It answers only while the test waits for it.
#ifndef P2PD_TESTS_COMPONENT_FAKE_LOGIND_H_
#define P2PD_TESTS_COMPONENT_FAKE_LOGIND_H_

#include <systemd/sd-bus.h>

#include <string>

#include "daemon/base/unique_fd.h"

namespace p2pd {

class FakeLogind {
 public:
  explicit FakeLogind(const std::string& address);
  ~FakeLogind();  // gives the name up

  // Waits, up to 20 s, until somebody has asked for `count` inhibitors of sleep in all. Nobody else may be one.
  void AwaitInhibitors(int count);
  int inhibitors() const { return inhibitors_; }

  // Says that the system is about to sleep, or awake.
  void Prepare(bool sleeps);

  // Whether the last inhibitor is let go of, now or within 20 s.
  bool IsReleased();
  bool AwaitRelease();

  static int OnInhibit(sd_bus_message* call, void* data, sd_bus_error*);

 private:
  sd_bus* bus_ = nullptr;
  UniqueFd held_;  // the other end of the last inhibitor
  int inhibitors_ = 0;
};

}  // namespace p2pd

#endif  // P2PD_TESTS_COMPONENT_FAKE_LOGIND_H_
