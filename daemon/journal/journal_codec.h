// Entries of the journal as protobuf messages, and back. Whatever is read comes from another process, perhaps
// another version: a value that this version does not know is an error, a kind that it does not know is not.
#ifndef P2PD_DAEMON_JOURNAL_JOURNAL_CODEC_H_
#define P2PD_DAEMON_JOURNAL_JOURNAL_CODEC_H_

#include <optional>

#include "absl/status/statusor.h"
#include "daemon/core/journal_entry.h"
#include "daemon/journal/journal.pb.h"

namespace p2pd {

// `message` is emptied first; using one again and again saves time.
void Encode(const JournalEntry& entry, journal::Entry& message);

// None: of a kind that this version does not know. Errors: DataLoss (a value that makes no sense).
absl::StatusOr<std::optional<JournalEntry>> Decode(const journal::Entry& message);

}  // namespace p2pd

#endif  // P2PD_DAEMON_JOURNAL_JOURNAL_CODEC_H_
