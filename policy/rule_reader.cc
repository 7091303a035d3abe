#include "policy/rule_reader.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "daemon/textproto/field_places.h"
#include "daemon/textproto/problem_list.h"

namespace p2pd {
namespace {

constexpr size_t kMaxNameLength = 128;
constexpr uint32_t kBars = 6;
constexpr uint32_t kNoId = 0xffffffff;  // (uid_t)-1 means "nobody" to the kernel

static_assert(static_cast<int>(Action::kObserve) == v1::OBSERVE);
static_assert(static_cast<int>(Action::kExport) == v1::EXPORT);
static_assert(static_cast<int>(Action::kExportControl) == v1::EXPORT_CONTROL);
static_assert(static_cast<int>(Action::kReceiveFd) == v1::RECEIVE_FD);
static_assert(static_cast<int>(Action::kMap) == v1::MAP);
static_assert(static_cast<int>(Action::kMapMemory) == v1::MAP_MEMORY);
static_assert(static_cast<int>(Action::kDrive) == v1::DRIVE);
static_assert(static_cast<int>(Action::kReset) == v1::RESET);
static_assert(static_cast<int>(Action::kAdmin) == v1::ADMIN);
static_assert(v1::Action_MAX == v1::ADMIN, "an action that policy.h does not know");

// What requests of an action carry.
bool HasExporter(Action action) { return action != Action::kMapMemory; }
bool HasImporter(Action action) { return action == Action::kMap || action == Action::kMapMemory; }
bool HasWindow(Action action) {
  constexpr std::array kActions = {Action::kExport, Action::kExportControl, Action::kReceiveFd, Action::kMap};
  return std::find(kActions.begin(), kActions.end(), action) != kActions.end();
}

std::string ActionNames() {
  std::string names;
  for (int i = 1; i <= v1::Action_MAX; ++i) {
    absl::StrAppend(&names, i == 1 ? "" : ", ", ActionName(static_cast<Action>(i)));
  }
  return names;
}

class Reader {
 public:
  Reader(const std::string& file_name, const UserDatabase& users) : users_(users), problems_(file_name) {}

  Rule ReadRule(const v1::Rule& proto, const FieldPlaces& places);
  absl::Status problems() const { return problems_.ToStatus(); }

 private:
  using Find = absl::StatusOr<std::optional<uint32_t>> (UserDatabase::*)(const std::string&) const;

  void ReadName(const v1::Rule& proto, const FieldPlaces& places);
  Effect ReadEffect(const v1::Rule& proto, const FieldPlaces& places);
  std::vector<Action> ReadActions(const v1::Rule& proto, const FieldPlaces& places);
  SubjectMatch ReadSubject(const v1::Subject& proto, const FieldPlaces& places);
  std::optional<uint32_t> ReadId(const std::string& text, absl::string_view kind, Find find, TextPlace place);
  DeviceMatch ReadDevice(const v1::DeviceMatch& proto, const FieldPlaces& places);
  std::vector<uint32_t> ReadBars(const v1::DeviceMatch& proto, const FieldPlaces& places);
  Scrub ReadScrub(const v1::Limits& proto, const FieldPlaces& places);
  void CheckReach(const Rule& rule, const FieldPlaces& places);
  void CheckLimits(const Rule& rule, const FieldPlaces& places);

  // "rule "x": what", or of a rule that has no name yet.
  void Problem(TextPlace place, absl::string_view what) {
    problems_.Add(place, absl::StrCat("rule ", name_.empty() ? "" : absl::StrCat("\"", name_, "\""),
                                      name_.empty() ? "without a name: " : ": ", what));
  }

