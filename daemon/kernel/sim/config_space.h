// Configuration space of a simulated device as VFIO shows it to user space: identity is read-only, BAR
// registers answer the sizing protocol and move nothing, COMMAND is the guest's own. What VFIO believes of
// memory decode is what was last written; the hardware may have lost it since.
#ifndef P2PD_DAEMON_KERNEL_SIM_CONFIG_SPACE_H_
#define P2PD_DAEMON_KERNEL_SIM_CONFIG_SPACE_H_

#include <array>
#include <cstdint>

#include "absl/types/span.h"
#include "daemon/kernel/sim/device_spec.h"

namespace p2pd::sim {

inline constexpr uint16_t kCommandIo = 0x1;
inline constexpr uint16_t kCommandMemory = 0x2;
inline constexpr uint16_t kCommandBusMaster = 0x4;
inline constexpr uint64_t kCommandOffset = 4;

class ConfigSpace {
 public:
  explicit ConfigSpace(const DeviceSpec& spec);

  uint64_t size() const { return size_; }  // 4096 bytes, or 256 for conventional PCI
  absl::Span<const uint8_t> bytes() const { return absl::MakeConstSpan(bytes_).first(size_); }

  uint16_t command() const;
  void set_command(uint16_t command);
  // Memory decode as it was last written: dma-bufs are live by this.
  bool memory_enabled() const { return always_enabled_ || memory_enabled_; }
  bool decodes_memory() const { return (command() & kCommandMemory) != 0; }
  bool bus_master() const { return (command() & kCommandBusMaster) != 0; }

  // What VFIO reads of a function that is not on the bus: ones, but for what it keeps itself (vfio_pci_config.c,
  // init_pci_cap_basic_perm), of which here are the ids, the BARs and COMMAND's Interrupt Disable. Inside the space.
  void ReadAbsent(uint64_t offset, absl::Span<uint8_t> bytes) const;

  // What a reset behind VFIO's back leaves: COMMAND is zero, and the BARs answer nobody until it is written.
  void LoseState();

  // A write by software, inside the space: what is read-only stays. True when it asked for a function reset
  // (Initiate FLR in the PCI Express capability), which is the caller's to carry out; the bit reads as 0.
  bool Write(uint64_t offset, absl::Span<const uint8_t> bytes);

 private:
  void Put(uint64_t offset, uint64_t value, int width);
  void PutBars(const DeviceSpec& spec);
  void PutExpress(uint64_t at, uint8_t next, bool resettable);
  void PutMsix(uint64_t at, const MsixSpec& msix);
  void AllowWrites(uint64_t offset, uint64_t mask, int width);

  uint64_t size_;
  bool memory_enabled_ = false;
  bool always_enabled_;          // a virtual function: it has no such bit of its own
  uint64_t device_control_ = 0;  // where the PCI Express capability has it; 0: there is none
  std::array<uint8_t, 4096> bytes_ = {};
  std::array<uint8_t, 4096> writable_ = {};
};

}  // namespace p2pd::sim

#endif  // P2PD_DAEMON_KERNEL_SIM_CONFIG_SPACE_H_
