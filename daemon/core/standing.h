// What is written down, so that it stands after this process. One rule: what a request made stands from the moment
// on in which its answer is written, in one append with it. So a successor takes back what nobody was told of, keeps
// what somebody was, and answers whoever asks again as it was answered.
#ifndef P2PD_DAEMON_CORE_STANDING_H_
#define P2PD_DAEMON_CORE_STANDING_H_

#include <vector>

#include "daemon/core/core.h"

namespace p2pd {

// What an answer names stands with it. Adds what the journal is to hear of that.
void Stand(Core& core, const DeviceView& view, JournalEntries& rows) ABSL_EXCLUSIVE_LOCKS_REQUIRED(core.mutex);
void Stand(Core& core, const ExportView& view, JournalEntries& rows) ABSL_EXCLUSIVE_LOCKS_REQUIRED(core.mutex);
void Stand(Core& core, const AddressSpaceView& view, JournalEntries& rows) ABSL_EXCLUSIVE_LOCKS_REQUIRED(core.mutex);
void Stand(Core& core, const MappingView& view, JournalEntries& rows) ABSL_EXCLUSIVE_LOCKS_REQUIRED(core.mutex);
void Stand(Core& core, const std::vector<MappingView>& views, JournalEntries& rows)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(core.mutex);
void Stand(Core& core, const AcquiredView& view, JournalEntries& rows) ABSL_EXCLUSIVE_LOCKS_REQUIRED(core.mutex);
void Stand(Core& core, const OfferView& view, JournalEntries& rows) ABSL_EXCLUSIVE_LOCKS_REQUIRED(core.mutex);
// An offer goes with the answer to its withdrawal, or with the operation that this begins.
void Stand(Core& core, const WithdrawalView& view, JournalEntries& rows) ABSL_EXCLUSIVE_LOCKS_REQUIRED(core.mutex);
inline void Stand(Core&, const OperationView&, JournalEntries&) {}
inline void Stand(Core&, const ReloadView&, JournalEntries&) {}

// Writes the answer, and with it what stands, and that its operation is over.
void WriteAnswer(Core& core, const JournalRequest& request, JournalOutcome outcome, JournalEntries rows)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(core.mutex);

// Whether somebody is still to be told of it, or has mappings to come back.
bool IsAwaited(Core& core, const OperationEntry& operation) ABSL_EXCLUSIVE_LOCKS_REQUIRED(core.mutex);
// What the journal is to hear of an operation that is over and answered.
JournalEntry Settled(Core& core, OperationId id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(core.mutex);
void ForgetSettled(Core& core) ABSL_EXCLUSIVE_LOCKS_REQUIRED(core.mutex);

}  // namespace p2pd

#endif  // P2PD_DAEMON_CORE_STANDING_H_
