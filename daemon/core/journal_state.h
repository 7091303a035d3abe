// What a journal says: the rows that stand after all its entries. A successor recovers from it, and a writer
// that runs out of room writes it down anew instead of how it came about. Pure: no I/O, no clock, no lock.
#ifndef P2PD_DAEMON_CORE_JOURNAL_STATE_H_
#define P2PD_DAEMON_CORE_JOURNAL_STATE_H_

#include <cstdint>
#include <deque>
#include <map>
#include <string>

#include "absl/container/btree_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "daemon/core/journal_entry.h"

namespace p2pd {

class JournalState {
 public:
  // As many outcomes as a session's RequestLog remembers; and of all sessions together so many bytes, of which
  // whoever has the most gives first. The oldest go first.
  static constexpr size_t kRemembered = 1024;
  static constexpr size_t kRememberedParts = 4096;
  static constexpr size_t kRememberedWeight = 4 << 20;

  struct Outcomes {
    std::deque<JournalOutcome> entries;  // oldest first
    size_t parts = 0;                    // of those, each outcome counted as one more
    size_t weight = 0;

    bool operator==(const Outcomes&) const = default;
  };

  // Errors: FailedPrecondition, where the entry speaks of a row that is not there; nothing is changed then.
  absl::Status Apply(const JournalEntry& entry);

  // Whether the picture is whole: what rows refer to is there, and no two mappings of an address space overlap.
  // Rows may outlive their session. Errors: DataLoss.
  absl::Status Check() const;

  // Entries that make this state out of an empty one, in an order in which what is referred to comes first.
  // Stops when `visit` returns an error, and returns that.
  absl::Status ForEach(absl::FunctionRef<absl::Status(const JournalEntry&)> visit) const;

  // No less than what ForEach's entries take in a journal, in bytes.
  size_t weight() const { return weight_; }

  bool operator==(const JournalState&) const = default;

  // To be looked at: only Apply changes them.
  absl::btree_map<SessionId, JournalSession> sessions;
  absl::btree_map<JournalMemoryKey, JournalMemory> memories;
  absl::btree_map<std::string, JournalContext> contexts;
  absl::btree_map<PciAddress, JournalDevice> devices;
  absl::btree_map<AddressSpaceId, JournalSpace> spaces;
  absl::btree_map<ExportId, JournalExport> exports;
  absl::btree_map<OfferId, JournalOffer> offers;
  absl::btree_map<MappingId, JournalMapping> mappings;
  absl::btree_map<OperationId, JournalOperation> operations;
  absl::btree_map<SessionId, Outcomes> outcomes;
  uint64_t last_id = 0;

 private:
  absl::Status Step(const JournalMappingStep& step);
  absl::Status Remember(const JournalOutcome& outcome);
  void ForgetOldest(Outcomes& known);
  absl::Status Remove(const JournalRemoval& removal);
  template <typename Table>
  size_t Erase(Table& table, const typename Table::key_type& key);

  static constexpr size_t kLastIdWeight = 64;  // always written
  size_t outcomes_weight_ = 0;
  size_t weight_ = kLastIdWeight;
};

// No less than what the entry takes in a journal, in bytes.
size_t WeightOf(const JournalEntry& entry);

}  // namespace p2pd

#endif  // P2PD_DAEMON_CORE_JOURNAL_STATE_H_
