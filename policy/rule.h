// One rule of a policy, in numbers: names are resolved, patterns are parsed. Matching is pure and total, and
// can say which of the rule's conditions a request misses. A condition that a rule lacks holds for every
// request; a condition on something that the request does not have never holds.
#ifndef P2PD_POLICY_RULE_H_
#define P2PD_POLICY_RULE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "daemon/base/pci_address.h"
#include "policy/policy.h"

namespace p2pd {

enum class Effect { kAllow, kDeny };

// Vendor and device id, "8086:0b25"; a part that is absent ("*") stands for any.
struct DeviceIdPattern {
  std::optional<uint16_t> vendor;
  std::optional<uint16_t> device;

  // Each part is four hexadecimal digits or "*"; nullopt for anything else.
  static std::optional<DeviceIdPattern> Parse(absl::string_view text);
  bool Matches(const DeviceFacts& facts) const;
  std::string ToString() const;
};

// Any of them is enough.
struct SubjectMatch {
  std::vector<uint32_t> users;
  std::vector<uint32_t> groups;  // primary or supplementary
};

// Any of them is enough; both empty: any device.
struct DeviceMatch {
  std::vector<PciAddress> addresses;
  std::vector<DeviceIdPattern> ids;
};

struct Rule {
  std::string name;
  std::string origin;  // "policy.textproto:12"
  Effect effect = Effect::kDeny;
  std::vector<Action> actions;
  std::optional<SubjectMatch> subject;
  std::optional<DeviceMatch> exporter;
  std::vector<uint32_t> bars;  // of the exporter; empty: any, and requests without a window too
  std::optional<DeviceMatch> importer;
  Scrub scrub = Scrub::kReset;
};

// The conditions of a rule, in the order in which they are told to people.
enum class Matcher { kAction, kSubject, kExporter, kBar, kImporter };

// What a request really asks for: an EXPORT of registers is judged as EXPORT_CONTROL, whatever its asker says.
Action EffectiveAction(const PolicyRequest& request);

// Whether every condition of the rule holds.
bool Matches(const Rule& rule, const PolicyRequest& request);

// The conditions that do not hold; empty exactly if the rule matches.
std::vector<Matcher> FailedMatchers(const Rule& rule, const PolicyRequest& request);

// Why `failed` does not hold, as the end of a sentence about the rule: "it is for uid 2002".
std::string ExplainFailure(const Rule& rule, Matcher failed, const PolicyRequest& request);

}  // namespace p2pd

#endif  // P2PD_POLICY_RULE_H_
