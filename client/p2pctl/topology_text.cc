#include "client/p2pctl/topology_text.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "client/p2pctl/text.h"

namespace p2p::ctl {
namespace {

using Node = v1::Topology::Node;
using Path = v1::Topology::Path;

struct Word {
  const char* word;
  const char* meaning;
  Color color;
};

constexpr Word kSelf = {"X", "the device itself", Color::kNone};
constexpr Word kSwitch = {"SW", "by a switch that both are behind, without the host bridge", Color::kGood};
constexpr Word kRootPort = {"RP", "by the root port that both are behind, without the host bridge", Color::kGood};
constexpr Word kHost = {"HB", "through their host bridge, which is known to pass such requests", Color::kGood};
constexpr Word kHosts = {"HH", "through two host bridges, both known to pass them to each other", Color::kGood};
constexpr Word kBadHost = {"HB!", "through their host bridge, which is not: the kernel would refuse", Color::kBad};
constexpr Word kBadHosts = {"HH!", "through two host bridges, not both of which are: likewise", Color::kBad};
constexpr Word kUnknown = {"??", "unknown: p2pd could not read what decides", Color::kBusy};

const Word& WordOf(const Path& path) {
  const bool two = path.host_bridges_size() > 1;
  switch (path.kind()) {
    case Path::SELF:
      return kSelf;
    case Path::BUS_ADDR:
      return path.relation() == Path::SAME_ROOT_PORT ? kRootPort : kSwitch;
    case Path::THRU_HOST_BRIDGE:
      return two ? kHosts : kHost;
    case Path::NOT_SUPPORTED:
      return two ? kBadHosts : kBadHost;
    default:
      return kUnknown;
  }
}

std::string IommuSentence(const Path& path) {
  if (path.importer_iommu_group() < 0) return "No IOMMU stands between: the importer is in no IOMMU group.";
  std::string sentence =
      absl::StrCat("The IOMMU translates the importer's requests, as those of group ", path.importer_iommu_group());
  if (path.exporter_iommu_group() == path.importer_iommu_group()) return sentence + ", which the exporter is in too.";
  if (path.exporter_iommu_group() < 0) return sentence + "; the exporter is in none.";
  return absl::StrCat(sentence, "; the exporter is in group ", path.exporter_iommu_group(), ".");
}

std::string Trust(const Node& node) {
  switch (node.trust()) {
    case v1::Topology::KNOWN_GOOD:
      return "known good";
    case v1::Topology::GOOD_WITHIN_ITSELF:
      return "good within itself";
    case v1::Topology::NOT_LISTED:
      return "not known good";
    default:
      return "unknown";
  }
}

std::string Quoted(absl::string_view text) {
  return absl::StrCat("\"", absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"\"", "\\\""}}), "\"");
}

}  // namespace

Cell PathCell(const Path& path) {
  const Word& word = WordOf(path);
  return {.text = word.word, .color = word.color};
}

std::string PathLegend() {
  std::string legend;
  for (const Word& word : {kSelf, kSwitch, kRootPort, kHost, kHosts, kBadHost, kBadHosts, kUnknown}) {
    absl::StrAppendFormat(&legend, "  %-3s  %s\n", word.word, word.meaning);
  }
  return legend;
}

std::string PathSentences(const Path& path) {
  const Word& word = WordOf(path);
  std::string text = absl::StrCat("DMA of ", ShortName(path.importer()), " to memory of ", ShortName(path.exporter()),
                                  " goes ", word.meaning, " (", word.word, ").\n");
  if (path.kind() == Path::SELF) {
    text = absl::StrCat(ShortName(path.exporter()), " needs no way to itself: p2pd refuses that by default.\n");
  }
  if (path.kind() == Path::UNKNOWN) {
    text = absl::StrCat("How DMA of ", ShortName(path.importer()), " gets to memory of ", ShortName(path.exporter()),
                        " is unknown.\n");
  }
  absl::StrAppend(&text, path.reason(), "\n");
  if (path.kind() == Path::SELF) return text;
  if (path.distance() >= 0) absl::StrAppend(&text, "They are ", path.distance(), " hops apart.\n");
  if (path.kernel_kind() != path.kind()) {
    absl::StrAppend(&text, "The kernel's own answer, which knows nothing of IOMMU groups, is ",
                    Path::Kind_Name(path.kernel_kind()), ".\n");
  }
  absl::StrAppend(&text, IommuSentence(path), "\n");
  if (path.lowest_payload() != 0) {
    absl::StrAppend(&text, "Packets of up to ", path.lowest_payload(), " bytes pass all of the way.\n");
  }
  if (!path.remedy().empty()) absl::StrAppend(&text, "What helps: ", path.remedy(), "\n");
  return text;
}

std::string NodeKindText(const Node& node) {
  switch (node.kind()) {
    case Node::HOST_BRIDGE:
      return "host bridge";
    case Node::ROOT_PORT:
      return "root port";
    case Node::UPSTREAM_PORT:
      return "switch";
    case Node::DOWNSTREAM_PORT:
      return "switch port";
    case Node::PCI_BRIDGE:
      return "PCI bridge";
    case Node::DEVICE:
      return "device";
    default:
      return "unknown";
  }
}

Cell AcsCell(const Node& node) {
  switch (node.acs()) {
    case Node::NO_ACS:
      return {.text = "none"};
    case Node::NO_REDIRECT:
      return {.text = "no redirect"};
    case Node::REDIRECT:
      return {.text = absl::StrCat("redirect ", absl::StrJoin(node.acs_redirect(), " ")), .color = Color::kBusy};
    default:
      if (node.kind() == Node::HOST_BRIDGE) return {};
      return {.text = "unknown", .color = Color::kBad};
  }
}

std::string AtsText(const Node& node) {
  switch (node.ats()) {
    case Node::NO_ATS:
      return "none";
    case Node::ATS_OFF:
      return "off";
    case Node::ATS_ON:
      return "on";
    default:
      return node.kind() == Node::HOST_BRIDGE ? "" : "unknown";
  }
}

Cell NodeNoteCell(const Node& node) {
  if (node.kind() != Node::HOST_BRIDGE) return {.text = node.problem(), .color = Color::kBad};
  const bool good = node.trust() == v1::Topology::KNOWN_GOOD;
  return {.text = Trust(node), .color = good ? Color::kGood : Color::kBad};
}

std::string TopologyAsDot(const v1::Topology& topology) {
  std::string dot = "digraph topology {\n  rankdir=LR;\n  node [shape=box, fontname=monospace];\n";
  for (const Node& node : topology.nodes()) {
    const bool host = node.kind() == Node::HOST_BRIDGE;
    const bool bad = host ? node.trust() != v1::Topology::KNOWN_GOOD : AcsCell(node).color != Color::kNone;
    const std::string note = host ? Trust(node) : "ACS: " + AcsCell(node).text;
    // Graphviz breaks the line at "\n".
    const std::string label = absl::StrReplaceAll(
        Quoted(absl::StrCat(ShortName(node.name()), "\n", NodeKindText(node), "\n", note)), {{"\n", "\\n"}});
    absl::StrAppend(&dot, "  ", Quoted(ShortName(node.name())), " [label=", label, bad ? ", color=red" : "",
                    node.kind() == Node::DEVICE ? ", style=bold" : "", "];\n");
  }
  for (const Node& node : topology.nodes()) {
    if (node.parent().empty()) continue;
    absl::StrAppend(&dot, "  ", Quoted(ShortName(node.parent())), " -> ", Quoted(ShortName(node.name())), ";\n");
  }
  return dot + "}\n";
}

}  // namespace p2p::ctl
