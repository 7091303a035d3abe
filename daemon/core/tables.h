// What core knows, as tables. Guarded by core's lock; nothing here blocks, calls out or decides.
#ifndef P2PD_DAEMON_CORE_TABLES_H_
#define P2PD_DAEMON_CORE_TABLES_H_

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "daemon/base/strand.h"
#include "daemon/core/broker.h"
#include "daemon/core/grounds.h"
#include "daemon/core/iova_allocator.h"
#include "daemon/core/journal_entry.h"
#include "daemon/core/quota.h"
#include "daemon/core/request_log.h"
#include "daemon/core/session_channel.h"
#include "daemon/core/signal_waiter.h"
#include "daemon/core/types.h"
#include "daemon/device/iommu_context.h"
#include "daemon/device/sysfs.h"
#include "daemon/device/vfio_device.h"

namespace p2pd {

// When something was granted: on the Scheduler's clock, by which it ages, and on that of the wall, for a successor,
// whose Scheduler counts anew.
struct Moment {
  absl::Duration clock;
  absl::Time wall;
};

// A memfd that a client has offered.
struct MemoryEntry {
  std::shared_ptr<const UniqueFd> file;
  MemoryInfo info;
  std::string fd_name;  // in the fd store; "": it is not there. Likewise below
  Quota::Charge charge;
};

struct SessionEntry {
  SessionView view;
  std::string token;
  std::shared_ptr<SessionChannel> channel;
  bool ended = false;  // its grants are being taken back
  std::string fd_name;
  RequestLog requests;
  std::map<std::string, MemoryEntry> memory;
  Quota::Charge charge;
};

// Whom what this session takes is charged to.
inline Holder HolderOf(const SessionEntry& session) {
  return {.uid = session.view.peer.subject.uid, .session = session.view.id.value()};
}

// The devices that share one iommufd context, and the strand on which everything happens to them.
struct ContextEntry {
  std::shared_ptr<IommuContext> iommu;
  std::shared_ptr<Strand> strand = std::make_shared<Strand>();
  std::vector<PciAddress> devices;
  std::string fd_name;
};

// A driver whose right ends when the operation on its device is over.
struct PendingEnd {
  OperationKind kind = OperationKind::kDriverEnd;
  std::string reason;
};

// Why a device may not be what it was.
enum class Trouble {
  kError,          // it told of an error, and the kernel recovers
  kCleared,        // an error has cleared it, of which it did not tell p2pd
  kPhysicalReset,  // its physical function was reset
  kDecodeOff,      // its driver turned its memory decode off, which has revoked every dma-buf of it for good
};

struct DeviceEntry {
  SysfsDevice sysfs;
  DeviceView view;
  // Set while it is bound. Used on its context's strand; never kept beyond a task, or it cannot be closed.
  std::shared_ptr<VfioDevice> vfio;
  std::string fd_name;
  bool promised = false;                  // by a predecessor, which may not have told its driver
  bool answered = false;                  // its driver knows of it
  std::optional<OperationId> operation;   // the one that runs on it
  std::optional<OperationId> resume;      // whose parties wait for it to be READY
  std::optional<PendingEnd> end_pending;  // its driver ended while an operation ran
  std::optional<Trouble> trouble;         // came up meanwhile
  bool recovered = false;                 // the kernel ended a recovery for which no operation waited
  bool look_pending = false;              // the kernel ended a recovery meanwhile
  bool removal_pending = false;           // the kernel wants it back, likewise
  std::optional<VfToken> vf_token;        // of a physical function that p2pd has bound
  bool scrubbed = false;                  // reset since its last driver
  bool holds_data = false;                // its memory was not cleared since its last driver
  Grounds grounds;                        // of its driver's right to drive it
  Moment granted;                         // when it got that
  std::optional<FileIdentity> held_file;  // while it is TAINTED or GONE: what its holders hold
  std::vector<std::unique_ptr<SignalWaiter::Watch>> signals;  // while it is bound
};

struct ExportEntry {
  ExportView view;
  std::shared_ptr<const DmaBuf> dma_buf;  // none until the kernel has made it
  bool making = true;                     // until then
  bool announced = false;                 // watchers have been told of it
  bool answered = false;                  // and whoever asked for it: until then a successor takes it back
  std::string fd_name;                    // of the dma-buf, if it is RAW
  std::set<MappingId> mappings;
  bool closing = false;  // an operation is taking it away: nothing new is cut from it
  bool watched = false;  // until nobody holds its dma-buf
  Grounds grounds;
  Moment granted;
  std::optional<absl::Time> wanted_until;               // by its owner; none: as long as its session lives
  absl::Duration asked = absl::InfiniteDuration();      // that, on the Scheduler's clock
  absl::Duration expires = absl::InfiniteDuration();    // that, or when its rule ends it
  absl::Duration next_look = absl::InfiniteDuration();  // at that, likewise; infinite: no timer is set
  Quota::Charge charge;
};

struct OfferEntry {
  OfferView view;
};

struct AddressSpaceEntry {
  AddressSpaceView view;
  std::shared_ptr<AddressSpace> ioas;  // none until the kernel has made it
  std::shared_ptr<Strand> strand = std::make_shared<Strand>();
  IovaAllocator iovas;
  std::set<MappingId> mappings;
  bool answered = false;
  bool closing = false;  // likewise: nothing new goes into it
  Quota::Charge charge;
};

struct MappingEntry {
  MappingView view;
  Access asked = Access::kReadWrite;  // view.access is what the importer then can do
  bool live = false;                  // the kernel may have it: from before MAP until UNMAP has succeeded
  bool uncertain = false;             // live, but it may be gone: p2pd ended during its MAP, or an operation of it
  bool announced = false;             // watchers have been told of it
  bool answered = false;              // and whoever asked for it
  JournalMapping::Phase phase = JournalMapping::Phase::kMapping;  // in the kernel
  std::optional<PciAddress> exporter;
  std::shared_ptr<const DmaBuf> dma_buf;  // one of these two
  std::shared_ptr<const UniqueFd> memory;
  std::string memory_name;
  uint64_t file_offset = 0;
  std::optional<OperationId> operation;  // the last one that touched it
  Grounds grounds;
  Moment granted;
  Quota::Charge charge;
  Quota::Charge bytes_charge;
  std::optional<std::string> ending;  // why it is being taken away for good: nothing brings it back
};

// What is to be taken away, and what is to happen then. See revocation.cc.
struct RevokeOrder {
  OperationKind kind = OperationKind::kRelease;
  std::string reason;
  std::map<MappingId, std::string> reasons;  // of mappings that have one of their own
  std::vector<MappingId> mappings;
  std::vector<PciAddress> devices;           // to be reset
  std::vector<ExportId> exports;             // to be dropped
  std::vector<AddressSpaceId> spaces;        // to be destroyed
  ResetScope scope = ResetScope::kFunction;  // how the first device is reset, if mappings are to come back
  bool restore = false;                      // put the mappings back; else they are gone, and devices are bound afresh
  bool leave = false;                        // devices are closed and not bound again
  std::optional<Trouble> trouble;            // what has to be looked at
  std::optional<absl::Duration> deadline;    // for the acks, where it is not the usual one
  std::optional<SessionId> exempt;           // not asked to stop: it asks itself, or it is dead
  std::optional<SessionId> ending;           // to be forgotten at the end
  bool recorded = true;                      // leaves a receipt
  std::optional<JournalRequest> request;     // which waits for `done`
  Done<OperationView> done;
};

struct OperationEntry {
  OperationView view;
  RevokeOrder order;
  absl::Duration began;         // on the Scheduler's clock
  absl::Duration phase_began;   // likewise
  absl::Duration last_unmap;    // when the kernel had done the last of them so far, likewise
  std::set<SessionId> waiting;  // for their acks
  std::set<SessionId> late;     // acked after they had been cut off
  bool quiescing = false;
  bool parked = false;                              // has unmapped everything, and waits for the system to wake
  bool awaits_recovery = false;                     // likewise, for the kernel's recovery to end
  int outstanding = 0;                              // tasks of the current phase
  int untold = 0;                                   // who are just being told to go on
  absl::flat_hash_map<MappingId, size_t> outcomes;  // where in view.mappings
};

class Tables {
 public:
  std::map<SessionId, SessionEntry> sessions;
  std::unordered_map<std::string, SessionId> tokens;
  std::map<std::string, ContextEntry> contexts;
  std::map<PciAddress, DeviceEntry> devices;
  std::map<ExportId, ExportEntry> exports;
  std::map<OfferId, OfferEntry> offers;
  std::map<AddressSpaceId, AddressSpaceEntry> spaces;
  absl::btree_map<MappingId, std::unique_ptr<MappingEntry>> mappings;
  std::map<OperationId, OperationEntry> operations;
  uint64_t mapped_bytes = 0;

