#include "client/quiesce.h"

#include <utility>

namespace p2p {

QuiesceRequest::QuiesceRequest(v1::QuiesceRequested request, std::function<absl::Status()> send_ack)
    : request_(std::move(request)), send_ack_(std::move(send_ack)) {}

QuiesceRequest::QuiesceRequest(QuiesceRequest&& other) noexcept
    : request_(std::move(other.request_)), send_ack_(std::exchange(other.send_ack_, nullptr)) {}

QuiesceRequest& QuiesceRequest::operator=(QuiesceRequest&& other) noexcept {
  if (this == &other) return *this;
  Ack().IgnoreError();
  request_ = std::move(other.request_);
  send_ack_ = std::exchange(other.send_ack_, nullptr);
  return *this;
}

QuiesceRequest::~QuiesceRequest() { Ack().IgnoreError(); }

std::vector<std::string> QuiesceRequest::devices() const {
  std::vector<std::string> all = {request_.device()};
  for (const std::string& device : request_.devices()) {
    if (device != request_.device()) all.push_back(device);
  }
  return all;
}

std::chrono::steady_clock::time_point QuiesceRequest::deadline() const {
  // libstdc++'s steady_clock is CLOCK_MONOTONIC.
  return std::chrono::steady_clock::time_point(std::chrono::nanoseconds(request_.deadline_monotonic_ns()));
}

absl::Status QuiesceRequest::Ack() {
  const auto send_ack = std::exchange(send_ack_, nullptr);
  return send_ack ? send_ack() : absl::OkStatus();
}

}  // namespace p2p
