// What core shows of the machine's hierarchy: the managed devices, what leads to them, and the ways between them. The
// values are daemon/device's. Pure.
#ifndef P2PD_DAEMON_CORE_TOPOLOGY_VIEW_H_
#define P2PD_DAEMON_CORE_TOPOLOGY_VIEW_H_

#include <cstdint>
#include <optional>
#include <set>
#include <vector>

#include "daemon/base/pci_address.h"
#include "daemon/core/types.h"
#include "daemon/device/path_verdict.h"

namespace p2pd {

struct TopologyQuery {
  std::optional<PciAddress> exporter;  // only ways from it
  std::optional<PciAddress> importer;  // only ways to it
  Page page;                           // of ways; `after` is how many were shown before
};

struct TopologyView {
  // Of the first page only.
  std::vector<HostBridge> host_bridges;
  std::vector<PciFunction> functions;  // what leads to one comes before it
  std::set<PciAddress> managed;
  std::vector<PathVerdict> paths;     // by exporter, then by importer
  std::optional<uint64_t> next_page;  // the next page's `after`
};

TopologyView ViewOf(const Topology& topology, const std::set<PciAddress>& managed, const TopologyQuery& query);

}  // namespace p2pd

#endif  // P2PD_DAEMON_CORE_TOPOLOGY_VIEW_H_
