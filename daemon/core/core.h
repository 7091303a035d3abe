// What stands behind the Broker: the tables, their lock, and the one way in which rights end. Private to
// this folder; Broker's methods live in the file of what they are about:
//
//   sessions.cc    who is connected, and how a session ends
//   devices.cc     finding and binding devices, drivers
//   resets.cc      resets of a function or of all that shares its bus, recovery, and who is told
//   grants.cc      exports and address spaces
//   mapper.cc      mappings
//   batch.cc       many mappings at once, and an export with its mappings
//   expiry.cc      what lives for a time: exports, and whatever a rule limits
//   judging.cc     asking the policy
//   offers.cc      drivers' offers
//   reload.cc      another policy: what no longer stands is revoked
//   raw.cc         exports whose dma-buf is in a client's hands
//   revocation.cc  the one revocation path: quiesce, unmap, reset, restore or revoke
//   virtual_functions.cc  what a reset of a physical function takes along
//   restore.cc     putting mappings back
//   quiescing.cc   its first phase: asking users to stop
//   receipt.cc     what an operation leaves behind
//   device_errors.cc  what a device tells of: errors
//   removal.cc     devices that the kernel takes back, and that come back
//   rebind.cc      what happens to a device between two drivers
//   sleep.cc       what happens before the system sleeps, and after
//   queries.cc     looking and watching
//   carry_on.cc    what was under way when the process before ended
//
// Nothing that can block runs under the lock: a kernel call runs as a task on the strand of its context (a
// device) or of its address space (a mapping), the intent noted before (of what is taken away: that of its whole
// operation) and the outcome after, both under the lock. Calls into core that come from the event loop must not
// block either and go to the Scheduler.
#ifndef P2PD_DAEMON_CORE_CORE_H_
#define P2PD_DAEMON_CORE_CORE_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/types/span.h"
#include "daemon/base/errors.h"
#include "daemon/base/mutex.h"
#include "daemon/core/answers.h"
#include "daemon/core/asked.h"
#include "daemon/core/broker.h"
#include "daemon/core/checks.h"
#include "daemon/core/core_lock.h"
#include "daemon/core/ledger.h"
#include "daemon/core/tables.h"

namespace p2pd {

// So many mappings of a group are looked up, and noted, under one hold of the lock: each hold may wait, and wakes
// whoever watches.
constexpr size_t kMappingsAHold = 64;

// The kernel calls some things busy that will go through when asked again.
constexpr int kKernelAttempts = 3;
inline bool IsTransient(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsResourceExhausted(status);
}

class Core : public std::enable_shared_from_this<Core> {
 public:
  Core(BrokerOptions options, Kernel& kernel, Scheduler& scheduler, StateJournal& journal,
       std::shared_ptr<const Policy> policy);

  // ---- Requests ----------------------------------------------------------------------------------------

  // once.h: runs `body` once for this request_id. It answers by an error, or takes `finish` along and calls it
  // later, not under the lock. body: absl::Status(CoreLock&, SessionEntry&, Done<T>& finish), called under
  // the lock.
  template <typename T, typename Body>
  void Once(SessionId session, const std::string& request_id, const std::string& fingerprint, Done<T> done, Body body)
      ABSL_LOCKS_EXCLUDED(mutex);

