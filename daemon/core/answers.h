// What a request was answered, in the short form that outlives the process, and the answer made of it again: its
// objects as they are by then, or as objects that are no more.
#ifndef P2PD_DAEMON_CORE_ANSWERS_H_
#define P2PD_DAEMON_CORE_ANSWERS_H_

#include <vector>

#include "absl/status/statusor.h"
#include "daemon/core/journal_entry.h"
#include "daemon/core/tables.h"

namespace p2pd {

JournalOutcome Summary(const DeviceView& view);
JournalOutcome Summary(const ExportView& view);
JournalOutcome Summary(const AddressSpaceView& view);
JournalOutcome Summary(const MappingView& view);
JournalOutcome Summary(const std::vector<MappingView>& views);
JournalOutcome Summary(const AcquiredView& view);
JournalOutcome Summary(const OperationView& view);
JournalOutcome Summary(const OfferView& view);
JournalOutcome Summary(const WithdrawalView& view);
// Without its list of what fell.
JournalOutcome Summary(const ReloadView& view);

template <typename T>
JournalOutcome SummaryOf(const absl::StatusOr<T>& answer) {
  if (answer.ok()) return Summary(*answer);
  return {.status = answer.status()};
}

// The outcome has what Summary of the same type makes.
void Rebuild(const Tables& tables, const JournalOutcome& outcome, DeviceView& view);
void Rebuild(const Tables& tables, const JournalOutcome& outcome, ExportView& view);
void Rebuild(const Tables& tables, const JournalOutcome& outcome, AddressSpaceView& view);
void Rebuild(const Tables& tables, const JournalOutcome& outcome, MappingView& view);
void Rebuild(const Tables& tables, const JournalOutcome& outcome, std::vector<MappingView>& views);
void Rebuild(const Tables& tables, const JournalOutcome& outcome, AcquiredView& view);
void Rebuild(const Tables& tables, const JournalOutcome& outcome, OperationView& view);
void Rebuild(const Tables& tables, const JournalOutcome& outcome, OfferView& view);
void Rebuild(const Tables& tables, const JournalOutcome& outcome, WithdrawalView& view);
void Rebuild(const Tables& tables, const JournalOutcome& outcome, ReloadView& view);

template <typename T>
absl::StatusOr<T> Rebuilt(const Tables& tables, const JournalOutcome& outcome) {
  if (!outcome.status.ok()) return outcome.status;
  T view;
  Rebuild(tables, outcome, view);
  return view;
}

// What whoever asked for the operation is answered, where it is not known what for: a successor's way to Summary.
JournalOutcome SummaryOfOperation(const JournalOperation& row, const OperationView& view);

}  // namespace p2pd

#endif  // P2PD_DAEMON_CORE_ANSWERS_H_
