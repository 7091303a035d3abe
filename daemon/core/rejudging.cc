#include "daemon/core/rejudging.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"

namespace p2pd {
namespace {

constexpr size_t kFallenListed = 1000;

// The owner, unless it is over: then its grants are being taken back already.
const SessionEntry* LivingOwner(Tables& tables, SessionId id) {
  const SessionEntry* session = tables.FindSession(id);
  return session == nullptr || session->ended ? nullptr : session;
}

}  // namespace

Rejudging::Rejudging(Core& core, const Policy& policy, std::string why)
    : core_(core), policy_(policy), why_(std::move(why)) {
  JudgeDrivers();
  JudgeExports();
  JudgeMappings();
}

absl::Status Rejudging::Denied(const Verdict& verdict) const {
  return absl::PermissionDeniedError(absl::StrCat(why_, ": ", verdict.reason));
}

absl::StatusOr<Grounds> Rejudging::Judge(const SessionEntry& owner, uint64_t bytes, const std::vector<Asked>& asked) {
  std::vector<Verdict> verdicts;
  for (const Asked& one : asked) {
    verdicts.push_back(policy_.Judge(core_.RequestOf(owner.view.peer.subject, owner.view.id, one)));
    if (!verdicts.back().allowed) return Denied(verdicts.back());
  }
  return Rest(ledger_, owner.view.peer.subject.uid, bytes, verdicts);
}

void Rejudging::JudgeDrivers() {
  for (const auto& [address, device] : core_.tables.devices) {
    if (!device.view.driver.has_value() || device.end_pending.has_value()) continue;
    const SessionEntry* owner = LivingOwner(core_.tables, *device.view.driver);
    if (owner == nullptr) continue;
    auto grounds = Judge(*owner, 0, {{.action = Action::kDrive, .exporter = &device}});
    if (grounds.ok()) {
      standing_drivers_.emplace(address, *std::move(grounds));
    } else {
      drivers_[address] = {owner->view.id, std::string(grounds.status().message())};
    }
  }
}

void Rejudging::JudgeExports() {
  for (const auto& [id, entry] : core_.tables.exports) {
    const SessionEntry* owner = LivingOwner(core_.tables, entry.view.session);
    if (entry.closing || owner == nullptr) continue;
    auto grounds = JudgeExport(*owner, entry);
    if (grounds.ok()) {
      standing_exports_.emplace(id, *std::move(grounds));
    } else {
      exports_[id] = {owner->view.id, std::string(grounds.status().message())};
    }
  }
}

absl::StatusOr<Grounds> Rejudging::JudgeExport(const SessionEntry& owner, const ExportEntry& entry) {
  const Window& window = entry.view.window;
  if (drivers_.contains(window.device)) {
    return absl::PermissionDeniedError(absl::StrCat(DeviceName(window.device), " is taken from its driver"));
  }
  P2PD_ASSIGN_OR_RETURN(Grounds grounds, Judge(owner, window.range.length, core_.AskedFor(entry.view)));
  std::vector<ExportId>& earlier = by_bar_[{window.device, window.bar}];
  for (const ExportId id : earlier) {
    const ExportView& other = core_.tables.exports.at(id).view;
    const bool overlaps = other.window.range.Overlaps(window.range) && other.session != entry.view.session;
    if (!overlaps || (standing_exports_.at(id).limits.shared && grounds.limits.shared)) continue;
    return absl::PermissionDeniedError(absl::StrCat(why_, ": it may not share with exports/", id.value(), " any more"));
  }
  earlier.push_back(entry.view.id);
  return grounds;
}

void Rejudging::JudgeMappings() {
  for (const auto& [id, entry] : core_.tables.mappings) {
    const SessionEntry* owner = LivingOwner(core_.tables, entry->view.session);
    if (owner == nullptr) continue;
    auto grounds = JudgeMapping(*owner, *entry);
    if (grounds.ok()) {
      standing_mappings_.emplace(id, *std::move(grounds));
    } else {
      mappings_[id] = {owner->view.id, std::string(grounds.status().message())};
    }
  }
}

absl::StatusOr<Grounds> Rejudging::JudgeMapping(const SessionEntry& owner, const MappingEntry& entry) {
  const AddressSpaceView& space = core_.tables.spaces.at(entry.view.address_space).view;
  for (const PciAddress& importer : space.devices) {
    if (!drivers_.contains(importer)) continue;
    return absl::PermissionDeniedError(absl::StrCat(DeviceName(importer), " is taken from its driver"));
  }
  const ExportView* source = nullptr;
  if (entry.view.source.has_value()) {
    const auto fallen = exports_.find(*entry.view.source);
    if (fallen != exports_.end()) return absl::PermissionDeniedError(fallen->second.reason);
    source = &core_.tables.exports.at(*entry.view.source).view;
  }
  std::vector<Verdict>& verdicts =
      verdicts_[{entry.view.source.value_or(ExportId()), entry.view.address_space, entry.asked}];
  if (verdicts.empty()) {
    for (const Asked& one : core_.AskedFor(source, space, entry.asked)) {
      verdicts.push_back(policy_.Judge(core_.RequestOf(owner.view.peer.subject, owner.view.id, one)));
    }
  }
  for (const Verdict& verdict : verdicts) {
    if (!verdict.allowed) return Denied(verdict);
  }
  return Rest(ledger_, owner.view.peer.subject.uid, entry.view.iova.length, verdicts);
}

std::vector<FallenGrant> Rejudging::Fallen() const {
  std::vector<FallenGrant> fallen;
  const auto add = [&fallen](const std::string& object, const Fall& fall) {
    if (fallen.size() < kFallenListed) fallen.push_back({object, fall.session, fall.reason});
  };
  for (const auto& [address, fall] : drivers_) add(DeviceName(address), fall);
  for (const auto& [id, fall] : exports_) add(absl::StrCat("exports/", id.value()), fall);
  for (const auto& [id, fall] : mappings_) add(absl::StrCat("mappings/", id.value()), fall);
  return fallen;
}

// What falls keeps what it rested on until it is gone.
void Rejudging::Adopt() {
  core_.ledger = std::move(ledger_);
  for (auto& [address, grounds] : standing_drivers_) {
    DeviceEntry& device = core_.tables.devices.at(address);
    device.view.driver_rule = grounds.rule;
    device.view.driver_rule_origin = grounds.origin;
    device.grounds = std::move(grounds);
    core_.WatchAge(device);
  }
  for (auto& [id, grounds] : standing_exports_) {
    ExportEntry& entry = core_.tables.exports.at(id);
    entry.view.rule = grounds.rule;
    entry.view.rule_origin = grounds.origin;
    entry.grounds = std::move(grounds);
    core_.WatchAge(entry);
  }
  for (auto& [id, grounds] : standing_mappings_) {
    MappingEntry& entry = *core_.tables.FindMapping(id);
    entry.view.rule = grounds.rule;
    entry.view.rule_origin = grounds.origin;
    entry.grounds = std::move(grounds);
    core_.WatchAge(entry);
  }
}

RevokeOrder Rejudging::Commit(CoreLock& lock, OperationKind kind) {
  core_.mutex.AssertHeld();  // by whoever made this
  Adopt();
  std::vector<PciAddress> idle;
  for (const auto& [address, fall] : drivers_) {
    DeviceEntry& device = core_.tables.devices.at(address);
    if (device.operation.has_value()) {
      core_.TakeFromDriver(lock, device, kind, fall.reason);
    } else {
      core_.TellHolders(lock, device, fall.reason);
      idle.push_back(address);
    }
  }
  RevokeOrder order = core_.DriverEnd(idle, std::nullopt);
  order.kind = kind;
  order.reason = why_;
  std::set<ExportId> exports(order.exports.begin(), order.exports.end());
  std::set<MappingId> mappings(order.mappings.begin(), order.mappings.end());
  for (const auto& [id, fall] : exports_) {
    const ExportEntry& entry = core_.tables.exports.at(id);
    const auto& device = core_.tables.devices.at(entry.view.window.device);
    if (device.end_pending.has_value()) continue;  // goes with its device
    exports.insert(id);
    mappings.insert(entry.mappings.begin(), entry.mappings.end());
  }
  for (const auto& [id, fall] : mappings_) {
    mappings.insert(id);
    order.reasons[id] = fall.reason;
  }
  order.exports.assign(exports.begin(), exports.end());
  order.mappings.assign(mappings.begin(), mappings.end());
  return order;
}

}  // namespace p2pd
