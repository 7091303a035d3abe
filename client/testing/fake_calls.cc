#include "client/testing/fake_calls.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/p2pd/v1/rpc_status.pb.h"

namespace p2p::testing {

using ::p2pd::MutexLock;

grpc::Status MakeFailure(grpc::StatusCode code, const v1::ErrorDetail& detail, const std::string& what) {
  const std::string hint = detail.hint().empty() ? "" : absl::StrCat(" (", detail.hint(), ")");
  const std::string message = absl::StrCat(detail.step(), ": ", detail.object(), ": ", what, hint);
  v1::RpcStatus status;
  status.set_code(code);
  status.set_message(message);
  status.add_details()->PackFrom(detail);
  return grpc::Status(code, message, status.SerializeAsString());
}

void FakeCalls::FailNext(const std::string& method, grpc::Status status) {
  MutexLock lock(mutex_);
  failures_[method] = std::move(status);
}

void FakeCalls::FailAlways(const std::string& method, grpc::Status status) {
  MutexLock lock(mutex_);
  lasting_failures_[method] = std::move(status);
}

void FakeCalls::FailNextAfterwards(const std::string& method, grpc::Status status) {
  MutexLock lock(mutex_);
  late_failures_[method] = std::move(status);
}

void FakeCalls::BeforeNextReply(const std::string& method, std::function<void()> hook) {
  MutexLock lock(mutex_);
  hooks_[method] = std::move(hook);
}

std::vector<FakeCalls::Call> FakeCalls::Of(const std::string& method) const {
  MutexLock lock(mutex_);
  std::vector<Call> result;
  for (const Call& call : calls_) {
    if (call.method == method) result.push_back(call);
  }
  return result;
}

std::optional<grpc::Status> FakeCalls::TakeFailure(const std::string& method) {
  MutexLock lock(mutex_);
  auto failure = failures_.extract(method);
  if (!failure.empty()) return std::move(failure.mapped());
  const auto lasting = lasting_failures_.find(method);
  return lasting == lasting_failures_.end() ? std::nullopt : std::optional<grpc::Status>(lasting->second);
}

std::optional<grpc::Status> FakeCalls::TakeLateFailure(const std::string& method) {
  MutexLock lock(mutex_);
  auto failure = late_failures_.extract(method);
  if (failure.empty()) return std::nullopt;
  return std::move(failure.mapped());
}

std::function<void()> FakeCalls::TakeHook(const std::string& method) {
  MutexLock lock(mutex_);
  auto hook = hooks_.extract(method);
  return hook.empty() ? nullptr : std::move(hook.mapped());
}

void FakeCalls::Log(Call call) {
  MutexLock lock(mutex_);
  calls_.push_back(std::move(call));
}

std::optional<std::string> FakeCalls::Outcome(const std::string& session, const std::string& request_id) const {
  MutexLock lock(mutex_);
  const auto outcome = outcomes_.find(absl::StrCat(session, " ", request_id));
  if (outcome == outcomes_.end()) return std::nullopt;
  return outcome->second;
}

void FakeCalls::Remember(const std::string& session, const std::string& request_id, std::string outcome) {
  MutexLock lock(mutex_);
  outcomes_[absl::StrCat(session, " ", request_id)] = std::move(outcome);
}

}  // namespace p2p::testing
