#include "policy/rule.h"

#include <algorithm>
#include <iterator>

namespace p2pd {
namespace {

std::optional<JudgedDevice> ViewOf(const std::optional<DeviceFacts>& facts) {
  return facts.has_value() ? std::optional<JudgedDevice>(*facts) : std::nullopt;
}

Truth DeviceMatches(const std::optional<DeviceMatch>& match, const std::optional<JudgedDevice>& device) {
  if (!match.has_value()) return Truth::kYes;
  return device.has_value() ? match->Matches(*device) : Truth::kUnknown;
}

Truth BarMatches(const std::vector<uint32_t>& bars, const std::optional<WindowFacts>& window) {
  if (bars.empty()) return Truth::kYes;
  if (!window.has_value()) return Truth::kUnknown;
  return AnyOf(bars,
               [&](uint32_t bar) { return TruthOf(window->bar >= 0 && bar == static_cast<uint32_t>(window->bar)); });
}

// No sum: offset and length of a request are whatever its asker said.
bool LiesWithin(const WindowFacts& window, const WindowRange& range) {
  if (window.offset < range.offset) return false;
  const uint64_t skipped = window.offset - range.offset;
  return skipped <= range.length && window.length <= range.length - skipped;
}

// An empty window overlaps what it lies in.
bool Overlaps(const WindowFacts& window, const WindowRange& range) {
  if (window.offset >= range.offset) return window.offset - range.offset < range.length;
  return range.offset - window.offset < window.length;
}

Truth WindowMatches(const Rule& rule, const std::optional<WindowFacts>& window) {
  if (rule.windows.empty()) return Truth::kYes;
  if (!window.has_value()) return Truth::kUnknown;
  const auto fits = rule.effect == Effect::kAllow ? LiesWithin : Overlaps;
  return AnyOf(rule.windows, [&](const WindowRange& range) { return TruthOf(fits(*window, range)); });
}

Truth AccessMatches(const Rule& rule, std::optional<AskedAccess> asked) {
  if (!rule.access.has_value()) return Truth::kYes;
  if (!asked.has_value()) return Truth::kUnknown;
  const int named = static_cast<int>(*rule.access);
  const int wanted = static_cast<int>(*asked);
  return TruthOf(rule.effect == Effect::kAllow ? (wanted & ~named) == 0 : (wanted & named) != 0);
}

Truth PathMatches(std::optional<PathRelation> farthest, const std::optional<PathFacts>& path) {
  if (!farthest.has_value()) return Truth::kYes;
  if (!path.has_value() || !path->relation.has_value()) return Truth::kUnknown;
  return TruthOf(*path->relation <= *farthest);
}

template <typename T>
Truth Equals(const std::optional<T>& wanted, const std::optional<T>& fact) {
  if (!wanted.has_value()) return Truth::kYes;
  return fact.has_value() ? TruthOf(*fact == *wanted) : Truth::kUnknown;
}

Truth ContextMatches(const std::vector<Glob>& contexts, const std::optional<std::string>& context) {
  if (contexts.empty()) return Truth::kYes;
  if (!context.has_value()) return Truth::kUnknown;
  return AnyOf(contexts, [&](const Glob& glob) { return TruthOf(glob.Matches(*context)); });
}

std::optional<bool> ControlOf(const PolicyRequest& request) {
  return request.window.has_value() ? std::optional<bool>(request.window->control) : std::nullopt;
}

std::optional<bool> AtsOf(const PolicyRequest& request) {
  return request.importer.has_value() ? request.importer->ats : std::nullopt;
}

}  // namespace

Action EffectiveAction(const PolicyRequest& request) {
  const bool control = request.window.has_value() && request.window->control;
  return request.action == Action::kExport && control ? Action::kExportControl : request.action;
}

RequestView::RequestView(const PolicyRequest& asked)
    : request(asked),
      action(EffectiveAction(asked)),
      exporter(ViewOf(asked.exporter)),
      importer(ViewOf(asked.importer)) {}

bool Has(const Rule& rule, Matcher matcher) {
  switch (matcher) {  // No default: the compiler finds a forgotten condition.
    case Matcher::kAction:
      return true;
    case Matcher::kSubject:
      return rule.subject.has_value();
    case Matcher::kExporter:
      return rule.exporter.has_value();
    case Matcher::kBar:
      return !rule.bars.empty();
    case Matcher::kWindow:
      return !rule.windows.empty();
    case Matcher::kKind:
      return rule.control.has_value();
    case Matcher::kImporter:
      return rule.importer.has_value();
    case Matcher::kAccess:
      return rule.access.has_value();
    case Matcher::kPath:
      return rule.path.has_value();
    case Matcher::kPathSupport:
      return rule.effect == Effect::kAllow && !rule.unsupported_path;
    case Matcher::kAts:
      return rule.ats.has_value();
    case Matcher::kOffered:
      return rule.offered.has_value();
    case Matcher::kContext:
      return !rule.contexts.empty();
  }
  return false;
}

Truth Holds(const Rule& rule, Matcher matcher, const RequestView& view) {
  const PolicyRequest& request = view.request;
  switch (matcher) {
    case Matcher::kAction:
      return TruthOf(std::find(rule.actions.begin(), rule.actions.end(), view.action) != rule.actions.end());
    case Matcher::kSubject:
      return rule.subject.has_value() ? rule.subject->Matches(request.subject) : Truth::kYes;
    case Matcher::kExporter:
      return DeviceMatches(rule.exporter, view.exporter);
    case Matcher::kBar:
      return BarMatches(rule.bars, request.window);
    case Matcher::kWindow:
      return WindowMatches(rule, request.window);
    case Matcher::kKind:
      return Equals(rule.control, ControlOf(request));
    case Matcher::kImporter:
      return DeviceMatches(rule.importer, view.importer);
    case Matcher::kAccess:
      return AccessMatches(rule, request.access);
    case Matcher::kPath:
      return PathMatches(rule.path, request.path);
    case Matcher::kPathSupport:
      return TruthOf(!Has(rule, matcher) || !request.path.has_value() || request.path->supported);
    case Matcher::kAts:
      return Equals(rule.ats, AtsOf(request));
    case Matcher::kOffered:
      return Equals(rule.offered, request.offered);
    case Matcher::kContext:
      return ContextMatches(rule.contexts, request.context);
  }
  return Truth::kNo;
}

bool Matches(const Rule& rule, const PolicyRequest& request) {
  const RequestView view(request);
  return std::all_of(kMatchers.begin(), kMatchers.end(),
                     [&](Matcher matcher) { return Counts(rule.effect, Holds(rule, matcher, view)); });
}

std::vector<Matcher> FailedMatchers(const Rule& rule, const PolicyRequest& request) {
  const RequestView view(request);
  std::vector<Matcher> failed;
  std::copy_if(kMatchers.begin(), kMatchers.end(), std::back_inserter(failed),
               [&](Matcher matcher) { return !Counts(rule.effect, Holds(rule, matcher, view)); });
  return failed;
}

}  // namespace p2pd
