// A driver for one NVMe controller, as small as it gets: an admin queue and an I/O queue in a client's
// memory, one command at a time, by polling.
#ifndef P2PD_TESTS_CONTRACT_NVME_DRIVER_H_
#define P2PD_TESTS_CONTRACT_NVME_DRIVER_H_

#include <array>
#include <cstdint>
#include <optional>

#include "daemon/base/unique_fd.h"
#include "tests/contract/fixture.h"

namespace p2pd::contract {

class NvmeDriver {
 public:
  struct Command {
    uint8_t opcode = 0;
    uint32_t nsid = 0;
    uint64_t prp1 = 0;
    uint64_t prp2 = 0;
    uint32_t dw10 = 0;
    uint32_t dw11 = 0;
    uint32_t dw12 = 0;
  };

  // Queues take the first four pages of `memory`, which the controller sees at `iova`.
  NvmeDriver(FdRef device, uint64_t registers_offset, const Memory& memory, uint64_t iova)
      : device_(device), registers_offset_(registers_offset), memory_(memory), iova_(iova) {}

  // Resets the controller and enables it, with a fresh admin queue.
  bool Enable();
  // Makes the I/O queue.
  bool CreateIoQueue();

  // Runs a command; its status, or nothing if it did not complete.
  std::optional<uint16_t> Admin(const Command& command) { return Run(0, command); }
  std::optional<uint16_t> Io(const Command& command) { return Run(1, command); }
  std::optional<uint16_t> ReadBlocks(uint64_t block, uint32_t count, uint64_t prp1, uint64_t prp2 = 0);
  std::optional<uint16_t> WriteBlocks(uint64_t block, uint32_t count, uint64_t prp1, uint64_t prp2 = 0);

  // Puts an admin command into the queue without telling the controller; what its doorbell must then say.
  uint32_t PrepareAdmin(const Command& command) { return Prepare(0, command); }
  std::optional<uint16_t> AwaitAdmin() { return Await(0); }

  static constexpr uint64_t kAdminDoorbell = 0x1000;  // in BAR 0

 private:
  static constexpr uint32_t kEntries = 16;

  struct Queue {
    uint32_t tail = 0;
    uint32_t head = 0;
    uint16_t phase = 1;
  };

  std::optional<uint16_t> Run(int queue, const Command& command);
  uint32_t Prepare(int queue, const Command& command);
  std::optional<uint16_t> Await(int queue);

  uint32_t Read32(uint64_t offset) const;
  void Write32(uint64_t offset, uint32_t value) const;
  void Write64(uint64_t offset, uint64_t value) const;

  const FdRef device_;
  const uint64_t registers_offset_;
  const Memory& memory_;
  const uint64_t iova_;
  std::array<Queue, 2> queues_;
  uint16_t next_id_ = 1;
};

}  // namespace p2pd::contract

#endif  // P2PD_TESTS_CONTRACT_NVME_DRIVER_H_
