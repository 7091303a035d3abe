#include "policy/device_match.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "policy/words.h"

namespace p2pd {
namespace {

// One part of a pattern: "*" leaves `id` empty. False if it is neither that nor four hexadecimal digits.
bool ParseId(absl::string_view text, std::optional<uint16_t>& id) {
  if (text == "*") return true;
  uint32_t value = 0;
  if (text.size() != 4 || !std::all_of(text.begin(), text.end(), absl::ascii_isxdigit)) return false;
  if (!absl::SimpleHexAtoi(text, &value)) return false;
  id = static_cast<uint16_t>(value);
  return true;
}

std::string IdToString(std::optional<uint16_t> id) { return id.has_value() ? absl::StrFormat("%04x", *id) : "*"; }

std::vector<std::string> SetNames(const DeviceMatch& match) {
  std::vector<std::string> names;
  for (const DeviceSet& set : match.sets) names.push_back(set.name);
  return names;
}

Truth AtNode(const std::vector<int>& nodes, const std::optional<int>& node) {
  if (nodes.empty()) return Truth::kYes;
  if (!node.has_value()) return Truth::kUnknown;
  return TruthOf(std::find(nodes.begin(), nodes.end(), *node) != nodes.end());
}

}  // namespace

std::optional<DeviceIdPattern> DeviceIdPattern::Parse(absl::string_view text) {
  const size_t colon = text.find(':');
  if (colon == absl::string_view::npos) return std::nullopt;
  DeviceIdPattern pattern;
  if (!ParseId(text.substr(0, colon), pattern.vendor) || !ParseId(text.substr(colon + 1), pattern.device)) {
    return std::nullopt;
  }
  return pattern;
}

bool DeviceIdPattern::Matches(const DeviceFacts& facts) const {
  return vendor.value_or(facts.vendor) == facts.vendor && device.value_or(facts.device) == facts.device;
}

std::string DeviceIdPattern::ToString() const { return absl::StrCat(IdToString(vendor), ":", IdToString(device)); }

JudgedDevice::JudgedDevice(const DeviceFacts& facts)
    : facts_(facts),
      address_(facts.address.ToString()),
      class_code_(facts.class_code.has_value() ? absl::StrFormat("%06x", *facts.class_code) : "") {}

// Names of sets are unique, so that they stand for what is in them.
std::weak_ordering DeviceMatch::operator<=>(const DeviceMatch& other) const {
  const auto key = [](const DeviceMatch& match) {
    return std::make_tuple(std::cref(match.addresses), std::cref(match.ids), std::cref(match.address_globs),
                           std::cref(match.classes), std::cref(match.numa_nodes), SetNames(match));
  };
  return key(*this) <=> key(other);
}

Truth DeviceMatch::Matches(const JudgedDevice& device) const {
  const DeviceFacts& facts = device.facts();
  Truth truth =
      TruthOf(!NamesDevices() || std::find(addresses.begin(), addresses.end(), facts.address) != addresses.end());
  if (truth != Truth::kYes) truth = AnyOf(ids, [&](const DeviceIdPattern& id) { return TruthOf(id.Matches(facts)); });
  if (truth != Truth::kYes) {
    truth = AnyOf(address_globs, [&](const Glob& glob) { return TruthOf(glob.Matches(device.address())); });
  }
  if (truth != Truth::kYes) {
    const bool known = facts.class_code.has_value();
    truth = AnyOf(classes, [&](const Glob& glob) {
      return known ? TruthOf(glob.Matches(device.class_code())) : Truth::kUnknown;
    });
  }
  if (truth != Truth::kYes) {
    truth = Or(truth, AnyOf(sets, [&](const DeviceSet& set) { return set.Matches(device); }));
  }
  return And(truth, AtNode(numa_nodes, facts.numa_node));
}

std::string DeviceMatch::ToString() const {
  std::vector<std::string> choices;
  for (const PciAddress& address : addresses) choices.push_back(address.ToString());
  for (const Glob& glob : address_globs) choices.push_back(glob.pattern());
  for (const DeviceIdPattern& id : ids) choices.push_back(id.ToString());
  for (const Glob& glob : classes) choices.push_back(absl::StrCat("of class ", glob.pattern()));
  for (const DeviceSet& set : sets) choices.push_back(absl::StrCat("of set ", set.name));
  std::string text = choices.empty() ? "any device" : OneOf(std::move(choices));
  if (numa_nodes.empty()) return text;
  std::vector<std::string> nodes;
  for (int node : numa_nodes) nodes.push_back(absl::StrCat(node));
  return absl::StrCat(text, " at NUMA node ", OneOf(std::move(nodes)));
}

Truth DeviceSet::Matches(const JudgedDevice& device) const {
  return AnyOf(devices, [&device](const DeviceMatch& match) { return match.Matches(device); });
}

}  // namespace p2pd