  const UserDatabase& users_;
  ProblemList problems_;
  std::map<std::string, int> seen_;  // names, and the lines of their rules
  std::string name_;                 // of the rule that is being read
};

Rule Reader::ReadRule(const v1::Rule& proto, const FieldPlaces& places) {
  name_ = proto.name().substr(0, kMaxNameLength);
  ReadName(proto, places);
  Rule rule;
  rule.name = proto.name();
  rule.origin = absl::StrCat(problems_.file(), ":", places.self().line);
  rule.effect = ReadEffect(proto, places);
  rule.actions = ReadActions(proto, places);
  if (proto.has_subject()) rule.subject = ReadSubject(proto.subject(), places.In(v1::Rule::kSubjectFieldNumber));
  if (proto.has_exporter()) {
    const FieldPlaces exporter = places.In(v1::Rule::kExporterFieldNumber);
    rule.exporter = ReadDevice(proto.exporter(), exporter);
    rule.bars = ReadBars(proto.exporter(), exporter);
  }
  if (proto.has_importer()) {
    const FieldPlaces importer = places.In(v1::Rule::kImporterFieldNumber);
    rule.importer = ReadDevice(proto.importer(), importer);
    if (proto.importer().bar_size() > 0) {
      Problem(importer.Of(v1::DeviceMatch::kBarFieldNumber, 0, proto.importer().bar_size()),
              "windows are the exporter's: expected \"bar\" in exporter, not in importer");
    }
  }
  CheckReach(rule, places);
  if (proto.has_limits()) {
    rule.scrub = ReadScrub(proto.limits(), places.In(v1::Rule::kLimitsFieldNumber));
    CheckLimits(rule, places);
  }
  return rule;
}

void Reader::ReadName(const v1::Rule& proto, const FieldPlaces& places) {
  const TextPlace place = places.Of(v1::Rule::kNameFieldNumber);
  const std::string& name = proto.name();
  if (name.empty()) return Problem(place, "expected a name that no other rule has, as in name: \"storage\"");
  if (name.size() > kMaxNameLength) {
    Problem(place, absl::StrCat("its name has ", name.size(), " characters, expected at most ", kMaxNameLength));
  }
  if (!std::all_of(name.begin(), name.end(), [](unsigned char c) { return absl::ascii_isprint(c); })) {
    Problem(place, "expected a name of printable ASCII characters: verdicts and logs carry it");
  }
  const auto [first, inserted] = seen_.emplace(name, places.self().line);
  if (!inserted) {
    Problem(place, absl::StrCat("the rule at line ", first->second, " has this name too, expected one of its own"));
  }
}

Effect Reader::ReadEffect(const v1::Rule& proto, const FieldPlaces& places) {
  if (proto.effect() == v1::Rule::ALLOW) return Effect::kAllow;
  if (proto.effect() != v1::Rule::DENY) {
    Problem(places.Of(v1::Rule::kEffectFieldNumber), "expected effect: ALLOW or effect: DENY");
  }
  return Effect::kDeny;
}

std::vector<Action> Reader::ReadActions(const v1::Rule& proto, const FieldPlaces& places) {
  const int count = proto.action_size();
  if (count == 0) Problem(places.self(), absl::StrCat("expected at least one action, of ", ActionNames()));
  std::vector<Action> actions;
  for (int i = 0; i < count; ++i) {
    if (proto.action(i) == v1::ACTION_UNSPECIFIED || !v1::Action_IsValid(proto.action(i))) {
      Problem(places.Of(v1::Rule::kActionFieldNumber, i, count),
              absl::StrCat(static_cast<int>(proto.action(i)), " is no action, expected one of ", ActionNames()));
      continue;
    }
    const auto action = static_cast<Action>(proto.action(i));
    if (std::find(actions.begin(), actions.end(), action) == actions.end()) actions.push_back(action);
  }
  return actions;
}

SubjectMatch Reader::ReadSubject(const v1::Subject& proto, const FieldPlaces& places) {
  SubjectMatch match;
  if (proto.user_size() + proto.group_size() == 0) {
    Problem(places.self(), "a subject that names nobody: expected user or group, or no subject at all for everybody");
  }
  for (int i = 0; i < proto.user_size(); ++i) {
    const TextPlace place = places.Of(v1::Subject::kUserFieldNumber, i, proto.user_size());
    if (auto id = ReadId(proto.user(i), "user", &UserDatabase::FindUser, place)) match.users.push_back(*id);
  }
  for (int i = 0; i < proto.group_size(); ++i) {
    const TextPlace place = places.Of(v1::Subject::kGroupFieldNumber, i, proto.group_size());
    if (auto id = ReadId(proto.group(i), "group", &UserDatabase::FindGroup, place)) match.groups.push_back(*id);
  }
  return match;
}

std::optional<uint32_t> Reader::ReadId(const std::string& text, absl::string_view kind, Find find, TextPlace place) {
  const bool number =
      !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) { return absl::ascii_isdigit(c); });
  if (number) {
    uint32_t id = 0;
    const bool leading_zero = text.size() > 1 && text.front() == '0';
    if (!leading_zero && absl::SimpleAtoi(text, &id) && id != kNoId) return id;
    Problem(place, absl::StrCat("\"", text, "\" is no ", kind, " number, expected 0 to 4294967294 in decimal"));
    return std::nullopt;
  }
  const auto found = (users_.*find)(text);
  if (!found.ok()) {
    Problem(place, absl::StrCat("cannot tell who ", kind, " \"", text, "\" is: ", found.status().message()));
    return std::nullopt;
  }
  if (!found->has_value()) {
    Problem(place, absl::StrCat("there is no ", kind, " \"", text, "\", expected the name or number of a ", kind));
  }
  return *found;
}

