// The face of core: everything that the front, a timer or a signal may ask of p2pd. Thread-safe. No call
// blocks on the kernel for long: what may take long goes to the Scheduler, and its outcome to `done`.
//
// Every mutating call takes the session that asks and a request_id that is unique in it; a repeat gets
// the first call's outcome. Objects of other sessions are NotFound to whoever may not observe them.
#ifndef P2PD_DAEMON_CORE_BROKER_H_
#define P2PD_DAEMON_CORE_BROKER_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "daemon/base/scheduler.h"
#include "daemon/base/unique_fd.h"
#include "daemon/core/fd_store.h"
#include "daemon/core/quota.h"
#include "daemon/core/session_channel.h"
#include "daemon/core/signal_waiter.h"
#include "daemon/core/state_journal.h"
#include "daemon/core/topology_view.h"
#include "daemon/core/types.h"
#include "daemon/device/config_source.h"
#include "daemon/device/holders.h"
#include "daemon/kernel/kernel.h"
#include "policy/policy.h"

namespace p2pd {

// Receives events in order, under core's lock: it may only queue them.
class Watcher {
 public:
  virtual ~Watcher() = default;
  virtual void OnEvent(const std::shared_ptr<const Event>& event) = 0;
  // Of mappings there may be very many, and to make an event costs more than to unmap: where nobody wants one, none is
  // made, and all are told that there was one.
  virtual bool Wants(const MappingView&) const { return true; }
  virtual void OnUnwanted() {}
};

// A request that policy refused.
struct Denial {
  SessionView session;
  Action action = Action::kObserve;
  std::string object;
  Verdict verdict;
};

// Devices that are to share one iommufd beyond those that must, and where that was said.
struct MergedContext {
  std::vector<PciAddress> devices;
  std::string origin;  // for errors
};

// Errors: FailedPrecondition, always.
absl::StatusOr<std::shared_ptr<const Policy>> NoPolicyToRead();

// Errors: Unavailable, always.
absl::Status NobodyKills(const std::string& unit);

struct BrokerOptions {
  std::string sysfs_root = "/sys";
  std::string cpuinfo = "/proc/cpuinfo";
  ConfigSource config_source = nullptr;        // for what sysfs does not show this process; none: it stays unknown
  std::vector<PciAddress> managed;             // empty: every device that is bound to vfio-pci
  std::vector<MergedContext> merged_contexts;  // all of their devices are managed
  absl::Duration quiesce_deadline = absl::Seconds(2);
  absl::Duration ready_deadline = absl::Minutes(1);     // for a driver, after a reset
  absl::Duration recovery_patience = absl::Seconds(5);  // with the kernel, after a device's error; see Recovered()
  QuotaLimits quota;
  std::function<std::vector<FileHolder>(const FileIdentity&)> find_holders = FindHolders;
  // Has a unit of the service manager killed, with all that runs in it; may block. An error says why not.
  std::function<absl::Status(const std::string&)> kill_unit = NobodyKills;
  SignalWaiter* signals = nullptr;  // outlives the Broker; none: nothing is heard of errors and removals
  FdStore* store = nullptr;         // likewise; none: nothing outlives this process
  std::string distrust;             // why what the store has cannot be trusted; "": it can
  // Reads what is to be the policy; may block.
  std::function<absl::StatusOr<std::shared_ptr<const Policy>>()> read_policy = NoPolicyToRead;
  std::function<void(const Denial&)> on_denied = nullptr;  // called under core's lock: it may only queue
};

class Core;

class Broker {
 public:
  // All outlive the Broker.
  Broker(BrokerOptions options, Kernel& kernel, Scheduler& scheduler, StateJournal& journal,
         std::shared_ptr<const Policy> policy);
  ~Broker();

  // Finds, opens and binds the managed devices; blocks. One that cannot be bound is shown as FAULTED. An
  // error means that p2pd cannot run at all.
  absl::Status Start();

  // After Start and before anybody else calls: the sessions that a predecessor left, each to be given its channel.
  struct RecoveredSession {
    SessionId id;
    PeerIdentity peer;
    UniqueFd lifeline;
  };
  std::vector<RecoveredSession> TakeRecovered();
  void Reattach(SessionId session, std::shared_ptr<SessionChannel> channel);
  // Brings to its end what the predecessor had begun; sessions without a channel end. Does not wait for that.
  void CarryOn();

