#include "client/p2pctl/step_lines.h"

#include "absl/strings/str_cat.h"
#include "client/p2pctl/text.h"

namespace p2p::ctl {
namespace {

std::string StepText(const v1::Operation::Step& step) {
  const std::string took = DurationText(step.took());
  if (step.error().empty()) return absl::StrCat(step.what(), ": ok, ", took);
  return absl::StrCat(step.what(), ": failed after ", took, ": ", step.error());
}

}  // namespace

std::vector<std::string> StepLines::Take(const v1::Operation& operation) {
  std::vector<std::string> lines;
  const auto [told, is_new] = told_.try_emplace(operation.name());
  if (is_new) lines.push_back(absl::StrCat(operation.name(), ": ", SubjectText(operation)));
  for (; told->second < operation.steps_size(); ++told->second) {
    lines.push_back(absl::StrCat(operation.name(), ": ", StepText(operation.steps(told->second))));
  }
  return lines;
}

}  // namespace p2p::ctl
