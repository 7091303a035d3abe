#include "daemon/core/keeping.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"
#include "daemon/core/rows.h"

namespace p2pd {

absl::Status PutAnew(Core& core, const std::string& name, FdRef fd) {
  const absl::Status put = core.options.store->Put(name, fd);
  // Whether the store has it after all, nobody knows: it must not have it twice when this is tried again.
  if (!put.ok()) core.options.store->Remove(name).IgnoreError();
  return put;
}

absl::Status Keep(Core& core, const PciAddress& address) {
  if (!Keeps(core)) return absl::OkStatus();
  std::shared_ptr<VfioDevice> vfio;
  std::string context_name;
  bool has_context = false;
  bool has_device = false;
  {
    CoreLock lock(core.mutex);
    const DeviceEntry& device = core.tables.devices.at(address);
    vfio = device.vfio;
    context_name = device.view.context;
    has_context = !core.tables.ContextOf(device).fd_name.empty();
    has_device = !device.fd_name.empty();
  }
  if (vfio == nullptr) return absl::UnavailableError("the device was taken away meanwhile");
  if (!has_context) {
    const std::string name = ContextFdName(*PciAddress::Parse(context_name));
    P2PD_RETURN_IF_ERROR(PutAnew(core, name, vfio->context()->fd()));
    CoreLock lock(core.mutex);
    ContextEntry& context = core.tables.contexts.at(context_name);
    context.fd_name = name;
    core.journal.Note(RowOf(context_name, context));
  }
  if (has_device) return absl::OkStatus();
  const std::string name = DeviceFdName(address);
  P2PD_RETURN_IF_ERROR(PutAnew(core, name, vfio->fd()));
  CoreLock lock(core.mutex);
  DeviceEntry& device = core.tables.devices.at(address);
  device.fd_name = name;
  core.Note(device);
  return absl::OkStatus();
}

void LetGo(Core& core, const PciAddress& address) {
  std::string name;
  {
    CoreLock lock(core.mutex);
    DeviceEntry& device = core.tables.devices.at(address);
    name = std::exchange(device.fd_name, "");
    if (name.empty()) return;
    core.Note(device);
  }
  core.options.store->Remove(name).IgnoreError();
}

void LetGoOfContext(Core& core, const std::string& context_name) {
  std::string name;
  {
    CoreLock lock(core.mutex);
    ContextEntry& context = core.tables.contexts.at(context_name);
    name = std::exchange(context.fd_name, "");
    if (name.empty()) return;
    core.journal.Note(RowOf(context_name, context));
  }
  core.options.store->Remove(name).IgnoreError();
}

void LetGoOfExport(Core& core, ExportId id) {
  std::string name;
  {
    CoreLock lock(core.mutex);
    const auto entry = core.tables.exports.find(id);
    if (entry == core.tables.exports.end()) return;
    name = std::exchange(entry->second.fd_name, "");
    if (name.empty()) return;
    core.journal.Note(RowOf(entry->second));
  }
  core.options.store->Remove(name).IgnoreError();
}

void LetGoOfAll(Core& core) {
  std::vector<PciAddress> devices;
  std::vector<std::string> contexts;
  {
    CoreLock lock(core.mutex);
    for (const auto& [address, device] : core.tables.devices) devices.push_back(address);
    for (const auto& [name, context] : core.tables.contexts) contexts.push_back(name);
  }
  for (const PciAddress& address : devices) LetGo(core, address);
  for (const std::string& name : contexts) LetGoOfContext(core, name);
}

CapabilityView Broker::Continuity() const {
  CoreLock lock(core_->mutex);
  CapabilityView view = {.name = "survives_restart", .available = Keeps(*core_), .detail = "the journal is in order"};
  if (!Keeps(*core_)) view.detail = "no service manager keeps its descriptors";
  if (!core_->distrusted.empty()) {
    view.detail = absl::StrCat("at its start everything was taken down: ", core_->distrusted);
  }
  if (const absl::Status& trouble = core_->journal.trouble(); !trouble.ok()) {
    view = {.name = view.name, .detail = absl::StrCat("the journal could not be written: ", trouble.message())};
  }
  return view;
}

void RemoveLater(Core& core, std::vector<std::string> names) {
  std::erase(names, "");
  if (names.empty()) return;
  core.scheduler.Run([self = core.shared_from_this(), names = std::move(names)] {
    for (const std::string& name : names) self->options.store->Remove(name).IgnoreError();
  });
}

}  // namespace p2pd
