// A machine's PCI hierarchy as a test describes it, written as the sysfs tree and /proc/cpuinfo that the kernel
// would show of it.
#ifndef P2PD_DAEMON_DEVICE_TESTING_PCI_MACHINE_H_
#define P2PD_DAEMON_DEVICE_TESTING_PCI_MACHINE_H_

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace p2pd::testing {

// As the PCI Express capability has it.
enum class Express { kNone = -1, kEndpoint = 0, kRootPort = 4, kUpstream = 5, kDownstream = 6, kToPci = 7 };

struct FunctionSpec {
  std::string address;
  std::string above;  // its bridge, or its root bus: "0000:00:01.0", "pci0000:00"
  uint16_t vendor = 0x1b36;
  uint16_t device = 0x0010;
  uint32_t class_code = 0x010802;
  Express express = Express::kEndpoint;
  std::optional<uint16_t> acs = {};  // its control register; nothing: no such capability
  std::optional<uint16_t> ats = {};
  uint32_t max_payload = 128;
  int group = -1;
  std::string physical_function = "";
  std::optional<size_t> shown = {};  // how many bytes of its configuration space a reader gets; 0: no such file
};

// The whole of its configuration space: 4096 bytes, or 256 without PCI Express.
std::string ConfigOf(const FunctionSpec& spec);

class PciMachine {
 public:
  // An Intel processor, no function.
  PciMachine();
  ~PciMachine();
  PciMachine(const PciMachine&) = delete;
  PciMachine& operator=(const PciMachine&) = delete;

  // What it hangs below is there already, but for root buses.
  void Add(const FunctionSpec& spec);
  // The first function of a root bus, whose ids the kernel looks up.
  void AddHostBridge(const std::string& root_bus, uint16_t vendor, uint16_t device);
  // A bridge of the kind that fits.
  void AddPort(const std::string& address, const std::string& above, Express express,
               std::optional<uint16_t> acs = std::nullopt);
  void AddDevice(const std::string& address, const std::string& above, int group = -1);
  // VFIO has it.
  void OfferByVfio(const std::string& address);
  void Remove(const std::string& address);
  void SetCpu(const std::string& vendor, int family);

  std::string sysfs() const { return (root_ / "sys").string(); }
  std::string cpuinfo() const { return (root_ / "cpuinfo").string(); }

 private:
  // The real folder of a function, or of a root bus.
  std::filesystem::path FolderOf(const std::string& name) const;

  std::filesystem::path root_;
};

}  // namespace p2pd::testing

#endif  // P2PD_DAEMON_DEVICE_TESTING_PCI_MACHINE_H_
