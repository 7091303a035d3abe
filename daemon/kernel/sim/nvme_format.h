// The parts of the NVMe Base Specification 1.4 that the simulated controller speaks: register offsets, queue
// entries, opcodes and status codes.
#ifndef P2PD_DAEMON_KERNEL_SIM_NVME_FORMAT_H_
#define P2PD_DAEMON_KERNEL_SIM_NVME_FORMAT_H_

#include <cstdint>

namespace p2pd::sim::nvme {

// Registers, in BAR 0.
inline constexpr uint64_t kCap = 0x00;
inline constexpr uint64_t kVs = 0x08;
inline constexpr uint64_t kCc = 0x14;
inline constexpr uint64_t kCsts = 0x1c;
inline constexpr uint64_t kAqa = 0x24;
inline constexpr uint64_t kAsq = 0x28;
inline constexpr uint64_t kAcq = 0x30;
inline constexpr uint64_t kCmbloc = 0x38;
inline constexpr uint64_t kCmbsz = 0x3c;
inline constexpr uint64_t kCmbmsc = 0x50;
inline constexpr uint64_t kCmbsts = 0x58;
inline constexpr uint64_t kDoorbells = 0x1000;
constexpr uint64_t TailDoorbell(uint16_t queue) { return kDoorbells + 8 * uint64_t{queue}; }
constexpr uint64_t HeadDoorbell(uint16_t queue) { return kDoorbells + 8 * uint64_t{queue} + 4; }

inline constexpr uint32_t kCcEnable = 1;
inline constexpr uint32_t kCstsReady = 1;
inline constexpr uint32_t kCstsFatal = 2;
inline constexpr uint32_t kCstsShutdownDone = 2 << 2;
inline constexpr uint64_t kCmbmscCapabilities = 1;  // CRE
inline constexpr uint64_t kCmbmscSpace = 2;         // CMSE

struct SubmissionEntry {
  uint8_t opcode;
  uint8_t flags;
  uint16_t id;
  uint32_t nsid;
  uint64_t reserved;
  uint64_t metadata;
  uint64_t prp1;
  uint64_t prp2;
  uint32_t dw10;
  uint32_t dw11;
  uint32_t dw12;
  uint32_t dw13;
  uint32_t dw14;
  uint32_t dw15;
};
static_assert(sizeof(SubmissionEntry) == 64);

struct CompletionEntry {
  uint32_t result;
  uint32_t reserved;
  uint16_t sq_head;
  uint16_t sq_id;
  uint16_t id;
  uint16_t status;  // bit 0 is the phase
};
static_assert(sizeof(CompletionEntry) == 16);

enum AdminOpcode : uint8_t {
  kDeleteSubmissionQueue = 0x00,
  kCreateSubmissionQueue = 0x01,
  kDeleteCompletionQueue = 0x04,
  kCreateCompletionQueue = 0x05,
  kIdentify = 0x06,
  kAbort = 0x08,
  kSetFeatures = 0x09,
  kGetFeatures = 0x0a,
  kAsyncEventRequest = 0x0c,
};

enum IoOpcode : uint8_t { kFlush = 0x00, kWrite = 0x01, kRead = 0x02 };

inline constexpr uint8_t kFeatureNumberOfQueues = 0x07;

// Status codes, as in bits 15:1 of the completion's status.
using Status = uint16_t;
inline constexpr Status kDoNotRetry = 0x4000;
inline constexpr Status kSuccess = 0x0000;
inline constexpr Status kInvalidOpcode = 0x0001 | kDoNotRetry;
inline constexpr Status kInvalidField = 0x0002 | kDoNotRetry;
inline constexpr Status kDataTransferError = 0x0004;
inline constexpr Status kInvalidNamespace = 0x000b | kDoNotRetry;
inline constexpr Status kInvalidPrpOffset = 0x0013 | kDoNotRetry;
inline constexpr Status kLbaOutOfRange = 0x0080 | kDoNotRetry;
inline constexpr Status kInvalidCompletionQueue = 0x0100 | kDoNotRetry;
inline constexpr Status kInvalidQueueId = 0x0101 | kDoNotRetry;
inline constexpr Status kInvalidQueueSize = 0x0102 | kDoNotRetry;
inline constexpr Status kAsyncEventLimit = 0x0105 | kDoNotRetry;
inline constexpr Status kInvalidQueueDeletion = 0x010c | kDoNotRetry;
inline constexpr Status kWriteFault = 0x0280;
inline constexpr Status kUnrecoveredRead = 0x0281;

}  // namespace p2pd::sim::nvme

#endif  // P2PD_DAEMON_KERNEL_SIM_NVME_FORMAT_H_
