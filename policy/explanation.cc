#include "policy/explanation.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "policy/words.h"

namespace p2pd {
namespace {

std::string ExplainActions(const Rule& rule) {
  std::vector<std::string> choices;
  for (Action action : rule.actions) choices.emplace_back(ActionName(action));
  return absl::StrCat("it is for ", OneOf(std::move(choices)));
}

std::string ExplainDevice(absl::string_view role, const DeviceMatch& match, bool present) {
  if (!present) return absl::StrCat("it wants an ", role, ", and the request has none");
  return absl::StrCat("its ", role, " is ", match.ToString());
}

std::string ExplainBars(const Rule& rule) {
  std::vector<std::string> choices;
  for (uint32_t bar : rule.bars) choices.push_back(absl::StrCat("BAR ", bar));
  return absl::StrCat("it is for windows of ", OneOf(std::move(choices)));
}

std::string ExplainWindows(const Rule& rule) {
  std::vector<std::string> choices;
  for (const WindowRange& range : rule.windows) {
    choices.push_back(absl::StrFormat("%d bytes at 0x%x", range.length, range.offset));
  }
  return absl::StrCat("it is for windows within ", OneOf(std::move(choices)));
}

absl::string_view Shared(PathRelation relation) {
  switch (relation) {
    case PathRelation::kSelf:
      return "one device";
    case PathRelation::kSwitch:
      return "devices below one switch";
    case PathRelation::kRootPort:
      return "devices below one root port";
    case PathRelation::kHostBridge:
      return "devices below one host bridge";
    case PathRelation::kNothing:
      return "any two devices";
  }
  return "";
}

// "it wants X, which is not known": a fact that is missing is another thing than a fact that does not fit.
std::string Wants(std::string what, bool known) {
  return absl::StrCat("it is for ", what, known ? "" : ", and of this request that is not known");
}

}  // namespace

std::string Describe(const PolicyRequest& request) {
  std::string text(ActionName(EffectiveAction(request)));
  if (request.window.has_value()) absl::StrAppend(&text, " BAR ", request.window->bar);
  if (request.exporter.has_value()) {
    absl::StrAppend(&text, request.window.has_value() ? " of " : " ", request.exporter->address.ToString());
  }
  if (request.importer.has_value()) absl::StrAppend(&text, " for ", request.importer->address.ToString());
  return text;
}

std::string ExplainFailure(const Rule& rule, Matcher failed, const PolicyRequest& request) {
  switch (failed) {
    case Matcher::kAction:
      return ExplainActions(rule);
    case Matcher::kSubject:
      return absl::StrCat("it is for ", rule.subject->ToString());
    case Matcher::kExporter:
      return ExplainDevice("exporter", *rule.exporter, request.exporter.has_value());
    case Matcher::kBar:
      return ExplainBars(rule);
    case Matcher::kWindow:
      return ExplainWindows(rule);
    case Matcher::kKind:
      return absl::StrCat("it is for windows of kind ", *rule.control ? "CONTROL" : "MEMORY");
    case Matcher::kImporter:
      return ExplainDevice("importer", *rule.importer, request.importer.has_value());
    case Matcher::kAccess:
      return Wants(absl::StrCat("access ", AccessName(*rule.access)), request.access.has_value());
    case Matcher::kPath:
      return Wants(std::string(Shared(*rule.path)), request.path.has_value() && request.path->relation.has_value());
    case Matcher::kPathSupport:
      return "the way between the two devices is not known to be good, and it does not say unsupported_path: true";
    case Matcher::kAts:
      return Wants(absl::StrCat("importers ", *rule.ats ? "with" : "without", " ATS"),
                   request.importer.has_value() && request.importer->ats.has_value());
    case Matcher::kOffered:
      return Wants(absl::StrCat("windows ", *rule.offered ? "within" : "outside", " an offer of the driver"),
                   request.offered.has_value());
    case Matcher::kContext:
      return Wants(absl::StrCat("context ", OneOf(rule.contexts)), request.context.has_value());
  }
  return "";
}

}  // namespace p2pd
