#include "policy/reach.h"

#include <algorithm>
#include <array>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/p2pd/v1/policy.pb.h"

namespace p2pd {
namespace {

bool HasExporter(Action action) { return action != Action::kMapMemory; }
bool HasImporter(Action action) { return action == Action::kMap || action == Action::kMapMemory; }
bool HasWindow(Action action) {
  constexpr std::array kActions = {Action::kExport, Action::kExportControl, Action::kReceiveFd, Action::kMap};
  return std::find(kActions.begin(), kActions.end(), action) != kActions.end();
}
bool HasPath(Action action) { return action == Action::kMap; }
bool HasContext(Action action) { return action != Action::kObserve && action != Action::kAdmin; }

// Of a list that may be empty: then the place is not used.
template <typename T>
int CountOf(const std::vector<T>& values) {
  return std::max(1, static_cast<int>(values.size()));
}

// One condition of a rule: where it stands, which actions it goes with, and what is said of the others.
struct Need {
  bool used;
  bool (*has)(Action);
  TextPlace place;
  const char* lacks;  // follows the action's name
};

}  // namespace

void CheckReach(Reading& reading, const Rule& rule, const FieldPlaces& places) {
  const FieldPlaces exporter = places.In(v1::Rule::kExporterFieldNumber);
  const FieldPlaces when = places.In(v1::Rule::kWhenFieldNumber);
  constexpr char kNoWindow[] =
      " is about a whole device: expected bar, window and kind only with EXPORT, EXPORT_CONTROL, RECEIVE_FD and MAP";
  const Need needs[] = {
      {rule.importer.has_value(), HasImporter, places.Of(v1::Rule::kImporterFieldNumber),
       " has no importer: expected importer only with MAP and MAP_MEMORY"},
      {rule.exporter.has_value(), HasExporter, places.Of(v1::Rule::kExporterFieldNumber),
       " has no exporter: expected importer"},
      {!rule.bars.empty(), HasWindow, exporter.Of(v1::DeviceMatch::kBarFieldNumber, 0, CountOf(rule.bars)), kNoWindow},
      {!rule.windows.empty(), HasWindow, exporter.Of(v1::DeviceMatch::kWindowFieldNumber, 0, CountOf(rule.windows)),
       kNoWindow},
      {rule.control.has_value(), HasWindow, exporter.Of(v1::DeviceMatch::kKindFieldNumber), kNoWindow},
      {rule.access.has_value(), HasImporter, when.Of(v1::Conditions::kAccessFieldNumber),
       " gives nobody access: expected access only with MAP and MAP_MEMORY"},
      {rule.path.has_value(), HasPath, when.Of(v1::Conditions::kPathFieldNumber),
       " has no path from device to device: expected path only with MAP"},
      {rule.unsupported_path, HasPath, places.Of(v1::Rule::kUnsupportedPathFieldNumber),
       " has no path from device to device: expected unsupported_path only with MAP"},
      {rule.ats.has_value(), HasImporter, when.Of(v1::Conditions::kAtsFieldNumber),
       " has no importer: expected ats only with MAP and MAP_MEMORY"},
      {rule.offered.has_value(), HasWindow, when.Of(v1::Conditions::kOfferedFieldNumber),
       " is about no window: expected offered only with EXPORT, EXPORT_CONTROL, RECEIVE_FD and MAP"},
      {!rule.contexts.empty(), HasContext, when.Of(v1::Conditions::kContextFieldNumber, 0, CountOf(rule.contexts)),
       " is about no context: expected context with other actions"},
      {rule.control == true, [](Action action) { return action != Action::kExport; },
       exporter.Of(v1::DeviceMatch::kKindFieldNumber),
       " is about windows of memory: expected EXPORT_CONTROL with kind: CONTROL"},
      {rule.control == false, [](Action action) { return action != Action::kExportControl; },
       exporter.Of(v1::DeviceMatch::kKindFieldNumber),
       " is about windows of registers: expected EXPORT with kind: MEMORY"},
  };
  for (Action action : rule.actions) {
    for (const Need& need : needs) {
      if (!need.used || need.has(action)) continue;
      reading.Problem(need.place, absl::StrCat(ActionName(action), need.lacks, "; write a rule of its own for ",
                                               ActionName(action)));
    }
  }
}

}  // namespace p2pd
