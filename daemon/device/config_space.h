// What p2pd reads and writes in a function's configuration space, as VFIO shows it (PCI Local Bus 3.0
// section 6, PCI Express Base 7.5.1).
#ifndef P2PD_DAEMON_DEVICE_CONFIG_SPACE_H_
#define P2PD_DAEMON_DEVICE_CONFIG_SPACE_H_

#include <cstdint>
#include <map>
#include <vector>

#include "absl/status/statusor.h"
#include "daemon/kernel/kernel.h"

namespace p2pd {

class ConfigSpace {
 public:
  ConfigSpace(Kernel& kernel, FdRef device) : kernel_(kernel), device_(device) {}

  absl::StatusOr<uint16_t> Read16(uint64_t offset) const;
  absl::StatusOr<uint32_t> Read32(uint64_t offset) const;

  // COMMAND is always written as two bytes at offset 4, read first: VFIO acts only on such writes.
  absl::Status SetMemoryDecode(bool on) const { return SetCommandBits(kMemory, on); }
  absl::Status SetBusMaster(bool on) const { return SetCommandBits(kBusMaster, on); }
  absl::StatusOr<bool> MemoryDecodeOn() const;

  // The pages of each BAR that hold the MSI-X table or pending bits, rounded out to `page` bytes. A device
  // without MSI-X has none.
  absl::StatusOr<std::map<int, std::vector<Range>>> MsixPages(uint64_t page) const;

 private:
  static constexpr uint16_t kMemory = 0x2;
  static constexpr uint16_t kBusMaster = 0x4;
  static constexpr uint16_t kInterruptDisable = 0x400;
  // Whether this is COMMAND of a function that is not there: nothing but ones, save Interrupt Disable, which VFIO keeps
  // itself (vfio_pci_config.c: init_pci_cap_basic_perm).
  static constexpr bool NobodyAnswers(uint16_t command) { return (command | kInterruptDisable) == 0xffff; }

  absl::Status SetCommandBits(uint16_t bits, bool on) const;
  // The offset of a capability, 0 if the device has none of that id.
  absl::StatusOr<uint8_t> FindCapability(uint8_t id) const;

  Kernel& kernel_;
  const FdRef device_;
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_DEVICE_CONFIG_SPACE_H_