  // Ids are never used twice, whatever they name.
  uint64_t NextId() { return ++last_id_; }
  void UseIdsAfter(uint64_t last) { last_id_ = std::max(last_id_, last); }

  SessionEntry* FindSession(SessionId id);
  DeviceEntry* FindDevice(const PciAddress& address);
  MappingEntry* FindMapping(MappingId id);
  ContextEntry& ContextOf(const DeviceEntry& device) { return contexts.at(device.view.context); }

  // Tells the watchers. `owner`: the session whose object it is; none: everybody may see it.
  using Object = decltype(Event::object);
  void Publish(EventType type, Object object, std::optional<SessionId> owner);
  void Publish(EventType type, const MappingView& mapping, std::optional<SessionId> owner);
  void Changed(const DeviceEntry& device) { Publish(EventType::kChanged, device.view, std::nullopt); }
  void Changed(const MappingEntry& mapping) { Publish(EventType::kChanged, mapping.view, mapping.view.session); }

  struct WatchEntry {
    SessionId viewer;
    bool observer = false;  // sees every session's objects
    std::weak_ptr<Watcher> watcher;
    Quota::Charge charge;
  };
  std::vector<WatchEntry> watchers;
  void ForgetGoneWatchers();
  uint64_t last_sequence = 0;

 private:
  // Whoever may see what belongs to `owner`.
  void Tell(std::optional<SessionId> owner, absl::FunctionRef<void(Watcher&)> tell);

  uint64_t last_id_ = 0;
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_CORE_TABLES_H_
