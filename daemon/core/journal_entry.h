// What a successor must know, as rows: one plain value for each thing that outlives the process. A journal is
// a sequence of entries; each puts a row in whole, changes one, or removes one (journal_state.h).
//
// A row that is about to change in the kernel says so first, in its phase: what a successor finds in a phase
// that ends in -ing may or may not have happened.
#ifndef P2PD_DAEMON_CORE_JOURNAL_ENTRY_H_
#define P2PD_DAEMON_CORE_JOURNAL_ENTRY_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "daemon/core/states.h"
#include "daemon/core/types.h"
#include "daemon/kernel/kernel.h"

namespace p2pd {

// A PCI address as a number, as a journal has it: domain << 16 | bus << 8 | device << 3 | function.
inline uint64_t NumberOf(const PciAddress& address) {
  return uint64_t{address.domain} << 16 | uint64_t{address.bus} << 8 | uint64_t{address.device} << 3 | address.function;
}
inline PciAddress AddressOf(uint64_t number) {
  return {.domain = static_cast<uint32_t>(number >> 16),
          .bus = static_cast<uint8_t>(number >> 8),
          .device = static_cast<uint8_t>(number >> 3 & 0x1f),
          .function = static_cast<uint8_t>(number & 7)};
}

// `fd_name`, everywhere: under which the descriptor is in the fd store; "" if it is not there.

struct JournalSession {
  SessionId id;
  std::string token;
  PeerIdentity peer;
  absl::Time connected;
  bool ended = false;   // its grants are being taken back
  std::string fd_name;  // its fd channel

  bool operator==(const JournalSession& other) const;
};

// A memfd that a session has offered.
struct JournalMemory {
  SessionId session;
  std::string name;  // the session's word for it
  std::string fd_name;

  bool operator==(const JournalMemory&) const = default;
};

struct JournalContext {
  std::string name;
  std::string fd_name;  // its iommufd

  bool operator==(const JournalContext&) const = default;
};

struct JournalDevice {
  PciAddress address;
  std::string context;
  uint64_t generation = 0;
  std::string fd_name;
  DeviceState state = DeviceState::kReady;
  std::string state_reason;
  std::optional<SessionId> driver;
  bool granted = false;     // its driver has been answered; without that, nobody knows whether it has the fd
  bool scrubbed = false;    // reset since its last driver
  bool holds_data = false;  // and its memory not cleared
  absl::Time since = absl::UnixEpoch();  // when its driver got it
  std::optional<OperationId> resume;

  bool operator==(const JournalDevice&) const = default;
};

struct JournalSpace {
  enum class Phase { kMaking = 1, kMade = 2 };

  AddressSpaceId id;
  SessionId session;
  std::string context;
  Phase phase = Phase::kMaking;
  IoasId ioas;  // 0 until the kernel has said it
  std::vector<PciAddress> devices;

  bool operator==(const JournalSpace&) const = default;
};

struct JournalExport {
  ExportId id;
  SessionId session;
  Window window;
  bool control = false;
  Grade grade = Grade::kMapped;
  uint64_t generation = 0;
  std::string rule;
  ExportState state = ExportState::kActive;
  bool closing = false;  // nothing new is cut from it; or its owner does not know of it yet
  absl::Time granted = absl::UnixEpoch();
  std::optional<absl::Time> expires;  // as its owner wants it; none: it lives as long as its session
  std::string fd_name;                // a RAW export's dma-buf

  bool operator==(const JournalExport& other) const;
};

// A driver's consent to a window of its device.
struct JournalOffer {
  OfferId id;
  SessionId session;  // the driver
  Window window;
  std::optional<uint32_t> uid;  // to whom, as in OfferTerms: likewise the next three
  std::optional<uint32_t> gid;
  std::string unit;
  std::optional<SessionId> to;
  Access access = Access::kReadWrite;
  std::optional<absl::Time> expires;  // none: it lives as long as the driver drives

  bool operator==(const JournalOffer& other) const;
};

struct JournalMapping {
  enum class Phase { kMapping = 1, kMapped = 2, kUnmapping = 3, kUnmapped = 4 };

