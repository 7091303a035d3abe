#include "policy/testing/naive_policy.h"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <optional>

namespace p2pd {
namespace {

// A condition holds (true), does not (false), or cannot be told (nothing).
using Answer = std::optional<bool>;
using Answers = std::vector<Answer>;

bool Contains(const Answers& answers, Answer answer) {
  return std::find(answers.begin(), answers.end(), answer) != answers.end();
}

Answer AnyIsEnough(const Answers& answers) {
  if (Contains(answers, true)) return true;
  if (Contains(answers, std::nullopt)) return std::nullopt;
  return false;
}

Answer AllAreWanted(const Answers& answers) {
  if (Contains(answers, false)) return false;
  if (Contains(answers, std::nullopt)) return std::nullopt;
  return true;
}

bool Fits(const char* pattern, const char* text) {
  while (pattern[0] == '*' && pattern[1] == '*') ++pattern;
  if (*pattern == '*') return Fits(pattern + 1, text) || (*text != '\0' && Fits(pattern, text + 1));
  if (*pattern == '\0' || *text == '\0') return *pattern == *text;
  return (*pattern == '?' || *pattern == *text) && Fits(pattern + 1, text + 1);
}

std::string Lower(std::string text) {
  for (char& c : text) c = static_cast<char>(tolower(static_cast<unsigned char>(c)));
  return text;
}

// No pattern: no condition.
template <typename Texts>
Answer NameFits(const Texts& patterns, const std::optional<std::string>& name) {
  if (patterns.empty()) return true;
  if (!name.has_value()) return std::nullopt;
  Answers answers;
  for (const std::string& pattern : patterns) answers.push_back(Fits(pattern.c_str(), name->c_str()));
  return AnyIsEnough(answers);
}

std::optional<std::string> Known(const std::string& text) {
  return text.empty() ? std::nullopt : std::optional<std::string>(text);
}

uint32_t Number(const std::map<std::string, uint32_t>& names, const std::string& text) {
  const auto found = names.find(text);
  return found != names.end() ? found->second : static_cast<uint32_t>(strtoul(text.c_str(), nullptr, 10));
}

Answer SubjectFits(const v1::Subject& match, const Subject& subject, const FakeUserDatabase& users) {
  bool person = match.user().empty() && match.group().empty();
  for (const std::string& user : match.user()) person = person || Number(users.users, user) == subject.uid;
  for (const std::string& group : match.group()) {
    const uint32_t number = Number(users.groups, group);
    person = person || number == subject.gid;
    for (uint32_t supplementary : subject.groups) person = person || number == supplementary;
  }
  return AllAreWanted({person, NameFits(match.unit(), Known(subject.unit)),
                       NameFits(match.user_unit(), subject.user_unit), NameFits(match.label(), Known(subject.label))});
}

bool IdFits(const std::string& pattern, uint16_t id) {
  return pattern == "*" || strtoul(pattern.c_str(), nullptr, 16) == id;
}

std::string Hex(const char* format, uint32_t number) {
  char text[16];
  snprintf(text, sizeof(text), format, number);
  return text;
}

std::string AddressText(const PciAddress& at) {
  char text[32];
  snprintf(text, sizeof(text), "%04x:%02x:%02x.%x", at.domain, at.bus, at.device, at.function);
  return text;
}

bool AddressFits(const std::string& bdf, const PciAddress& at) {
  if (bdf.find_first_of("*?") != std::string::npos) return Fits(Lower(bdf).c_str(), AddressText(at).c_str());
  unsigned domain = 0, bus = 0, slot = 0, function = 0;
  sscanf(bdf.c_str(), "%x:%x:%x.%x", &domain, &bus, &slot, &function);
  return domain == at.domain && bus == at.bus && slot == at.device && function == at.function;
}

using Files = std::vector<v1::PolicyFile>;

Answer DeviceFits(const v1::DeviceMatch& match, const std::optional<DeviceFacts>& device, const Files& files) {
  if (!device.has_value()) return std::nullopt;
  Answers which;
  for (const std::string& bdf : match.bdf()) {
    which.push_back(AddressFits(bdf, device->address));
  }
  for (const std::string& ids : match.vendor_device()) {
    const size_t colon = ids.find(':');
    which.push_back(IdFits(ids.substr(0, colon), device->vendor) && IdFits(ids.substr(colon + 1), device->device));
  }
  for (const std::string& code : match.class_()) {
    const auto known = device->class_code;
    which.push_back(known.has_value() ? Answer(Fits(Lower(code).c_str(), Hex("%06x", *known).c_str())) : Answer());
  }
  for (const std::string& name : match.set()) {
    for (const v1::PolicyFile& file : files) {
      for (const v1::DeviceSet& set : file.device_set()) {
        if (set.name() != name) continue;
        for (const v1::DeviceMatch& one : set.device()) which.push_back(DeviceFits(one, device, files));
      }
    }
  }
  const bool any =
      match.bdf().empty() && match.vendor_device().empty() && match.class_().empty() && match.set().empty();
  Answers nodes;
  for (int32_t node : match.numa_node()) {
    nodes.push_back(device->numa_node.has_value() ? Answer(*device->numa_node == node) : Answer());
  }
  return AllAreWanted({any ? Answer(true) : AnyIsEnough(which), nodes.empty() ? Answer(true) : AnyIsEnough(nodes)});
}

// In numbers of 128 bits, which no sum of two of 64 leaves.
bool RangeFits(const v1::WindowRange& range, const WindowFacts& window, bool allow) {
  using Wide = unsigned __int128;
  const Wide first = range.offset();
  const Wide last = first + range.length() - 1;
  const Wide asked_first = window.offset;
  const Wide asked_last = asked_first + window.length - 1;
  if (allow) return asked_first >= first && asked_last <= last;
  return asked_first <= last && first <= asked_last;
}

Answer WindowFits(const v1::DeviceMatch& match, const std::optional<WindowFacts>& window, bool allow) {
  Answers all;
  if (!match.bar().empty()) {
    Answers bars;
    for (uint32_t bar : match.bar()) {
      bars.push_back(window.has_value() ? Answer(static_cast<int64_t>(bar) == window->bar) : Answer());
    }
    all.push_back(AnyIsEnough(bars));
  }
  if (!match.window().empty()) {
    Answers ranges;
    for (const v1::WindowRange& range : match.window()) {
      ranges.push_back(window.has_value() ? Answer(RangeFits(range, *window, allow)) : Answer());
    }
    all.push_back(AnyIsEnough(ranges));
  }
  if (match.kind() != v1::DeviceMatch::KIND_UNSPECIFIED) {
    const bool control = match.kind() == v1::DeviceMatch::CONTROL;
    all.push_back(window.has_value() ? Answer(window->control == control) : Answer());
  }
  return AllAreWanted(all);
}

Answer AccessFits(v1::Conditions::Access named, const std::optional<AskedAccess>& asked, bool allow) {
  if (named == v1::Conditions::ACCESS_UNSPECIFIED) return true;
  if (!asked.has_value()) return std::nullopt;
  const bool reads = *asked != AskedAccess::kWrite;
  const bool writes = *asked != AskedAccess::kRead;
  const bool names_read = named != v1::Conditions::WRITE;
  const bool names_write = named != v1::Conditions::READ;
  if (allow) return (!reads || names_read) && (!writes || names_write);
  return (reads && names_read) || (writes && names_write);
}

Answer PathFits(v1::Conditions::Path bound, const std::optional<PathFacts>& path) {
  if (bound == v1::Conditions::PATH_UNSPECIFIED || bound == v1::Conditions::ANY) return true;
  if (!path.has_value() || !path->relation.has_value()) return std::nullopt;
  switch (*path->relation) {
    case PathRelation::kSelf:
    case PathRelation::kSwitch:
      return true;
    case PathRelation::kRootPort:
      return bound != v1::Conditions::SAME_SWITCH;
    case PathRelation::kHostBridge:
      return bound == v1::Conditions::SAME_HOST_BRIDGE;
    case PathRelation::kNothing:
      return false;
  }
  return std::nullopt;
}

Answer Is(bool wanted, const std::optional<bool>& fact) {
  if (!fact.has_value()) return std::nullopt;
  return *fact == wanted;
}

Answer ConditionsFit(const v1::Conditions& when, const PolicyRequest& request, bool allow) {
  Answers all = {AccessFits(when.access(), request.access, allow), PathFits(when.path(), request.path),
                 NameFits(when.context(), request.context)};
  if (when.has_ats()) all.push_back(request.importer.has_value() ? Is(when.ats(), request.importer->ats) : Answer());
  if (when.has_offered()) all.push_back(Is(when.offered(), request.offered));
  return AllAreWanted(all);
}

bool RuleMatches(const v1::Rule& rule, const PolicyRequest& request, const Files& files,
                 const FakeUserDatabase& users) {
  const bool allow = rule.effect() == v1::Rule::ALLOW;
  const bool control = request.window.has_value() && request.window->control;
  const int asked = static_cast<int>(request.action);
  const int action = asked == v1::EXPORT && control ? v1::EXPORT_CONTROL : asked;
  Answers all = {std::find(rule.action().begin(), rule.action().end(), action) != rule.action().end()};
  if (rule.has_subject()) all.push_back(SubjectFits(rule.subject(), request.subject, users));
  if (rule.has_exporter()) {
    all.push_back(DeviceFits(rule.exporter(), request.exporter, files));
    all.push_back(WindowFits(rule.exporter(), request.window, allow));
  }
  if (rule.has_importer()) all.push_back(DeviceFits(rule.importer(), request.importer, files));
  all.push_back(ConditionsFit(rule.when(), request, allow));
  const bool refused_by_kernel = request.path.has_value() && !request.path->supported;
  if (allow && refused_by_kernel && !rule.unsupported_path()) all.push_back(false);
  return allow ? AllAreWanted(all) == Answer(true) : AllAreWanted(all) != Answer(false);
}

bool LimitsAre(const v1::Limits& said, const GrantLimits& limits) {
  Scrub scrub = Scrub::kZero;
  if (said.scrub() == v1::Limits::NONE) scrub = Scrub::kNone;
  if (said.scrub() == v1::Limits::RESET) scrub = Scrub::kReset;
  const auto is = [](bool has, uint64_t value, const std::optional<uint64_t>& limit) {
    return has ? limit == value : !limit.has_value();
  };
  const auto lasts = [](bool has, absl::Duration value, const std::optional<absl::Duration>& limit) {
    return has ? limit == value : !limit.has_value();
  };
  return limits.scrub == scrub && is(said.has_max_count(), said.max_count(), limits.max_count) &&
         is(said.has_max_bytes(), said.max_bytes(), limits.max_bytes) &&
         lasts(said.has_time_to_live_seconds(), absl::Seconds(said.time_to_live_seconds()), limits.time_to_live) &&
         lasts(said.has_quiesce_deadline_ms(), absl::Milliseconds(said.quiesce_deadline_ms()),
               limits.quiesce_deadline) &&
         limits.shared == said.shared() && limits.kill_holder == said.kill_holder();
}

}  // namespace

const v1::Rule* NaivePolicy::Decide(const PolicyRequest& request) const {
  for (v1::Rule::Effect effect : {v1::Rule::DENY, v1::Rule::ALLOW}) {
    for (const v1::PolicyFile& file : files_) {
      for (const v1::Rule& rule : file.rule()) {
        if (rule.effect() == effect && RuleMatches(rule, request, files_, users_)) return &rule;
      }
    }
  }
  return nullptr;
}

std::string NaivePolicy::Disagreement(const PolicyRequest& request, const Verdict& verdict) const {
  const v1::Rule* const decider = Decide(request);
  const bool allowed = decider != nullptr && decider->effect() == v1::Rule::ALLOW;
  if (verdict.allowed != allowed) return allowed ? "should be allowed" : "should be denied";
  if (verdict.rule != (decider == nullptr ? "" : decider->name())) {
    return "expected rule \"" + (decider == nullptr ? "" : decider->name()) + "\", not \"" + verdict.rule + "\"";
  }
  if (verdict.reason.empty()) return "has no reason";
  if (verdict.origin.empty() != (decider == nullptr)) return "names a place exactly where a rule decides";
  if (!LimitsAre(allowed ? decider->limits() : v1::Limits(), verdict.limits)) return "has other limits";
  return "";
}

}  // namespace p2pd
