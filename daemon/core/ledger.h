// The journal as core writes it. Two ways: what grants something asks first, and must not happen where the journal
// refuses; what ends a right, or tells of what has happened, goes on in any case, and the trouble is remembered for
// whoever looks at p2pd's status. Guarded by core's lock.
#ifndef P2PD_DAEMON_CORE_LEDGER_H_
#define P2PD_DAEMON_CORE_LEDGER_H_

#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "daemon/core/state_journal.h"

namespace p2pd {

using JournalEntries = std::vector<JournalEntry>;

class Ledger {
 public:
  explicit Ledger(StateJournal& journal) : journal_(journal) {}

  // All of it or nothing. Errors: the journal's, and then it must not happen.
  absl::Status Grant(const JournalEntries& entries) { return journal_.Append(entries); }
  absl::Status Grant(JournalEntry entry) { return Grant(JournalEntries{std::move(entry)}); }

  // All of it or nothing. False where it could not be written; what is gathered is not known yet to be so.
  bool Note(const JournalEntries& entries);
  bool Note(JournalEntry entry) { return Note(JournalEntries{std::move(entry)}); }

  // From Begin to End, what is noted is gathered, and written as one. They nest.
  void Begin() { ++depth_; }
  void End();

  // What is no more; without effect where it was never written.
  void Forget(const JournalRemoval::Key& key);
  bool Knows(const JournalRemoval::Key& key) const;

  const JournalState& state() const { return journal_.state(); }
  // The last time that something could not be noted; OK if that never happened.
  const absl::Status& trouble() const { return trouble_; }

 private:
  StateJournal& journal_;
  int depth_ = 0;
  JournalEntries gathered_;
  absl::Status trouble_;
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_CORE_LEDGER_H_
