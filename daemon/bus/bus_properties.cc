#include "daemon/bus/bus_properties.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/time/time.h"
#include "daemon/front/resource_name.h"

namespace p2pd {
namespace {

uint64_t Microseconds(absl::Time time) { return static_cast<uint64_t>(absl::ToUnixMicros(time)); }

BusValue Bars(const DeviceView& view) {
  std::vector<BusBar> bars;
  for (const BarView& bar : view.bars) {
    bars.push_back({.index = static_cast<uint32_t>(bar.index),
                    .size = bar.size,
                    .kind = bar.control ? "control" : "memory",
                    .exportable = bar.exportable});
  }
  return bars;
}

BusValue Capabilities(const ManagerView& view) {
  std::vector<BusCapability> capabilities;
  for (const CapabilityView& capability : view.status.capabilities) {
    capabilities.push_back({.name = capability.name, .available = capability.available, .detail = capability.detail});
  }
  return capabilities;
}

constexpr BusProperty<ManagerView> kManager[] = {
    {"Version", true, [](const ManagerView& view) -> BusValue { return view.version; }},
    {"Kernel", true, [](const ManagerView& view) -> BusValue { return view.kernel; }},
    {"Started", true, [](const ManagerView& view) -> BusValue { return Microseconds(view.status.started); }},
    {"KernelCapabilities", true, Capabilities},
    {"Devices", false, [](const ManagerView& view) -> BusValue { return uint64_t{view.status.devices}; }},
    {"Sessions", false, [](const ManagerView& view) -> BusValue { return uint64_t{view.status.sessions}; }},
    {"Exports", false, [](const ManagerView& view) -> BusValue { return uint64_t{view.status.exports}; }},
    {"AddressSpaces", false, [](const ManagerView& view) -> BusValue { return uint64_t{view.status.address_spaces}; }},
    {"Mappings", false, [](const ManagerView& view) -> BusValue { return uint64_t{view.status.mappings}; }},
    {"MappedBytes", false, [](const ManagerView& view) -> BusValue { return view.status.mapped_bytes; }},
    {"PolicyRules", false,
     [](const ManagerView& view) -> BusValue { return static_cast<uint32_t>(view.status.policy_rules); }},
    {"PolicyGeneration", false, [](const ManagerView& view) -> BusValue { return view.status.policy_generation; }},
    {kLogLevelProperty, false, [](const ManagerView& view) -> BusValue { return view.log_level; }},
    {"SurvivesRestart", false, [](const ManagerView& view) -> BusValue { return view.continuity.available; }},
    {"SurvivesRestartReason", false, [](const ManagerView& view) -> BusValue { return view.continuity.detail; }},
};

// Another device may come to the same address.
constexpr BusProperty<DeviceView> kDevice[] = {
    {"Name", true, [](const DeviceView& view) -> BusValue { return NameOf(view.address); }},
    {"VendorId", false, [](const DeviceView& view) -> BusValue { return absl::StrFormat("%04x", view.vendor); }},
    {"DeviceId", false, [](const DeviceView& view) -> BusValue { return absl::StrFormat("%04x", view.device); }},
    {"ClassCode", false, [](const DeviceView& view) -> BusValue { return absl::StrFormat("%06x", view.class_code); }},
    {"KernelDriver", false, [](const DeviceView& view) -> BusValue { return view.kernel_driver; }},
    {"State", false, [](const DeviceView& view) -> BusValue { return std::string(Name(view.state)); }},
    {"StateReason", false, [](const DeviceView& view) -> BusValue { return view.state_reason; }},
    {"Generation", false, [](const DeviceView& view) -> BusValue { return view.generation; }},
    {"DriverSession", false,
     [](const DeviceView& view) -> BusValue { return view.driver.has_value() ? NameOf(*view.driver) : ""; }},
    {"CanReset", false, [](const DeviceView& view) -> BusValue { return view.can_reset; }},
    {"Bars", false, Bars},
    {"Context", false, [](const DeviceView& view) -> BusValue { return view.context; }},
    {"IommuGroup", false, [](const DeviceView& view) -> BusValue { return int32_t{view.iommu_group}; }},
    {"NumaNode", false, [](const DeviceView& view) -> BusValue { return int32_t{view.numa_node}; }},
};

constexpr BusProperty<SessionView> kSession[] = {
    {"Name", true, [](const SessionView& view) -> BusValue { return NameOf(view.id); }},
    {"Uid", true, [](const SessionView& view) -> BusValue { return view.peer.subject.uid; }},
    {"Gid", true, [](const SessionView& view) -> BusValue { return view.peer.subject.gid; }},
    {"Pid", true, [](const SessionView& view) -> BusValue { return static_cast<uint32_t>(view.peer.pid); }},
    {"Command", true, [](const SessionView& view) -> BusValue { return view.peer.comm; }},
    {"Unit", true, [](const SessionView& view) -> BusValue { return view.peer.subject.unit; }},
    {"Client", true, [](const SessionView& view) -> BusValue { return view.peer.client; }},
    {"Connected", true, [](const SessionView& view) -> BusValue { return Microseconds(view.connected); }},
};

}  // namespace

absl::Span<const BusProperty<ManagerView>> PropertiesOf(const ManagerView&) { return kManager; }
absl::Span<const BusProperty<DeviceView>> PropertiesOf(const DeviceView&) { return kDevice; }
absl::Span<const BusProperty<SessionView>> PropertiesOf(const SessionView&) { return kSession; }

std::string PathOf(const DeviceView& view) {
  return absl::StrCat(kBusPath, "/devices/", absl::StrReplaceAll(view.address.ToString(), {{":", "_"}, {".", "_"}}));
}

std::string PathOf(const SessionView& view) { return absl::StrCat(kBusPath, "/", NameOf(view.id)); }

}  // namespace p2pd
