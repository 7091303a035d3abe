// The words of p2pd as plain values: what goes into core, and what it shows of its tables. No locks, no
// descriptors, no protobuf.
#ifndef P2PD_DAEMON_CORE_TYPES_H_
#define P2PD_DAEMON_CORE_TYPES_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "daemon/base/pci_address.h"
#include "daemon/base/strong_id.h"
#include "daemon/core/states.h"
#include "daemon/device/holders.h"
#include "daemon/kernel/kernel.h"
#include "policy/policy.h"

namespace p2pd {

using SessionId = StrongId<struct SessionIdTag>;
using ExportId = StrongId<struct ExportIdTag>;
using AddressSpaceId = StrongId<struct AddressSpaceIdTag>;
using MappingId = StrongId<struct MappingIdTag>;
using OperationId = StrongId<struct OperationIdTag>;
using OfferId = StrongId<struct OfferIdTag>;

// A call's outcome, given once, on any thread, possibly before the call returns.
template <typename T>
using Done = absl::AnyInvocable<void(absl::StatusOr<T>)>;

// Who is at the other end of an fd channel, as the kernel vouched for it.
struct PeerIdentity {
  Subject subject;
  int32_t pid = 0;
  std::string comm;
  std::string client;  // what it calls itself
};

enum class Grade { kMapped = 1, kRaw = 2, kDriver = 3 };

// On which terms a window is granted.
struct Terms {
  Terms(Grade g = Grade::kMapped, absl::Duration ttl = absl::InfiniteDuration())  // NOLINT: a grade alone says enough
      : grade(g), time_to_live(ttl) {}
  Grade grade;
  absl::Duration time_to_live;  // infinite: as long as its session lives
};

struct Window {
  PciAddress device;
  int bar = 0;
  Range range;  // in the BAR
};

struct BarView {
  int index = 0;
  uint64_t size = 0;
  bool control = false;  // registers or doorbells (not prefetchable), not plain memory
  bool exportable = false;
  uint64_t fd_offset = 0;
  std::vector<Range> msix;  // pages that no window may touch
};

struct DeviceView {
  PciAddress address;
  uint16_t vendor = 0;
  uint16_t device = 0;
  uint32_t class_code = 0;
  std::string kernel_driver;
  DeviceState state = DeviceState::kReady;
  std::string state_reason;
  uint64_t generation = 0;
  std::optional<SessionId> driver;
  std::string driver_rule;  // of the policy, that lets it drive
  std::string driver_rule_origin;
  bool can_reset = false;
  std::vector<BarView> bars;
  std::string context;
  int iommu_group = -1;
  int numa_node = -1;
  uint64_t config_fd_offset = 0;
  std::vector<FileHolder> holders;  // while it is TAINTED, or GONE and not let go of
};

struct SessionView {
  SessionId id;
  PeerIdentity peer;
  absl::Time connected;
};

enum class ExportState {
  kActive = 1,
  kLingering = 2,  // given up, but somebody still holds the dma-buf of a RAW export
};

struct ExportView {
  ExportId id;
  SessionId session;
  Window window;
  bool control = false;
  Grade grade = Grade::kMapped;
  uint64_t generation = 0;
  std::string rule;         // of the policy, that allows it
  std::string rule_origin;  // its place
  ExportState state = ExportState::kActive;
  size_t mappings = 0;
  std::optional<absl::Time> expires;     // none: with its session
  std::optional<OperationId> operation;  // that takes it away, if that leaves a receipt
};

struct AddressSpaceView {
  AddressSpaceId id;
  SessionId session;
  std::string context;
  std::vector<PciAddress> devices;
  std::vector<Range> usable;
  uint64_t alignment = 0;
};

struct MappingView {
  MappingId id;
  SessionId session;
  AddressSpaceId address_space;
  std::optional<ExportId> source;  // none: client memory
  uint64_t offset = 0;
  Range iova;
  Access access = Access::kReadWrite;
  MappingState state = MappingState::kActive;
  std::string state_reason;
  std::string rule;  // likewise; several, for several importers, are joined by "; "
  std::string rule_origin;
  std::optional<OperationId> operation;  // the last one that touched it, if that leaves a receipt
};

struct OperationStep {
  std::string what;
  absl::Duration started;  // since the operation's start
  absl::Duration took;
  std::string error;
};

enum class Answer { kWaiting = 0, kAcked = 1, kForced = 2, kGone = 3 };

struct OperationParty {
  SessionId session;
  Answer answer = Answer::kWaiting;
  absl::Duration after;
};

struct OperationOutcome {
  MappingId mapping;
  uint64_t iova = 0;
  MappingState state = MappingState::kActive;
  std::string reason;
};

// The values are those of p2pd.v1.Operation.Kind.
enum class OperationKind {
  kReset = 1,
  kDriverEnd = 2,
  kSessionEnd = 3,
  kRelease = 4,
  kExpiry = 5,
  kRecovery = 6,
  kDeviceError = 7,
  kUnplug = 8,
  kSleep = 9,
  kPolicy = 10,
  kWithdrawal = 11,
};
enum class OperationState { kRunning = 1, kSucceeded = 2, kFailed = 3 };

// An operation's receipt, while it grows and after.
struct OperationView {
  OperationId id;
  OperationKind kind = OperationKind::kRelease;
  OperationState state = OperationState::kRunning;
  std::optional<PciAddress> device;  // the one that was asked for
  std::vector<PciAddress> devices;   // all that it resets or takes away
  uint64_t generation = 0;           // of `device`
  std::string error;
  absl::Time started;
  absl::Duration took;
  std::vector<OperationStep> steps;
  std::vector<OperationParty> parties;
  std::vector<OperationOutcome> mappings;  // the first 1000; none in lists and events
  size_t mapping_count = 0;                // all that it touched
};

// An operation without what became of each mapping.
OperationView Brief(const OperationView& view);

// A grant that another policy does not allow.
struct FallenGrant {
  std::string object;  // "mappings/7", "exports/5"; "devices/0000:01:00.0" for the right to drive it
  SessionId session;   // whose it is
  std::string reason;
};

// To whom a driver offers a window, and for what: all that is said must be so.
struct OfferTerms {
  std::optional<uint32_t> uid = {};
  std::optional<uint32_t> gid = {};  // primary or supplementary
  std::string unit = "";             // a pattern of systemd units; "": any
  std::optional<SessionId> session = {};
  Access access = Access::kReadWrite;
  absl::Duration time_to_live = absl::InfiniteDuration();  // infinite: as long as the driver drives
};

struct OfferView {
  OfferId id;
  SessionId session;  // the driver
  Window window;
  OfferTerms terms;
  std::optional<absl::Time> expires;
};

struct WithdrawalView {
  OfferId offer;
  std::optional<OperationId> operation;  // that revoked what rested on it; none if nothing did
};

// What the policy is asked to explain.
struct ExplainArgs {
  std::optional<Subject> subject;    // none: that of `session`
  std::optional<SessionId> session;  // none: who asks
  Action action = Action::kObserve;
  std::optional<PciAddress> exporter;
  std::optional<PciAddress> importer;
  std::optional<Window> window;  // of `exporter`
  std::optional<Access> access;
};

struct ExplanationView {
  Verdict verdict;
  PolicyRequest request;  // with all facts that there were
  uint64_t policy_generation = 0;
};

// What came of reading the policy again.
struct ReloadView {
  bool dry_run = false;
  uint64_t generation = 0;               // of the policy that is in force now
  int rules = 0;                         // of the policy that was read
  std::vector<FallenGrant> fallen;       // or would fall; the first 1000
  size_t fallen_count = 0;               // all of them
  std::optional<OperationId> operation;  // that took them back; none if there was nothing to take
};

// Something that is limited: how much of it a user holds, and may.
struct UsageView {
  std::string resource;
  uint64_t used = 0;
  uint64_t per_user = 0;
  std::optional<uint64_t> used_in_total;  // none: the viewer may not observe the others
  uint64_t total = 0;
};

// Something that this kernel can do, or not.
struct CapabilityView {
  std::string name;
  bool available = false;
  std::string detail;
};

struct StatusView {
  absl::Time started;
  size_t devices = 0;
  size_t sessions = 0;
  size_t exports = 0;
  size_t address_spaces = 0;
  size_t mappings = 0;
  uint64_t mapped_bytes = 0;
  int policy_rules = 0;
  uint64_t policy_generation = 0;  // 1 with the policy that p2pd started with, and one more with each reload
  bool dma_buf_export = false;
  std::vector<CapabilityView> capabilities;
  std::vector<UsageView> usage;
};

// Where a mapping is to go: exactly at `iova`, or anywhere whose last byte is at or below `iova_max`.
struct Placement {
  std::optional<uint64_t> iova;
  std::optional<uint64_t> iova_max;
  uint64_t alignment = 0;  // a power of two; 0: the largest that helps the IOMMU
};

// What is to be reset: a device alone, or all that shares its slot or bus.
enum class ResetScope { kFunction = 1, kBus = 2 };
struct ResetArgs {
  ResetArgs(PciAddress d, ResetScope s = ResetScope::kFunction)
      : device(d), scope(s) {}  // NOLINT: a device says enough
  PciAddress device;
  ResetScope scope;
};

struct MapArgs {
  ExportId source;
  AddressSpaceId address_space;
  uint64_t offset = 0;
  uint64_t length = 0;  // 0: to the end
  Access access = Access::kReadWrite;
  Placement placement;
};

struct MapMemoryArgs {
  std::string memory;
  AddressSpaceId address_space;
  uint64_t offset = 0;
  uint64_t length = 0;
  Access access = Access::kReadWrite;
  Placement placement;
};

// An export with mappings for several importers, in one.
struct AcquireArgs {
  struct Importer {
    AddressSpaceId address_space;
    Access access = Access::kReadWrite;
    Placement placement;
  };
  Window window;
  Terms terms;
  std::vector<Importer> importers;
};

struct AcquiredView {
  ExportView source;
  std::vector<MappingView> mappings;
};

// A part of a list: at most `limit` objects, those whose numbers follow `after`.
struct Page {
  uint64_t after = 0;
  size_t limit = SIZE_MAX;
};

enum class EventType { kSnapshot = 1, kInSync = 2, kCreated = 3, kChanged = 4, kDeleted = 5 };

struct Event {
  EventType type = EventType::kInSync;
  uint64_t sequence = 0;
  absl::Time time;
  std::variant<std::monostate, DeviceView, SessionView, ExportView, AddressSpaceView, MappingView, OperationView>
      object;
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_CORE_TYPES_H_
