// Entries for tests of the journal: one of each kind with every field set, and random ones that make sense.
#ifndef P2PD_DAEMON_JOURNAL_TESTING_SAMPLE_ENTRIES_H_
#define P2PD_DAEMON_JOURNAL_TESTING_SAMPLE_ENTRIES_H_

#include <cstdint>
#include <random>
#include <vector>

#include "daemon/base/unique_fd.h"
#include "daemon/core/journal_state.h"

namespace p2pd {

// No field has its default, and numbers are as large as they get. In an order in which they can be applied.
std::vector<JournalEntry> EntriesWithEveryField();

// What is there before anything can be granted: a context with two devices, a session that drives one of them.
std::vector<JournalEntry> SmallMachine();

// An export of 0000:01:00.0 and an address space of 0000:02:00.0.
JournalExport SampleExport(uint64_t id);
JournalSpace SampleSpace(uint64_t id);
// Page `page` of the export, at an IOVA of its own.
JournalMapping SampleMapping(uint64_t id, uint64_t space, uint64_t source, uint64_t page);
JournalMappingStep SampleStep(uint64_t id, JournalMapping::Phase phase);
JournalOutcome SampleOutcome(uint64_t session, uint64_t number);

// A journal's file as it is just now, in a file of its own: whoever takes over writes.
UniqueFd CopyOf(FdRef journal);

// A session's life: exports, address spaces, mappings that come and go, requests that are answered, a reset. Each
// group of entries is appended in one.
class RandomLife {
 public:
  explicit RandomLife(uint32_t seed) : random_(seed) {}

  // What may be appended to a journal of this state.
  std::vector<JournalEntry> Next(const JournalState& state);

 private:
  uint64_t Below(uint64_t limit) { return random_() % limit; }
  std::vector<JournalEntry> NewRow(const JournalState& state);
  std::vector<JournalEntry> NextOfMapping(const JournalMapping& mapping);

  std::mt19937 random_;
  uint64_t last_id_ = 100;
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_JOURNAL_TESTING_SAMPLE_ENTRIES_H_
