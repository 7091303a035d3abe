#include "daemon/front/topology_to_proto.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "daemon/front/resource_name.h"

namespace p2pd {
namespace {

using Node = v1::Topology::Node;
using Path = v1::Topology::Path;

std::string Hex16(uint16_t id) { return absl::StrFormat("%04x", id); }

v1::Topology::Trust ToProto(Trust trust) {
  switch (trust) {
    case Trust::kGood:
      return v1::Topology::KNOWN_GOOD;
    case Trust::kGoodWithinItself:
      return v1::Topology::GOOD_WITHIN_ITSELF;
    case Trust::kNotListed:
      return v1::Topology::NOT_LISTED;
    case Trust::kUnknown:
      break;
  }
  return v1::Topology::TRUST_UNSPECIFIED;
}

Node::Kind KindOf(PortType port) {
  switch (port) {
    case PortType::kRootPort:
      return Node::ROOT_PORT;
    case PortType::kUpstreamPort:
      return Node::UPSTREAM_PORT;
    case PortType::kDownstreamPort:
      return Node::DOWNSTREAM_PORT;
    case PortType::kBridge:
    case PortType::kConventional:
    case PortType::kEndpoint:
      return Node::PCI_BRIDGE;
    case PortType::kUnknown:
      break;
  }
  return Node::KIND_UNSPECIFIED;
}

Node::Acs AcsOf(const ConfigFacts& config) {
  switch (config.acs) {
    case Presence::kPresent:
      return config.redirects() ? Node::REDIRECT : Node::NO_REDIRECT;
    case Presence::kAbsent:
      return Node::NO_ACS;
    case Presence::kUnknown:
      break;
  }
  return Node::ACS_UNSPECIFIED;
}

Node::Ats AtsOf(const ConfigFacts& config) {
  switch (config.ats) {
    case Presence::kPresent:
      return config.ats_enabled ? Node::ATS_ON : Node::ATS_OFF;
    case Presence::kAbsent:
      return Node::NO_ATS;
    case Presence::kUnknown:
      break;
  }
  return Node::ATS_UNSPECIFIED;
}

Node ToProto(const HostBridge& bridge) {
  Node node;
  node.set_name(bridge.name);
  node.set_kind(Node::HOST_BRIDGE);
  if (bridge.known_by.has_value()) {
    node.set_vendor_id(Hex16(bridge.vendor));
    node.set_device_id(Hex16(bridge.device));
  }
  node.set_numa_node(bridge.numa_node);
  node.set_iommu_group(-1);
  node.set_trust(ToProto(bridge.trust));
  node.set_trust_reason(bridge.reason);
  return node;
}

void SetBits(uint16_t control, google::protobuf::RepeatedPtrField<std::string>* bits) {
  for (const std::string& bit : AcsRedirectBits(control)) *bits->Add() = bit;
}

Node ToProto(const PciFunction& function, bool managed) {
  const ConfigFacts& config = function.config;
  Node node;
  node.set_name(managed ? NameOf(function.address) : function.address.ToString());
  node.set_parent(function.upstream.has_value() ? function.upstream->ToString() : function.root_bus);
  node.set_kind(managed ? Node::DEVICE : KindOf(config.port));
  node.set_vendor_id(Hex16(function.vendor));
  node.set_device_id(Hex16(function.device));
  node.set_class_code(absl::StrFormat("%06x", function.class_code));
  node.set_numa_node(function.numa_node);
  node.set_iommu_group(function.iommu_group);
  if (function.physical_function.has_value()) node.set_physical_function(function.physical_function->ToString());
  node.set_acs(AcsOf(config));
  node.set_acs_control(config.acs_control);
  SetBits(config.acs_control, node.mutable_acs_redirect());
  node.set_ats(AtsOf(config));
  node.set_max_payload(config.max_payload);
  node.set_problem(config.problem);
  return node;
}

Path::Kind ToProto(PathKind kind) {
  switch (kind) {
    case PathKind::kSelf:
      return Path::SELF;
    case PathKind::kBusAddress:
      return Path::BUS_ADDR;
    case PathKind::kThroughHostBridge:
      return Path::THRU_HOST_BRIDGE;
    case PathKind::kNotSupported:
      return Path::NOT_SUPPORTED;
    case PathKind::kUnknown:
      break;
  }
  return Path::UNKNOWN;
}

Path::Relation ToProto(Relation relation) {
  switch (relation) {
    case Relation::kSelf:
      return Path::SAME_DEVICE;
    case Relation::kSameSwitch:
      return Path::SAME_SWITCH;
    case Relation::kSameRootPort:
      return Path::SAME_ROOT_PORT;
    case Relation::kSameHostBridge:
      return Path::SAME_HOST_BRIDGE;
    case Relation::kApart:
      return Path::APART;
    case Relation::kUnknown:
      break;
  }
  return Path::RELATION_UNSPECIFIED;
}

Path ToProto(const PathVerdict& verdict) {
  Path path;
  path.set_exporter(NameOf(verdict.exporter));
  path.set_importer(NameOf(verdict.importer));
  path.set_kind(ToProto(verdict.kind));
  path.set_kernel_kind(ToProto(verdict.kernel_kind));
  path.set_relation(ToProto(verdict.relation));
  path.set_distance(verdict.distance);
  if (verdict.common_bridge.has_value()) path.set_common_bridge(verdict.common_bridge->ToString());
  for (const AcsRedirect& redirect : verdict.redirects) {
    Path::Redirect& added = *path.add_redirects();
    added.set_bridge(redirect.bridge.ToString());
    SetBits(redirect.control, added.mutable_bits());
  }
  for (const std::string& host : verdict.host_bridges) path.add_host_bridges(host);
  path.set_host_bridge_trust(ToProto(verdict.host_bridge_trust));
  path.set_exporter_iommu_group(verdict.exporter_group);
  path.set_importer_iommu_group(verdict.importer_group);
  path.set_lowest_payload(verdict.lowest_payload);
  for (const PayloadLimit& limit : verdict.payloads) {
    Path::Payload& added = *path.add_payloads();
    added.set_function(limit.function.ToString());
    added.set_max_payload(limit.max_payload);
  }
  path.set_reason(verdict.reason);
  path.set_remedy(verdict.remedy);
  return path;
}

}  // namespace

v1::Topology ToProto(const TopologyView& view) {
  v1::Topology topology;
  for (const HostBridge& bridge : view.host_bridges) *topology.add_nodes() = ToProto(bridge);
  for (const PciFunction& function : view.functions) {
    *topology.add_nodes() = ToProto(function, view.managed.contains(function.address));
  }
  for (const PathVerdict& path : view.paths) *topology.add_paths() = ToProto(path);
  if (view.next_page.has_value()) topology.set_next_page_token(absl::StrCat(*view.next_page));
  return topology;
}

}  // namespace p2pd
