// Taking back what a predecessor left: the rows of its journal, and the descriptors of its store. Before anybody can
// ask for anything; afterwards core's tables are what they were, but for what the predecessor had begun and not
// ended, which CarryOn (carry_on.cc) brings to its end.
#ifndef P2PD_DAEMON_CORE_RECOVERY_H_
#define P2PD_DAEMON_CORE_RECOVERY_H_

#include <map>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "daemon/core/core.h"

namespace p2pd {

class Recovery {
 public:
  // Takes everything out of core's store.
  explicit Recovery(Core& core);

  // What a predecessor left, and what is there afresh. Errors: the predecessor's journal is full already.
  absl::Status TakeBack() ABSL_LOCKS_EXCLUDED(core_.mutex);

 private:
  // Contexts and devices. Errors: DataLoss, where journal, store and machine do not fit together: then nothing of it
  // was changed, and TakeDown must follow.
  absl::Status AdoptDevices();

  // What rests on them, once every device is bound. Whatever has gone with its device is no more.
  void AdoptGrants();

  // Nothing that was granted stays: devices are cut off, reset and let go of; so is whatever else was kept.
  void TakeDown(const std::string& reason);

  absl::Status Check() ABSL_EXCLUSIVE_LOCKS_REQUIRED(core_.mutex);
  absl::Status CheckDevice(const JournalDevice& row) ABSL_EXCLUSIVE_LOCKS_REQUIRED(core_.mutex);
  absl::Status AdoptDevice(const JournalDevice& row);
  void CutOff(FdRef device);

  void AdoptSession(const JournalSession& row);
  void AdoptMemory(const JournalMemory& row);
  void AdoptSpace(const JournalSpace& row);
  void AdoptExport(const JournalExport& row);
  void AdoptOffer(const JournalOffer& row);
  void AdoptMapping(const JournalMapping& row);
  void AdoptOperation(const JournalOperation& row);
  // What was kept and belongs to no row: its predecessor ended between two steps.
  void RemoveStrays();

  UniqueFd TakeFd(const std::string& name);

  Core& core_;
  const JournalState state_;  // as the predecessor left it
  std::map<std::string, UniqueFd> fds_;
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_CORE_RECOVERY_H_
