// Descriptors that are to outlive this process. An fd goes into the store before a row of the journal names it, and
// the row lets go of it before the store does: so what a row names is there, and what no row names is nobody's. The
// store lets go before p2pd closes its own: a device's last close can take a minute, which is p2pd's to wait.
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"
#include "daemon/core/core.h"
#include "daemon/core/rows.h"

namespace p2pd {

absl::Status Core::PutAnew(const std::string& name, FdRef fd) {
  const absl::Status put = options.store->Put(name, fd);
  // Whether the store has it after all, nobody knows: it must not have it twice when this is tried again.
  if (!put.ok()) options.store->Remove(name).IgnoreError();
  return put;
}

absl::Status Core::Keep(const PciAddress& address) {
  if (!keeps()) return absl::OkStatus();
  std::shared_ptr<VfioDevice> vfio;
  std::string context_name;
  bool has_context = false;
  bool has_device = false;
  {
    CoreLock lock(mutex);
    const DeviceEntry& device = tables.devices.at(address);
    vfio = device.vfio;
    context_name = device.view.context;
    has_context = !tables.ContextOf(device).fd_name.empty();
    has_device = !device.fd_name.empty();
  }
  if (vfio == nullptr) return absl::UnavailableError("the device was taken away meanwhile");
  if (!has_context) {
    const std::string name = ContextFdName(*PciAddress::Parse(context_name));
    P2PD_RETURN_IF_ERROR(PutAnew(name, vfio->context()->fd()));
    CoreLock lock(mutex);
    ContextEntry& context = tables.contexts.at(context_name);
    context.fd_name = name;
    journal.Note(RowOf(context_name, context));
  }
  if (has_device) return absl::OkStatus();
  const std::string name = DeviceFdName(address);
  P2PD_RETURN_IF_ERROR(PutAnew(name, vfio->fd()));
  CoreLock lock(mutex);
  DeviceEntry& device = tables.devices.at(address);
  device.fd_name = name;
  Note(device);
  return absl::OkStatus();
}

void Core::LetGo(const PciAddress& address) {
  std::string name;
  {
    CoreLock lock(mutex);
    DeviceEntry& device = tables.devices.at(address);
    name = std::exchange(device.fd_name, "");
    if (name.empty()) return;
    Note(device);
  }
  options.store->Remove(name).IgnoreError();
}

void Core::LetGoOfContext(const std::string& context_name) {
  std::string name;
  {
    CoreLock lock(mutex);
    ContextEntry& context = tables.contexts.at(context_name);
    name = std::exchange(context.fd_name, "");
    if (name.empty()) return;
    journal.Note(RowOf(context_name, context));
  }
  options.store->Remove(name).IgnoreError();
}

void Core::LetGoOfExport(ExportId id) {
  std::string name;
  {
    CoreLock lock(mutex);
    const auto entry = tables.exports.find(id);
    if (entry == tables.exports.end()) return;
    name = std::exchange(entry->second.fd_name, "");
    if (name.empty()) return;
    journal.Note(RowOf(entry->second));
  }
  options.store->Remove(name).IgnoreError();
}

void Core::LetGoOfAll() {
  std::vector<PciAddress> devices;
  std::vector<std::string> contexts;
  {
    CoreLock lock(mutex);
    for (const auto& [address, device] : tables.devices) devices.push_back(address);
    for (const auto& [name, context] : tables.contexts) contexts.push_back(name);
  }
  for (const PciAddress& address : devices) LetGo(address);
  for (const std::string& name : contexts) LetGoOfContext(name);
}

CapabilityView Broker::Continuity() const {
  CoreLock lock(core_->mutex);
  CapabilityView view = {.name = "survives_restart", .available = core_->keeps(), .detail = "the journal is in order"};
  if (!core_->keeps()) view.detail = "no service manager keeps its descriptors";
  if (!core_->distrusted.empty()) {
    view.detail = absl::StrCat("at its start everything was taken down: ", core_->distrusted);
  }
  if (const absl::Status& trouble = core_->journal.trouble(); !trouble.ok()) {
    view = {.name = view.name, .detail = absl::StrCat("the journal could not be written: ", trouble.message())};
  }
  return view;
}

void Core::RemoveLater(std::vector<std::string> names) {
  std::erase(names, "");
  if (names.empty()) return;
  scheduler.Run([self = shared_from_this(), names = std::move(names)] {
    for (const std::string& name : names) self->options.store->Remove(name).IgnoreError();
  });
}

}  // namespace p2pd
