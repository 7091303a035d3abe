#include "daemon/device/testing/pci_machine.h"

#include <linux/pci_regs.h>
#include <stdlib.h>

#include <bit>
#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace p2pd::testing {
namespace {

namespace fs = std::filesystem;

constexpr size_t kExpressAt = 0x40;
constexpr size_t kAcsAt = 0x148;
constexpr size_t kAtsAt = 0x2a0;

void Write(const fs::path& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

void Put16(std::string& config, size_t at, uint16_t value) {
  config[at] = static_cast<char>(value);
  config[at + 1] = static_cast<char>(value >> 8);
}

// An extended capability's header: its id, version 1, and where the next one is.
void PutHeader(std::string& config, size_t at, uint16_t id, size_t next) {
  Put16(config, at, id);
  Put16(config, at + 2, static_cast<uint16_t>(next << 4 | 1));
}

void PutExtended(std::string& config, const FunctionSpec& spec) {
  // Serial number first, so that nothing else is.
  const size_t ats = spec.ats.has_value() ? kAtsAt : 0;
  const size_t acs = spec.acs.has_value() ? kAcsAt : ats;
  PutHeader(config, PCI_CFG_SPACE_SIZE, PCI_EXT_CAP_ID_DSN, acs);
  if (spec.acs.has_value()) {
    PutHeader(config, kAcsAt, PCI_EXT_CAP_ID_ACS, ats);
    Put16(config, kAcsAt + PCI_ACS_CAP, 0x7f);
    Put16(config, kAcsAt + PCI_ACS_CTRL, *spec.acs);
  }
  if (spec.ats.has_value()) {
    PutHeader(config, kAtsAt, PCI_EXT_CAP_ID_ATS, 0);
    Put16(config, kAtsAt + PCI_ATS_CTRL, *spec.ats);
  }
}

}  // namespace

std::string ConfigOf(const FunctionSpec& spec) {
  const bool express = spec.express != Express::kNone;
  std::string config(express ? PCI_CFG_SPACE_EXP_SIZE : PCI_CFG_SPACE_SIZE, '\0');
  const bool is_virtual = !spec.physical_function.empty();
  Put16(config, PCI_VENDOR_ID, is_virtual ? 0xffff : spec.vendor);
  Put16(config, PCI_DEVICE_ID, is_virtual ? 0xffff : spec.device);
  Put16(config, PCI_STATUS, PCI_STATUS_CAP_LIST);
  Put16(config, PCI_CLASS_REVISION + 2, static_cast<uint16_t>(spec.class_code >> 8));
  if (spec.class_code >> 8 == 0x0604) config[PCI_HEADER_TYPE] = PCI_HEADER_TYPE_BRIDGE;
  config[PCI_CAPABILITY_LIST] = static_cast<char>(0x80);
  config[0x80] = PCI_CAP_ID_PM;
  if (!express) return config;
  config[0x81] = kExpressAt;
  config[kExpressAt] = PCI_CAP_ID_EXP;
  Put16(config, kExpressAt + PCI_EXP_FLAGS, static_cast<uint16_t>(2 | static_cast<int>(spec.express) << 4));
  const int code = std::countr_zero(spec.max_payload / 128);
  if (!is_virtual) Put16(config, kExpressAt + PCI_EXP_DEVCTL, static_cast<uint16_t>(0x2010 | code << 5));
  PutExtended(config, spec);
  return config;
}

PciMachine::PciMachine() {
  char name[] = "/tmp/p2pd-machine.XXXXXX";
  root_ = mkdtemp(name);
  fs::create_directories(root_ / "sys/bus/pci/devices");
  SetCpu("GenuineIntel", 6);
}

PciMachine::~PciMachine() { fs::remove_all(root_); }

fs::path PciMachine::FolderOf(const std::string& name) const {
  if (absl::StartsWith(name, "pci")) return root_ / "sys/devices" / name;
  return fs::canonical(root_ / "sys/bus/pci/devices" / name);
}

void PciMachine::Add(const FunctionSpec& spec) {
  const fs::path folder = FolderOf(spec.above) / spec.address;
  const fs::path links = root_ / "sys/bus/pci/devices";
  fs::create_directories(folder);
  fs::create_directory_symlink(fs::path("../../..") / folder.lexically_relative(root_ / "sys"), links / spec.address);
  Write(folder / "vendor", absl::StrFormat("0x%04x\n", spec.vendor));
  Write(folder / "device", absl::StrFormat("0x%04x\n", spec.device));
  Write(folder / "class", absl::StrFormat("0x%06x\n", spec.class_code));
  Write(folder / "numa_node", "-1\n");
  if (spec.shown != 0) Write(folder / "config", ConfigOf(spec).substr(0, spec.shown.value_or(std::string::npos)));
  if (spec.group >= 0) {
    fs::create_directory_symlink(absl::StrCat("/sys/kernel/iommu_groups/", spec.group), folder / "iommu_group");
  }
  if (!spec.physical_function.empty()) {
    fs::create_directory_symlink(fs::path("..") / spec.physical_function, folder / "physfn");
  }
}

void PciMachine::AddHostBridge(const std::string& root_bus, uint16_t vendor, uint16_t device) {
  Add({.address = absl::StrCat(root_bus.substr(3), ":00.0"),
       .above = root_bus,
       .vendor = vendor,
       .device = device,
       .class_code = 0x060000,
       .express = Express::kNone});
}

void PciMachine::AddPort(const std::string& address, const std::string& above, Express express,
                         std::optional<uint16_t> acs) {
  Add({.address = address, .above = above, .device = 0xc, .class_code = 0x060400, .express = express, .acs = acs});
}

void PciMachine::AddDevice(const std::string& address, const std::string& above, int group) {
  Add({.address = address, .above = above, .group = group});
}

void PciMachine::OfferByVfio(const std::string& address) {
  fs::create_directories(FolderOf(address) / "vfio-dev/vfio0");
}

void PciMachine::Remove(const std::string& address) {
  const fs::path folder = FolderOf(address);
  fs::remove(root_ / "sys/bus/pci/devices" / address);
  fs::remove_all(folder);
}

void PciMachine::SetCpu(const std::string& vendor, int family) {
  const std::string processor = absl::StrCat("vendor_id\t: ", vendor, "\ncpu family\t: ", family, "\nmodel\t\t: 1\n\n");
  Write(root_ / "cpuinfo", absl::StrCat("processor\t: 0\n", processor, "processor\t: 1\n", processor));
}

}  // namespace p2pd::testing
