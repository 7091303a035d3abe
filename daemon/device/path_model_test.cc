// Holds JudgePath to a second implementation that is as plain as can be: written from the kernel's algorithm alone,
// on the description that a random machine was made from, where JudgePath sees the sysfs tree of it.

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "daemon/device/path_verdict.h"
#include "daemon/device/testing/pci_machine.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

using ::p2pd::testing::Express;
using ::p2pd::testing::FunctionSpec;
using ::p2pd::testing::PciMachine;

class RandomMachine {
 public:
  explicit RandomMachine(uint32_t seed) : random_(seed) {
    zen_ = OneIn(5);
    machine_.SetCpu(zen_ ? "AuthenticAMD" : "GenuineIntel", zen_ ? 0x19 : 6);
    const int buses = 1 + Below(3);
    for (int i = 0; i < buses; ++i) AddRootBus(absl::StrFormat("pci0000:%02x", i * 0x40), i * 0x40);
  }

  int Below(int limit) { return static_cast<int>(random_() % static_cast<uint32_t>(limit)); }
  bool OneIn(int n) { return Below(n) == 0; }

  const std::map<std::string, FunctionSpec>& functions() const { return functions_; }
  const PciMachine& machine() const { return machine_; }
  bool zen() const { return zen_; }

 private:
  void Add(FunctionSpec spec) {
    if (!OneIn(2)) spec.acs = static_cast<uint16_t>(Below(128) & ~(OneIn(2) ? 0x2c : 0));
    if (OneIn(2)) spec.group = Below(6);
    if (OneIn(12) && !spec.address.ends_with(":00.0")) spec.shown = OneIn(2) ? 64 : 256;
    machine_.Add(spec);
    functions_[spec.address] = spec;
  }

  void AddRootBus(const std::string& name, int bus) {
    static constexpr std::pair<uint16_t, uint16_t> kIds[] = {{0x8086, 0x2020}, {0x8086, 0x3c00}, {0x8086, 0x29c0},
                                                             {0x1ae0, 0x77},   {0x10de, 0x2f96}, {0x10de, 0x2020}};
    const auto [vendor, device] = kIds[Below(6)];
    next_bus_ = bus + 1;
    const bool host_bridge = !OneIn(3);
    Add({.address = absl::StrFormat("0000:%02x:%02x.0", bus, host_bridge ? 0 : 1),
         .above = name,
         .vendor = vendor,
         .device = device,
         .class_code = host_bridge ? 0x060000u : 0x060400u,
         .express = host_bridge ? Express::kNone
                    : OneIn(3)  ? Express::kEndpoint
                                : Express::kRootPort});
    Fill(name, bus, 2, 0);
  }

  // Some functions on a bus, and bridges to further ones.
  void Fill(const std::string& above, int bus, int first, int depth) {
    const int count = 1 + Below(3);
    for (int i = first; i < first + count; ++i) {
      const std::string address = absl::StrFormat("0000:%02x:%02x.0", bus, i);
      if (depth < 3 && OneIn(2)) {
        const Express express = depth == 0   ? Express::kRootPort
                                : depth == 1 ? Express::kUpstream
                                             : Express::kDownstream;
        Add({.address = address,
             .above = above,
             .class_code = 0x060400,
             .express = OneIn(6) ? Express::kToPci : express});
        Fill(address, next_bus_++, 0, depth + 1);
        continue;
      }
      Add({.address = address, .above = above, .express = OneIn(5) ? Express::kNone : Express::kEndpoint});
      if (OneIn(3)) Add({.address = absl::StrFormat("0000:%02x:%02x.1", bus, i), .above = above});
      if (OneIn(4)) {
        Add({.address = absl::StrFormat("0000:%02x:%02x.2", bus, i), .above = above, .physical_function = address});
      }
    }
  }

  std::mt19937 random_;
  PciMachine machine_;
  std::map<std::string, FunctionSpec> functions_;
  bool zen_ = false;
  int next_bus_ = 0;
};

struct Answer {
  PathKind kernel_kind = PathKind::kUnknown;
  PathKind kind = PathKind::kUnknown;
  int distance = 0;
  std::set<std::string> redirects;
};

// The kernel's algorithm, word for word and without regard for time.
class Naive {
 public:
  explicit Naive(const RandomMachine& machine) : functions_(machine.functions()), zen_(machine.zen()) {}

