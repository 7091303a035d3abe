#include "policy/rule.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace p2pd {
namespace {

constexpr std::array kMatchers = {Matcher::kAction, Matcher::kSubject, Matcher::kExporter, Matcher::kBar,
                                  Matcher::kImporter};

// How many alternatives an explanation lists before it only counts them.
constexpr size_t kListed = 4;

template <typename T>
bool Contains(const std::vector<T>& values, const T& value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

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

bool SubjectMatches(const std::optional<SubjectMatch>& match, const Subject& subject) {
  if (!match.has_value()) return true;
  if (Contains(match->users, subject.uid) || Contains(match->groups, subject.gid)) return true;
  return std::any_of(subject.groups.begin(), subject.groups.end(),
                     [&](uint32_t group) { return Contains(match->groups, group); });
}

bool DeviceMatches(const std::optional<DeviceMatch>& match, const std::optional<DeviceFacts>& device) {
  if (!match.has_value()) return true;
  if (!device.has_value()) return false;
  if (match->addresses.empty() && match->ids.empty()) return true;
  return Contains(match->addresses, device->address) ||
         std::any_of(match->ids.begin(), match->ids.end(),
                     [&](const DeviceIdPattern& id) { return id.Matches(*device); });
}

bool BarMatches(const std::vector<uint32_t>& bars, const std::optional<WindowFacts>& window) {
  if (bars.empty()) return true;
  return window.has_value() && window->bar >= 0 && Contains(bars, static_cast<uint32_t>(window->bar));
}

bool Holds(const Rule& rule, Matcher matcher, const PolicyRequest& request) {
  switch (matcher) {
    case Matcher::kAction:
      return Contains(rule.actions, EffectiveAction(request));
    case Matcher::kSubject:
      return SubjectMatches(rule.subject, request.subject);
    case Matcher::kExporter:
      return DeviceMatches(rule.exporter, request.exporter);
    case Matcher::kBar:
      return BarMatches(rule.bars, request.window);
    case Matcher::kImporter:
      return DeviceMatches(rule.importer, request.importer);
  }
  return false;
}

std::string OneOf(std::vector<std::string> choices) {
  if (choices.size() > kListed) {
    const size_t more = choices.size() - kListed;
    choices.resize(kListed);
    choices.push_back(absl::StrCat(more, " more"));
  }
  return absl::StrJoin(choices, " or ");
}

std::string ExplainAction(const Rule& rule) {
  std::vector<std::string> choices;
  for (Action action : rule.actions) choices.emplace_back(ActionName(action));
  return absl::StrCat("it is for ", OneOf(std::move(choices)));
}

std::string ExplainSubject(const Rule& rule) {
  std::vector<std::string> choices;
  for (uint32_t user : rule.subject->users) choices.push_back(absl::StrCat("uid ", user));
  for (uint32_t group : rule.subject->groups) choices.push_back(absl::StrCat("gid ", group));
  return absl::StrCat("it is for ", OneOf(std::move(choices)));
}

std::string ExplainDevice(absl::string_view role, const DeviceMatch& match, bool present) {
  if (!present) return absl::StrCat("it wants an ", role, ", and the request has none");
  std::vector<std::string> choices;
  for (const PciAddress& address : match.addresses) choices.push_back(address.ToString());
  for (const DeviceIdPattern& id : match.ids) choices.push_back(id.ToString());
  return absl::StrCat("its ", role, " is ", OneOf(std::move(choices)));
}

std::string ExplainBar(const Rule& rule) {
  std::vector<std::string> choices;
  for (uint32_t bar : rule.bars) choices.push_back(absl::StrCat("BAR ", bar));
  return absl::StrCat("it is for windows of ", OneOf(std::move(choices)));
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

Action EffectiveAction(const PolicyRequest& request) {
  const bool control = request.window.has_value() && request.window->control;
  return request.action == Action::kExport && control ? Action::kExportControl : request.action;
}

bool Matches(const Rule& rule, const PolicyRequest& request) {
  return std::all_of(kMatchers.begin(), kMatchers.end(),
                     [&](Matcher matcher) { return Holds(rule, matcher, request); });
}

std::vector<Matcher> FailedMatchers(const Rule& rule, const PolicyRequest& request) {
  std::vector<Matcher> failed;
  std::copy_if(kMatchers.begin(), kMatchers.end(), std::back_inserter(failed),
               [&](Matcher matcher) { return !Holds(rule, matcher, request); });
  return failed;
}

std::string ExplainFailure(const Rule& rule, Matcher failed, const PolicyRequest& request) {
  switch (failed) {
    case Matcher::kAction:
      return ExplainAction(rule);
    case Matcher::kSubject:
      return ExplainSubject(rule);
    case Matcher::kExporter:
      return ExplainDevice("exporter", *rule.exporter, request.exporter.has_value());
    case Matcher::kBar:
      return ExplainBar(rule);
    case Matcher::kImporter:
      return ExplainDevice("importer", *rule.importer, request.importer.has_value());
  }
  return "";
}

}  // namespace p2pd
