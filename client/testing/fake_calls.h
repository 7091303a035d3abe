// What a test wants to know of the calls that the fake p2pd got, and to do to the next one: one-shot failures,
// hooks before the reply, and p2pd's promise that a repeated request_id gets the first outcome.
#ifndef P2PD_CLIENT_TESTING_FAKE_CALLS_H_
#define P2PD_CLIENT_TESTING_FAKE_CALLS_H_

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "client/types.h"
#include "daemon/base/mutex.h"
#include "grpcpp/support/status.h"

namespace p2p::testing {

// A failure as p2pd sends it: a readable message, and `detail` in grpc-status-details-bin.
grpc::Status MakeFailure(grpc::StatusCode code, const v1::ErrorDetail& detail, const std::string& what);

class FakeCalls {
 public:
  struct Call {
    std::string method;      // "OpenDevice"
    std::string request_id;  // "" where it has none
    bool repeated = false;   // its outcome was that of an earlier call
  };

  // The next call of `method` fails with `status`, and does nothing.
  void FailNext(const std::string& method, grpc::Status status);
  // From now on every call of `method` does.
  void FailAlways(const std::string& method, grpc::Status status);
  // The next call of `method` fails with `status` once it is done, its grant included.
  void FailNextAfterwards(const std::string& method, grpc::Status status);
  // Once the next call of `method` is done, before its reply is sent.
  void BeforeNextReply(const std::string& method, std::function<void()> hook);
  std::vector<Call> Of(const std::string& method) const;

  // For the fake itself.
  std::optional<grpc::Status> TakeFailure(const std::string& method);
  std::optional<grpc::Status> TakeLateFailure(const std::string& method);
  std::function<void()> TakeHook(const std::string& method);
  void Log(Call call);
  // The serialized outcome of `session`'s earlier request, if there was one.
  std::optional<std::string> Outcome(const std::string& session, const std::string& request_id) const;
  void Remember(const std::string& session, const std::string& request_id, std::string outcome);

 private:
  mutable p2pd::Mutex mutex_;
  std::map<std::string, grpc::Status> failures_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, grpc::Status> lasting_failures_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, grpc::Status> late_failures_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::function<void()>> hooks_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::string> outcomes_ ABSL_GUARDED_BY(mutex_);
  std::vector<Call> calls_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace p2p::testing

#endif  // P2PD_CLIENT_TESTING_FAKE_CALLS_H_
