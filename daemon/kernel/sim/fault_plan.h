// Failures that a test asks for, one call at a time, and how often each verb was called.
#ifndef P2PD_DAEMON_KERNEL_SIM_FAULT_PLAN_H_
#define P2PD_DAEMON_KERNEL_SIM_FAULT_PLAN_H_

#include <array>
#include <cstddef>
#include <vector>

#include "absl/strings/string_view.h"

namespace p2pd::sim {

// The verbs of the Kernel interface, in its order.
enum class Verb {
  kOpenDevice,
  kBindDevice,
  kSetVfToken,
  kGetDeviceInfo,
  kGetRegionInfo,
  kProbeExport,
  kExportDmaBuf,
  kShareDmaBuf,
  kIsShared,
  kResetDevice,
  kGetHotResetInfo,
  kHotReset,
  kSetEventFd,
  kReadConfig,
  kWriteConfig,
  kClearBar,
  kDisableInterrupts,
  kOpenContext,
  kAllocIoas,
  kDestroyIoas,
  kAttachDevice,
  kDetachDevice,
  kGetIovaLayout,
  kMapFile,
  kUnmap,
  kInspectMemory,
  kPrepareMemory,
};

inline constexpr std::array kAllVerbs = {
    Verb::kOpenDevice,      Verb::kBindDevice,        Verb::kSetVfToken,    Verb::kGetDeviceInfo, Verb::kGetRegionInfo,
    Verb::kProbeExport,     Verb::kExportDmaBuf,      Verb::kShareDmaBuf,   Verb::kIsShared,      Verb::kResetDevice,
    Verb::kGetHotResetInfo, Verb::kHotReset,          Verb::kSetEventFd,    Verb::kReadConfig,    Verb::kWriteConfig,
    Verb::kClearBar,        Verb::kDisableInterrupts, Verb::kOpenContext,   Verb::kAllocIoas,     Verb::kDestroyIoas,
    Verb::kAttachDevice,    Verb::kDetachDevice,      Verb::kGetIovaLayout, Verb::kMapFile,       Verb::kUnmap,
    Verb::kInspectMemory,   Verb::kPrepareMemory,
};

absl::string_view VerbName(Verb verb);  // "MapFile"
absl::string_view CallName(Verb verb);  // "IOMMU_IOAS_MAP_FILE": the step that errors of it name

// Where a call fails. Only resets have a later point: after the dma-bufs of the device, or of the whole set, were
// revoked, as EAGAIN and ENOTTY do on Linux.
enum class FailPoint { kBeforeAnything, kAfterRevoking };

class FaultPlan {
 public:
  struct Failure {
    int error = 0;  // an errno; 0: the call goes through
    FailPoint point = FailPoint::kBeforeAnything;
  };

  // Makes the nth call of `verb` from now on (1: the next) fail with `error`, once.
  void FailNth(Verb verb, int nth, int error, FailPoint point = FailPoint::kBeforeAnything);
  void Clear();

  // Counts a call of `verb` and says how it fails.
  Failure Next(Verb verb);

  int CallCount(Verb verb) const { return of(verb).calls; }

 private:
  struct Planned {
    int call = 0;
    Failure failure;
  };
  struct State {
    int calls = 0;
    std::vector<Planned> planned;
  };

  State& of(Verb verb) { return states_[static_cast<size_t>(verb)]; }
  const State& of(Verb verb) const { return states_[static_cast<size_t>(verb)]; }

  std::array<State, kAllVerbs.size()> states_;
};

}  // namespace p2pd::sim

#endif  // P2PD_DAEMON_KERNEL_SIM_FAULT_PLAN_H_
