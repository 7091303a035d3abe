// What a demonstration client says: one JSON object a line on stdout, for people and for the scenario.
#ifndef P2PD_DEPLOY_DEMO_REPORT_H_
#define P2PD_DEPLOY_DEMO_REPORT_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace demo {

// Report("copied").With("bytes", n).With("seconds", took).Say() prints {"event": "copied", "bytes": ...}.
class Report {
 public:
  explicit Report(absl::string_view event) { With("event", event); }

  Report& With(absl::string_view key, absl::string_view text);
  Report& With(absl::string_view key, const char* text) { return With(key, absl::string_view(text)); }
  Report& With(absl::string_view key, uint64_t number);
  Report& With(absl::string_view key, absl::Duration time);  // in seconds
  // Why something failed: its message, and the reason that p2pd gave.
  Report& With(const absl::Status& status);

  std::string Line() const { return "{" + fields_ + "}"; }
  void Say() const;

 private:
  Report& Add(absl::string_view key, absl::string_view json);

  std::string fields_;
};

}  // namespace demo

#endif  // P2PD_DEPLOY_DEMO_REPORT_H_
