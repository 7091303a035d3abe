// Exports whose dma-buf is in a client's hands. Nothing takes a dma-buf back: what p2pd cannot revoke it does
// not pretend to have revoked. Such an export lingers, its window taken, until nobody else refers to the
// dma-buf, or until the device was closed, which revokes it for ever (vfio_pci_dma_buf_cleanup).
#include <algorithm>
#include <utility>

#include "daemon/core/core.h"
#include "daemon/core/keeping.h"

namespace p2pd {
namespace {

constexpr absl::Duration kFirstCheck = absl::Milliseconds(100);
constexpr absl::Duration kSlowestCheck = absl::Seconds(10);

}  // namespace

void Core::End(ExportEntry& entry) {
  entry.closing = true;
  if (entry.making) return;  // whoever makes it ends it
  const bool known = entry.dma_buf != nullptr || entry.watched;
  if (entry.view.grade != Grade::kRaw || !known) return DropExport(entry);
  if (!std::exchange(entry.watched, true)) CheckLater(entry, kFirstCheck);
}

// On the exporter's strand: whoever asks holds a reference, and letting go of the last one can wait for a reset.
void Core::CheckLater(const ExportEntry& entry, absl::Duration next_check) {
  const auto strand = tables.ContextOf(tables.devices.at(entry.view.window.device)).strand;
  strand->Post([self = shared_from_this(), id = entry.view.id, next_check] { self->CheckLingering(id, next_check); });
  scheduler.Run([strand] { strand->RunPosted(); });
}

void Core::CheckLingering(ExportId id, absl::Duration next_check) {
  LetGoOfExport(*this, id);  // the store would be somebody who holds it
  std::shared_ptr<const DmaBuf> dma_buf;
  {
    CoreLock lock(mutex);
    const auto entry = tables.exports.find(id);
    if (entry == tables.exports.end()) return;
    dma_buf = entry->second.dma_buf;
  }
  if (dma_buf == nullptr) return;  // a predecessor's, which nobody can ask about: until the device is bound afresh
  const absl::StatusOr<bool> shared = kernel.IsShared(dma_buf->fd);
  CoreLock lock(mutex);
  const auto entry = tables.exports.find(id);
  if (entry == tables.exports.end()) return;
  if (shared.ok() && !*shared) return DropExport(entry->second);
  if (entry->second.view.state != ExportState::kLingering) {
    entry->second.view.state = ExportState::kLingering;
    if (entry->second.announced) {
      tables.Publish(EventType::kChanged, entry->second.view, entry->second.view.session);
    }
  }
  if (stopping) return;
  scheduler.RunAfter(next_check, [self = shared_from_this(), id, next_check] {
    CoreLock later(self->mutex);
    const auto there = self->tables.exports.find(id);
    if (there != self->tables.exports.end()) {
      self->CheckLater(there->second, std::min(2 * next_check, kSlowestCheck));
    }
  });
}

void Core::DropLingering(const PciAddress& device) {
  std::vector<ExportId> gone;
  for (const auto& [id, entry] : tables.exports) {
    const bool raw = entry.view.grade == Grade::kRaw && entry.view.window.device == device;
    if (raw && entry.closing && !entry.making && entry.mappings.empty()) gone.push_back(id);
  }
  for (const ExportId id : gone) DropExport(tables.exports.at(id));
}

}  // namespace p2pd