  // Devices may have come or gone: looks, and takes or leaves them. Does not wait for that.
  void Rescan();

  // The kernel has ended its recovery of this function from an error, for good or ill; none: it may have, of any.
  // Does not wait.
  void Recovered(std::optional<PciAddress> device);

  // The system is about to sleep: whoever uses a window or drives a device is asked to stop, and every window is
  // unmapped; `asleep` is called when that is done. Until Wake() nothing is granted. Does not wait.
  void Sleep(Task asleep);
  // The system is awake, or does not sleep after all: what was unmapped comes back. Fine at any time.
  void Wake();

  // Ends every session, and calls `done` when nothing is mapped any more.
  void Stop(Task done);

  // Whether p2pd could be started again without a loss just now, or why not.
  CapabilityView Continuity() const;

  // ---- Sessions ----------------------------------------------------------------------------------------

  struct NewSession {
    SessionId id;
    std::string token;  // 32 random bytes in hexadecimal
  };
  // Blocks until it is kept for a successor. Errors: ResourceExhausted (too many sessions of this uid, or no room to
  // keep it).
  absl::StatusOr<NewSession> OpenSession(const PeerIdentity& peer, std::shared_ptr<SessionChannel> channel);
  // The channel hung up, the process ended or misbehaved: everything it held is revoked. Idempotent.
  void EndSession(SessionId session, const std::string& reason);
  // Errors: Unauthenticated (SESSION_ENDED).
  absl::StatusOr<SessionId> Authenticate(absl::string_view token) const;
  void AckQuiesce(SessionId session, OperationId operation);
  // Errors: InvalidArgument (MEMORY_UNSUITABLE: not a memfd, not sealed, not allocated), AlreadyExists,
  // ResourceExhausted.
  absl::Status OfferMemory(SessionId session, const std::string& name, UniqueFd memory);
  // Mappings of it stay. A name that is not offered is ignored.
  void WithdrawMemory(SessionId session, const std::string& name);

  // ---- Looking -----------------------------------------------------------------------------------------

  StatusView GetStatus(std::optional<SessionId> viewer = {}) const;
  std::vector<DeviceView> ListDevices() const;
  // In the order of their numbers.
  std::vector<SessionView> ListSessions(SessionId viewer, const Page& page = {}) const;
  std::vector<ExportView> ListExports(SessionId viewer, const Page& page = {}) const;
  // Those that the viewer made, and those that are made to it.
  std::vector<OfferView> ListOffers(SessionId viewer, const Page& page = {}) const;
  std::vector<AddressSpaceView> ListAddressSpaces(SessionId viewer, const Page& page = {}) const;
  std::vector<MappingView> ListMappings(SessionId viewer, const Page& page = {}) const;
  std::vector<OperationView> ListOperations(SessionId viewer, const Page& page = {}) const;
  absl::StatusOr<DeviceView> GetDevice(PciAddress device) const;
  // As it was when p2pd started. Errors: NotFound.
  absl::StatusOr<TopologyView> GetTopology(const TopologyQuery& query) const;
  absl::StatusOr<SessionView> GetSession(SessionId viewer, SessionId id) const;
  absl::StatusOr<ExportView> GetExport(SessionId viewer, ExportId id) const;
  absl::StatusOr<AddressSpaceView> GetAddressSpace(SessionId viewer, AddressSpaceId id) const;
  absl::StatusOr<MappingView> GetMapping(SessionId viewer, MappingId id) const;
  absl::StatusOr<OperationView> GetOperation(SessionId viewer, OperationId id) const;

  // Snapshot, IN_SYNC, then changes, without a gap, until the watcher is dropped (held weakly).
  absl::Status Watch(SessionId viewer, std::weak_ptr<Watcher> watcher);
  // The same for p2pd itself, which is no session, sees everything and has no quota.
  void WatchAll(std::weak_ptr<Watcher> watcher);

  // ---- Devices -----------------------------------------------------------------------------------------

