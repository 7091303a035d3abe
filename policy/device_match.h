// Which devices a rule is about, in numbers and patterns.
#ifndef P2PD_POLICY_DEVICE_MATCH_H_
#define P2PD_POLICY_DEVICE_MATCH_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "daemon/base/pci_address.h"
#include "policy/glob.h"
#include "policy/policy.h"
#include "policy/truth.h"

namespace p2pd {

// Vendor and device id, "8086:0b25"; a part that is absent ("*") stands for any.
struct DeviceIdPattern {
  std::optional<uint16_t> vendor;
  std::optional<uint16_t> device;

  auto operator<=>(const DeviceIdPattern&) const = default;

  // Each part is four hexadecimal digits or "*"; nullopt for anything else.
  static std::optional<DeviceIdPattern> Parse(absl::string_view text);
  bool Matches(const DeviceFacts& facts) const;
  std::string ToString() const;
};

// The request's device as patterns see it. Made once a request: text is dear.
class JudgedDevice {
 public:
  explicit JudgedDevice(const DeviceFacts& facts);

  const DeviceFacts& facts() const { return facts_; }
  const std::string& address() const { return address_; }
  const std::string& class_code() const { return class_code_; }  // six digits

 private:
  const DeviceFacts& facts_;
  std::string address_;
  std::string class_code_;
};

struct DeviceSet;

// All of: one of the addresses, patterns, ids, classes and sets; one of the nodes; each where there are any.
struct DeviceMatch {
  std::vector<PciAddress> addresses;
  std::vector<DeviceIdPattern> ids;
  std::vector<Glob> address_globs;
  std::vector<Glob> classes;
  std::vector<DeviceSet> sets;
  std::vector<int> numa_nodes;

  std::weak_ordering operator<=>(const DeviceMatch&) const;
  bool operator==(const DeviceMatch& other) const { return (*this <=> other) == 0; }

  bool NamesDevices() const {
    return !(addresses.empty() && ids.empty() && address_globs.empty() && classes.empty() && sets.empty());
  }
  Truth Matches(const JudgedDevice& device) const;
  // "0000:01:00.0 or 8086:* at NUMA node 1"
  std::string ToString() const;
};

// A name for devices: those that any of the matches is about.
struct DeviceSet {
  std::string name;
  std::vector<DeviceMatch> devices;

  Truth Matches(const JudgedDevice& device) const;
};

}  // namespace p2pd

#endif  // P2PD_POLICY_DEVICE_MATCH_H_
