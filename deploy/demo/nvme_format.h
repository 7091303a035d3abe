// The parts of the NVMe Base Specification 1.4 that the demonstration's driver speaks. A controller reads and
// writes these structures as they are: little-endian, as this machine is.
#ifndef P2PD_DEPLOY_DEMO_NVME_FORMAT_H_
#define P2PD_DEPLOY_DEMO_NVME_FORMAT_H_

#include <cstdint>

namespace demo::nvme {

inline constexpr uint64_t kPageSize = 4096;  // CC.MPS = 0

// Registers, in BAR 0.
inline constexpr uint64_t kCap = 0x00;     // what the controller can do
inline constexpr uint64_t kCc = 0x14;      // configuration
inline constexpr uint64_t kCsts = 0x1c;    // status
inline constexpr uint64_t kAqa = 0x24;     // sizes of the admin queues
inline constexpr uint64_t kAsq = 0x28;     // where the admin submission queue is
inline constexpr uint64_t kAcq = 0x30;     // and the admin completion queue
inline constexpr uint64_t kCmbloc = 0x38;  // which BAR holds the controller memory buffer, and where
inline constexpr uint64_t kCmbsz = 0x3c;   // its size
inline constexpr uint64_t kCmbmsc = 0x50;  // turns it on
inline constexpr uint64_t kDoorbells = 0x1000;

inline constexpr uint32_t kCcEnable = 1;
inline constexpr uint32_t kCcEntrySizes = 6u << 16 | 4u << 20;  // 2^6 and 2^4 bytes
inline constexpr uint32_t kCstsReady = 1;
inline constexpr uint32_t kCstsFatal = 2;
inline constexpr uint64_t kCapHasBuffer = uint64_t{1} << 57;  // CMBS
inline constexpr uint64_t kCmbmscCapabilities = 1;            // CRE: show CMBLOC and CMBSZ
inline constexpr uint64_t kCmbmscSpace = 2;                   // CMSE: let the controller itself use it, at CBA

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
  uint16_t status;  // bit 0 is the phase, the rest the status code
};
static_assert(sizeof(CompletionEntry) == 16);

enum AdminOpcode : uint8_t {
  kDeleteSubmissionQueue = 0x00,
  kCreateSubmissionQueue = 0x01,
  kDeleteCompletionQueue = 0x04,
  kCreateCompletionQueue = 0x05,
  kIdentify = 0x06,
};
enum IoOpcode : uint8_t { kWrite = 0x01, kRead = 0x02 };
enum IdentifyWhat : uint32_t { kIdentifyNamespace = 0, kIdentifyController = 1 };

}  // namespace demo::nvme

#endif  // P2PD_DEPLOY_DEMO_NVME_FORMAT_H_
