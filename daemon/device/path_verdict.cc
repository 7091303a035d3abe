#include "daemon/device/path_verdict.h"

#include <algorithm>

#include "daemon/device/path_words.h"

namespace p2pd {
namespace {

using Way = std::vector<const PciFunction*>;

// Where the two ways up meet: how many functions of each lie before that; the whole ways if they do not.
struct Meeting {
  size_t up = 0;
  size_t down = 0;
  bool met = false;
};

Meeting Meet(const Way& from_exporter, const Way& from_importer) {
  for (size_t up = 0; up < from_exporter.size(); ++up) {
    const auto found = std::find(from_importer.begin(), from_importer.end(), from_exporter[up]);
    if (found == from_importer.end()) continue;
    return {.up = up, .down = static_cast<size_t>(found - from_importer.begin()), .met = true};
  }
  return {.up = from_exporter.size(), .down = from_importer.size()};
}

// The functions whose ACS the kernel looks at: the exporter's way up to the common bridge and including it, the
// importer's below it. Without a common bridge what ACS says changes nothing.
Way AskedForAcs(const Way& from_exporter, const Way& from_importer, const Meeting& meeting) {
  if (!meeting.met) return {};
  Way asked(from_exporter.begin(), from_exporter.begin() + meeting.up + 1);
  asked.insert(asked.end(), from_importer.begin(), from_importer.begin() + meeting.down);
  return asked;
}

Relation RelationOf(const Way& from_exporter, const Way& from_importer, const Meeting& meeting) {
  if (from_exporter[0] == from_importer[0]) return Relation::kSelf;
  if (meeting.met) return meeting.up + 1 == from_exporter.size() ? Relation::kSameRootPort : Relation::kSameSwitch;
  return from_exporter.back()->root_bus == from_importer.back()->root_bus ? Relation::kSameHostBridge
                                                                          : Relation::kApart;
}

// drivers/pci/p2pdma.c:host_bridge_whitelist, with what could not be read.
Trust TrustBetween(const Topology& topology, const std::vector<std::string>& names) {
  Trust worst = Trust::kGood;
  for (const std::string& name : names) {
    const auto found = topology.host_bridges.find(name);
    Trust trust = found == topology.host_bridges.end() ? Trust::kUnknown : found->second.trust;
    if (trust == Trust::kGoodWithinItself) trust = names.size() == 1 ? Trust::kGood : Trust::kNotListed;
    if (trust == Trust::kNotListed) return Trust::kNotListed;
    if (trust == Trust::kUnknown) worst = Trust::kUnknown;
  }
  return worst;
}

PathKind ThroughHostBridge(Trust trust) {
  switch (trust) {
    case Trust::kGood:
      return PathKind::kThroughHostBridge;
    case Trust::kNotListed:
    case Trust::kGoodWithinItself:
      return PathKind::kNotSupported;
    case Trust::kUnknown:
      break;
  }
  return PathKind::kUnknown;
}

void JudgeAcs(const Way& asked, const Meeting& meeting, PathVerdict& verdict) {
  bool unread = false;
  for (const PciFunction* const function : asked) {
    if (function->config.redirects()) {
      verdict.redirects.push_back({.bridge = function->address, .control = function->config.acs_control});
    }
    unread |= function->config.acs == Presence::kUnknown;
  }
  verdict.kernel_kind = ThroughHostBridge(verdict.host_bridge_trust);
  if (meeting.met && verdict.redirects.empty()) {
    verdict.kernel_kind = unread ? PathKind::kUnknown : PathKind::kBusAddress;
  }
  verdict.kind = verdict.kernel_kind;
  if (verdict.kind == PathKind::kBusAddress && verdict.separate_groups()) {
    verdict.kind = ThroughHostBridge(verdict.host_bridge_trust);
  }
}

void JudgePayloads(const Topology& topology, const Way& on_the_way, PathVerdict& verdict) {
  bool differ = false;
  for (const PciFunction* const function : on_the_way) {
    // A virtual function's is reserved: its physical function's counts.
    const PciFunction* owner = function;
    if (function->physical_function.has_value()) owner = topology.tree.Find(*function->physical_function);
    const uint32_t payload = owner == nullptr ? 0 : owner->config.max_payload;
    if (payload == 0) continue;
    differ |= verdict.lowest_payload != 0 && payload != verdict.lowest_payload;
    verdict.lowest_payload = verdict.lowest_payload == 0 ? payload : std::min(verdict.lowest_payload, payload);
    verdict.payloads.push_back({.function = function->address, .max_payload = payload});
  }
  if (!differ) verdict.payloads.clear();
}

// All that a request passes: up to the common bridge, or to both ends of the way through the host bridge.
Way OnTheWay(const Way& from_exporter, const Way& from_importer, const Meeting& meeting, PathKind kind) {
  if (kind == PathKind::kBusAddress) return AskedForAcs(from_exporter, from_importer, meeting);
  Way all = from_exporter;
  all.insert(all.end(), from_importer.begin(), from_importer.begin() + meeting.down);
  return all;
}

}  // namespace

PathVerdict JudgePath(const Topology& topology, const PciAddress& exporter, const PciAddress& importer) {
  PathVerdict verdict = {.exporter = exporter, .importer = importer};
  const Way up = topology.tree.WayUp(exporter);
  const Way down = topology.tree.WayUp(importer);
  if (!up.empty() && !down.empty()) {
    const Meeting meeting = Meet(up, down);
    verdict.relation = RelationOf(up, down, meeting);
    verdict.distance = static_cast<int>(meeting.up + meeting.down);
    if (meeting.met && verdict.relation != Relation::kSelf) verdict.common_bridge = up[meeting.up]->address;
    verdict.exporter_group = up[0]->iommu_group;
    verdict.importer_group = down[0]->iommu_group;
    verdict.host_bridges = {up.back()->root_bus};
    if (down.back()->root_bus != up.back()->root_bus) verdict.host_bridges.push_back(down.back()->root_bus);
    verdict.host_bridge_trust = TrustBetween(topology, verdict.host_bridges);
    JudgeAcs(AskedForAcs(up, down, meeting), meeting, verdict);
    if (verdict.relation == Relation::kSelf) verdict.kind = PathKind::kSelf;
    if (verdict.relation != Relation::kSelf) {
      JudgePayloads(topology, OnTheWay(up, down, meeting, verdict.kind), verdict);
    }
  }
  PutInWords(topology, verdict);
  return verdict;
}

}  // namespace p2pd
