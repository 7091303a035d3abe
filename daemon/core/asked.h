// What is asked of the policy, besides who asks. Borrows core's entries: made and judged under one lock.
#ifndef P2PD_DAEMON_CORE_ASKED_H_
#define P2PD_DAEMON_CORE_ASKED_H_

#include <optional>

#include "daemon/core/tables.h"
#include "daemon/kernel/kernel.h"
#include "policy/policy.h"

namespace p2pd {

struct Asked {
  Action action = Action::kObserve;
  const DeviceEntry* exporter = nullptr;  // also the device that is opened or reset
  const DeviceEntry* importer = nullptr;
  std::optional<WindowFacts> window;
  std::optional<Access> access;
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_CORE_ASKED_H_
