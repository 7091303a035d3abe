#include "policy/lint.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "policy/words.h"

namespace p2pd {
namespace {

template <typename T>
bool IsSubset(const std::vector<T>& part, const std::vector<T>& whole) {
  return std::all_of(part.begin(), part.end(),
                     [&whole](const T& one) { return std::find(whole.begin(), whole.end(), one) != whole.end(); });
}

// Of names that any is enough of: no names are all names.
template <typename T>
bool Covers(const std::vector<T>& wide, const std::vector<T>& narrow) {
  return wide.empty() || (!narrow.empty() && IsSubset(narrow, wide));
}

bool SubjectCovers(const std::optional<SubjectMatch>& wide, const std::optional<SubjectMatch>& narrow) {
  if (!wide.has_value()) return true;
  if (!narrow.has_value()) return false;
  const bool people = !wide->NamesPeople() || (narrow->NamesPeople() && IsSubset(narrow->users, wide->users) &&
                                               IsSubset(narrow->groups, wide->groups));
  return people && Covers(wide->units, narrow->units) && Covers(wide->user_units, narrow->user_units) &&
         Covers(wide->labels, narrow->labels);
}

bool DeviceCovers(const std::optional<DeviceMatch>& wide, const std::optional<DeviceMatch>& narrow) {
  if (!wide.has_value()) return true;
  if (!narrow.has_value()) return false;
  const bool devices =
      !wide->NamesDevices() ||
      (narrow->NamesDevices() && IsSubset(narrow->addresses, wide->addresses) && IsSubset(narrow->ids, wide->ids) &&
       IsSubset(narrow->address_globs, wide->address_globs) && IsSubset(narrow->classes, wide->classes) &&
       std::all_of(narrow->sets.begin(), narrow->sets.end(), [&](const DeviceSet& set) {
         return std::any_of(wide->sets.begin(), wide->sets.end(),
                            [&set](const DeviceSet& other) { return other.name == set.name; });
       }));
  return devices && Covers(wide->numa_nodes, narrow->numa_nodes);
}

template <typename T>
bool Same(const std::optional<T>& wide, const std::optional<T>& narrow) {
  return !wide.has_value() || wide == narrow;
}

// Whether `wide` matches every request that `narrow` matches.
bool RuleCovers(const Rule& wide, const Rule& narrow) {
  return IsSubset(narrow.actions, wide.actions) && SubjectCovers(wide.subject, narrow.subject) &&
         DeviceCovers(wide.exporter, narrow.exporter) && DeviceCovers(wide.importer, narrow.importer) &&
         Covers(wide.bars, narrow.bars) && Covers(wide.windows, narrow.windows) && Same(wide.control, narrow.control) &&
         Same(wide.access, narrow.access) && Same(wide.path, narrow.path) && Same(wide.ats, narrow.ats) &&
         Same(wide.offered, narrow.offered) && Covers(wide.contexts, narrow.contexts) &&
         (!Has(wide, Matcher::kPathSupport) || Has(narrow, Matcher::kPathSupport));
}

// Where only sets name devices, and all of their devices are at other nodes.
bool IsAtNoNode(const std::optional<DeviceMatch>& match) {
  if (!match.has_value() || match->numa_nodes.empty() || match->sets.empty()) return false;
  const bool only_sets =
      match->addresses.empty() && match->ids.empty() && match->address_globs.empty() && match->classes.empty();
  return only_sets && std::all_of(match->sets.begin(), match->sets.end(), [&match](const DeviceSet& set) {
           return std::all_of(set.devices.begin(), set.devices.end(), [&match](const DeviceMatch& device) {
             return !device.numa_nodes.empty() &&
                    std::find_first_of(device.numa_nodes.begin(), device.numa_nodes.end(), match->numa_nodes.begin(),
                                       match->numa_nodes.end()) == device.numa_nodes.end();
           });
         });
}

bool IsItself(const Rule& rule) {
  const auto is_one = [](const std::optional<DeviceMatch>& match) {
    return match.has_value() && match->addresses.size() == 1 && match->ids.empty() && match->address_globs.empty() &&
           match->classes.empty() && match->sets.empty();
  };
  return is_one(rule.exporter) && is_one(rule.importer) && rule.exporter->addresses == rule.importer->addresses;
}

std::string ExporterText(const Rule& rule) {
  const bool any = !rule.exporter.has_value() || *rule.exporter == DeviceMatch();
  return any ? "" : rule.exporter->ToString();
}

std::string NearText(PathRelation path) {
  if (path == PathRelation::kSwitch) return "same switch";
  return path == PathRelation::kRootPort ? "same root port" : "same host bridge";
}

std::string ConditionsText(const Rule& rule) {
  std::vector<std::string> texts;
  if (!rule.bars.empty()) texts.push_back(absl::StrCat("BAR ", absl::StrJoin(rule.bars, "/")));
  for (const WindowRange& range : rule.windows)
    texts.push_back(absl::StrFormat("0x%x+0x%x", range.offset, range.length));
  if (rule.control.has_value()) texts.push_back(*rule.control ? "CONTROL" : "MEMORY");
  if (rule.access.has_value()) texts.emplace_back(AccessName(*rule.access));
  if (rule.path.has_value()) texts.push_back(NearText(*rule.path));
  if (rule.unsupported_path) texts.push_back("unsupported paths too");
  if (rule.ats.has_value()) texts.push_back(*rule.ats ? "with ATS" : "without ATS");
  if (rule.offered.has_value()) texts.push_back(*rule.offered ? "offered" : "not offered");
  if (!rule.contexts.empty()) texts.push_back(absl::StrCat("context ", OneOf(rule.contexts)));
  const GrantLimits& limits = rule.limits;
  if (limits.scrub != Scrub::kZero) texts.push_back(limits.scrub == Scrub::kNone ? "no scrub" : "memory not cleared");
  if (limits.max_count.has_value()) texts.push_back(absl::StrCat("at most ", *limits.max_count));
  if (limits.max_bytes.has_value()) texts.push_back(absl::StrCat("at most ", *limits.max_bytes, " bytes"));
  if (limits.time_to_live.has_value())
    texts.push_back(absl::StrCat("for ", absl::FormatDuration(*limits.time_to_live)));
  if (limits.quiesce_deadline.has_value()) {
    texts.push_back(absl::StrCat("quiesce ", absl::FormatDuration(*limits.quiesce_deadline)));
  }
  if (limits.shared) texts.push_back("shared");
  if (limits.kill_holder) texts.push_back("who keeps an fd is killed");
  return absl::StrJoin(texts, ", ");
}

}  // namespace

std::vector<std::string> FindIdleRules(const std::vector<Rule>& rules) {
  std::vector<std::string> findings;
  for (size_t i = 0; i < rules.size(); ++i) {
    const Rule& rule = rules[i];
    for (size_t j = 0; j < rules.size(); ++j) {
      const Rule& other = rules[j];
      const bool first = other.effect == rule.effect ? j < i : other.effect == Effect::kDeny;
      if (!first || !RuleCovers(other, rule)) continue;
      findings.push_back(absl::StrCat(rule.origin, ": rule \"", rule.name, "\" never ",
                                      rule.effect == Effect::kAllow ? "allows" : "denies", " anything: rule \"",
                                      other.name, "\" (", other.origin, ") matches all that it matches, and ",
                                      other.effect == rule.effect ? "comes first" : "denies it"));
      break;
    }
  }
  return findings;
}

std::vector<std::string> FindImpossibleRules(const std::vector<Rule>& rules) {
  std::vector<std::string> findings;
  const auto add = [&findings](const Rule& rule, absl::string_view why) {
    findings.push_back(absl::StrCat(rule.origin, ": rule \"", rule.name, "\" can never match: ", why));
  };
  for (const Rule& rule : rules) {
    if (IsAtNoNode(rule.exporter)) add(rule, "no device of exporter's sets is at a NUMA node that it names");
    if (IsAtNoNode(rule.importer)) add(rule, "no device of importer's sets is at a NUMA node that it names");
    if (rule.effect == Effect::kAllow && !rule.unsupported_path && IsItself(rule)) {
      add(rule, "exporter and importer are one device, a path that needs unsupported_path: true");
    }
  }
  return findings;
}

std::vector<Reach> WhoCanReachWhat(const std::vector<Rule>& rules) {
  std::vector<Reach> lines;
  for (const Rule& rule : rules) {
    lines.push_back(
        {.who = rule.subject.has_value() ? rule.subject->ToString() : "anybody",
         .may = rule.effect == Effect::kAllow,
         .actions = absl::StrJoin(rule.actions, ",",
                                  [](std::string* out, Action action) { absl::StrAppend(out, ActionName(action)); }),
         .exporter = ExporterText(rule),
         .importer = rule.importer.has_value() ? rule.importer->ToString() : "",
         .conditions = ConditionsText(rule),
         .rule = rule.name,
         .origin = rule.origin});
  }
  std::stable_sort(lines.begin(), lines.end(),
                   [](const Reach& a, const Reach& b) { return std::tie(a.may, a.who) < std::tie(b.may, b.who); });
  return lines;
}

}  // namespace p2pd
