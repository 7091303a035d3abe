// A DMA engine with the registers of QEMU's "edu": one transfer at a time between memory and a 4 KiB buffer
// of its own.
#ifndef P2PD_DAEMON_KERNEL_SIM_DMA_ENGINE_H_
#define P2PD_DAEMON_KERNEL_SIM_DMA_ENGINE_H_

#include <array>
#include <cstdint>

#include "daemon/kernel/sim/device_file.h"
#include "daemon/kernel/sim/device_model.h"

namespace p2pd::sim {

class DmaEngine final : public DeviceModel {
 public:
  // Addresses are cut to `address_bits`, as edu does it.
  DmaEngine(DeviceFile& file, int address_bits);

  void Reset() override;
  bool Step(Dma& dma) override;
  bool Answers(int) const override { return true; }

 private:
  void Transfer(uint64_t command, Dma& dma);

  DeviceFile& file_;
  const uint64_t address_mask_;
  std::array<uint8_t, 4096> buffer_ = {};
  uint32_t liveness_ = 0;
};

}  // namespace p2pd::sim

#endif  // P2PD_DAEMON_KERNEL_SIM_DMA_ENGINE_H_
