// Resets: of a function, or of all that shares its slot or bus; the recovery of a device that is FAULTED; and
// telling those who were asked to stop that they may go on.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "daemon/base/errors.h"
#include "daemon/core/core.h"
#include "daemon/core/once.h"
#include "daemon/core/standing.h"

namespace p2pd {

void Broker::ResetDevice(SessionId session, const std::string& request_id, const ResetArgs& args,
                         Done<OperationView> done) {
  core_->Once<OperationView>(session, request_id,
                             absl::StrCat("ResetDevice ", args.device.ToString(), " ", static_cast<int>(args.scope)),
                             std::move(done), [&](CoreLock& lock, SessionEntry& entry, Done<OperationView>& finish) {
                               core_->mutex.AssertHeld();
                               return core_->BeginReset(lock, entry, args, finish);
                             });
}

absl::Status Core::BeginReset(CoreLock& lock, SessionEntry& session, const ResetArgs& args,
                              Done<OperationView>& finish) {
  P2PD_ASSIGN_OR_RETURN(DeviceEntry* const device, RequireDevice(args.device));
  if (device->view.driver != session.view.id) {
    P2PD_RETURN_IF_ERROR(
        Permit(session, DeviceName(args.device), {.action = Action::kReset, .exporter = device}).status());
  }
  P2PD_RETURN_IF_ERROR(CheckUsable(*device, "ResetDevice"));
  if (args.scope == ResetScope::kBus) {
    // What else would be reset only the kernel knows.
    PostElsewhere(
        lock, tables.ContextOf(*device).strand,
        [self = shared_from_this(), id = session.view.id, address = args.device, request = asking,
         finish = std::move(finish)]() mutable { self->FindResetSet(id, address, request, std::move(finish)); });
    return absl::OkStatus();
  }
  if (!device->view.can_reset) {
    return DeviceError(*device, absl::StatusCode::kFailedPrecondition, Reason::kDeviceUnusable, "ResetDevice",
                       "it has no function reset", "see its reset_method in sysfs, or try --scope=bus");
  }
  if (device->sysfs.has_sriov) {
    lock.After([self = shared_from_this(), id = session.view.id, address = args.device, request = asking,
                finish = std::move(finish)]() mutable {
      self->scheduler.Run([self, id, address, request, finish = std::move(finish)]() mutable {
        self->FindVirtualFunctions(id, address, request, std::move(finish));
      });
    });
    return absl::OkStatus();
  }
  RevokeOrder order = ResetOrder(session, {args.device});
  order.done = std::move(finish);
  Revoke(lock, std::move(order));
  return absl::OkStatus();
}

RevokeOrder Core::ResetOrder(const SessionEntry& session, std::vector<PciAddress> devices) {
  RevokeOrder order = {.kind = OperationKind::kReset,
                       .reason = absl::StrCat(DeviceName(devices.front()), " is being reset"),
                       .devices = std::move(devices),
                       .restore = true};
  const auto is_reset = [&](const PciAddress& device) {
    return std::find(order.devices.begin(), order.devices.end(), device) != order.devices.end();
  };
  bool uses_window = false;
  for (const auto& [id, entry] : tables.exports) {
    if (!is_reset(entry.view.window.device)) continue;
    order.mappings.insert(order.mappings.end(), entry.mappings.begin(), entry.mappings.end());
    for (const MappingId mapping : entry.mappings) {
      uses_window = uses_window || tables.FindMapping(mapping)->view.session == session.view.id;
    }
  }
  // The driver that asks knows; anybody else who uses a window, it included, is asked to stop.
  const bool drives = tables.devices.at(order.devices.front()).view.driver == session.view.id;
  if (drives && !uses_window) order.exempt = session.view.id;
  return order;
}

// ---- All that shares a slot or bus -----------------------------------------------------------------------

void Core::FindResetSet(SessionId session, const PciAddress& address, const std::optional<JournalRequest>& request,
                        Done<OperationView> finish) {
  std::shared_ptr<VfioDevice> vfio;
  {
    CoreLock lock(mutex);
    vfio = tables.devices.at(address).vfio;
  }
  const absl::StatusOr<HotResetInfo> set =
      vfio == nullptr ? absl::UnavailableError("the device was taken away meanwhile") : vfio->ResetSet();
  vfio.reset();
  std::vector<SysfsDevice> beside;
  if (set.ok()) beside = Sysfs(options.sysfs_root).VirtualFunctionsBeside(set->members);
  CoreLock lock(mutex);
  SessionEntry* entry = tables.FindSession(session);
  absl::Status status = set.status();
  if (status.ok()) {
    status = entry == nullptr || entry->ended ? SessionEnded()
                                              : BeginBusReset(lock, *entry, address, *set, beside, request, finish);
  }
  if (!status.ok()) lock.After([finish = std::move(finish), status]() mutable { finish(status); });
}

absl::Status Core::BeginBusReset(CoreLock& lock, SessionEntry& session, const PciAddress& address,
                                 const HotResetInfo& set, const std::vector<SysfsDevice>& beside,
                                 const std::optional<JournalRequest>& request, Done<OperationView>& finish) {
  std::vector<PciAddress> devices = {address};
  std::vector<std::string> obstacles;
  for (const HotResetMember& member : set.members) {
    const DeviceEntry* device = tables.FindDevice(member.address);
    if (device == nullptr) {
      obstacles.push_back(absl::StrCat(member.address.ToString(), " is not p2pd's"));
      continue;
    }
    if (device->view.driver != session.view.id) {
      P2PD_RETURN_IF_ERROR(
          Permit(session, DeviceName(member.address), {.action = Action::kReset, .exporter = device}).status());
    }
    if (const absl::Status usable = CheckUsable(*device, ""); !usable.ok()) {
      obstacles.push_back(absl::StrCat(member.address.ToString(), " is ", Name(device->view.state)));
    } else if (device->sysfs.is_virtual_function()) {
      obstacles.push_back(
          absl::StrCat(member.address.ToString(), " is a virtual function, and resets of its bus are refused"));
    } else if (!member.owned) {
      obstacles.push_back(absl::StrCat(member.address.ToString(), " is of another context"));
    }
    if (member.address != address) devices.push_back(member.address);
  }
  P2PD_RETURN_IF_ERROR(AddVirtualFunctions(session, beside, devices, obstacles));
  if (!obstacles.empty()) {
    return DeviceError(tables.devices.at(address), absl::StatusCode::kFailedPrecondition, Reason::kDeviceUnusable,
                       "ResetDevice", absl::StrCat("its bus cannot be reset: ", absl::StrJoin(obstacles, ", ")),
                       "all that shares its slot or bus must be bound to vfio-pci, managed by p2pd, and usable");
  }
  RevokeOrder order = ResetOrder(session, std::move(devices));
  order.scope = ResetScope::kBus;
  order.request = request;
  order.done = std::move(finish);
  Revoke(lock, std::move(order));
  return absl::OkStatus();
}

void Core::ResetForRestore(OperationId id) {
  struct Member {
    PciAddress address;
    std::shared_ptr<VfioDevice> vfio;
    std::shared_ptr<Strand> strand;  // where it is another than this one
    bool unrevoked = false;          // by the reset: what is exported of it
  };
  std::vector<Member> members;
  PciAddress asked;
  ResetScope scope = ResetScope::kFunction;
  {
    CoreLock lock(mutex);
    const RevokeOrder& order = tables.operations.at(id).order;
    asked = order.devices.front();
    scope = order.scope;
    const DeviceEntry& first = tables.devices.at(asked);
    for (const PciAddress& address : order.devices) {
      const DeviceEntry& device = tables.devices.at(address);
      // A virtual function that goes with another is reset by it, unknown to VFIO.
      const bool goes_along = device.sysfs.is_virtual_function() && address != asked;
      members.push_back({.address = address, .vfio = device.vfio, .unrevoked = goes_along});
      if (device.view.context != first.view.context) members.back().strand = tables.ContextOf(device).strand;
    }
  }
  const auto step = [&](absl::string_view what, const Member& member) {
    return members.size() == 1 ? std::string(what) : absl::StrCat(what, ": ", member.address.ToString());
  };
  const auto run = [&](const Member& member, absl::string_view what, absl::FunctionRef<absl::Status()> call) {
    absl::Status status;
    const auto work = [&] { status = RunStep(id, step(what, member), call); };
    member.strand == nullptr ? work() : RunOn(member.strand, work);
    return status;
  };
  for (const Member& member : members) {
    run(member, "flush posted writes", [&] { return member.vfio->FlushPostedWrites(); }).IgnoreError();
    // The reset of its physical function does not revoke what is exported of it; this does.
    if (!member.unrevoked) continue;
    run(member, "memory decode off", [&] { return member.vfio->config().SetMemoryDecode(false); }).IgnoreError();
  }
  absl::Status reset;
  for (const Member& member : members) {
    if (member.address != asked) continue;
    if (scope == ResetScope::kFunction) {
      reset = RunStep(id, "reset", [&] { return member.vfio->Reset(); });
      continue;
    }
    for (int i = 0; i < kKernelAttempts; ++i) {
      reset = RunStep(id, "bus reset", [&] { return member.vfio->ResetBus(); });
      if (!IsTransient(reset)) break;
    }
  }
  // A failed reset has revoked too: the mappings are put back in either case, once memory decode is on.
  for (const Member& member : members) {
    const absl::Status decode =
        run(member, "memory decode on", [&] { return member.vfio->config().SetMemoryDecode(true); });
    const bool removed = !decode.ok() && !HasCdev(member.address);
    CoreLock lock(mutex);
    DeviceEntry& device = tables.devices.at(member.address);
    device.removal_pending |= removed;
    OperationEntry& operation = tables.operations.at(id);
    for (const absl::Status& status : {reset, decode}) {
      if (!status.ok() && operation.view.error.empty()) operation.view.error = std::string(status.message());
    }
    if (decode.ok()) {
      Advance(device, DeviceEvent::kResetEnded);
    } else {
      Advance(device, DeviceEvent::kFailed, operation.view.error);
    }
  }
}

// ---- Recovery --------------------------------------------------------------------------------------------

void Broker::RecoverDevice(SessionId session, const std::string& request_id, PciAddress address,
                           Done<OperationView> done) {
  core_->Once<OperationView>(session, request_id, absl::StrCat("RecoverDevice ", address.ToString()), std::move(done),
                             [&](CoreLock& lock, SessionEntry& entry, Done<OperationView>& finish) {
                               core_->mutex.AssertHeld();
                               return core_->BeginRecovery(lock, entry, address, finish);
                             });
}

absl::Status Core::BeginRecovery(CoreLock& lock, SessionEntry& session, const PciAddress& address,
                                 Done<OperationView>& finish) {
  constexpr absl::string_view kStep = "RecoverDevice";
  P2PD_ASSIGN_OR_RETURN(DeviceEntry* const device, RequireDevice(address));
  P2PD_RETURN_IF_ERROR(Permit(session, DeviceName(address), {.action = Action::kReset, .exporter = device}).status());
  if (device->view.state != DeviceState::kFaulted) {
    return DeviceError(*device, absl::StatusCode::kFailedPrecondition, Reason::kDeviceUnusable, kStep,
                       absl::StrCat("it is ", Name(device->view.state), ", not FAULTED"),
                       device->view.state == DeviceState::kTainted
                           ? "it recovers by itself when the last fd of it is closed"
                           : "there is nothing to recover");
  }
  if (device->operation.has_value()) {
    return DeviceError(*device, absl::StatusCode::kUnavailable, Reason::kDeviceNotReady, kStep,
                       "an operation on it is under way", "try again when it is over");
  }
  RevokeOrder order = DriverEnd({address}, device->view.driver);
  order.kind = OperationKind::kRecovery;
  order.reason = absl::StrCat(DeviceName(address), " is being bound afresh");
  order.done = std::move(finish);
  Revoke(lock, std::move(order));
  return absl::OkStatus();
}

// ---- The driver's turn -----------------------------------------------------------------------------------

void Core::WatchReady(const DeviceEntry& device) {
  scheduler.RunAfter(options.ready_deadline,
                     [self = shared_from_this(), address = device.view.address, generation = device.view.generation] {
                       CoreLock lock(self->mutex);
                       const DeviceEntry& late = self->tables.devices.at(address);
                       if (late.view.generation != generation || late.view.state != DeviceState::kAwaitingDriver)
                         return;
                       RevokeOrder order = self->DriverEnd({address}, late.view.driver);
                       order.reason = absl::StrCat("its driver did not say that it is ready within ",
                                                   absl::FormatDuration(self->options.ready_deadline));
                       self->TellHolders(lock, late, order.reason);
                       self->Revoke(lock, std::move(order));
                     });
}

// ---- Going on --------------------------------------------------------------------------------------------

void Core::SendResume(CoreLock& lock, DeviceEntry& device) {
  const auto resume = std::exchange(device.resume, std::nullopt);
  const auto entry = resume.has_value() ? tables.operations.find(*resume) : tables.operations.end();
  if (entry == tables.operations.end()) return;
  for (const OperationParty& party : entry->second.view.parties) {
    // Who was cut off is told when its mappings are back, after its ack.
    if (party.answer == Answer::kForced && !entry->second.late.contains(party.session)) continue;
    SendResumeTo(lock, party.session, entry->second, device);
  }
  Note(device);
}

// The journal forgets the operation only when everybody has been told: a successor tells whoever may not have been.
void Core::SendResumeTo(CoreLock& lock, SessionId party, OperationEntry& operation, const DeviceEntry& device) {
  const SessionEntry* session = tables.FindSession(party);
  if (session == nullptr || session->ended) return;
  ResumeNotice notice = {
      .operation = operation.view.id, .device = device.view.address, .generation = device.view.generation};
  for (const MappingId id : operation.order.mappings) {
    const MappingEntry* mapping = tables.FindMapping(id);
    if (mapping == nullptr || mapping->view.session != party || mapping->exporter != device.view.address) continue;
    notice.restored += mapping->view.state == MappingState::kActive;
    notice.lost += mapping->view.state == MappingState::kLost;
  }
  ++operation.untold;
  lock.After([self = shared_from_this(), channel = session->channel, notice] {
    channel->Resume(notice);
    CoreLock told(self->mutex);
    const auto entry = self->tables.operations.find(notice.operation);
    if (entry != self->tables.operations.end() && --entry->second.untold == 0) ForgetSettled(*self);
  });
}

}  // namespace p2pd
