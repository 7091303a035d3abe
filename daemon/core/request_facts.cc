#include "daemon/core/request_facts.h"

#include <optional>

namespace p2pd {
namespace {

std::optional<bool> AtsOf(const PciFunction* function) {
  if (function == nullptr) return std::nullopt;
  switch (function->config.ats) {
    case Presence::kUnknown:
      return std::nullopt;
    case Presence::kAbsent:
      return false;
    case Presence::kPresent:
      return function->config.ats_enabled ? std::optional<bool>(true) : std::nullopt;
  }
  return std::nullopt;
}

std::optional<PathRelation> RelationOf(Relation relation) {
  switch (relation) {
    case Relation::kUnknown:
      return std::nullopt;
    case Relation::kSelf:
      return PathRelation::kSelf;
    case Relation::kSameSwitch:
      return PathRelation::kSwitch;
    case Relation::kSameRootPort:
      return PathRelation::kRootPort;
    case Relation::kSameHostBridge:
      return PathRelation::kHostBridge;
    case Relation::kApart:
      return PathRelation::kNothing;
  }
  return std::nullopt;
}

}  // namespace

DeviceFacts FactsOf(const DeviceView& device, const Topology& topology) {
  return {.address = device.address,
          .vendor = device.vendor,
          .device = device.device,
          .class_code = device.class_code,
          .numa_node = device.numa_node < 0 ? std::nullopt : std::optional<int>(device.numa_node),
          .ats = AtsOf(topology.tree.Find(device.address))};
}

WindowFacts FactsOf(const Window& window, bool control) {
  return {.bar = window.bar, .offset = window.range.start, .length = window.range.length, .control = control};
}

PathFacts FactsOf(const PathVerdict& verdict) {
  const bool told = verdict.kind != PathKind::kUnknown && verdict.kind != PathKind::kSelf &&
                    verdict.relation != Relation::kUnknown && verdict.relation != Relation::kSelf;
  return {.relation = RelationOf(verdict.relation), .supported = told && verdict.host_bridge_trust == Trust::kGood};
}

}  // namespace p2pd
