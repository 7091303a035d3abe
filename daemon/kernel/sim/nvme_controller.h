// A small NVMe controller: enough of the specification for a driver that polls. Registers and queues are the
// driver's to corrupt; the worst that follows is CSTS.CFS or an error status.
//
// Invariant: while the controller is not enabled it has no queues and starts no DMA. Its memory buffer (CMB,
// BAR 2) answers other devices only while CMBMSC enables it.
#ifndef P2PD_DAEMON_KERNEL_SIM_NVME_CONTROLLER_H_
#define P2PD_DAEMON_KERNEL_SIM_NVME_CONTROLLER_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "daemon/kernel/sim/device_file.h"
#include "daemon/kernel/sim/device_model.h"
#include "daemon/kernel/sim/device_spec.h"
#include "daemon/kernel/sim/disk.h"
#include "daemon/kernel/sim/nvme_format.h"

namespace p2pd::sim {

class NvmeController final : public DeviceModel {
 public:
  NvmeController(DeviceFile& file, const DeviceSpec& spec, Disk disk);

  void Reset() override;
  bool Step(Dma& dma) override;
  bool Answers(int bar) const override;

 private:
  struct SubmissionQueue {
    uint64_t base = 0;
    uint32_t size = 0;  // entries
    uint32_t head = 0;
    uint16_t completion_queue = 0;
  };
  struct CompletionQueue {
    uint64_t base = 0;
    uint32_t size = 0;
    uint32_t tail = 0;
    bool phase = true;
  };
  // What a command answers; nothing while it is outstanding (an asynchronous event request).
  struct Outcome {
    nvme::Status status = nvme::kSuccess;
    uint32_t result = 0;
  };
  struct Segment {
    uint64_t address = 0;
    uint64_t length = 0;
  };

  // nvme_controller.cc: registers and queues.
  void RestoreReadOnly();
  void Enable();
  void Disable();
  void Fail();
  bool ServeQueue(uint16_t id, Dma& dma);
  bool HasRoom(uint16_t completion_queue) const;
  void Complete(uint16_t queue, const nvme::SubmissionEntry& command, const Outcome& outcome, Dma& dma);

  // nvme_admin.cc
  std::optional<Outcome> Admin(const nvme::SubmissionEntry& command, Dma& dma);
  Outcome Identify(const nvme::SubmissionEntry& command, Dma& dma);
  std::vector<uint8_t> IdentifyController() const;
  std::vector<uint8_t> IdentifyNamespace() const;
  Outcome CreateCompletionQueue(const nvme::SubmissionEntry& command);
  Outcome CreateSubmissionQueue(const nvme::SubmissionEntry& command);
  Outcome DeleteCompletionQueue(const nvme::SubmissionEntry& command);
  Outcome DeleteSubmissionQueue(const nvme::SubmissionEntry& command);

  // nvme_io.cc: data.
  Outcome Io(const nvme::SubmissionEntry& command, Dma& dma);
  nvme::Status Gather(const nvme::SubmissionEntry& command, uint64_t length, Dma& dma, std::vector<Segment>& segments);
  nvme::Status GatherList(uint64_t list, uint64_t length, Dma& dma, std::vector<Segment>& segments);
  nvme::Status ToHost(const nvme::SubmissionEntry& command, absl::Span<const uint8_t> bytes, Dma& dma);
  nvme::Status FromHost(const nvme::SubmissionEntry& command, absl::Span<uint8_t> bytes, Dma& dma);
  // Addresses inside the memory buffer, once that is enabled, never leave the controller.
  bool Fetch(uint64_t address, absl::Span<uint8_t> bytes, Dma& dma);
  bool Put(uint64_t address, absl::Span<const uint8_t> bytes, Dma& dma);
  std::optional<uint64_t> InBuffer(uint64_t address, uint64_t length) const;

  DeviceFile& file_;
  const uint64_t buffer_size_;  // BAR 2; 0: no memory buffer
  const uint16_t vendor_;
  const std::string serial_;
  Disk disk_;

  bool enabled_ = false;
  uint32_t status_ = 0;  // CSTS
  int async_events_ = 0;
  std::map<uint16_t, SubmissionQueue> submission_queues_;
  std::map<uint16_t, CompletionQueue> completion_queues_;
};

}  // namespace p2pd::sim

#endif  // P2PD_DAEMON_KERNEL_SIM_NVME_CONTROLLER_H_
