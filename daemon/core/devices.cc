// Finding and binding devices; who drives them.
#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"
#include "daemon/core/capabilities.h"
#include "daemon/core/core.h"
#include "daemon/core/keeping.h"
#include "daemon/core/once.h"
#include "daemon/core/recovery.h"

namespace p2pd {
namespace {

absl::Status CheckMerged(const std::vector<MergedContext>& contexts, const std::vector<SysfsDevice>& managed) {
  for (const MergedContext& context : contexts) {
    for (const PciAddress& address : context.devices) {
      if (std::any_of(managed.begin(), managed.end(), [&](const SysfsDevice& d) { return d.address == address; })) {
        continue;
      }
      return MakeError(absl::StatusCode::kNotFound,
                       {.reason = Reason::kNotFound,
                        .step = context.origin,
                        .object = absl::StrCat("merged context of ", DeviceName(address)),
                        .hint = "merge devices that are bound to vfio-pci, or that managed_devices names"},
                       "p2pd manages no such device");
    }
  }
  return absl::OkStatus();
}

// Those that a predecessor left open and that are not managed any more: being unbound, they wait to be closed.
void AddKept(Core& core, const std::vector<SysfsDevice>& all, std::vector<SysfsDevice>& managed) {
  CoreLock lock(core.mutex);
  for (const auto& [address, row] : core.journal.state().devices) {
    const auto is_it = [address = address](const SysfsDevice& device) { return device.address == address; };
    if (row.fd_name.empty() || std::any_of(managed.begin(), managed.end(), is_it)) continue;
    const auto there = std::find_if(all.begin(), all.end(), is_it);
    managed.push_back(there != all.end() ? *there : SysfsDevice{.address = address});
  }
}

}  // namespace

bool IsManaged(const SysfsDevice& device, const BrokerOptions& options) {
  if (options.managed.empty()) return device.driver == "vfio-pci";
  return std::find(options.managed.begin(), options.managed.end(), device.address) != options.managed.end();
}

std::vector<std::vector<PciAddress>> Contexts(const std::vector<SysfsDevice>& managed,
                                              const std::vector<MergedContext>& merged) {
  std::vector<std::vector<PciAddress>> together;
  for (const MergedContext& context : merged) together.push_back(context.devices);
  return ContextClosure(managed, together);
}

std::string DeviceName(const PciAddress& address) { return absl::StrCat("devices/", address.ToString()); }

absl::Status DeviceError(const DeviceEntry& device, absl::StatusCode code, Reason reason, absl::string_view step,
                         absl::string_view what, absl::string_view hint) {
  return MakeError(code,
                   {.reason = reason,
                    .step = std::string(step),
                    .object = DeviceName(device.view.address),
                    .hint = std::string(hint)},
                   what);
}

// Whether the device can take part in anything just now, at all.
absl::Status CheckUsable(const DeviceEntry& device, absl::string_view step) {
  switch (device.view.state) {
    case DeviceState::kReady:
    case DeviceState::kAwaitingDriver:
      return absl::OkStatus();
    case DeviceState::kQuiescing:
    case DeviceState::kResetting:
    case DeviceState::kRestoring:
      return DeviceError(device, absl::StatusCode::kUnavailable, Reason::kDeviceNotReady, step,
                         absl::StrCat("it is ", Name(device.view.state)), "try again when the operation on it is over");
    case DeviceState::kFaulted:
    case DeviceState::kGone:
    case DeviceState::kTainted:
      return DeviceError(device, absl::StatusCode::kFailedPrecondition, Reason::kDeviceUnusable, step,
                         absl::StrCat("it is ", Name(device.view.state), ": ", device.view.state_reason),
                         "p2pctl device show tells more");
  }
  return absl::OkStatus();
}

absl::Status Broker::Start() {
  P2PD_ASSIGN_OR_RETURN(const std::vector<SysfsDevice> all, Sysfs(core_->options.sysfs_root).Scan());
  std::vector<SysfsDevice> managed;
  const std::vector<PciAddress>& wanted = core_->options.managed;
  for (const SysfsDevice& device : all) {
    if (IsManaged(device, core_->options)) managed.push_back(device);
  }
  for (const PciAddress& address : wanted) {
    if (std::none_of(managed.begin(), managed.end(), [&](const SysfsDevice& d) { return d.address == address; })) {
      return MakeError(absl::StatusCode::kNotFound,
                       {.reason = Reason::kNotFound,
                        .step = "find managed devices",
                        .object = DeviceName(address),
                        .hint = "lspci -D lists what is there"},
                       "no such PCI device");
    }
  }
  AddKept(*core_, all, managed);
  P2PD_RETURN_IF_ERROR(CheckMerged(core_->options.merged_contexts, managed));
  const BrokerOptions& options = core_->options;
  P2PD_ASSIGN_OR_RETURN(Topology topology, ReadTopology(options.sysfs_root, options.cpuinfo, options.config_source));
  {
    CoreLock lock(core_->mutex);
    core_->bus_windows = BusWindows(all);
    core_->topology = std::make_shared<const Topology>(std::move(topology));
    for (const auto& members : Contexts(managed, core_->options.merged_contexts)) {
      core_->tables.contexts[members.front().ToString()].devices = members;
      for (const PciAddress& member : members) {
        core_->tables.devices[member].view.context = members.front().ToString();
      }
    }
    for (const SysfsDevice& sysfs : managed) {
      DeviceEntry& device = core_->tables.devices[sysfs.address];
      device.sysfs = sysfs;
      device.view.address = sysfs.address;
      core_->Describe(device);
    }
  }
  P2PD_RETURN_IF_ERROR(Recovery(*core_).TakeBack());
  std::vector<std::shared_ptr<VfioDevice>> bound;
  std::vector<std::shared_ptr<VfioDevice>> idle;
  {
    CoreLock lock(core_->mutex);
    for (const auto& [address, device] : core_->tables.devices) {
      if (device.vfio == nullptr) continue;
      bound.push_back(device.vfio);
      if (device.fd_name.empty()) idle.push_back(device.vfio);
    }
  }
  core_->capabilities = ProbeCapabilities(bound, idle);
  return absl::OkStatus();
}

void Core::Describe(DeviceEntry& device) {
  DeviceView& view = device.view;
  view.vendor = device.sysfs.vendor;
  view.device = device.sysfs.device;
  view.class_code = device.sysfs.class_code;
  view.kernel_driver = device.sysfs.driver;
  view.iommu_group = device.sysfs.iommu_group;
  view.numa_node = device.sysfs.numa_node;
  if (device.vfio == nullptr) return;
  view.can_reset = device.vfio->can_reset();
  view.config_fd_offset = device.vfio->config_fd_offset();
  view.bars.clear();
  for (int i = 0; i < kNumBars; ++i) {
    const Bar& bar = device.vfio->bars()[i];
    if (bar.size == 0) continue;
    view.bars.push_back({.index = i,
                         .size = bar.size,
                         .control = !bar.prefetchable,
                         .exportable = device.vfio->can_export() && !bar.runs.empty(),
                         .fd_offset = bar.fd_offset,
                         .msix = bar.msix});
  }
}

void Core::NextGeneration(DeviceEntry& device) {
  ++device.view.generation;
  Note(device);
}

void Core::Advance(DeviceEntry& device, DeviceEvent event, const std::string& reason) {
  const auto next = Next(device.view.state, event);
  if (next.has_value()) {
    device.view.state = *next;
    device.view.state_reason = reason;
  } else if (device.view.state != DeviceState::kFaulted && device.view.state != DeviceState::kGone) {
    device.view.state_reason = absl::StrCat("bug: event ", static_cast<int>(event), " in ", Name(device.view.state));
    device.view.state = DeviceState::kFaulted;
  }
  Note(device);
  tables.Changed(device);
}

absl::Status Core::CheckContext(const DeviceEntry& device, absl::string_view step) {
  // Whoever still holds the fd of a sibling can attach it to any IOAS of the context, and reset the set.
  for (const PciAddress& sibling : tables.ContextOf(device).devices) {
    const DeviceView& view = tables.devices.at(sibling).view;
    if (sibling == device.view.address || view.state != DeviceState::kTainted) continue;
    return DeviceError(device, absl::StatusCode::kFailedPrecondition, Reason::kDeviceUnusable, step,
                       absl::StrCat(DeviceName(sibling), " of the same context is TAINTED: ", view.state_reason),
                       "p2pctl device show tells more");
  }
  return absl::OkStatus();
}

absl::StatusOr<DeviceEntry*> Core::RequireDevice(const PciAddress& address) {
  if (DeviceEntry* device = tables.FindDevice(address)) return device;
  return MakeError(absl::StatusCode::kNotFound,
                   {.reason = Reason::kNotFound,
                    .step = "find device",
                    .object = DeviceName(address),
                    .hint = "p2pctl devices lists what p2pd manages"},
                   "p2pd manages no such device");
}

// ---- Drivers ---------------------------------------------------------------------------------------------

void Broker::OpenDevice(SessionId session, const std::string& request_id, PciAddress address, Done<DeviceView> done) {
  core_->Once<DeviceView>(session, request_id, absl::StrCat("OpenDevice ", address.ToString()), std::move(done),
                          [&](CoreLock& lock, SessionEntry& entry, Done<DeviceView>& finish) {
                            core_->mutex.AssertHeld();
                            return core_->BeginOpenDevice(lock, entry, request_id, address, finish);
                          });
}

absl::Status Core::BeginOpenDevice(CoreLock& lock, SessionEntry& session, const std::string& request_id,
                                   const PciAddress& address, Done<DeviceView>& finish) {
  constexpr absl::string_view kStep = "OpenDevice";
  P2PD_ASSIGN_OR_RETURN(DeviceEntry* const device, RequireDevice(address));
  P2PD_ASSIGN_OR_RETURN(const Verdict verdict,
                        Permit(session, DeviceName(address), {.action = Action::kDrive, .exporter = device}));
  P2PD_RETURN_IF_ERROR(CheckAwake(kStep, DeviceName(address)));
  P2PD_RETURN_IF_ERROR(CheckUsable(*device, kStep));
  P2PD_RETURN_IF_ERROR(CheckContext(*device, kStep));
  // Asked again after a restart: it is this session's, and only its fd may not have arrived.
  if (device->promised && device->view.driver == session.view.id) {
    PostOpenDevice(lock, *device, session.view.id, request_id, finish);
    return absl::OkStatus();
  }
  for (const PciAddress& sibling : tables.ContextOf(*device).devices) {
    const auto driver = tables.devices.at(sibling).view.driver;
    if (!driver.has_value() || (sibling != address && driver == session.view.id)) continue;
    return DeviceError(*device, absl::StatusCode::kFailedPrecondition, Reason::kDeviceBusy, kStep,
                       absl::StrCat(sibling == address ? "it" : DeviceName(sibling) + " of the same context",
                                    " is driven by sessions/", driver->value()),
                       "a device has one driver, and all drivers in one context are one session");
  }
  if (!device->scrubbed && verdict.limits.scrub != Scrub::kNone) {
    return DeviceError(*device, absl::StatusCode::kFailedPrecondition, Reason::kDeviceUnusable, kStep,
                       "it could not be reset since its last user, whose data it may still hold",
                       "a policy rule may allow that by name: limits { scrub: NONE }");
  }
  if (device->holds_data && verdict.limits.scrub == Scrub::kZero) {
    return DeviceError(*device, absl::StatusCode::kFailedPrecondition, Reason::kDeviceUnusable, kStep,
                       "its memory could not be cleared since its last user, whose data it may still hold",
                       "unbind it and bind it again, or let a policy rule allow it by name: limits { scrub: RESET }");
  }
  P2PD_ASSIGN_OR_RETURN(device->grounds, RestOn(session, 0, {verdict}));
  device->granted = Now();
  device->view.driver_rule = device->grounds.rule;
  device->view.driver_rule_origin = device->grounds.origin;
  device->view.driver = session.view.id;
  device->answered = false;
  device->scrubbed = false;
  device->holds_data = true;
  WatchAge(*device);
  Advance(*device, DeviceEvent::kDriverArrived);
  PostOpenDevice(lock, *device, session.view.id, request_id, finish);
  return absl::OkStatus();
}

void Core::PostOpenDevice(CoreLock& lock, const DeviceEntry& device, SessionId session, const std::string& request_id,
                          Done<DeviceView>& finish) {
  lock.Post(tables.ContextOf(device).strand, [self = shared_from_this(), address = device.view.address, session,
                                              request_id, finish = std::move(finish)]() mutable {
    self->FinishOpenDevice(address, session, request_id, std::move(finish));
  });
}

void Core::FinishOpenDevice(const PciAddress& address, SessionId session, const std::string& request_id,
                            Done<DeviceView> finish) {
  std::shared_ptr<VfioDevice> vfio;
  std::shared_ptr<SessionChannel> channel;
  {
    CoreLock lock(mutex);
    vfio = tables.devices.at(address).vfio;
    const SessionEntry* entry = tables.FindSession(session);
    if (entry != nullptr && !entry->ended) channel = entry->channel;
  }
  // The fd of a session that is over must not leave; its end takes the device back.
  if (channel == nullptr || vfio == nullptr) return finish(SessionEnded());
  absl::StatusOr<UniqueFd> copy = Duplicate(vfio->fd());
  vfio.reset();
  // With a store that is full its driver would not survive p2pd: then it is not let in.
  absl::Status granted = copy.ok() ? Keep(*this, address) : copy.status();
  if (granted.ok()) granted = channel->Grant(address, request_id, *std::move(copy));
  absl::StatusOr<DeviceView> outcome;
  {
    CoreLock lock(mutex);
    DeviceEntry& device = tables.devices.at(address);
    if (granted.ok()) {
      outcome = device.view;
    } else {
      outcome = granted;
    }
    if (!granted.ok() && !device.operation.has_value() && device.view.driver == session) {
      RevokeOrder order = DriverEnd({address}, session);
      order.reason = std::string(granted.message());
      Revoke(lock, std::move(order));
    }
  }
  finish(std::move(outcome));
}

void Broker::CloseDevice(SessionId session, const std::string& request_id, PciAddress address, Done<DeviceView> done) {
  const auto body = [&](CoreLock& lock, SessionEntry& entry, Done<DeviceView>& finish) -> absl::Status {
    core_->mutex.AssertHeld();
    P2PD_ASSIGN_OR_RETURN(DeviceEntry* const device, core_->RequireDevice(address));
    if (device->view.driver != entry.view.id) {
      return DeviceError(*device, absl::StatusCode::kFailedPrecondition, Reason::kNotOwner, "CloseDevice",
                         "this session does not drive it", "only its driver can close it");
    }
    P2PD_RETURN_IF_ERROR(CheckUsable(*device, "CloseDevice"));
    RevokeOrder order = core_->DriverEnd({address}, session);
    order.reason = "its driver closed the device";
    order.done = [core = core_, address, finish = std::move(finish)](absl::StatusOr<OperationView>) mutable {
      DeviceView view;
      {
        CoreLock look(core->mutex);
        view = core->tables.devices.at(address).view;
      }
      finish(std::move(view));
    };
    core_->Revoke(lock, std::move(order));
    return absl::OkStatus();
  };
  core_->Once<DeviceView>(session, request_id, absl::StrCat("CloseDevice ", address.ToString()), std::move(done), body);
}

namespace {

// Whether its driver can say now that it is ready.
absl::Status CheckReady(const DeviceEntry& device, SessionId session, uint64_t generation) {
  constexpr absl::string_view kStep = "DeviceReady";
  if (device.view.driver != session) {
    return DeviceError(device, absl::StatusCode::kFailedPrecondition, Reason::kNotOwner, kStep,
                       "this session does not drive it", "only its driver can say that it is ready");
  }
  if (device.view.generation != generation) {
    return DeviceError(device, absl::StatusCode::kFailedPrecondition, Reason::kStaleGeneration, kStep,
                       absl::StrCat("it is of generation ", device.view.generation, ", not ", generation),
                       "it was reset since: set it up again");
  }
  return CheckUsable(device, kStep);
}

}  // namespace

void Broker::DeviceReady(SessionId session, const std::string& request_id, PciAddress address, uint64_t generation,
                         Done<DeviceView> done) {
  const auto body = [&](CoreLock& lock, SessionEntry&, Done<DeviceView>& finish) -> absl::Status {
    core_->mutex.AssertHeld();
    P2PD_ASSIGN_OR_RETURN(DeviceEntry* const device, core_->RequireDevice(address));
    P2PD_RETURN_IF_ERROR(CheckReady(*device, session, generation));
    lock.Post(core_->tables.ContextOf(*device).strand,
              [core = core_, address, session, generation, finish = std::move(finish)]() mutable {
                core->FinishReady(address, session, generation, std::move(finish));
              });
    return absl::OkStatus();
  };
  core_->Once<DeviceView>(session, request_id, absl::StrCat("DeviceReady ", address.ToString(), " ", generation),
                          std::move(done), body);
}

void Core::FinishReady(const PciAddress& address, SessionId session, uint64_t generation, Done<DeviceView> finish) {
  std::shared_ptr<VfioDevice> vfio;
  {
    CoreLock lock(mutex);
    vfio = tables.devices.at(address).vfio;
  }
  absl::StatusOr<bool> decodes = vfio == nullptr ? absl::StatusOr<bool>(true) : vfio->config().MemoryDecodeOn();
  vfio.reset();
  absl::StatusOr<DeviceView> outcome;
  {
    CoreLock lock(mutex);
    DeviceEntry& device = tables.devices.at(address);
    absl::Status status = CheckReady(device, session, generation);
    if (status.ok()) status = decodes.status();
    if (status.ok() && !*decodes) {
      status = DeviceError(device, absl::StatusCode::kFailedPrecondition, Reason::kStaleGeneration, "DeviceReady",
                           "its memory decode is off, which has revoked all that was mapped of it",
                           "it is turned on and mapped anew: set it up again, and leave decode on");
      BeginRepair(lock, device, Trouble::kDecodeOff);
    }
    if (status.ok()) {
      if (device.view.state == DeviceState::kAwaitingDriver) Advance(device, DeviceEvent::kDriverReady);
      SendResume(lock, device);
      outcome = device.view;
    } else {
      outcome = status;
    }
  }
  finish(std::move(outcome));
}

}  // namespace p2pd
