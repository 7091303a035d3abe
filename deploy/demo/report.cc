#include "deploy/demo/report.h"

#include <cstdio>

#include "absl/strings/str_cat.h"
#include "client/error.h"

namespace demo {
namespace {

std::string Quote(absl::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += {'\\', c};
    } else if (static_cast<unsigned char>(c) < 0x20) {
      absl::StrAppend(&quoted, "\\u", absl::Hex(static_cast<unsigned char>(c), absl::kZeroPad4));
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

}  // namespace

Report& Report::With(absl::string_view key, absl::string_view text) { return Add(key, Quote(text)); }
Report& Report::With(absl::string_view key, uint64_t number) { return Add(key, absl::StrCat(number)); }
Report& Report::With(absl::string_view key, absl::Duration time) {
  return Add(key, absl::StrCat(absl::ToDoubleSeconds(time)));
}

Report& Report::With(const absl::Status& status) {
  const p2p::v1::ErrorDetail detail = p2p::GetErrorDetail(status);
  return With("code", absl::StatusCodeToString(status.code()))
      .With("reason", p2p::v1::ErrorDetail::Reason_Name(detail.reason()))
      .With("message", absl::string_view(status.message()));
}

Report& Report::Add(absl::string_view key, absl::string_view json) {
  absl::StrAppend(&fields_, fields_.empty() ? "" : ", ", Quote(key), ": ", json);
  return *this;
}

void Report::Say() const {
  puts(Line().c_str());
  fflush(stdout);
}

}  // namespace demo
