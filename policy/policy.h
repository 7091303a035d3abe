// Who may do what: a request goes in, a verdict comes out. Judging is pure and total: no clock, no lookup,
// no failure. Whoever asks gathers the facts first, and what was judged is what is then done. A fact that is
// absent is not known; policy.proto says what becomes of conditions on it.
#ifndef P2PD_POLICY_POLICY_H_
#define P2PD_POLICY_POLICY_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
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
constexpr int kLastAction = static_cast<int>(Action::kAdmin);
absl::string_view ActionName(Action action);

// Who asks, as the kernel vouched for it when the session began.
struct Subject {
  uint32_t uid = 0;
  uint32_t gid = 0;
  std::vector<uint32_t> groups;          // supplementary
  std::string unit;                      // the system's systemd unit, "" if unknown
  std::string label;                     // security label, "" if none
  std::optional<std::string> user_unit;  // the unit of the user's manager, "" if in none
};

struct DeviceFacts {
  PciAddress address;
  uint16_t vendor = 0;
  uint16_t device = 0;
  std::optional<uint32_t> class_code;
  std::optional<int> numa_node;
  std::optional<bool> ats;  // whether it is enabled
};

struct WindowFacts {
  int bar = 0;
  uint64_t offset = 0;
  uint64_t length = 0;
  bool control = false;  // registers or doorbells, not memory
};

// What the importer is to get. The values are those of p2pd.v1.Conditions.Access: READ and WRITE are bits.
enum class AskedAccess { kRead = 1, kWrite = 2, kReadWrite = 3 };
absl::string_view AccessName(AskedAccess access);

// How far two devices are apart, the nearest first: what they share.
enum class PathRelation { kSelf, kSwitch, kRootPort, kHostBridge, kNothing };

struct PathFacts {
  std::optional<PathRelation> relation;
  bool supported = false;  // the kernel would let the one reach the other; false too where it cannot be told
};

struct PolicyRequest {
  Subject subject;
  Action action = Action::kObserve;
  std::optional<DeviceFacts> exporter;  // also the device that is opened or reset
  std::optional<DeviceFacts> importer;
  std::optional<WindowFacts> window;
  std::optional<AskedAccess> access;
  std::optional<PathFacts> path;       // absent: nobody has judged it
  std::optional<bool> offered;         // the window lies within an offer of the exporter's driver
  std::optional<std::string> context;  // the name of the iommufd context
};

// What must have happened between two drivers of one device.
enum class Scrub { kReset, kNone, kZero };

// What a grant is held to; absent: p2pd's own. policy.proto says what each means.
struct GrantLimits {
  Scrub scrub = Scrub::kZero;
  std::optional<uint64_t> max_count;
  std::optional<uint64_t> max_bytes;
  std::optional<absl::Duration> time_to_live;
  std::optional<absl::Duration> quiesce_deadline;
  bool shared = false;
  bool kill_holder = false;

  bool operator==(const GrantLimits&) const = default;
};

struct Verdict {
  bool allowed = false;
  std::string rule;    // the rule that decided, "" if none matched
  std::string origin;  // its place, "policy.textproto:12"
  std::string reason;  // one sentence, for people
  GrantLimits limits;  // of what is allowed; the defaults with a denial
};

class Policy {
 public:
  virtual ~Policy() = default;
  virtual Verdict Judge(const PolicyRequest& request) const = 0;
  virtual int rule_count() const = 0;
};

}  // namespace p2pd

#endif  // P2PD_POLICY_POLICY_H_
