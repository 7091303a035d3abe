// A journal whose reader gets a state: what core writes before each change in the kernel, and after.
//
// core owns this interface; daemon/journal implements it over a memfd that outlives the process.
#ifndef P2PD_DAEMON_CORE_STATE_JOURNAL_H_
#define P2PD_DAEMON_CORE_STATE_JOURNAL_H_

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "daemon/core/journal_state.h"

namespace p2pd {

class StateJournal {
 public:
  virtual ~StateJournal() = default;

  // All of these entries or none of them, for whoever reads after this process has ended at any instruction.
  // Never blocks. Not thread-safe: called under core's lock.
  //
  // Errors: ResourceExhausted (what stands would not fit; nothing is written, and what is to happen must not).
  // Entries that remove rows, or take an existing one on to another phase, always fit.
  // FailedPrecondition (an entry speaks of a row that is not there; nothing is written).
  virtual absl::Status Append(absl::Span<const JournalEntry> entries) = 0;
  absl::Status Append(const JournalEntry& entry) { return Append(absl::MakeConstSpan(&entry, 1)); }

  // What a successor would read just now.
  virtual const JournalState& state() const = 0;
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_CORE_STATE_JOURNAL_H_