DeviceMatch Reader::ReadDevice(const v1::DeviceMatch& proto, const FieldPlaces& places) {
  DeviceMatch match;
  if (proto.bdf_size() + proto.vendor_device_size() + proto.bar_size() == 0) {
    Problem(places.self(), "a match of no device: expected bdf or vendor_device; vendor_device: \"*:*\" is any device");
  }
  for (int i = 0; i < proto.bdf_size(); ++i) {
    const auto address = PciAddress::Parse(proto.bdf(i));
    if (address.ok()) {
      match.addresses.push_back(*address);
    } else {
      Problem(places.Of(v1::DeviceMatch::kBdfFieldNumber, i, proto.bdf_size()),
              absl::StrCat("\"", proto.bdf(i), "\" is no PCI address, expected one as in 0000:3a:00.0 (see lspci -D)"));
    }
  }
  for (int i = 0; i < proto.vendor_device_size(); ++i) {
    const auto id = DeviceIdPattern::Parse(proto.vendor_device(i));
    if (id.has_value()) {
      match.ids.push_back(*id);
    } else {
      Problem(places.Of(v1::DeviceMatch::kVendorDeviceFieldNumber, i, proto.vendor_device_size()),
              absl::StrCat("\"", proto.vendor_device(i),
                           "\" is no pair of ids, expected four hexadecimal digits or * for each, as in 8086:0b25"));
    }
  }
  return match;
}

std::vector<uint32_t> Reader::ReadBars(const v1::DeviceMatch& proto, const FieldPlaces& places) {
  for (int i = 0; i < proto.bar_size(); ++i) {
    if (proto.bar(i) < kBars) continue;
    Problem(places.Of(v1::DeviceMatch::kBarFieldNumber, i, proto.bar_size()),
            absl::StrCat("there is no BAR ", proto.bar(i), ", expected 0 to ", kBars - 1));
  }
  return {proto.bar().begin(), proto.bar().end()};
}

Scrub Reader::ReadScrub(const v1::Limits& proto, const FieldPlaces& places) {
  if (proto.scrub() == v1::Limits::NONE) return Scrub::kNone;
  if (proto.scrub() != v1::Limits::RESET && proto.scrub() != v1::Limits::SCRUB_UNSPECIFIED) {
    Problem(places.Of(v1::Limits::kScrubFieldNumber), "expected scrub: RESET or scrub: NONE");
  }
  return Scrub::kReset;
}

// Refuses conditions that some action of the rule can never meet.
void Reader::CheckReach(const Rule& rule, const FieldPlaces& places) {
  for (Action action : rule.actions) {
    const absl::string_view name = ActionName(action);
    if (rule.importer.has_value() && !HasImporter(action)) {
      Problem(places.Of(v1::Rule::kImporterFieldNumber),
              absl::StrCat(name,
                           " has no importer, so this rule could never match it: expected importer only with MAP "
                           "and MAP_MEMORY; write a rule of its own for ",
                           name));
    }
    if (rule.exporter.has_value() && !HasExporter(action)) {
      Problem(places.Of(v1::Rule::kExporterFieldNumber),
              absl::StrCat(name,
                           " has no exporter, so this rule could never match it: expected importer; write a rule "
                           "of its own for ",
                           name));
    }
    if (!rule.bars.empty() && HasExporter(action) && !HasWindow(action)) {
      Problem(places.In(v1::Rule::kExporterFieldNumber)
                  .Of(v1::DeviceMatch::kBarFieldNumber, 0, static_cast<int>(rule.bars.size())),
              absl::StrCat(name,
                           " is about a whole device, so this rule could never match it: expected bar only with "
                           "EXPORT, EXPORT_CONTROL, RECEIVE_FD and MAP"));
    }
  }
}

void Reader::CheckLimits(const Rule& rule, const FieldPlaces& places) {
  const TextPlace place = places.Of(v1::Rule::kLimitsFieldNumber);
  if (rule.effect == Effect::kDeny) return Problem(place, "expected limits only in a rule that allows something");
  if (std::find(rule.actions.begin(), rule.actions.end(), Action::kDrive) == rule.actions.end()) {
    Problem(place, "scrub is about a device's next driver: expected limits only with DRIVE");
  }
}

}  // namespace

absl::StatusOr<std::vector<Rule>> ReadRules(const v1::PolicyFile& file,
                                            const google::protobuf::TextFormat::ParseInfoTree& tree,
                                            const std::string& file_name, const UserDatabase& users) {
  Reader reader(file_name, users);
  const FieldPlaces places(v1::PolicyFile::descriptor(), &tree, TextPlace{.line = 1, .column = 1});
  std::vector<Rule> rules;
  for (int i = 0; i < file.rule_size(); ++i) {
    rules.push_back(reader.ReadRule(file.rule(i), places.In(v1::PolicyFile::kRuleFieldNumber, i, file.rule_size())));
  }
  if (absl::Status problems = reader.problems(); !problems.ok()) return problems;
  return rules;
}

}  // namespace p2pd