  Answer Judge(const std::string& provider, const std::string& client) const {
    Answer answer;
    bool unread = false;
    const auto look = [&](const std::string& name) {
      const FunctionSpec& spec = functions_.at(name);
      if (spec.express == Express::kNone && spec.shown.value_or(256) >= 256) return;  // has no such register
      if (spec.shown.has_value()) unread = true;
      if (!spec.shown.has_value() && (spec.acs.value_or(0) & 0x2c) != 0) answer.redirects.insert(name);
    };
    int dist_a = 0;
    for (std::string a = provider; !a.empty(); a = Above(a), ++dist_a) {
      look(a);
      int dist_b = 0;
      for (std::string b = client; !b.empty(); b = Above(b), ++dist_b) {
        if (a != b) continue;
        for (std::string below = client; below != a; below = Above(below)) look(below);
        answer.distance = dist_a + dist_b;
        answer.kernel_kind = !answer.redirects.empty() ? HostBridges(provider, client)
                             : unread                  ? PathKind::kUnknown
                                                       : PathKind::kBusAddress;
        answer.kind = Deviate(answer.kernel_kind, provider, client);
        return answer;
      }
    }
    answer.redirects.clear();  // no bridge is asked
    for (std::string b = client; !b.empty(); b = Above(b)) ++answer.distance;
    answer.distance += dist_a;
    answer.kernel_kind = HostBridges(provider, client);
    answer.kind = Deviate(answer.kernel_kind, provider, client);
    return answer;
  }

 private:
  std::string Above(const std::string& name) const {
    const FunctionSpec& spec = functions_.at(name);
    if (!spec.physical_function.empty()) return Above(spec.physical_function);
    return functions_.contains(spec.above) ? spec.above : "";
  }
  std::string HostOf(const std::string& name) const {
    const std::string above = Above(name);
    return above.empty() ? functions_.at(name).above : HostOf(above);
  }

  enum Listed { kNo, kSame, kYes, kUnread };
  Listed Look(const std::string& host) const {
    for (const auto& [name, spec] : functions_) {  // in ascending order
      if (spec.above != host || !spec.physical_function.empty()) continue;
      if (!name.ends_with(":00.0")) {
        if (spec.shown == 64) return kUnread;
        if (spec.express != Express::kRootPort) return kNo;
      }
      const std::string id = absl::StrFormat("%04x:%04x", spec.vendor, spec.device);
      if (id == "8086:3c00") return kSame;
      return id == "8086:2020" || id == "1ae0:0077" || id == "10de:2f96" ? kYes : kNo;
    }
    return kNo;
  }
  PathKind HostBridges(const std::string& a, const std::string& b) const {
    if (zen_) return PathKind::kThroughHostBridge;
    const std::string host_a = HostOf(a);
    const std::string host_b = HostOf(b);
    const Listed listed_a = Look(host_a);
    const Listed listed_b = Look(host_b);
    const auto refused = [&](Listed listed) { return listed == kNo || (listed == kSame && host_a != host_b); };
    if (refused(listed_a) || refused(listed_b)) return PathKind::kNotSupported;
    if (listed_a == kUnread || listed_b == kUnread) return PathKind::kUnknown;
    return PathKind::kThroughHostBridge;
  }
  PathKind Deviate(PathKind kernel, const std::string& a, const std::string& b) const {
    if (a == b) return PathKind::kSelf;
    const int group_a = functions_.at(a).group;
    const int group_b = functions_.at(b).group;
    const bool apart = group_a >= 0 && group_b >= 0 && group_a != group_b;
    return kernel == PathKind::kBusAddress && apart ? HostBridges(a, b) : kernel;
  }

  const std::map<std::string, FunctionSpec>& functions_;
  const bool zen_;
};

TEST(PathModelTest, AgreesWithAPlainerImplementationOnRandomMachines) {
  std::map<PathKind, int> seen;
  for (uint32_t seed = 1; seed <= 30 && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    const RandomMachine machine(seed);
    const auto topology = ReadTopology(machine.machine().sysfs(), machine.machine().cpuinfo());
    ASSERT_TRUE(topology.ok()) << topology.status();
    const Naive naive(machine);
    for (const auto& [exporter, unused] : machine.functions()) {
      for (const auto& [importer, unused_too] : machine.functions()) {
        const Answer expected = naive.Judge(exporter, importer);
        const PathVerdict verdict = JudgePath(*topology, *PciAddress::Parse(exporter), *PciAddress::Parse(importer));
        const std::string pair = absl::StrCat(exporter, " -> ", importer, ": ", verdict.reason);
        EXPECT_EQ(verdict.kernel_kind, expected.kernel_kind) << pair;
        EXPECT_EQ(verdict.kind, expected.kind) << pair;
        EXPECT_EQ(verdict.distance, expected.distance) << pair;
        std::set<std::string> redirects;
        for (const AcsRedirect& redirect : verdict.redirects) redirects.insert(redirect.bridge.ToString());
        EXPECT_EQ(redirects, expected.redirects) << pair;
        EXPECT_FALSE(verdict.reason.empty());
        ++seen[verdict.kind];
      }
    }
  }
  for (const PathKind kind : {PathKind::kUnknown, PathKind::kSelf, PathKind::kBusAddress, PathKind::kThroughHostBridge,
                              PathKind::kNotSupported}) {
    EXPECT_GT(seen[kind], 50) << static_cast<int>(kind);
  }
}

}  // namespace
}  // namespace p2pd
