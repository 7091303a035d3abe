#include "daemon/device/topology.h"

#include <utility>

#include "daemon/base/errors.h"

namespace p2pd {

absl::StatusOr<Topology> ReadTopology(const std::string& sysfs_root, const std::string& cpuinfo,
                                      const ConfigSource& source) {
  P2PD_ASSIGN_OR_RETURN(PciTree tree, ReadPciTree(sysfs_root, source));
  auto host_bridges = JudgeHostBridges(tree, ReadCpu(cpuinfo));
  return Topology{.tree = std::move(tree), .host_bridges = std::move(host_bridges)};
}

}  // namespace p2pd
