// What core promises to remember: before each change in the kernel its intent, after it the outcome. A
// successor that reads the journal knows everything that may be mapped, and where.
//
// core owns this interface; daemon/service implements it over a memfd in systemd's fd store, and a test
// keeps it in memory.
#ifndef P2PD_DAEMON_CORE_JOURNAL_H_
#define P2PD_DAEMON_CORE_JOURNAL_H_

#include <cstdint>

#include "absl/status/status.h"
#include "daemon/base/pci_address.h"
#include "daemon/kernel/kernel.h"

namespace p2pd {

enum class JournalVerb { kBind, kAllocIoas, kDestroyIoas, kMap, kUnmap, kReset, kGeneration };
enum class JournalPhase { kIntent, kDone, kFailed };

// One record. Which fields mean something depends on the verb.
struct JournalRecord {
  JournalVerb verb = JournalVerb::kMap;
  JournalPhase phase = JournalPhase::kIntent;
  uint64_t session = 0;
  uint64_t address_space = 0;
  uint64_t object = 0;  // the mapping
  PciAddress device;    // bind, reset, generation: the device; map: the exporter
  uint64_t generation = 0;
  Range iova;
};

class Journal {
 public:
  virtual ~Journal() = default;
  // An intent that cannot be written forbids the change. Never blocks. Called under core's lock.
  virtual absl::Status Write(const JournalRecord& record) = 0;
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_CORE_JOURNAL_H_
