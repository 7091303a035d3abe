#include "deploy/demo/poll.h"

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace demo {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(10);
constexpr absl::Duration kBetweenLooks = absl::Microseconds(20);

}  // namespace

absl::Status PollUntil(absl::string_view what, absl::FunctionRef<bool()> done) {
  const absl::Time deadline = absl::Now() + kPatience;
  while (!done()) {
    if (absl::Now() > deadline) return absl::DeadlineExceededError(absl::StrCat(what, ": nothing for 10 s"));
    absl::SleepFor(kBetweenLooks);
  }
  return absl::OkStatus();
}

}  // namespace demo
