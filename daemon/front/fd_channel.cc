#include "daemon/front/fd_channel.h"

#include <sys/socket.h>

#include <utility>
#include <variant>

#include "daemon/base/errors.h"
#include "daemon/front/fd_message.h"
#include "daemon/front/resource_name.h"

namespace p2pd {
namespace {

absl::Status CannotGrant(absl::StatusCode code, const std::string& object, absl::string_view what,
                         absl::string_view hint) {
  return MakeError(code,
                   {.reason = code == absl::StatusCode::kResourceExhausted ? Reason::kQuota : Reason::kSessionEnded,
                    .step = "send the fd",
                    .object = object,
                    .hint = std::string(hint)},
                   what);
}

constexpr size_t kMaxReason = 1024;

v1::ServerFrame QuiesceFrame(const QuiesceNotice& notice) {
  constexpr size_t kRoomForAName = 64;
  v1::ServerFrame frame;
  v1::QuiesceRequested& quiesce = *frame.mutable_quiesce_requested();
  quiesce.set_operation(NameOf(notice.operation));
  quiesce.set_device(NameOf(notice.device));
  quiesce.set_generation(notice.generation);
  if (notice.devices.size() > 1) {
    for (const PciAddress& device : notice.devices) quiesce.add_devices(NameOf(device));
  }
  quiesce.set_mapping_count(static_cast<uint32_t>(notice.mappings.size()));
  quiesce.set_deadline_monotonic_ns(static_cast<uint64_t>(absl::ToInt64Nanoseconds(notice.deadline)));
  size_t size = frame.ByteSizeLong();
  for (const MappingId mapping : notice.mappings) {
    size += NameOf(mapping).size() + 2;
    if (size + kRoomForAName > kMaxFrameSize) break;
    quiesce.add_mappings(NameOf(mapping));
  }
  return frame;
}

}  // namespace

FdChannel::FdChannel(UniqueFd socket, UnreadFds::Account unread, absl::AnyInvocable<void()> on_backlog)
    : socket_number_(socket.get()),
      on_backlog_(std::move(on_backlog)),
      socket_(std::move(socket)),
      unread_(std::move(unread)) {}

absl::Status FdChannel::Grant(const Granted& what, const std::string& request_id, UniqueFd fd) {
  const std::string name = std::visit([](const auto& object) { return NameOf(object); }, what);
  v1::ServerFrame frame;
  frame.mutable_grant()->set_kind(std::holds_alternative<PciAddress>(what) ? v1::Grant::DEVICE : v1::Grant::DMA_BUF);
  frame.mutable_grant()->set_name(name);
  frame.mutable_grant()->set_request_id(request_id);
  const std::string bytes = frame.SerializeAsString();

  MutexLock lock(mutex_);
  const auto gone = [&] {
    return CannotGrant(absl::StatusCode::kUnavailable, name, "the session's fd channel has hung up", "connect anew");
  };
  if (!socket_.valid() || hung_up_) return gone();
  if (!backlog_.empty()) {
    return CannotGrant(absl::StatusCode::kResourceExhausted, name, "the session leaves too much unread",
                       "read the fd channel while calls are in progress");
  }
  P2PD_RETURN_IF_ERROR(unread_.Reserve());
  const SendResult result = SendPacket(socket_, bytes, fd);
  unread_.Settle(result == SendResult::kSent);
  switch (result) {
    case SendResult::kSent:
      return absl::OkStatus();
    case SendResult::kFull:
      return CannotGrant(absl::StatusCode::kResourceExhausted, name, "the session's fd channel is full",
                         "read the fd channel while calls are in progress");
    case SendResult::kGone:
      break;
  }
  return gone();
}

void FdChannel::RequestQuiesce(const QuiesceNotice& notice) { Send(QuiesceFrame(notice)); }

void FdChannel::Resume(const ResumeNotice& notice) {
  v1::ServerFrame frame;
  v1::Resumed& resumed = *frame.mutable_resumed();
  resumed.set_operation(NameOf(notice.operation));
  resumed.set_device(NameOf(notice.device));
  resumed.set_generation(notice.generation);
  resumed.set_restored(notice.restored);
  resumed.set_lost(notice.lost);
  Send(frame);
}

void FdChannel::RevokeDevice(const PciAddress& device, const std::string& reason) {
  v1::ServerFrame frame;
  frame.mutable_device_revoked()->set_device(NameOf(device));
  frame.mutable_device_revoked()->set_reason(reason.substr(0, kMaxReason));
  Send(frame);
}

UniqueFd FdChannel::Lifeline() {
  MutexLock lock(mutex_);
  return socket_.valid() ? Duplicate(socket_).value_or(UniqueFd()) : UniqueFd();
}

void FdChannel::End(const std::string& reason) {
  v1::ServerFrame frame;
  frame.mutable_ended()->set_reason(reason.substr(0, kMaxReason));
  const std::string bytes = frame.SerializeAsString();
  MutexLock lock(mutex_);
  if (!socket_.valid() || hung_up_) return;
  if (backlog_.empty()) SendPacket(socket_, bytes);
  HangUpLocked();
}

void FdChannel::Send(const v1::ServerFrame& frame) {
  std::string bytes = frame.SerializeAsString();
  bool backlog = false;
  {
    MutexLock lock(mutex_);
    if (!socket_.valid() || hung_up_) return;
    backlog = SendLocked(std::move(bytes));
  }
  if (backlog) on_backlog_();
}

bool FdChannel::SendLocked(std::string bytes) {
  if (backlog_.empty()) {
    switch (SendPacket(socket_, bytes)) {
      case SendResult::kSent:
        return false;
      case SendResult::kGone:
        HangUpLocked();
        return false;
      case SendResult::kFull:
        break;
    }
  }
  if (backlog_.size() >= kMaxBacklog) {
    HangUpLocked();
    return false;
  }
  backlog_.push_back(std::move(bytes));
  return backlog_.size() == 1;
}

bool FdChannel::Flush() {
  MutexLock lock(mutex_);
  if (!socket_.valid() || hung_up_) return false;
  while (!backlog_.empty()) {
    const SendResult result = SendPacket(socket_, backlog_.front());
    if (result == SendResult::kFull) return true;
    if (result == SendResult::kGone) {
      HangUpLocked();
      return false;
    }
    backlog_.pop_front();
  }
  return false;
}

UniqueFd FdChannel::TakeSocket() {
  MutexLock lock(mutex_);
  backlog_.clear();
  unread_.Close();
  return std::move(socket_);
}

// What was sent stays readable for the client. The reader sees the hang-up, and ends the session.
void FdChannel::HangUpLocked() {
  hung_up_ = true;
  backlog_.clear();
  shutdown(socket_.get(), SHUT_RDWR);
}

}  // namespace p2pd