  void OpenDevice(SessionId session, const std::string& request_id, PciAddress device, Done<DeviceView> done);
  void CloseDevice(SessionId session, const std::string& request_id, PciAddress device, Done<DeviceView> done);
  void DeviceReady(SessionId session, const std::string& request_id, PciAddress device, uint64_t generation,
                   Done<DeviceView> done);
  void ResetDevice(SessionId session, const std::string& request_id, const ResetArgs& args, Done<OperationView> done);
  // Binds a FAULTED device afresh.
  void RecoverDevice(SessionId session, const std::string& request_id, PciAddress device, Done<OperationView> done);

  // ---- Grants ------------------------------------------------------------------------------------------

  // A RAW export's dma-buf is on the session's channel before `done` is called.
  void CreateExport(SessionId session, const std::string& request_id, const Window& window, const Terms& terms,
                    Done<ExportView> done);
  // Gives it a new time to live, from now on.
  void RenewExport(SessionId session, const std::string& request_id, ExportId id, absl::Duration time_to_live,
                   Done<ExportView> done);
  void DeleteExport(SessionId session, const std::string& request_id, ExportId id, Done<OperationView> done);
  // The driver's consent to windows of its device, for rules that ask for it. It ends with the driver.
  void OfferWindow(SessionId session, const std::string& request_id, const Window& window, const OfferTerms& terms,
                   Done<OfferView> done);
  // Revokes what rested on it alone.
  void WithdrawOffer(SessionId session, const std::string& request_id, OfferId id, Done<WithdrawalView> done);
  void CreateAddressSpace(SessionId session, const std::string& request_id, const std::vector<PciAddress>& devices,
                          Done<AddressSpaceView> done);
  void DeleteAddressSpace(SessionId session, const std::string& request_id, AddressSpaceId id,
                          Done<OperationView> done);
  void Map(SessionId session, const std::string& request_id, const MapArgs& args, Done<MappingView> done);
  void MapMemory(SessionId session, const std::string& request_id, const MapMemoryArgs& args, Done<MappingView> done);
  void Unmap(SessionId session, const std::string& request_id, MappingId id, Done<MappingView> done);

  // All or nothing.
  static constexpr size_t kLargestBatch = 1024;
  static constexpr size_t kMostImporters = 64;
  void BatchMap(SessionId session, const std::string& request_id, const std::vector<MapArgs>& args,
                Done<std::vector<MappingView>> done);
  void BatchUnmap(SessionId session, const std::string& request_id, const std::vector<MappingId>& ids,
                  Done<std::vector<MappingView>> done);
  void Acquire(SessionId session, const std::string& request_id, const AcquireArgs& args, Done<AcquiredView> done);

  // ---- The administrator's -----------------------------------------------------------------------------

  void RevokeSession(SessionId session, const std::string& request_id, SessionId ending, const std::string& reason,
                     Done<OperationView> done);
  void RevokeExport(SessionId session, const std::string& request_id, ExportId id, const std::string& reason,
                    Done<OperationView> done);
  // Reads the policy again, all or nothing: an error leaves the one that is in force. Answers when what it does not
  // allow any more is revoked. A dry run changes nothing, and tells what would be revoked. Needs ADMIN, but of root.
  void ReloadPolicy(SessionId session, const std::string& request_id, bool dry_run, Done<ReloadView> done);
  // The same for p2pd itself, which no policy judges.
  void Reload(Done<ReloadView> done);
  // As CheckAdmin, but root may whatever the policy says: have the policy read again, set how much is logged.
  absl::Status CheckAdminOrRoot(const PeerIdentity& peer, const std::string& step) const;
  // What the policy says to such a request. Errors: PermissionDenied (about another, by one who may not administer),
  // NotFound.
  absl::StatusOr<ExplanationView> ExplainPolicy(SessionId viewer, const ExplainArgs& args) const;
  // Whether policy lets this peer administer p2pd itself, as `step` would. Errors: PermissionDenied.
  absl::Status CheckAdmin(const PeerIdentity& peer, const std::string& step) const;

 private:
  const std::shared_ptr<Core> core_;  // tasks in flight hold it too
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_CORE_BROKER_H_
