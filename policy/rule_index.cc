#include "policy/rule_index.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <iterator>
#include <string_view>

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

// What can be looked up: keys of different sorts do not meet, but for beginnings of texts, which are hashed. Whatever
// is found is tried, so that a key too many costs only time.
uint64_t UserKey(uint32_t uid) { return uid; }
uint64_t GroupKey(uint32_t gid) { return uint64_t{1} << 32 | gid; }
uint64_t AddressKey(const PciAddress& at) {
  return uint64_t{at.domain} << 16 | uint64_t{at.bus} << 8 | uint64_t{at.device} << 3 | at.function;
}
uint64_t IdKey(uint16_t vendor, uint16_t device) { return uint64_t{1} << 56 | uint64_t{vendor} << 16 | device; }

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

// ---- Keys ------------------------------------------------------------------------------------------------

// The keys of the requests that can meet a condition.
class RuleIndex::RuleKeys {
 public:
  // nullopt: the condition must be tried for every request.
  static std::optional<RuleKeys> Of(const Rule& rule, Matcher matcher) {
    RuleKeys keys;
    bool listed = false;
    if (matcher == Matcher::kSubject) listed = keys.Add(*rule.subject);
    if (matcher == Matcher::kExporter) listed = keys.Add(*rule.exporter);
    if (matcher == Matcher::kImporter) listed = keys.Add(*rule.importer);
    return listed ? std::optional(std::move(keys)) : std::nullopt;
  }

  std::vector<uint64_t> keys;
  Prefixes prefixes;

 private:
  // All of a subject's parts are wanted: one of them is enough to look it up by.
  bool Add(const SubjectMatch& match) {
    std::transform(match.users.begin(), match.users.end(), std::back_inserter(keys), UserKey);
    std::transform(match.groups.begin(), match.groups.end(), std::back_inserter(keys), GroupKey);
    if (match.NamesPeople()) return true;
    if (!match.units.empty()) return Add(Text::kUnit, match.units);
    if (!match.user_units.empty()) return Add(Text::kUserUnit, match.user_units);
    return !match.labels.empty() && Add(Text::kLabel, match.labels);
  }

  // Any of a device's parts is enough: each of them must be looked up.
  bool Add(const DeviceMatch& match) {
    if (!match.NamesDevices()) return false;
    for (const DeviceIdPattern& id : match.ids) {
      if (!id.vendor.has_value() || !id.device.has_value()) return false;
      keys.push_back(IdKey(*id.vendor, *id.device));
    }
    for (const PciAddress& address : match.addresses) keys.push_back(AddressKey(address));
    Add(Text::kAddress, match.address_globs);
    if (!match.classes.empty()) Add(Text::kClass, match.classes);
    return std::all_of(match.sets.begin(), match.sets.end(), [this](const DeviceSet& set) {
      return std::all_of(set.devices.begin(), set.devices.end(),
                         [this](const DeviceMatch& device) { return Add(device); });
    });
  }

  // Only what begins as the pattern does can match it. Of a text that is not known nobody can tell.
  bool Add(Text text, const std::vector<Glob>& globs) {
    for (const Glob& glob : globs) {
      const absl::string_view beginning = glob.Beginning();
      keys.push_back(PrefixKey(text, beginning));
      prefixes.emplace(text, beginning.size());
    }
    keys.push_back(UnknownKey(text));
    return true;
  }
};

// The keys that a request has. What cannot be told counts for a DENY only.
class RuleIndex::RequestKeys {
 public:
  RequestKeys(const RequestView& view, const Kind& kind, Effect effect) : prefixes_(kind.prefixes), effect_(effect) {
    const Subject& subject = view.request.subject;
    if (kind.matcher == Matcher::kSubject) Add(subject);
    if (kind.matcher == Matcher::kExporter && view.exporter.has_value()) Add(*view.exporter);
    if (kind.matcher == Matcher::kImporter && view.importer.has_value()) Add(*view.importer);
  }

  std::vector<uint64_t> keys;

 private:
  void Add(const Subject& subject) {
    keys = {UserKey(subject.uid), GroupKey(subject.gid)};
    std::transform(subject.groups.begin(), subject.groups.end(), std::back_inserter(keys), GroupKey);
    Add(Text::kUnit, subject.unit, !subject.unit.empty());
    Add(Text::kUserUnit, subject.user_unit.value_or(""), subject.user_unit.has_value());
    Add(Text::kLabel, subject.label, !subject.label.empty());
  }

  void Add(const JudgedDevice& device) {
    const DeviceFacts& facts = device.facts();
    keys = {AddressKey(facts.address), IdKey(facts.vendor, facts.device)};
    Add(Text::kAddress, device.address(), /*known=*/true);
    Add(Text::kClass, device.class_code(), facts.class_code.has_value());
  }

  void Add(Text text, absl::string_view value, bool known) {
    if (prefixes_.empty()) return;
    if (!known) {
      if (effect_ == Effect::kDeny) keys.push_back(UnknownKey(text));
      return;
    }
    for (auto prefix = prefixes_.lower_bound({text, 0});
         prefix != prefixes_.end() && prefix->first == text && prefix->second <= value.size(); ++prefix) {
      keys.push_back(PrefixKey(text, value.substr(0, prefix->second)));
    }
  }

  const Prefixes& prefixes_;
  const Effect effect_;
};

uint64_t RuleIndex::UnknownKey(Text text) { return uint64_t{1} << 62 | static_cast<uint64_t>(text); }

uint64_t RuleIndex::PrefixKey(Text text, absl::string_view beginning) {
  const size_t hash = std::hash<std::string_view>()({beginning.data(), beginning.size()});
  return uint64_t{1} << 63 | (hash + static_cast<uint64_t>(text));
}

// ---- Conditions ------------------------------------------------------------------------------------------

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
  auto found = RuleKeys::Of(rule, kind.matcher);
  if (!found.has_value()) return kind.unkeyed.push_back(condition);
  kind.prefixes.merge(found->prefixes);
  for (uint64_t key : found->keys) {
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
  for (uint64_t key : RequestKeys(view, kind, effect_).keys) {
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