  // With all facts that there are.
  PolicyRequest RequestOf(const Subject& subject, std::optional<SessionId> session, const Asked& asked) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  Verdict Judge(const SessionEntry& session, const Asked& asked) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // Judge, as an error where it does not allow. `object` is what was asked for.
  absl::StatusOr<Verdict> Permit(const SessionEntry& session, const std::string& object, const Asked& asked) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  absl::StatusOr<std::vector<Verdict>> PermitAll(const SessionEntry& session, const std::string& object,
                                                 const std::vector<Asked>& asked) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // What an export asks for, and a mapping of `source` (none: client memory): all of it must be allowed.
  std::vector<Asked> AskedFor(const ExportView& view) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  std::vector<Asked> AskedFor(const ExportView* source, const AddressSpaceView& space, Access access) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  absl::StatusOr<Grounds> RestOn(const SessionEntry& session, uint64_t bytes, const std::vector<Verdict>& verdicts)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // The error that a refused request gets; whoever wants to know of refusals is told.
  absl::Status Refuse(const Denial& denial) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void BeginWatch(Tables::WatchEntry entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  std::vector<UsageView> UsageOf(const SessionEntry& session) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  bool MayObserve(SessionId viewer) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

  // Refuses while a device of the same context is TAINTED.
  absl::Status CheckContext(const DeviceEntry& device, absl::string_view step) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  absl::StatusOr<DeviceEntry*> RequireDevice(const PciAddress& address) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // The object, if the session owns it.
  absl::StatusOr<ExportEntry*> RequireExport(SessionId owner, ExportId id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  absl::StatusOr<std::vector<MappingView>> RequireMappings(SessionId owner, const std::string& step,
                                                           const std::vector<MappingId>& ids)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  absl::StatusOr<AddressSpaceEntry*> RequireSpace(SessionId owner, AddressSpaceId id)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

  // Queues `task` as lock.Post does, but runs it on a thread that may block for long: a caller may be gRPC's.
  void PostElsewhere(CoreLock& lock, const std::shared_ptr<Strand>& strand, Task task)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // Lets go of a dma-buf. Its last close can wait for a reset of the device: only its strand may.
  void Release(std::shared_ptr<const DmaBuf> dma_buf, const PciAddress& device) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

  // ---- Devices -----------------------------------------------------------------------------------------

  // Moves the device on; an event that cannot happen in its state is a bug, which faults it.
  void Advance(DeviceEntry& device, DeviceEvent event, const std::string& reason = "")
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // What was granted of the device before is of the past.
  void NextGeneration(DeviceEntry& device) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // The copy that DeviceView shows of what VFIO told when it was bound.
  void Describe(DeviceEntry& device) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // Sends Resume to those who were asked to stop for the last reset of the device.
  void SendResume(CoreLock& lock, DeviceEntry& device) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void SendResumeTo(CoreLock& lock, SessionId party, OperationEntry& operation, const DeviceEntry& device)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // The driver has its own deadline, after a reset.
  void WatchReady(const DeviceEntry& device) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // What a driver's end takes with it: everything that rests on these devices.
  RevokeOrder DriverEnd(const std::vector<PciAddress>& ended, std::optional<SessionId> driver)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

  // ---- Revocation --------------------------------------------------------------------------------------

  OperationId Revoke(CoreLock& lock, RevokeOrder order) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // Its first phase.
  void AskToStop(CoreLock& lock, OperationEntry& operation) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void Ack(CoreLock& lock, SessionId session, OperationId operation, Answer answer)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // Returns in how many address spaces there is something to come back.
  size_t RestoreLate(CoreLock& lock, OperationEntry& operation, SessionId session) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // Tells the watchers of it, without what became of each mapping.
  void Announce(const OperationEntry& operation, EventType type) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // Forgets a mapping that the kernel no longer has, or never had.
  void Drop(MappingEntry& mapping, const std::string& reason) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void DropExport(ExportEntry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void ForgetOldReceipts() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

  // ---- What outlives the process -----------------------------------------------------------------------

  // The journal hears of it as it is now.
  void Note(const DeviceEntry& device) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void Note(const MappingEntry& mapping) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

  const BrokerOptions options;
  Kernel& kernel;
  Scheduler& scheduler;
  const absl::Time started;
  std::vector<CapabilityView> capabilities;  // probed by Start, before anybody can ask

  CoreMutex mutex{scheduler};
  Tables tables ABSL_GUARDED_BY(mutex);
  std::optional<JournalRequest> asking ABSL_GUARDED_BY(mutex);  // whose body runs
  Quota quota ABSL_GUARDED_BY(mutex);
  Ledger journal ABSL_GUARDED_BY(mutex);
  std::shared_ptr<const Policy> policy ABSL_GUARDED_BY(mutex);
  uint64_t policy_generation ABSL_GUARDED_BY(mutex) = 1;
  RuleLedger ledger ABSL_GUARDED_BY(mutex);
  const std::shared_ptr<Strand> reloads = std::make_shared<Strand>();
  std::vector<Range> bus_windows ABSL_GUARDED_BY(mutex);
  std::shared_ptr<const Topology> topology ABSL_GUARDED_BY(mutex) = std::make_shared<const Topology>();
  bool stopping ABSL_GUARDED_BY(mutex) = false;
  bool looking ABSL_GUARDED_BY(mutex) = false;     // Look() is at it
  bool look_again ABSL_GUARDED_BY(mutex) = false;  // something has changed since it began
  Task when_idle ABSL_GUARDED_BY(mutex);           // called once nothing is left
  bool sleeping ABSL_GUARDED_BY(mutex) = false;    // the system sleeps, or is about to
  Task when_asleep ABSL_GUARDED_BY(mutex);         // called once no window is mapped

  // Of a predecessor's: sessions that wait for their channels, drivers whose device was closed, and why nothing
  // that it left could stay, if that is so.
  std::vector<Broker::RecoveredSession> recovered ABSL_GUARDED_BY(mutex);
  std::vector<std::pair<PciAddress, SessionId>> cut_off ABSL_GUARDED_BY(mutex);
  std::string distrusted ABSL_GUARDED_BY(mutex);

  // Calls `when_idle` if that is so.
  void CheckIdle(CoreLock& lock) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

  absl::Status EnterSession(SessionEntry session) ABSL_LOCKS_EXCLUDED(mutex);
  // One offer at a time of each session: its front sees to that.
  absl::Status TakeMemory(SessionId id, const std::string& name, MemoryEntry memory) ABSL_LOCKS_EXCLUDED(mutex);
  void EndSession(CoreLock& lock, SessionEntry& session, const std::string& reason, Done<OperationView> done = nullptr)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

  // Enters the mapping: checked, charged, its IOVA reserved, its intent noted. CarryOut must follow on its
  // address space's strand, or Abandon.
  // `judged`: what policy has just said to this export in this address space with this access; empty: it is asked.
  absl::StatusOr<MappingId> PrepareMap(SessionEntry& session, const MapArgs& args, std::vector<Verdict>& judged)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void Abandon(MappingId id, const std::string& reason) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  absl::StatusOr<MappingView> CarryOut(MappingId id) ABSL_LOCKS_EXCLUDED(mutex);
  // Unmaps what the session owns: all names are checked before the first is unmapped. `step` is for errors.
  absl::Status BeginRelease(CoreLock& lock, SessionId owner, const std::string& step, const std::vector<MappingId>& ids,
                            Done<std::vector<MappingView>> finish) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  absl::Status BeginBatchMap(CoreLock& lock, SessionEntry& session, const std::vector<MapArgs>& args,
                             Done<std::vector<MappingView>>& finish) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  absl::Status BeginAcquire(CoreLock& lock, SessionEntry& session, const std::string& request_id,
                            const AcquireArgs& args, Done<AcquiredView>& finish) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  absl::Status BeginCreateExport(CoreLock& lock, SessionEntry& session, const std::string& request_id,
                                 const Window& window, const Terms& terms, Done<ExportView>& finish)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  Moment Now() const;
  // What a predecessor's clock told; never in the future.
  Moment MomentOf(absl::Time wall) const;
  void SetExpiry(ExportEntry& entry, absl::Duration time_to_live) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // Takes it back when it is as old as its rule lets it become.
  void WatchAge(ExportEntry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void WatchAge(const MappingEntry& mapping) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void WatchAge(const DeviceEntry& device) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void TakeFromDriver(CoreLock& lock, DeviceEntry& device, OperationKind kind, const std::string& reason)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

  // offers.cc
  absl::StatusOr<OfferView> Offer(const SessionEntry& session, const Window& window, const OfferTerms& terms)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // Withdraws it when its time is over.
  void WatchOffer(const OfferView& view);
  void Withdraw(CoreLock& lock, OfferId id, OperationKind kind, const std::string& why, Done<WithdrawalView> done)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  bool IsOffered(const Subject& subject, std::optional<SessionId> session, const Window& window,
                 std::optional<Access> access) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void ForgetDriver(DeviceEntry& device) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

  // reload.cc
  // Reads the policy again, and revokes what it does not allow; a dry run only tells what that would be.
  void Reload(bool dry_run, Done<ReloadView> done) ABSL_LOCKS_EXCLUDED(mutex);
  void Install(CoreLock& lock, std::shared_ptr<const Policy> other, bool dry_run, Done<ReloadView> done)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // What goes with an export; whoever asks says why, and hears when it is done.
  RevokeOrder ExportEnd(const ExportEntry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  absl::Status BeginCreateSpace(CoreLock& lock, SessionEntry& session, const std::vector<PciAddress>& devices,
                                Done<AddressSpaceView>& finish) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  absl::Status BeginOpenDevice(CoreLock& lock, SessionEntry& session, const std::string& request_id,
                               const PciAddress& address, Done<DeviceView>& finish)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  absl::Status BeginReset(CoreLock& lock, SessionEntry& session, const ResetArgs& args, Done<OperationView>& finish)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  absl::Status BeginRecovery(CoreLock& lock, SessionEntry& session, const PciAddress& address,
                             Done<OperationView>& finish) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

 private:
  // Tasks: run on a strand or the Scheduler, not under the lock.
  void FinishCreateExport(ExportId id, const std::string& request_id, Done<ExportView> finish)
      ABSL_LOCKS_EXCLUDED(mutex);
  // For a RAW export one of its own.
  absl::StatusOr<std::shared_ptr<const DmaBuf>> MakeDmaBuf(const ExportView& view) ABSL_LOCKS_EXCLUDED(mutex);
  // Whether an export that is being made is still wanted.
  absl::Status CheckStands(const ExportEntry* entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  absl::Status HandOut(const DmaBuf& dma_buf, ExportId id, const std::string& request_id, SessionChannel& channel)
      ABSL_LOCKS_EXCLUDED(mutex);
  void FinishCreateSpace(AddressSpaceId id, Done<AddressSpaceView> finish) ABSL_LOCKS_EXCLUDED(mutex);
  void NoteIoas(AddressSpaceId id, IoasId ioas) ABSL_LOCKS_EXCLUDED(mutex);
  void PostOpenDevice(CoreLock& lock, const DeviceEntry& device, SessionId session, const std::string& request_id,
                      Done<DeviceView>& finish) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void FinishOpenDevice(const PciAddress& address, SessionId session, const std::string& request_id,
                        Done<DeviceView> finish) ABSL_LOCKS_EXCLUDED(mutex);
  void FinishReady(const PciAddress& address, SessionId session, uint64_t generation, Done<DeviceView> finish)
      ABSL_LOCKS_EXCLUDED(mutex);
  absl::StatusOr<MappingId> PrepareMapMemory(SessionEntry& session, const MapMemoryArgs& args)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  absl::StatusOr<MappingId> Enter(SessionEntry& session, AddressSpaceEntry& space,
                                  std::unique_ptr<MappingEntry> mapping, const Placement& placement)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // `elsewhere`: on a thread that may block for as long as it takes to pin a client's memory.
  void PostMapping(CoreLock& lock, MappingId id, Done<MappingView>& finish, bool elsewhere = false)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

  // batch.cc
  struct Batch;
  void MapGroup(const std::shared_ptr<Batch>& batch, const std::vector<size_t>& places) ABSL_LOCKS_EXCLUDED(mutex);
  void EndBatch(CoreLock& lock, Batch& batch) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void FinishAcquire(SessionId session, const ExportView& source, const AcquireArgs& args, Done<AcquiredView> finish)
      ABSL_LOCKS_EXCLUDED(mutex);

  // expiry.cc
  void WatchExpiry(ExportEntry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void CheckExpiry(CoreLock& lock, ExportEntry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

  // resets.cc
  // What a reset of `devices` takes away and puts back; the first is the one that `session` asked for.
  RevokeOrder ResetOrder(const SessionEntry& session, std::vector<PciAddress> devices)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void FindResetSet(SessionId session, const PciAddress& address, const std::optional<JournalRequest>& request,
                    Done<OperationView> finish) ABSL_LOCKS_EXCLUDED(mutex);
  absl::Status BeginBusReset(CoreLock& lock, SessionEntry& session, const PciAddress& address, const HotResetInfo& set,
                             const std::vector<SysfsDevice>& beside, const std::optional<JournalRequest>& request,
                             Done<OperationView>& finish) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

  // virtual_functions.cc
  void FindVirtualFunctions(SessionId session, const PciAddress& address, const std::optional<JournalRequest>& request,
                            Done<OperationView> finish) ABSL_LOCKS_EXCLUDED(mutex);
  // They have been reset with it, unasked.
  void RepairVirtualFunctions(const PciAddress& physical) ABSL_LOCKS_EXCLUDED(mutex);
  absl::Status AddVirtualFunctions(const SessionEntry& session, const std::vector<SysfsDevice>& functions,
                                   std::vector<PciAddress>& devices, std::vector<std::string>& obstacles)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  absl::StatusOr<std::optional<VfToken>> VfTokenFor(const PciAddress& address) ABSL_LOCKS_EXCLUDED(mutex);
  absl::Status BeginPhysicalReset(CoreLock& lock, SessionEntry& session, const PciAddress& address,
                                  const std::vector<SysfsDevice>& functions,
                                  const std::optional<JournalRequest>& request, Done<OperationView>& finish)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

  // device_errors.cc
  // Has the kernel tell of errors and removals from now on.
  absl::Status WaitForSignals(const PciAddress& address, const VfioDevice& vfio,
                              std::vector<std::unique_ptr<SignalWaiter::Watch>>& signals);
  void OnSignal(const PciAddress& address, DeviceSignal signal) ABSL_LOCKS_EXCLUDED(mutex);
  // Begins what came up during the last operation, if anything did.
  void BeginPending(CoreLock& lock, DeviceEntry& device) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // Unmaps what is mapped of it at once, and puts it back if it can; nothing while another operation is at it.
  void BeginRepair(CoreLock& lock, DeviceEntry& device, Trouble trouble) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // Runs `work` on the strand, and waits for it. Only where nothing on that strand waits for this one.
  void RunOn(const std::shared_ptr<Strand>& strand, absl::FunctionRef<void()> work) ABSL_LOCKS_EXCLUDED(mutex);
  // On the context's strand: what an error, or the system's sleep, has left of the device.
  void LookAfterwards(OperationId id, const PciAddress& address) ABSL_LOCKS_EXCLUDED(mutex);
  void Reopen(OperationId id, const PciAddress& address, const std::string& reason) ABSL_LOCKS_EXCLUDED(mutex);
  // Its windows' dma-bufs anew: those of before are revoked for ever.
  absl::Status ExportAgain(const PciAddress& address) ABSL_LOCKS_EXCLUDED(mutex);
  void DropExportsOf(const PciAddress& address, bool raw_only, const std::string& reason)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // Tells its driver, and whoever has a dma-buf of it, to close what they hold.
  void TellHolders(CoreLock& lock, const DeviceEntry& device, const std::string& reason)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

  // removal.cc
  void BeginRemoval(CoreLock& lock, DeviceEntry& device) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void CloseForGood(OperationId id, const PciAddress& address) ABSL_LOCKS_EXCLUDED(mutex);
  void ResetLeaving(OperationId id, const VfioDevice& vfio) ABSL_LOCKS_EXCLUDED(mutex);
  // Whether VFIO has the device still, or again, for whoever wants it.
  bool HasCdev(const PciAddress& address) const;
  // It is GONE; `file`: what whoever still holds it holds.
  void PartWith(const PciAddress& address, const std::optional<FileIdentity>& file) ABSL_LOCKS_EXCLUDED(mutex);
  void WatchHoldersOfGone(const PciAddress& address) ABSL_LOCKS_EXCLUDED(mutex);
  void Look() ABSL_LOCKS_EXCLUDED(mutex);
  void TakeIn(const std::vector<SysfsDevice>& found) ABSL_LOCKS_EXCLUDED(mutex);
  void PlaceInContexts(const std::vector<SysfsDevice>& managed, const std::vector<PciAddress>& arrived)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void Welcome(const PciAddress& address) ABSL_LOCKS_EXCLUDED(mutex);

  // error_recovery.cc
  void NoteRecovered(CoreLock& lock, DeviceEntry& device) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // Whether the kernel may be at it still; the operation goes on when it is not, or took too long.
  bool AwaitRecovery(OperationEntry& operation) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void EndAwaiting(CoreLock& lock, OperationEntry& operation, const absl::Status& status)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // On its strand, soon: whether the device is what it was.
  void LookLater(CoreLock& lock, DeviceEntry& device) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void LookForTrouble(const PciAddress& address) ABSL_LOCKS_EXCLUDED(mutex);

  // sleep.cc
  absl::Status CheckAwake(absl::string_view step, const std::string& object) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // Asks and unmaps, as far as no other operation is at it; what that leaves follows it.
  void GoToSleep(CoreLock& lock) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // The operation has unmapped everything.
  void Park(CoreLock& lock, OperationEntry& operation) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void CheckAsleep(CoreLock& lock) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void WakeUp(CoreLock& lock) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

  // raw.cc
  // Forgets an export that nothing is mapped from any more; a RAW one only once nobody holds its dma-buf.
  void End(ExportEntry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void CheckLater(const ExportEntry& entry, absl::Duration next_check) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void CheckLingering(ExportId id, absl::Duration next_check) ABSL_LOCKS_EXCLUDED(mutex);
  // The device was closed, and with that every dma-buf of it revoked for ever.
  void DropLingering(const PciAddress& device) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

  // The further phases of an operation, in this order.
  // How long this user gets: p2pd's deadline, or the shortest that a rule of what it has sets.
  absl::Duration PatienceFor(const OperationEntry& operation, const std::vector<MappingId>& mappings) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void CutOff(CoreLock& lock, OperationEntry& operation, SessionId session) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void CutOffDriver(CoreLock& lock, OperationEntry& operation) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void BeginUnmap(CoreLock& lock, OperationEntry& operation) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void UnmapGroup(OperationId id, const std::vector<MappingId>& mappings) ABSL_LOCKS_EXCLUDED(mutex);
  struct Unmapping;
  void PrepareUnmap(const std::vector<MappingId>& mappings, std::vector<Unmapping>& work) ABSL_LOCKS_EXCLUDED(mutex);
  void NoteUnmapped(OperationEntry& operation, const Unmapping& done) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void EndUnmap(CoreLock& lock, OperationEntry& operation) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void BeginContexts(CoreLock& lock, OperationEntry& operation) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void WorkOnContext(OperationId id, const std::string& context) ABSL_LOCKS_EXCLUDED(mutex);
  void BeginRestore(CoreLock& lock, OperationEntry& operation) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void RestoreGroup(OperationId id, const std::vector<MappingId>& mappings) ABSL_LOCKS_EXCLUDED(mutex);
  struct Restoring;
  void RestoreSome(OperationId id, absl::Span<const MappingId> mappings) ABSL_LOCKS_EXCLUDED(mutex);
  void PrepareRestore(MappingId mapping, std::vector<Restoring>& work) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  static void CarryOutRestore(Restoring& one);
  void NoteRestored(OperationId id, const Restoring& done) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void ResumeLate(OperationId id, SessionId session) ABSL_LOCKS_EXCLUDED(mutex);
  void Finish(CoreLock& lock, OperationEntry& operation) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

  // One task of the current phase is done; after the last, `next` follows.
  using Phase = void (Core::*)(CoreLock&, OperationEntry&);
  void TaskDone(OperationId id, Phase next) ABSL_LOCKS_EXCLUDED(mutex);
  // Groups mappings by address space and runs `task` for each group on its strand, then `next`.
  using GroupTask = void (Core::*)(OperationId, const std::vector<MappingId>&);
  void RunGroups(CoreLock& lock, OperationEntry& operation, const std::vector<MappingId>& mappings, GroupTask task,
                 Phase next) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // Times one step of the receipt; it has ended now, unless that is said.
  void AddStep(OperationEntry& operation, const std::string& what, absl::Duration began, const absl::Status& status,
               std::optional<absl::Duration> ended = std::nullopt) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void AddOutcome(OperationEntry& operation, const MappingEntry& mapping) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  absl::Status RunStep(OperationId id, const std::string& what, absl::FunctionRef<absl::Status()> step)
      ABSL_LOCKS_EXCLUDED(mutex);

  // rebind.cc; all on the context's strand.
  void DestroySpace(OperationId id, AddressSpaceId space) ABSL_LOCKS_EXCLUDED(mutex);
  void ResetForRestore(OperationId id) ABSL_LOCKS_EXCLUDED(mutex);
  void ScrubAndRebind(OperationId id, const PciAddress& address) ABSL_LOCKS_EXCLUDED(mutex);
  absl::Status BindAfresh(const PciAddress& address, bool same_context = false) ABSL_LOCKS_EXCLUDED(mutex);
  std::string ContextNameOf(const PciAddress& address) ABSL_LOCKS_EXCLUDED(mutex);
  // p2pd's own copy, whose last user this must be: what others may still hold; none if it was closed already.
  std::optional<FileIdentity> Close(OperationId id, const PciAddress& address, bool scrubbed)
      ABSL_LOCKS_EXCLUDED(mutex);
  absl::Status Scrub(OperationId id, const PciAddress& address, const VfioDevice& vfio) ABSL_LOCKS_EXCLUDED(mutex);
  void ClearMemory(OperationId id, const PciAddress& address, const VfioDevice& vfio) ABSL_LOCKS_EXCLUDED(mutex);
  // What came of binding a device again; `file`: what whoever still holds it holds.
  void AfterBind(OperationId id, const PciAddress& address, const absl::Status& bound,
                 const std::optional<FileIdentity>& file) ABSL_LOCKS_EXCLUDED(mutex);
  void KillHolders(OperationId id, const PciAddress& address, const std::vector<FileHolder>& holders)
      ABSL_LOCKS_EXCLUDED(mutex);
  void LookForHolders(const PciAddress& address) ABSL_LOCKS_EXCLUDED(mutex);
  void RetryBind(const PciAddress& address, int attempt) ABSL_LOCKS_EXCLUDED(mutex);
  // Address spaces that could not be destroyed when their session ended; on the context's strand.
  void DestroyLeftSpaces(const std::string& context) ABSL_LOCKS_EXCLUDED(mutex);
  friend class Broker;
  friend class Recovery;
  friend class Rejudging;
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_CORE_CORE_H_
