// The machine's bus: devices act, and their DMA goes where the IOMMU lets it go.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "daemon/kernel/sim/machine.h"

namespace p2pd::sim {
namespace {

constexpr size_t kMaxFaults = 1024;

// A device model's view of the bus.
class DeviceDma final : public Dma {
 public:
  DeviceDma(Machine& machine, Device& device) : machine_(machine), device_(device) {}
  bool enabled() const override { return machine_.DmaEnabled(device_); }
  bool Read(uint64_t address, absl::Span<uint8_t> bytes) override { return machine_.DmaRead(device_, address, bytes); }
  bool Write(uint64_t address, absl::Span<const uint8_t> bytes) override {
    return machine_.DmaWrite(device_, address, bytes);
  }

 private:
  Machine& machine_;
  Device& device_;
};

// Whether the device decodes accesses to its memory at all.
bool Decodes(const Device& device) { return device.config().decodes_memory() && !device.resetting; }

bool Covers(const Area& area, uint64_t file_offset) {
  return !area.dead && file_offset >= area.offset && file_offset - area.offset < area.iova.length;
}

}  // namespace

bool Machine::Step() {
  bool worked = false;
  for (const auto& device : devices_) {
    if (!device->bound() || device->model() == nullptr || !Decodes(*device)) continue;
    DeviceDma dma(*this, *device);
    worked |= device->model()->Step(dma);
  }
  return worked;
}

bool Machine::HasModelBound() const {
  return std::any_of(devices_.begin(), devices_.end(),
                     [](const auto& device) { return device->bound() && device->model() != nullptr; });
}

bool Machine::DmaEnabled(const Device& device) const {
  return device.bound() && device.config().bus_master() && !device.resetting;
}

void Machine::RecordFault(const Device& device, uint64_t iova, bool write) {
  if (faults_.size() == kMaxFaults) faults_.pop_front();
  faults_.push_back({.device = device.spec().address, .iova = iova, .write = write});
}

std::optional<Machine::Target> Machine::Resolve(Device& device, uint64_t iova, uint64_t length, bool write) {
  const int bits = device.spec().dma_address_bits;
  const bool addressable = bits == 64 || iova >> bits == 0;
  const Area* const area = addressable && device.space != nullptr ? device.space->At(iova) : nullptr;
  if (area == nullptr || area->dead || !(write ? CanWrite(area->access) : CanRead(area->access))) {
    RecordFault(device, iova, write);
    return std::nullopt;
  }
  const uint64_t in_area = iova - area->iova.start;
  Target target = {.offset = area->offset + in_area, .length = std::min(length, area->iova.length - in_area)};
  if (area->dma_buf != nullptr) {
    target.device = area->dma_buf->device;
    target.bar = area->dma_buf->bar;
    target.offset += area->dma_buf->range.start;
  } else {
    target.file = area->file.get();
  }
  return target;
}

bool Machine::DmaRead(Device& device, uint64_t iova, absl::Span<uint8_t> bytes) {
  if (!DmaEnabled(device)) return false;
  while (!bytes.empty()) {
    const std::optional<Target> target = Resolve(device, iova, bytes.size(), /*write=*/false);
    if (!target.has_value()) return false;
    const absl::Span<uint8_t> piece = bytes.first(target->length);
    if (target->file != nullptr) {
      const ssize_t n = pread(target->file->fd.get(), piece.data(), piece.size(), static_cast<off_t>(target->offset));
      if (n != static_cast<ssize_t>(piece.size())) return false;
    } else if (Device& peer = *target->device;
               Decodes(peer) && (peer.model() == nullptr || peer.model()->Answers(target->bar))) {
      peer.file().Read(target->bar, target->offset, piece);
    } else {
      std::fill(piece.begin(), piece.end(), 0xff);
    }
    bytes.remove_prefix(target->length);
    iova += target->length;
  }
  return true;
}

bool Machine::DmaWrite(Device& device, uint64_t iova, absl::Span<const uint8_t> bytes) {
  if (!DmaEnabled(device)) return false;
  while (!bytes.empty()) {
    const std::optional<Target> target = Resolve(device, iova, bytes.size(), /*write=*/true);
    if (!target.has_value()) return false;
    const absl::Span<const uint8_t> piece = bytes.first(target->length);
    if (target->file != nullptr) {
      const ssize_t n = pwrite(target->file->fd.get(), piece.data(), piece.size(), static_cast<off_t>(target->offset));
      if (n != static_cast<ssize_t>(piece.size())) return false;
    } else if (Device& peer = *target->device;
               Decodes(peer) && (peer.model() == nullptr || peer.model()->Answers(target->bar))) {
      peer.file().Write(target->bar, target->offset, piece);
    }  // else nobody answers: a posted write is lost
    bytes.remove_prefix(target->length);
    iova += target->length;
  }
  return true;
}

bool Machine::CanReach(const Device& device, const Device& exporter, int bar, uint64_t offset) const {
  if (device.space == nullptr) return false;
  const auto& areas = device.space->areas();
  return std::any_of(areas.begin(), areas.end(), [&](const auto& entry) {
    const DmaBuf* const dma_buf = entry.second.dma_buf.get();
    return dma_buf != nullptr && dma_buf->device == &exporter && dma_buf->bar == bar &&
           offset >= dma_buf->range.start && Covers(entry.second, offset - dma_buf->range.start);
  });
}

bool Machine::CanReachFile(const Device& device, FdRef file, uint64_t offset) const {
  const std::optional<FileId> id = Identify(file);
  if (device.space == nullptr || !id.has_value()) return false;
  const auto& areas = device.space->areas();
  return std::any_of(areas.begin(), areas.end(), [&](const auto& entry) {
    const ClientFile* const mapped = entry.second.file.get();
    return mapped != nullptr && Identify(mapped->fd) == id && Covers(entry.second, offset);
  });
}

}  // namespace p2pd::sim
