// What a simulated device does, beyond having BARs. Clients write registers where nobody is watching, so a
// model looks at them whenever it is stepped. It trusts nothing that it finds there or in memory.
#ifndef P2PD_DAEMON_KERNEL_SIM_DEVICE_MODEL_H_
#define P2PD_DAEMON_KERNEL_SIM_DEVICE_MODEL_H_

#include <cstdint>

#include "absl/types/span.h"

namespace p2pd::sim {

// The device's way to memory: through its address space, as bus mastering and mappings allow right now.
class Dma {
 public:
  virtual ~Dma() = default;
  // False if the device may not start any transfer (bus mastering is off).
  virtual bool enabled() const = 0;
  // False if any byte could not be transferred; earlier bytes may have been.
  virtual bool Read(uint64_t address, absl::Span<uint8_t> bytes) = 0;
  virtual bool Write(uint64_t address, absl::Span<const uint8_t> bytes) = 0;
};

class DeviceModel {
 public:
  virtual ~DeviceModel() = default;

  // Brings the device into its state after a function reset. Its BARs are zero by then, if it was reset.
  virtual void Reset() = 0;

  // Does what the registers ask for, a bounded amount of it. True if there was anything to do.
  virtual bool Step(Dma& dma) = 0;

  // Whether accesses of other devices to a BAR have any effect now.
  virtual bool Answers(int bar) const = 0;
};

}  // namespace p2pd::sim

#endif  // P2PD_DAEMON_KERNEL_SIM_DEVICE_MODEL_H_
