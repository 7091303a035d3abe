// The journal that outlives its process: a JournalFile whose records are JournalEntries. When a half is full, or
// holds more of what was than of what is, what stands is written into the other one, and that counts from then on.
// So what a successor reads is little more than what it needs.
//
// Room for rights is limited to three quarters of a half, so that what takes them away always finds room, and
// the halves do not change places at every write.
#ifndef P2PD_DAEMON_JOURNAL_MEMFD_JOURNAL_H_
#define P2PD_DAEMON_JOURNAL_MEMFD_JOURNAL_H_

#include <cstddef>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "daemon/base/unique_fd.h"
#include "daemon/core/quota.h"
#include "daemon/core/state_journal.h"
#include "daemon/journal/journal.pb.h"
#include "daemon/journal/journal_file.h"

namespace p2pd {

class MemfdJournal final : public StateJournal {
 public:
  static absl::StatusOr<std::unique_ptr<MemfdJournal>> Create(size_t half_bytes);

  // A half in which everything fits that these limits let be granted; at most a GiB and a third.
  static size_t HalfBytesFor(const QuotaLimits& limits);

  // Takes over from a process that has ended. Errors: DataLoss (damaged, or the picture is not whole),
  // FailedPrecondition (of another major version, or with a record that this version must understand and does
  // not): in either case nothing that it may have said can be relied on.
  static absl::StatusOr<std::unique_ptr<MemfdJournal>> Open(UniqueFd fd);

  // To be kept where it outlives this process.
  FdRef fd() const { return file_->fd(); }

  using StateJournal::Append;
  absl::Status Append(absl::Span<const JournalEntry> entries) override;
  const JournalState& state() const override { return state_; }

  // Records that a later version wrote and this one does not know, when it was opened.
  size_t skipped() const { return skipped_; }

 private:
  explicit MemfdJournal(std::unique_ptr<JournalFile> file) : file_(std::move(file)) {}

  // What the file says.
  absl::Status Read(JournalState& state);
  absl::Status CheckRoom(absl::Span<const JournalEntry> entries) const;
  absl::Status ApplyAll(absl::Span<const JournalEntry> entries);
  // Adds the entry to what the next Commit makes count. Errors: ResourceExhausted.
  absl::Status Stage(const JournalEntry& entry);
  bool IsStale() const;
  absl::Status StageAll(absl::Span<const JournalEntry> entries);
  // Writes what stands into the other half.
  absl::Status Compact();

  const std::unique_ptr<JournalFile> file_;
  JournalState state_;
  journal::Entry message_;  // used again and again
  size_t snapshot_ = 0;     // bytes of the half that were written when it began to count
  size_t skipped_ = 0;
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_JOURNAL_MEMFD_JOURNAL_H_
