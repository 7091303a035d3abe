#include "daemon/front/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "daemon/base/errors.h"
#include "daemon/front/peer_identity.h"
#include "daemon/service/log.h"

namespace p2pd {
namespace {

constexpr int kMaxAcceptsATurn = 16;
constexpr absl::Duration kPause = absl::Milliseconds(100);
constexpr absl::Duration kLogInterval = absl::Seconds(10);

UniqueFd OpenSpare() { return UniqueFd(open("/dev/null", O_RDONLY | O_CLOEXEC)); }

}  // namespace

absl::StatusOr<std::unique_ptr<Listener>> Listener::Start(EventLoop& loop, ConnectionTable& table, std::string name,
                                                          UniqueFd listening, Handler handler) {
  std::unique_ptr<Listener> listener(
      new Listener(loop, table, std::move(name), std::move(listening), std::move(handler)));
  P2PD_RETURN_IF_ERROR(listener->Listen());
  return listener;
}

Listener::Listener(EventLoop& loop, ConnectionTable& table, std::string name, UniqueFd listening, Handler handler)
    : loop_(loop),
      table_(table),
      name_(std::move(name)),
      listening_(std::move(listening)),
      handler_(std::move(handler)),
      spare_(OpenSpare()) {}

absl::Status Listener::Listen() {
  P2PD_ASSIGN_OR_RETURN(readable_, loop_.WatchFd(listening_, EPOLLIN, [this](uint32_t) { OnReadable(); }));
  return absl::OkStatus();
}

void Listener::OnReadable() {
  for (int i = 0; i < kMaxAcceptsATurn; ++i) {
    if (!AcceptOne()) return;
  }
}

bool Listener::AcceptOne() {
  UniqueFd connection(accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (connection.valid()) {
    Admit(std::move(connection));
    return true;
  }
  switch (errno) {
    case EAGAIN:
      return false;
    case EINTR:
    case ECONNABORTED:
      return true;
    case EMFILE:
    case ENFILE:
      TurnAwayWithSpare();
      return false;
    default:
      LogRefusal(ErrnoError("accept4", name_, errno));
      Pause();
      return false;
  }
}

void Listener::Admit(UniqueFd connection) {
  const auto uid = PeerUid(connection);
  auto lease = uid.ok() ? table_.Take(*uid) : absl::StatusOr<ConnectionTable::Lease>(uid.status());
  if (!lease.ok()) LogRefusal(lease.status());
  handler_(std::move(connection), std::move(lease));
}

void Listener::TurnAwayWithSpare() {
  LogRefusal(ErrnoError("accept4", name_, EMFILE, "raise LimitNOFILE= or lower the connection limits"));
  spare_.Reset();
  // Closed at once: without a descriptor to spare there is nothing better to do for it.
  UniqueFd(accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)).Reset();
  spare_ = OpenSpare();
  if (!spare_.valid()) Pause();
}

void Listener::Pause() {
  readable_.SetEvents(0);
  auto resume = loop_.After(kPause, [this] {
    if (!spare_.valid()) spare_ = OpenSpare();
    readable_.SetEvents(EPOLLIN);
  });
  if (resume.ok()) {
    resume_ = *std::move(resume);
  } else {
    readable_.SetEvents(EPOLLIN);
  }
}

void Listener::LogRefusal(const absl::Status& why) {
  const absl::Time now = absl::Now();
  if (now < next_log_) return;
  next_log_ = now + kLogInterval;
  Log(LogLevel::kWarning, absl::StrCat(name_, " socket: a connection was refused: ", std::string(why.message())));
}

}  // namespace p2pd
