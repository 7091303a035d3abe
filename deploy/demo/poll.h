// How the demonstration's drivers wait for a device: they look again and again, for at most ten seconds.
#ifndef P2PD_DEPLOY_DEMO_POLL_H_
#define P2PD_DEPLOY_DEMO_POLL_H_

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace demo {

// Returns once `done` says so. Errors: DeadlineExceeded, with `what` was waited for.
absl::Status PollUntil(absl::string_view what, absl::FunctionRef<bool()> done);

}  // namespace demo

#endif  // P2PD_DEPLOY_DEMO_POLL_H_
