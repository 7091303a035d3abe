#include "daemon/core/topology_view.h"

#include <algorithm>
#include <string>

namespace p2pd {
namespace {

std::vector<PciAddress> Chosen(const std::set<PciAddress>& managed, const std::optional<PciAddress>& only) {
  if (only.has_value()) return {*only};
  return {managed.begin(), managed.end()};
}

void AddNodes(const Topology& topology, const std::set<PciAddress>& managed, TopologyView& view) {
  std::set<PciAddress> shown;
  std::set<std::string> hosts;
  for (const PciAddress& device : managed) {
    std::vector<const PciFunction*> way = topology.tree.WayUp(device);
    // One whose bridge is gone is shown all the same.
    if (const PciFunction* const alone = topology.tree.Find(device); way.empty() && alone != nullptr) way = {alone};
    for (auto function = way.rbegin(); function != way.rend(); ++function) {
      if (shown.insert((*function)->address).second) view.functions.push_back(**function);
      hosts.insert((*function)->root_bus);
    }
  }
  for (const std::string& host : hosts) {
    const auto found = topology.host_bridges.find(host);
    if (found != topology.host_bridges.end()) view.host_bridges.push_back(found->second);
  }
}

}  // namespace

TopologyView ViewOf(const Topology& topology, const std::set<PciAddress>& managed, const TopologyQuery& query) {
  TopologyView view = {.managed = managed};
  if (query.page.after == 0) AddNodes(topology, managed, view);
  const std::vector<PciAddress> exporters = Chosen(managed, query.exporter);
  const std::vector<PciAddress> importers = Chosen(managed, query.importer);
  const uint64_t all = exporters.size() * importers.size();
  const uint64_t first = std::min(query.page.after, all);
  const uint64_t end = first + std::min<uint64_t>(query.page.limit, all - first);
  for (uint64_t i = first; i < end; ++i) {
    view.paths.push_back(JudgePath(topology, exporters[i / importers.size()], importers[i % importers.size()]));
  }
  if (end < all) view.next_page = end;
  return view;
}

}  // namespace p2pd
