// Which way DMA goes from one PCI function (the importer) to memory of another (the exporter), and whether that can
// be relied on: the kernel's own algorithm (drivers/pci/p2pdma.c:calc_map_type_and_dist, Linux 7.3) on what sysfs
// shows. Pure.
//
// iommufd maps a dma-buf without asking any of this, so p2pd asks in its place. p2pd deviates from the kernel:
//  - SELF: the kernel calls a function's way to itself BUS_ADDR.
//  - UNKNOWN: the kernel reads all it needs; p2pd may not. UNKNOWN is said only where the answer depends on what
//    was not read: never is a register that was not read taken for a clear one.
//  - IOMMU groups of their own: what is mapped for such a device lies at IOVAs of its own, which no bridge knows, so
//    requests go up to the host bridge even where no ACS redirect is on. The kernel means to make such groups only
//    where ACS, or a quirk in its place, keeps the devices apart (drivers/iommu/iommu.c:REQ_ACS_FLAGS); but Linux 7.3
//    also makes them for devices behind different ports of a switch without ACS.
#ifndef P2PD_DAEMON_DEVICE_PATH_VERDICT_H_
#define P2PD_DAEMON_DEVICE_PATH_VERDICT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "daemon/base/pci_address.h"
#include "daemon/device/topology.h"

namespace p2pd {

enum class PathKind {
  kUnknown = 0,
  kSelf,
  kBusAddress,         // by the nearest common bridge, without the host bridge
  kThroughHostBridge,  // by host bridges that are known to pass it
  kNotSupported,       // by host bridges that are not
};

// How near the two are, whatever ACS makes of it.
enum class Relation {
  kUnknown = 0,
  kSelf,
  kSameSwitch,    // a common bridge below the root port
  kSameRootPort,  // the root port is the nearest common bridge
  kSameHostBridge,
  kApart,  // two host bridges
};

struct AcsRedirect {
  PciAddress bridge;
  uint16_t control = 0;
};

struct PayloadLimit {
  PciAddress function;
  uint32_t max_payload = 0;  // bytes
};

struct PathVerdict {
  PciAddress exporter;
  PciAddress importer;
  PathKind kind = PathKind::kUnknown;
  PathKind kernel_kind = PathKind::kUnknown;  // without the last deviation
  Relation relation = Relation::kUnknown;
  int distance = -1;  // hops up from the exporter and down to the importer, as the kernel counts; -1: unknown
  std::optional<PciAddress> common_bridge;  // the nearest
  std::vector<AcsRedirect> redirects;       // from the exporter up, then from the importer up
  int exporter_group = -1;                  // IOMMU groups; -1: none
  int importer_group = -1;
  // The exporter's host bridge and, where it is another one, the importer's; filled whatever the kind.
  std::vector<std::string> host_bridges;
  Trust host_bridge_trust = Trust::kUnknown;  // of the two together: kGood or kNotListed, if known
  // What the functions on the way have in DevCtl: a packet that is larger than the next port's is an error.
  uint32_t lowest_payload = 0;         // bytes; 0: nobody on it is PCI Express
  std::vector<PayloadLimit> payloads;  // of every function on the way, if they differ
  std::string reason;                  // in sentences
  std::string remedy;                  // what would make the way better; "" if nothing need be

  // Each is in an IOMMU group of its own.
  bool separate_groups() const {
    return exporter_group >= 0 && importer_group >= 0 && exporter_group != importer_group;
  }
};

PathVerdict JudgePath(const Topology& topology, const PciAddress& exporter, const PciAddress& importer);

}  // namespace p2pd

#endif  // P2PD_DAEMON_DEVICE_PATH_VERDICT_H_