  MappingId id;
  SessionId session;
  AddressSpaceId space;
  std::optional<ExportId> source;  // none: client memory
  std::string memory;              // its name in the session
  uint64_t offset = 0;             // into the export, or the memfd
  Range iova;
  Access asked = Access::kReadWrite;
  Access access = Access::kReadWrite;  // what the importer then can do
  Phase phase = Phase::kMapping;
  MappingState state = MappingState::kActive;
  std::string state_reason;
  bool answered = false;  // whoever asked for it knows of it
  absl::Time granted = absl::UnixEpoch();
  std::string ending;  // why it is being taken away for good; "": it is not

  bool operator==(const JournalMapping&) const = default;
};

// A mapping that is there goes on to another phase. The short form of what is written most often.
struct JournalMappingStep {
  MappingId id;
  JournalMapping::Phase phase = JournalMapping::Phase::kMapping;
  MappingState state = MappingState::kActive;
  std::string state_reason;
  bool answered = false;
  std::string ending;

  bool operator==(const JournalMappingStep&) const = default;
};

// Which request began something, so that a repeat of it waits for the end of that.
struct JournalRequest {
  SessionId session;
  std::string id;
  uint64_t fingerprint = 0;  // tells requests apart that share an id: must be the same in every build

  bool operator==(const JournalRequest&) const = default;
};

// Something is being taken away, or reset: what was decided must be brought to its end.
struct JournalOperation {
  struct Party {
    SessionId session;
    Answer answer = Answer::kWaiting;

    bool operator==(const Party&) const = default;
  };

  OperationId id;
  OperationKind kind = OperationKind::kRelease;
  ResetScope scope = ResetScope::kFunction;
  std::string reason;
  uint64_t generation = 0;
  bool over = false;      // somebody is still to be told, or has mappings to come back when it acks
  bool restore = false;   // its mappings come back
  bool leave = false;     // its devices are closed and not bound again
  bool recorded = false;  // leaves a receipt
  absl::Duration deadline = absl::InfiniteDuration();  // for the acks, where it is not the usual one
  std::optional<SessionId> ending;                     // to be forgotten at the end
  std::optional<SessionId> exempt;                     // from being asked to stop
  std::optional<JournalRequest> request;               // who waits for it
  std::vector<Party> parties;
  std::vector<PciAddress> devices;
  std::vector<ExportId> exports;
  std::vector<AddressSpaceId> spaces;
  std::vector<MappingId> mappings;

  bool operator==(const JournalOperation&) const = default;
};

// What a request was answered, so that a repeat of its request_id gets that again. Not the whole answer: what
// the repeated request itself does not say.
struct JournalOutcome {
  struct Part {
    uint64_t object = 0;  // the number of what was made, ended or begun; of a device, its address
    Range iova;           // of a mapping

    bool operator==(const Part&) const = default;
  };

  SessionId session;
  std::string request_id;
  uint64_t fingerprint = 0;
  absl::Status status;
  OperationKind kind = OperationKind::kRelease;  // of what is answered by a receipt
  uint64_t generation = 0;
  std::vector<Part> parts;  // an export before its mappings; a batch in its order

  bool operator==(const JournalOutcome&) const = default;
};

struct JournalMemoryKey {
  SessionId session;
  std::string name;

  auto operator<=>(const JournalMemoryKey&) const = default;
};

struct JournalContextKey {
  std::string name;

  auto operator<=>(const JournalContextKey&) const = default;
};

// A row that is no more. With a session go its outcomes and its memory.
struct JournalRemoval {
  using Key = std::variant<SessionId, JournalMemoryKey, JournalContextKey, PciAddress, AddressSpaceId, ExportId,
                           OfferId, MappingId, OperationId>;
  Key key;

  bool operator==(const JournalRemoval&) const = default;
};

// No number above it has been given to anything. Written ahead, for many numbers at once.
struct JournalLastId {
  uint64_t last = 0;

  bool operator==(const JournalLastId&) const = default;
};

using JournalEntry = std::variant<JournalSession, JournalMemory, JournalContext, JournalDevice, JournalSpace,
                                  JournalExport, JournalOffer, JournalMapping, JournalMappingStep, JournalOperation,
                                  JournalOutcome, JournalRemoval, JournalLastId>;

}  // namespace p2pd

#endif  // P2PD_DAEMON_CORE_JOURNAL_ENTRY_H_
