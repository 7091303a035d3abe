#include "policy/rule_reader.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/textproto/field_places.h"
#include "daemon/textproto/problem_list.h"
#include "policy/limits_reader.h"
#include "policy/match_reader.h"
#include "policy/reach.h"
#include "policy/reading.h"

namespace p2pd {
namespace {

static_assert(static_cast<int>(Action::kObserve) == v1::OBSERVE);
static_assert(static_cast<int>(Action::kExport) == v1::EXPORT);
static_assert(static_cast<int>(Action::kExportControl) == v1::EXPORT_CONTROL);
static_assert(static_cast<int>(Action::kReceiveFd) == v1::RECEIVE_FD);
static_assert(static_cast<int>(Action::kMap) == v1::MAP);
static_assert(static_cast<int>(Action::kMapMemory) == v1::MAP_MEMORY);
static_assert(static_cast<int>(Action::kDrive) == v1::DRIVE);
static_assert(static_cast<int>(Action::kReset) == v1::RESET);
static_assert(static_cast<int>(Action::kAdmin) == v1::ADMIN);
static_assert(v1::Action_MAX == kLastAction, "an action that policy.h does not know");
static_assert(static_cast<int>(AskedAccess::kRead) == v1::Conditions::READ);
static_assert(static_cast<int>(AskedAccess::kWrite) == v1::Conditions::WRITE);
static_assert(static_cast<int>(AskedAccess::kReadWrite) == v1::Conditions::READ_WRITE);

using Places = std::map<std::string, std::string>;  // of names, "file:line"

std::string ActionNames() {
  std::string names;
  for (int i = 1; i <= kLastAction; ++i) {
    absl::StrAppend(&names, i == 1 ? "" : ", ", ActionName(static_cast<Action>(i)));
  }
  return names;
}

// Across all files.
void CheckUnique(Reading& reading, Places& seen, const std::string& name, TextPlace place, int line) {
  if (name.empty()) return;
  const auto [first, inserted] = seen.emplace(name, absl::StrCat(reading.problems.file(), ":", line));
  if (inserted) return;
  reading.Problem(
      place, absl::StrCat("the ", reading.kind, " at ", first->second, " has this name too, expected one of its own"));
}

Effect ReadEffect(Reading& reading, const v1::Rule& proto, const FieldPlaces& places) {
  if (proto.effect() == v1::Rule::ALLOW) return Effect::kAllow;
  if (proto.effect() != v1::Rule::DENY) {
    reading.Problem(places.Of(v1::Rule::kEffectFieldNumber), "expected effect: ALLOW or effect: DENY");
  }
  return Effect::kDeny;
}

std::vector<Action> ReadActions(Reading& reading, const v1::Rule& proto, const FieldPlaces& places) {
  const int count = proto.action_size();
  if (count == 0) reading.Problem(places.self(), absl::StrCat("expected at least one action, of ", ActionNames()));
  std::vector<Action> actions;
  for (int i = 0; i < count; ++i) {
    if (proto.action(i) == v1::ACTION_UNSPECIFIED || !v1::Action_IsValid(proto.action(i))) {
      reading.Problem(
          places.Of(v1::Rule::kActionFieldNumber, i, count),
          absl::StrCat(static_cast<int>(proto.action(i)), " is no action, expected one of ", ActionNames()));
      continue;
    }
    const auto action = static_cast<Action>(proto.action(i));
    if (std::find(actions.begin(), actions.end(), action) == actions.end()) actions.push_back(action);
  }
  return actions;
}

std::optional<PathRelation> ReadPath(Reading& reading, v1::Conditions::Path path, TextPlace place) {
  switch (path) {
    case v1::Conditions::SAME_SWITCH:
      return PathRelation::kSwitch;
    case v1::Conditions::SAME_ROOT_PORT:
      return PathRelation::kRootPort;
    case v1::Conditions::SAME_HOST_BRIDGE:
      return PathRelation::kHostBridge;
    case v1::Conditions::ANY:
    case v1::Conditions::PATH_UNSPECIFIED:
      return std::nullopt;
    default:
      reading.Problem(place, "expected path: SAME_SWITCH, SAME_ROOT_PORT, SAME_HOST_BRIDGE or ANY");
      return std::nullopt;
  }
}

void ReadConditions(Reading& reading, const v1::Conditions& proto, const FieldPlaces& places, Rule& rule) {
  if (proto.access() != v1::Conditions::ACCESS_UNSPECIFIED) {
    rule.access = static_cast<AskedAccess>(proto.access());
    if (!v1::Conditions::Access_IsValid(proto.access())) {
      reading.Problem(places.Of(v1::Conditions::kAccessFieldNumber),
                      "expected access: READ, access: WRITE or access: READ_WRITE");
    }
  }
  rule.path = ReadPath(reading, proto.path(), places.Of(v1::Conditions::kPathFieldNumber));
  if (proto.has_ats()) rule.ats = proto.ats();
  if (proto.has_offered()) rule.offered = proto.offered();
  for (int i = 0; i < proto.context_size(); ++i) {
    reading.AddGlob(proto.context(i), places.Of(v1::Conditions::kContextFieldNumber, i, proto.context_size()),
                    rule.contexts);
  }
}

void ReadDevices(Reading& reading, const v1::Rule& proto, const FieldPlaces& places, const DeviceSets& sets,
                 Rule& rule) {
  if (proto.has_exporter()) {
    const FieldPlaces exporter = places.In(v1::Rule::kExporterFieldNumber);
    rule.exporter = ReadDevice(reading, proto.exporter(), exporter, sets);
    ReadWindowMatch(reading, proto.exporter(), exporter, rule);
  }
  if (proto.has_importer()) {
    const FieldPlaces importer = places.In(v1::Rule::kImporterFieldNumber);
    rule.importer = ReadDevice(reading, proto.importer(), importer, sets);
    RefuseWindowMatch(reading, proto.importer(), importer, "importer");
  }
}

void CheckAllowing(Reading& reading, const Rule& rule, const FieldPlaces& places) {
  if (rule.effect == Effect::kDeny && rule.unsupported_path) {
    reading.Problem(places.Of(v1::Rule::kUnsupportedPathFieldNumber),
                    "a DENY is about every path: expected unsupported_path only in a rule that allows something");
  }
  const bool anybody = rule.subject.has_value() && !rule.subject->NamesPeople();
  if (rule.effect == Effect::kAllow && anybody && !rule.subject->user_units.empty()) {
    const FieldPlaces subject = places.In(v1::Rule::kSubjectFieldNumber);
    reading.Problem(subject.Of(v1::Subject::kUserUnitFieldNumber, 0, static_cast<int>(rule.subject->user_units.size())),
                    "any user can have a unit of that name: expected user or group with user_unit");
  }
}

Rule ReadRule(Reading& reading, const v1::Rule& proto, const FieldPlaces& places, const DeviceSets& sets) {
  reading.CheckName(proto.name(), places.Of(v1::Rule::kNameFieldNumber), "name: \"storage\"");
  Rule rule;
  rule.name = proto.name();
  rule.origin = absl::StrCat(reading.problems.file(), ":", places.self().line);
  rule.effect = ReadEffect(reading, proto, places);
  rule.actions = ReadActions(reading, proto, places);
  if (proto.has_subject()) {
    rule.subject = ReadSubject(reading, proto.subject(), places.In(v1::Rule::kSubjectFieldNumber));
  }
  ReadDevices(reading, proto, places, sets, rule);
  ReadConditions(reading, proto.when(), places.In(v1::Rule::kWhenFieldNumber), rule);
  rule.unsupported_path = proto.unsupported_path();
  CheckReach(reading, rule, places);
  CheckAllowing(reading, rule, places);
  if (proto.has_limits()) {
    rule.limits = ReadLimits(reading, proto.limits(), places.In(v1::Rule::kLimitsFieldNumber), rule);
  }
  return rule;
}

// The sets of one source; `seen` are those of the ones before.
void ReadSets(Reading& reading, const PolicySource& source, const FieldPlaces& places, Places& seen, DeviceSets& sets) {
  reading.kind = "device_set";
  for (int i = 0; i < source.file.device_set_size(); ++i) {
    const v1::DeviceSet& proto = source.file.device_set(i);
    const FieldPlaces set = places.In(v1::PolicyFile::kDeviceSetFieldNumber, i, source.file.device_set_size());
    reading.name = proto.name();
    CheckUnique(reading, seen, proto.name(), set.Of(v1::DeviceSet::kNameFieldNumber), set.self().line);
    sets[proto.name()] = ReadDeviceSet(reading, proto, set);
  }
}

}  // namespace

absl::StatusOr<std::vector<Rule>> ReadRules(const std::deque<PolicySource>& sources, const UserDatabase& users,
                                            std::vector<std::string>* warnings) {
  std::deque<Reading> readings;
  const auto places_of = [](const PolicySource& source) {
    return FieldPlaces(v1::PolicyFile::descriptor(), &source.tree, TextPlace{.line = 1, .column = 1});
  };
  Places seen_sets;
  DeviceSets sets;
  for (const PolicySource& source : sources) {
    readings.push_back({.users = users, .problems = ProblemList(source.file_name), .warnings = warnings});
    ReadSets(readings.back(), source, places_of(source), seen_sets, sets);
  }
  Places seen_rules;
  std::vector<Rule> rules;
  absl::Status status;
  for (size_t n = 0; n < sources.size(); ++n) {
    Reading& reading = readings[n];
    reading.kind = "rule";
    const v1::PolicyFile& file = sources[n].file;
    const FieldPlaces places = places_of(sources[n]);
    for (int i = 0; i < file.rule_size(); ++i) {
      const FieldPlaces rule = places.In(v1::PolicyFile::kRuleFieldNumber, i, file.rule_size());
      reading.name = file.rule(i).name();
      CheckUnique(reading, seen_rules, reading.name, rule.Of(v1::Rule::kNameFieldNumber), rule.self().line);
      rules.push_back(ReadRule(reading, file.rule(i), rule, sets));
    }
    status = JoinProblems(status, reading.problems.ToStatus());
  }
  if (!status.ok()) return status;
  return rules;
}

}  // namespace p2pd
