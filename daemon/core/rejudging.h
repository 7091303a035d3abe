// What would become of all that is granted under another policy, or with other offers: every grant is judged anew, in
// the order in which they were made, with the facts of now, against limits that nobody has used yet. It changes nothing
// by itself.
#ifndef P2PD_DAEMON_CORE_REJUDGING_H_
#define P2PD_DAEMON_CORE_REJUDGING_H_

#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "daemon/core/core.h"

namespace p2pd {

class Rejudging {
 public:
  // `why`: what has come up, for receipts.
  Rejudging(Core& core, const Policy& policy, std::string why) ABSL_EXCLUSIVE_LOCKS_REQUIRED(core.mutex);

  // In the order: drivers, exports, mappings; the first 1000.
  std::vector<FallenGrant> Fallen() const;
  size_t fallen_count() const { return drivers_.size() + exports_.size() + mappings_.size(); }

  // What stands rests on the other policy from now on; returns what is to be revoked. Devices in the middle of an
  // operation are taken from their drivers when that is over, and are not in it. Once.
  RevokeOrder Commit(CoreLock& lock, OperationKind kind);

 private:
  struct Fall {
    SessionId session;
    std::string reason;
  };
  absl::Status Denied(const Verdict& verdict) const;
  // The grounds under the other policy, or why there are none.
  absl::StatusOr<Grounds> Judge(const SessionEntry& owner, uint64_t bytes, const std::vector<Asked>& asked)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(core_.mutex);
  void JudgeDrivers() ABSL_EXCLUSIVE_LOCKS_REQUIRED(core_.mutex);
  void JudgeExports() ABSL_EXCLUSIVE_LOCKS_REQUIRED(core_.mutex);
  absl::StatusOr<Grounds> JudgeExport(const SessionEntry& owner, const ExportEntry& entry)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(core_.mutex);
  void JudgeMappings() ABSL_EXCLUSIVE_LOCKS_REQUIRED(core_.mutex);
  absl::StatusOr<Grounds> JudgeMapping(const SessionEntry& owner, const MappingEntry& entry)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(core_.mutex);
  void Adopt() ABSL_EXCLUSIVE_LOCKS_REQUIRED(core_.mutex);

  Core& core_;
  const Policy& policy_;
  const std::string why_;
  RuleLedger ledger_;
  // Many mappings ask the same.
  std::map<std::tuple<ExportId, AddressSpaceId, Access>, std::vector<Verdict>> verdicts_;
  std::map<std::pair<PciAddress, int>, std::vector<ExportId>> by_bar_;  // that stand
  std::map<PciAddress, Fall> drivers_;
  std::map<ExportId, Fall> exports_;
  std::map<MappingId, Fall> mappings_;
  std::map<PciAddress, Grounds> standing_drivers_;
  std::map<ExportId, Grounds> standing_exports_;
  std::map<MappingId, Grounds> standing_mappings_;
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_CORE_REJUDGING_H_
