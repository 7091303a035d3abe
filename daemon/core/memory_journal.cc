#include "daemon/core/memory_journal.h"

#include "daemon/base/errors.h"

namespace p2pd {

absl::Status MemoryJournal::Append(absl::Span<const JournalEntry> entries) {
  if (!fail_next_.ok()) return std::exchange(fail_next_, absl::OkStatus());
  for (const JournalEntry& entry : entries) P2PD_RETURN_IF_ERROR(state_.Apply(entry));
  return absl::OkStatus();
}

}  // namespace p2pd
