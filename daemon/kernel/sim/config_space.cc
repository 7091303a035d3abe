#include "daemon/kernel/sim/config_space.h"

#include <linux/pci_regs.h>

namespace p2pd::sim {
namespace {

constexpr uint64_t kExpressAt = 0x40;
constexpr uint64_t kMsixAt = 0x80;

}  // namespace

ConfigSpace::ConfigSpace(const DeviceSpec& spec)
    : size_(spec.express() ? PCI_CFG_SPACE_EXP_SIZE : PCI_CFG_SPACE_SIZE),
      always_enabled_(spec.physical_function.has_value()) {
  Put(PCI_VENDOR_ID, spec.vendor, 2);
  Put(PCI_DEVICE_ID, spec.device, 2);
  Put(PCI_CLASS_REVISION, uint64_t{spec.class_code} << 8, 4);
  Put(PCI_SUBSYSTEM_VENDOR_ID, spec.vendor, 2);
  Put(PCI_SUBSYSTEM_ID, spec.device, 2);
  AllowWrites(PCI_COMMAND,
              kCommandIo | kCommandMemory | kCommandBusMaster | PCI_COMMAND_PARITY | PCI_COMMAND_SERR |
                  PCI_COMMAND_INTX_DISABLE,
              2);
  AllowWrites(PCI_CACHE_LINE_SIZE, 0xffff, 2);
  AllowWrites(PCI_INTERRUPT_LINE, 0xff, 1);
  PutBars(spec);

  if (spec.express() || spec.msix.has_value()) Put(PCI_STATUS, PCI_STATUS_CAP_LIST, 2);
  const uint8_t msix_at = spec.msix.has_value() ? kMsixAt : 0;
  Put(PCI_CAPABILITY_LIST, spec.express() ? kExpressAt : msix_at, 1);
  if (spec.express()) PutExpress(kExpressAt, msix_at, spec.resettable);
  if (spec.msix.has_value()) PutMsix(kMsixAt, *spec.msix);
}

void ConfigSpace::Put(uint64_t offset, uint64_t value, int width) {
  for (int i = 0; i < width; ++i) bytes_[offset + i] = static_cast<uint8_t>(value >> (8 * i));
}

void ConfigSpace::AllowWrites(uint64_t offset, uint64_t mask, int width) {
  for (int i = 0; i < width; ++i) writable_[offset + i] = static_cast<uint8_t>(mask >> (8 * i));
}

void ConfigSpace::PutBars(const DeviceSpec& spec) {
  for (int i = 0; i < kNumBars; ++i) {
    const BarSpec& bar = spec.bars[i];
    if (bar.size == 0) continue;
    const uint64_t at = PCI_BASE_ADDRESS_0 + 4 * i;
    uint64_t flags = bar.io ? PCI_BASE_ADDRESS_SPACE_IO : 0;
    if (bar.prefetchable) flags |= PCI_BASE_ADDRESS_MEM_PREFETCH;
    if (bar.wide) flags |= PCI_BASE_ADDRESS_MEM_TYPE_64;
    Put(at, bar.address | flags, bar.wide ? 8 : 4);
    AllowWrites(at, ~(bar.size - 1), bar.wide ? 8 : 4);
  }
}

void ConfigSpace::PutExpress(uint64_t at, uint8_t next, bool resettable) {
  Put(at + PCI_CAP_LIST_ID, PCI_CAP_ID_EXP, 1);
  Put(at + PCI_CAP_LIST_NEXT, next, 1);
  Put(at + PCI_EXP_FLAGS, 2, 2);  // version 2, an endpoint
  Put(at + PCI_EXP_DEVCAP, resettable ? PCI_EXP_DEVCAP_FLR : 0, 4);
  device_control_ = at + PCI_EXP_DEVCTL;
  AllowWrites(device_control_, 0xffff, 2);
}

void ConfigSpace::PutMsix(uint64_t at, const MsixSpec& msix) {
  Put(at + PCI_CAP_LIST_ID, PCI_CAP_ID_MSIX, 1);
  Put(at + PCI_MSIX_FLAGS, msix.vectors - 1, 2);
  Put(at + PCI_MSIX_TABLE, msix.table_offset | msix.bar, 4);
  Put(at + PCI_MSIX_PBA, msix.pba_offset | msix.bar, 4);
}

uint16_t ConfigSpace::command() const {
  return static_cast<uint16_t>(bytes_[kCommandOffset] | bytes_[kCommandOffset + 1] << 8);
}

void ConfigSpace::set_command(uint16_t command) {
  Put(kCommandOffset, command, 2);
  memory_enabled_ = decodes_memory();
}

void ConfigSpace::LoseState() { Put(kCommandOffset, 0, 2); }

void ConfigSpace::ReadAbsent(uint64_t offset, absl::Span<uint8_t> bytes) const {
  for (size_t i = 0; i < bytes.size(); ++i) {
    const uint64_t at = offset + i;
    const bool own = at < PCI_COMMAND || (at >= PCI_BASE_ADDRESS_0 && at < PCI_CARDBUS_CIS);
    uint8_t mask = own ? 0xff : 0;
    if (at == PCI_COMMAND + 1) mask = PCI_COMMAND_INTX_DISABLE >> 8;
    bytes[i] = static_cast<uint8_t>((bytes_[at] & mask) | ~mask);
  }
}

bool ConfigSpace::Write(uint64_t offset, absl::Span<const uint8_t> bytes) {
  for (size_t i = 0; i < bytes.size(); ++i) {
    uint8_t& byte = bytes_[offset + i];
    const uint8_t writable = writable_[offset + i];
    byte = static_cast<uint8_t>((byte & ~writable) | (bytes[i] & writable));
  }
  if (offset <= kCommandOffset && kCommandOffset - offset < bytes.size()) memory_enabled_ = decodes_memory();
  if (device_control_ == 0) return false;
  constexpr uint8_t kFlrHigh = PCI_EXP_DEVCTL_BCR_FLR >> 8;
  uint8_t& high = bytes_[device_control_ + 1];
  const bool asked = (high & kFlrHigh) != 0;
  high = static_cast<uint8_t>(high & ~kFlrHigh);
  return asked;
}

}  // namespace p2pd::sim
