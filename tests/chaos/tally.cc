#include "tests/chaos/tally.h"

#include "absl/strings/str_cat.h"
#include "client/error.h"
#include "deploy/demo/report.h"

namespace p2pd::chaos {

using p2p::v1::ErrorDetail;

std::string Tally::Outcome(const absl::Status& status) {
  if (status.ok()) return "ok";
  if (p2p::IsDisconnected(status)) return "disconnected";
  const ErrorDetail detail = p2p::GetErrorDetail(status);
  if (detail.reason() == ErrorDetail::REASON_UNSPECIFIED) return absl::StatusCodeToString(status.code());
  if (detail.errno_name().empty()) return ErrorDetail::Reason_Name(detail.reason());
  return absl::StrCat(ErrorDetail::Reason_Name(detail.reason()), " ", detail.step(), " ", detail.errno_name());
}

bool Tally::IsExplained(const absl::Status& status) {
  if (status.ok() || p2p::IsDisconnected(status)) return true;
  const ErrorDetail::Reason reason = p2p::GetErrorDetail(status).reason();
  return reason != ErrorDetail::REASON_UNSPECIFIED && reason != ErrorDetail::POLICY;
}

bool Tally::Count(absl::string_view what, const absl::Status& status) {
  Count(absl::StrCat(what, ": ", Outcome(status)));
  if (!IsExplained(status)) SayViolation(absl::StrCat(what, " failed, and nothing explains it: ", status.ToString()));
  return status.ok();
}

void Tally::Say() {
  if (counts_.empty()) return;
  demo::Report report("did");
  for (const auto& [what, count] : counts_) report.With(what, count);
  report.Say();
  counts_.clear();
}

void SayViolation(absl::string_view what) { demo::Report("violation").With("what", what).Say(); }

}  // namespace p2pd::chaos
