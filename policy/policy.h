// Who may do what: a request goes in, a verdict comes out. Judging is pure and total: no clock, no lookup,
// no failure. Whoever asks gathers the facts first, and what was judged is what is then done.
#ifndef P2PD_POLICY_POLICY_H_
#define P2PD_POLICY_POLICY_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "daemon/base/pci_address.h"

namespace p2pd {

// The values are those of p2pd.v1.Action; policy.proto says what each allows.
enum class Action {
  kObserve = 1,
  kExport = 2,
  kExportControl = 3,
  kReceiveFd = 4,
  kMap = 5,
  kMapMemory = 6,
  kDrive = 7,
  kReset = 8,
  kAdmin = 9,
};
absl::string_view ActionName(Action action);

// Who asks, as the kernel vouched for it when the session began.
struct Subject {
  uint32_t uid = 0;
  uint32_t gid = 0;
  std::vector<uint32_t> groups;  // supplementary
  std::string unit;              // systemd unit, "" if unknown
  std::string label;             // security label, "" if none
};

struct DeviceFacts {
  PciAddress address;
  uint16_t vendor = 0;
  uint16_t device = 0;
  uint32_t class_code = 0;
};

struct WindowFacts {
  int bar = 0;
  uint64_t offset = 0;
  uint64_t length = 0;
  bool control = false;  // registers or doorbells, not memory
};

struct PolicyRequest {
  Subject subject;
  Action action = Action::kObserve;
  std::optional<DeviceFacts> exporter;  // also the device that is opened or reset
  std::optional<DeviceFacts> importer;
  std::optional<WindowFacts> window;
};

// What must have happened between two drivers of one device.
enum class Scrub { kReset, kNone };

struct Verdict {
  bool allowed = false;
  std::string rule;    // the rule that decided, "" if none matched
  std::string origin;  // its place, "policy.textproto:12"
  std::string reason;  // one sentence, for people
  Scrub scrub = Scrub::kReset;
};

class Policy {
 public:
  virtual ~Policy() = default;
  virtual Verdict Judge(const PolicyRequest& request) const = 0;
  virtual int rule_count() const = 0;
};

}  // namespace p2pd

#endif  // P2PD_POLICY_POLICY_H_
