#include "daemon/device/path_words.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "daemon/device/path_verdict.h"

namespace p2pd {
namespace {

std::string Redirects(const PathVerdict& verdict) {
  std::vector<std::string> texts;
  for (const AcsRedirect& redirect : verdict.redirects) {
    texts.push_back(
        absl::StrCat(redirect.bridge.ToString(), " (", absl::StrJoin(AcsRedirectBits(redirect.control), " "), ")"));
  }
  return absl::StrJoin(texts, ", ");
}

std::string HostBridgeNames(const PathVerdict& verdict) {
  return absl::StrCat(verdict.host_bridges.size() == 1 ? "host bridge " : "host bridges ",
                      absl::StrJoin(verdict.host_bridges, " and "));
}

// Why requests go up to the host bridge at all.
std::string WhyUp(const PathVerdict& verdict) {
  if (verdict.host_bridges.size() > 1) {
    return absl::StrCat("They are below different host bridges, so requests go through ", HostBridgeNames(verdict),
                        ".");
  }
  if (!verdict.common_bridge.has_value()) {
    return absl::StrCat("They share no bridge below the host bridge, so requests go through ", HostBridgeNames(verdict),
                        ".");
  }
  if (!verdict.redirects.empty()) {
    return absl::StrCat("They share bridge ", verdict.common_bridge->ToString(), ", but ACS redirect is on at ",
                        Redirects(verdict), ", so requests go up through ", HostBridgeNames(verdict), ".");
  }
  return absl::StrCat(
      "They share bridge ", verdict.common_bridge->ToString(),
      " and no ACS redirect is on, but they are in IOMMU groups of their own, so requests carry IOVAs that "
      "no bridge knows and go up through ",
      HostBridgeNames(verdict), "; by bus addresses either may still reach the other directly, past the IOMMU.");
}

std::string HostBridgeReasons(const Topology& topology, const PathVerdict& verdict) {
  std::string text;
  for (const std::string& name : verdict.host_bridges) {
    const auto found = topology.host_bridges.find(name);
    if (found != topology.host_bridges.end()) absl::StrAppend(&text, " ", name, ": ", found->second.reason, ".");
  }
  return text;
}

// Which part of the machine could not be read.
std::string WhyUnknown(const Topology& topology, const PathVerdict& verdict) {
  for (const PciAddress& end : {verdict.exporter, verdict.importer}) {
    const auto way = topology.tree.WayUp(end);
    if (way.empty())
      return absl::StrCat("Where ", end.ToString(), " is in the machine is unknown: sysfs does not show it.");
    for (const PciFunction* const function : way) {
      if (verdict.common_bridge.has_value() && function->config.acs == Presence::kUnknown) {
        return absl::StrCat("Whether ACS redirect is on at ", function->address.ToString(), " is unknown: its ",
                            function->config.problem, ".");
      }
    }
  }
  return absl::StrCat("Requests go through ", HostBridgeNames(verdict), ".", HostBridgeReasons(topology, verdict));
}

// p2pd maps windows at IOVAs, which no switch knows.
std::string TranslationNote(const PathVerdict& verdict) {
  return absl::StrCat(" Requests at an IOVA still go up to the IOMMU through ", HostBridgeNames(verdict),
                      ", unless the importer has their translation already (ATS).");
}

std::string RemedyFor(const PathVerdict& verdict) {
  if (verdict.kind == PathKind::kSelf) return "Name another importer.";
  if (verdict.kind == PathKind::kUnknown) {
    return "Let p2pd-config.socket run, by which p2pd reads all of configuration space, and keep the devices awake.";
  }
  if (verdict.kind != PathKind::kNotSupported) return "";
  if (verdict.redirects.empty()) {
    return "Put both devices behind one switch, or use a machine whose host bridge is known to pass such requests.";
  }
  std::vector<std::string> bridges;
  for (const AcsRedirect& redirect : verdict.redirects) bridges.push_back(redirect.bridge.ToString());
  return absl::StrCat(
      "Boot with pci=disable_acs_redir=", absl::StrJoin(bridges, ";"),
      " (the devices then share an IOMMU group, and so a context), or use a machine whose host bridge is "
      "known to pass such requests.");
}

void AddPayloads(PathVerdict& verdict) {
  if (verdict.payloads.empty()) return;
  std::vector<std::string> texts;
  for (const PayloadLimit& limit : verdict.payloads) {
    texts.push_back(absl::StrCat(limit.function.ToString(), " ", limit.max_payload));
  }
  absl::StrAppend(&verdict.reason, " The largest payload differs along the way (", absl::StrJoin(texts, ", "),
                  " bytes): a larger packet than a port takes is an error there.");
  absl::StrAppend(&verdict.remedy, verdict.remedy.empty() ? "" : " ",
                  "Boot with pci=pcie_bus_peer2peer, which sets 128 bytes everywhere.");
}

}  // namespace

void PutInWords(const Topology& topology, PathVerdict& verdict) {
  switch (verdict.kind) {
    case PathKind::kSelf:
      verdict.reason = "Exporter and importer are the same function.";
      break;
    case PathKind::kUnknown:
      verdict.reason = WhyUnknown(topology, verdict);
      break;
    case PathKind::kBusAddress:
      verdict.reason =
          absl::StrCat("Bridge ", verdict.common_bridge->ToString(),
                       " passes requests from one to the other itself: no ACS redirect is on between them.",
                       TranslationNote(verdict));
      break;
    case PathKind::kThroughHostBridge:
    case PathKind::kNotSupported:
      verdict.reason = absl::StrCat(WhyUp(verdict), HostBridgeReasons(topology, verdict));
      break;
  }
  verdict.remedy = RemedyFor(verdict);
  AddPayloads(verdict);
}

}  // namespace p2pd
