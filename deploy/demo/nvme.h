// A user-space driver for one NVMe controller, as an example of what a driver does with p2pd: it opens the
// device, gives it an address space and memory for its queues, sets it up, and says Ready(). After a reset, by
// whomever, it sets the device up anew with Start() and says Ready() again; its mappings are where they were.
//
// It polls, and is used by one thread.
#ifndef P2PD_DEPLOY_DEMO_NVME_H_
#define P2PD_DEPLOY_DEMO_NVME_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/session.h"
#include "deploy/demo/bar.h"
#include "deploy/demo/dma_memory.h"
#include "deploy/demo/queue_pair.h"

namespace demo {

class NvmeController {
 public:
  // Who the controller says that it is.
  struct Identity {
    std::string serial;
    uint64_t max_transfer = 0;  // bytes of one command; 0: no limit
  };
  // The controller memory buffer (CMB): plain memory in one of its BARs.
  struct Buffer {
    uint32_t bar = 0;
    uint64_t offset = 0;
    uint64_t size = 0;
  };

  // Becomes the driver of `device` and starts it. It is not Ready() yet.
  static absl::StatusOr<std::unique_ptr<NvmeController>> Open(p2p::Session& session, const std::string& device);
  // Stops the controller before its memory goes.
  ~NvmeController();
  NvmeController(const NvmeController&) = delete;
  NvmeController& operator=(const NvmeController&) = delete;

  p2p::Device& device() { return device_; }
  const p2p::AddressSpace& space() const { return space_; }
  Bar& registers() { return registers_; }

  // From whatever state to a controller that runs, with empty admin queues and nothing else.
  absl::Status Start();

  // Turns the memory buffer on, so that other devices can use it. A reset turns it off. Errors:
  // FailedPrecondition, the controller has none.
  absl::StatusOr<Buffer> EnableBuffer();

  // Runs one admin command. Errors: Internal (the controller says that it failed), DeadlineExceeded.
  absl::Status Admin(nvme::SubmissionEntry command);

  // Asks the controller who it is.
  absl::StatusOr<Identity> Identify();
  // Its two halves, for a doorbell that somebody else rings. The first returns the tail that the admin doorbell
  // has to be told; the second the answer, as soon as it is there.
  absl::StatusOr<uint32_t> QueueIdentify();
  absl::StatusOr<std::optional<Identity>> PollIdentify();

  // The bytes of namespace 1. Errors: Unimplemented, its blocks are not of 512 bytes.
  absl::StatusOr<uint64_t> NamespaceSize();

 private:
  NvmeController(p2p::Device device, p2p::AddressSpace space, DmaMemory queues, DmaMemory answer, Bar registers);

  absl::Status Stop();
  // Waits for CSTS.RDY to become `ready`.
  absl::Status AwaitReady(bool ready);
  nvme::SubmissionEntry IdentifyCommand(uint32_t what, uint32_t nsid);

  // In the order of their making: what depends on the device goes before it.
  p2p::Device device_;
  p2p::AddressSpace space_;
  DmaMemory queues_;
  DmaMemory answer_;  // of Identify
  Bar registers_;
  std::optional<nvme::QueuePair> admin_;
  uint16_t last_id_ = 0;
};

}  // namespace demo

#endif  // P2PD_DEPLOY_DEMO_NVME_H_
