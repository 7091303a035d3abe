#include "policy/rule_index.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <tuple>

namespace p2pd {
namespace {

// A missed condition weighs the same whichever it is; the action and then the subject break ties.
constexpr uint8_t kMissed = 4;
constexpr uint8_t kActionMissed = 2;
constexpr uint8_t kSubjectMissed = 1;
constexpr uint8_t kMostMissed = kMissed * kMatchers.size() + kActionMissed + kSubjectMissed;
constexpr uint8_t kNoRule = 0xff;  // fills the last word
static_assert(kMostMissed < kNoRule);

// From this share of the rules on, a condition's rules are kept as weights.
constexpr size_t kManyShare = 16;

uint8_t WeightOf(Matcher matcher) {
  if (matcher == Matcher::kAction) return kMissed + kActionMissed;
  return matcher == Matcher::kSubject ? kMissed + kSubjectMissed : kMissed;
}

uint8_t* BytesOf(std::vector<uint64_t>& words) { return reinterpret_cast<uint8_t*>(words.data()); }

// What can be looked up: kinds of keys do not meet in one map.
uint64_t UserKey(uint32_t uid) { return uid; }
uint64_t GroupKey(uint32_t gid) { return uint64_t{1} << 32 | gid; }
uint64_t AddressKey(const PciAddress& at) {
  return uint64_t{at.domain} << 16 | uint64_t{at.bus} << 8 | uint64_t{at.device} << 3 | at.function;
}
uint64_t IdKey(uint16_t vendor, uint16_t device) { return uint64_t{1} << 56 | uint64_t{vendor} << 16 | device; }

// The keys of the devices that a match can match; false if there is no such list.
bool AddDeviceKeys(const DeviceMatch& match, std::vector<uint64_t>& keys) {
  if (!match.NamesDevices() || !match.address_globs.empty() || !match.classes.empty()) return false;
  for (const DeviceIdPattern& id : match.ids) {
    if (!id.vendor.has_value() || !id.device.has_value()) return false;
    keys.push_back(IdKey(*id.vendor, *id.device));
  }
  for (const PciAddress& address : match.addresses) keys.push_back(AddressKey(address));
  return std::all_of(match.sets.begin(), match.sets.end(), [&keys](const DeviceSet& set) {
    return std::all_of(set.devices.begin(), set.devices.end(),
                       [&keys](const DeviceMatch& device) { return AddDeviceKeys(device, keys); });
  });
}

bool AddSubjectKeys(const SubjectMatch& match, std::vector<uint64_t>& keys) {
  std::transform(match.users.begin(), match.users.end(), std::back_inserter(keys), UserKey);
  std::transform(match.groups.begin(), match.groups.end(), std::back_inserter(keys), GroupKey);
  return match.NamesPeople();
}

// nullopt: the condition must be tried for every request.
std::optional<std::vector<uint64_t>> KeysOf(const Rule& rule, Matcher matcher) {
  std::vector<uint64_t> keys;
  bool listed = false;
  if (matcher == Matcher::kSubject) listed = AddSubjectKeys(*rule.subject, keys);
  if (matcher == Matcher::kExporter) listed = AddDeviceKeys(*rule.exporter, keys);
  if (matcher == Matcher::kImporter) listed = AddDeviceKeys(*rule.importer, keys);
  return listed ? std::optional(std::move(keys)) : std::nullopt;
}

std::vector<uint64_t> KeysOf(const RequestView& view, Matcher matcher) {
  std::vector<uint64_t> keys;
  if (matcher == Matcher::kSubject) {
    const Subject& subject = view.request.subject;
    keys = {UserKey(subject.uid), GroupKey(subject.gid)};
    std::transform(subject.groups.begin(), subject.groups.end(), std::back_inserter(keys), GroupKey);
  }
  const std::optional<JudgedDevice>& device = matcher == Matcher::kExporter ? view.exporter : view.importer;
  if ((matcher == Matcher::kExporter || matcher == Matcher::kImporter) && device.has_value()) {
    const DeviceFacts& facts = device->facts();
    keys = {AddressKey(facts.address), IdKey(facts.vendor, facts.device)};
  }
  return keys;
}

// Whether a request without this device is judged: then no key of it can be looked up.
bool LacksDevice(const RequestView& view, Matcher matcher) {
  return (matcher == Matcher::kExporter && !view.exporter.has_value()) ||
         (matcher == Matcher::kImporter && !view.importer.has_value());
}

// An order in which equal conditions are equal; conditions that only mean the same may differ.
bool Less(const Rule& a, const Rule& b, Matcher matcher) {
  switch (matcher) {
    case Matcher::kAction:
      return a.actions < b.actions;
    case Matcher::kSubject:
      return a.subject < b.subject;
    case Matcher::kExporter:
      return *a.exporter < *b.exporter;
    case Matcher::kBar:
      return a.bars < b.bars;
    case Matcher::kWindow:
      return a.windows < b.windows;
    case Matcher::kKind:
      return a.control < b.control;
    case Matcher::kImporter:
      return *a.importer < *b.importer;
    case Matcher::kAccess:
      return a.access < b.access;
    case Matcher::kPath:
      return a.path < b.path;
    case Matcher::kPathSupport:
      return false;
    case Matcher::kAts:
      return a.ats < b.ats;
    case Matcher::kOffered:
      return a.offered < b.offered;
    case Matcher::kContext:
      return a.contexts < b.contexts;
  }
  return false;
}

}  // namespace

RuleIndex::RuleIndex(const std::vector<Rule>& rules, Effect effect) : effect_(effect) {
  for (size_t i = 0; i < rules.size(); ++i) {
    if (rules[i].effect == effect) rules_.push_back(i);
  }
  all_missed_.resize((rules_.size() + sizeof(uint64_t) - 1) / sizeof(uint64_t));
  std::fill_n(BytesOf(all_missed_), all_missed_.size() * sizeof(uint64_t), kNoRule);
  std::fill_n(BytesOf(all_missed_), rules_.size(), uint8_t{0});
  for (Matcher matcher : kMatchers) AddKind(rules, matcher);
}

void RuleIndex::AddKind(const std::vector<Rule>& rules, Matcher matcher) {
  Kind kind;
  kind.matcher = matcher;
  const auto less = [&](size_t a, size_t b) { return Less(rules[a], rules[b], matcher); };
  std::map<size_t, uint32_t, decltype(less)> known(less);
  for (uint32_t i = 0; i < rules_.size(); ++i) {
    if (!Has(rules[rules_[i]], matcher)) continue;
    const auto [condition, is_new] = known.emplace(rules_[i], kind.conditions.size());
    if (is_new) {
      kind.conditions.push_back({.representative = rules_[i]});
      AddKeys(rules[rules_[i]], condition->second, kind);
    }
    kind.conditions[condition->second].listed.push_back(i);
    BytesOf(all_missed_)[i] += WeightOf(matcher);
  }
  for (Condition& condition : kind.conditions) Compress(condition, matcher);
  if (!kind.conditions.empty()) kinds_.push_back(std::move(kind));
}

void RuleIndex::AddKeys(const Rule& rule, uint32_t condition, Kind& kind) const {
  const auto keys = KeysOf(rule, kind.matcher);
  if (!keys.has_value()) return kind.unkeyed.push_back(condition);
  for (uint64_t key : *keys) {
    std::vector<uint32_t>& conditions = kind.keyed[key];
    if (conditions.empty() || conditions.back() != condition) conditions.push_back(condition);
  }
}

void RuleIndex::Compress(Condition& condition, Matcher matcher) const {
  if (condition.listed.size() * kManyShare < rules_.size()) return;
  condition.weights.resize(all_missed_.size());
  for (uint32_t rule : condition.listed) BytesOf(condition.weights)[rule] = WeightOf(matcher);
  condition.listed = {};
}

void RuleIndex::Try(const std::vector<Rule>& rules, const Kind& kind, uint32_t index, const RequestView& view,
                    Bytes& missed) const {
  const Condition& condition = kind.conditions[index];
  if (!Counts(effect_, Holds(rules[condition.representative], kind.matcher, view))) return;
  for (size_t i = 0; i < condition.weights.size(); ++i) missed[i] -= condition.weights[i];
  const uint8_t weight = WeightOf(kind.matcher);
  uint8_t* const bytes = BytesOf(missed);
  for (uint32_t rule : condition.listed) bytes[rule] -= weight;
}

void RuleIndex::Count(const std::vector<Rule>& rules, const Kind& kind, const RequestView& view, Bytes& missed) const {
  if (LacksDevice(view, kind.matcher)) {
    for (uint32_t i = 0; i < kind.conditions.size(); ++i) Try(rules, kind, i, view, missed);
    return;
  }
  for (uint32_t condition : kind.unkeyed) Try(rules, kind, condition, view, missed);
  if (kind.keyed.empty()) return;
  std::vector<bool> tried(kind.conditions.size());
  for (uint64_t key : KeysOf(view, kind.matcher)) {
    const auto found = kind.keyed.find(key);
    if (found == kind.keyed.end()) continue;
    for (uint32_t condition : found->second) {
      if (tried[condition]) continue;
      tried[condition] = true;
      Try(rules, kind, condition, view, missed);
    }
  }
}

std::optional<RuleIndex::Nearest> RuleIndex::Find(const std::vector<Rule>& rules, const RequestView& view) const {
  if (rules_.empty()) return std::nullopt;
  Bytes missed = all_missed_;
  for (const Kind& kind : kinds_) Count(rules, kind, view, missed);
  const uint8_t* const bytes = BytesOf(missed);
  for (int least = 0; least <= kMostMissed; ++least) {
    const void* const found = memchr(bytes, least, rules_.size());
    if (found == nullptr) continue;
    const auto index = static_cast<size_t>(static_cast<const uint8_t*>(found) - bytes);
    return Nearest{.rule = rules_[index], .matches = least == 0};
  }
  return std::nullopt;
}

}  // namespace p2pd
