#include "client/p2pctl/holder.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/p2pctl/lifetime.h"
#include "client/p2pctl/pidfd.h"
#include "client/p2pctl/session_news.h"
#include "client/p2pctl/signals.h"
#include "daemon/base/errors.h"
#include "google/protobuf/util/time_util.h"

namespace p2p::ctl {
namespace {

void PrintGrant(Context& context, const Acquired& acquired) {
  if (!context.json()) {
    context.out() << acquired.window.info().session() << std::endl;
    return;
  }
  v1::AcquireResponse response;
  *response.mutable_export_() = acquired.window.info();
  for (const Mapping& mapping : acquired.mappings) *response.add_mappings() = mapping.info();
  context.PrintJson(response);
  context.out().flush();
}

// Renews on SIGUSR1. What is revoked, with its session, its device or its time to live, needs no holder.
void HoldOn(Signals& signals, SessionNews& news, Export& window, Lifetime& lifetime, absl::Duration time_to_live) {
  while (!lifetime.is_over()) {
    std::array<pollfd, 3> waits = {{{.fd = signals.fd().get(), .events = POLLIN},
                                    {.fd = news.fd().get(), .events = POLLIN},
                                    {.fd = lifetime.fd().get(), .events = POLLIN}}};
    poll(waits.data(), waits.size(), -1);
    if (const auto signal = signals.Take(); signal.has_value()) {
      if (signal->number != SIGUSR1 || !window.Renew(time_to_live).ok()) return;
      lifetime.BeginAnew();
    }
    // A QuiesceRequest that goes out of scope is acknowledged.
    const auto entry = news.Take();
    if (!entry.has_value()) continue;
    if (std::holds_alternative<absl::Status>(*entry) || std::holds_alternative<v1::DeviceRevoked>(*entry)) return;
  }
}

absl::Status CheckHolder(const v1::Session& session, const std::string& step) {
  p2pd::ErrorInfo info = {.reason = p2pd::Reason::kNotOwner, .step = step, .object = session.name()};
  if (session.uid() != geteuid()) {
    info.hint = "an administrator may end it: p2pctl revoke";
    return p2pd::MakeError(absl::StatusCode::kFailedPrecondition, info, "another user's session");
  }
  if (session.client() != kHolderClient || session.comm() != "p2pctl" || session.pid() <= 0) {
    info.hint = "only for what p2pctl acquire printed; p2pctl revoke ends any session";
    return p2pd::MakeError(absl::StatusCode::kFailedPrecondition, info,
                           absl::StrCat("not of p2pctl acquire, but of ", session.comm(), ", pid ", session.pid()));
  }
  return absl::OkStatus();
}

struct Holder {
  v1::Session session;
  p2pd::UniqueFd pidfd;  // invalid: it has ended meanwhile
};

absl::StatusOr<Holder> FindHolder(Session& session, const std::string& name, const std::string& step) {
  P2PD_ASSIGN_OR_RETURN(v1::Session found, session.GetSession(name));
  P2PD_RETURN_IF_ERROR(CheckHolder(found, step));
  Holder holder = {.session = std::move(found), .pidfd = p2pd::UniqueFd()};
  p2pd::UniqueFd pidfd = OpenPidfd(holder.session.pid());
  if (!pidfd.valid() && errno == ESRCH) return holder;
  if (!pidfd.valid()) return p2pd::ErrnoError("pidfd_open", absl::StrCat("pid ", holder.session.pid()), errno);
  // A session ends with its process: while it is there, the pid was not given to another.
  const absl::Status still = session.GetSession(name).status();
  if (!still.ok() && !absl::IsNotFound(still)) return still;
  if (still.ok()) holder.pidfd = std::move(pidfd);
  return holder;
}

absl::Status SendTo(const Holder& holder, int signal) {
  if (SendSignal(holder.pidfd, signal) || errno == ESRCH) return absl::OkStatus();
  return p2pd::ErrnoError("pidfd_send_signal", absl::StrCat("pid ", holder.session.pid()), errno);
}

absl::Status WaitForExit(p2pd::FdRef pidfd, const std::string& name, absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  for (;;) {
    pollfd wait = {.fd = pidfd.get(), .events = POLLIN};
    const int64_t left = absl::ToInt64Milliseconds(std::max(deadline - absl::Now(), absl::ZeroDuration()));
    const int ready = poll(&wait, 1, static_cast<int>(std::min<int64_t>(left, 1 << 30)));
    if (ready > 0) return absl::OkStatus();
    if (ready < 0 && errno != EINTR) return p2pd::ErrnoError("poll", name, errno);
    if (ready == 0) {
      return p2pd::MakeError(absl::StatusCode::kDeadlineExceeded,
                             {.step = "release", .object = name, .hint = "p2pctl operations tells what p2pd is at"},
                             "its process has not ended in time");
    }
  }
}

int64_t ExpireNs(const v1::Export& window) {
  return google::protobuf::util::TimeUtil::TimestampToNanoseconds(window.expire_time());
}

absl::Status NothingHeld(const std::string& name) {
  return p2pd::MakeError(
      absl::StatusCode::kNotFound,
      {.reason = p2pd::Reason::kNotFound, .step = "renew", .object = name, .hint = "acquire it anew"},
      "its time to live is over, or it was released");
}

// The window that a holder's session holds.
absl::StatusOr<v1::Export> WindowOf(Session& session, const std::string& name) {
  P2PD_ASSIGN_OR_RETURN(const std::vector<v1::Export> exports, session.ListExports());
  const auto window =
      std::find_if(exports.begin(), exports.end(), [&](const v1::Export& entry) { return entry.session() == name; });
  if (window == exports.end()) return NothingHeld(name);
  if (window->has_expire_time()) return *window;
  return p2pd::MakeError(absl::StatusCode::kFailedPrecondition,
                         {.step = "renew", .object = name, .hint = "p2pctl acquire --time-to-live gives it one"},
                         "it was acquired without a time to live: there is nothing to renew");
}

// Cancels a stream once a process has ended or the time is up, unless it goes before that.
class EndOfWait {
 public:
  EndOfWait(EventStream& events, p2pd::FdRef process, absl::Duration timeout)
      : goes_(eventfd(0, EFD_CLOEXEC)), thread_([this, &events, fd = process.get(), timeout] {
          std::array<pollfd, 2> waits = {{{.fd = goes_.get(), .events = POLLIN}, {.fd = fd, .events = POLLIN}}};
          const int64_t most = std::min<int64_t>(absl::ToInt64Milliseconds(timeout), 1 << 30);
          poll(waits.data(), waits.size(), static_cast<int>(most));
          process_ended_ = waits[1].revents != 0;
          events.Cancel();
        }) {}
  ~EndOfWait() {
    eventfd_write(goes_.get(), 1);
    thread_.join();
  }

  bool process_ended() const { return process_ended_; }

 private:
  const p2pd::UniqueFd goes_;
  std::atomic<bool> process_ended_ = false;
  std::thread thread_;
};

}  // namespace

absl::Status Hold(Context& context, const Holding& holding, Background& background) {
  P2PD_ASSIGN_OR_RETURN(Signals signals, Signals::Block({SIGTERM, SIGINT, SIGHUP, SIGUSR1}));
  P2PD_ASSIGN_OR_RETURN(const auto news, SessionNews::Create());
  P2PD_ASSIGN_OR_RETURN(const auto session, context.Connect(news->Into({.client_name = kHolderClient})));
  std::vector<Device> devices;
  std::vector<AddressSpace> spaces;
  for (const std::string& importer : holding.importers) {
    P2PD_ASSIGN_OR_RETURN(Device device, session->OpenDevice(importer));
    devices.push_back(std::move(device));
    P2PD_ASSIGN_OR_RETURN(AddressSpace space, session->CreateAddressSpace({importer}));
    spaces.push_back(std::move(space));
  }
  std::vector<Importer> importers;
  for (const AddressSpace& space : spaces) importers.push_back({.space = &space});
  P2PD_ASSIGN_OR_RETURN(Acquired acquired, session->Acquire(holding.window, importers));
  P2PD_ASSIGN_OR_RETURN(Lifetime lifetime, Lifetime::Begin(holding.window.time_to_live));
  PrintGrant(context, acquired);
  P2PD_RETURN_IF_ERROR(background.Detach());
  HoldOn(signals, *news, acquired.window, lifetime, holding.window.time_to_live);
  return absl::OkStatus();
}

absl::StatusOr<v1::Session> EndHolder(Session& session, const std::string& name, absl::Duration timeout) {
  P2PD_ASSIGN_OR_RETURN(const Holder holder, FindHolder(session, name, "release"));
  if (!holder.pidfd.valid()) return holder.session;
  P2PD_RETURN_IF_ERROR(SendTo(holder, SIGTERM));
  P2PD_RETURN_IF_ERROR(WaitForExit(holder.pidfd, name, timeout));
  return holder.session;
}

absl::StatusOr<v1::Export> RenewHolder(Session& session, const std::string& name, absl::Duration timeout) {
  P2PD_ASSIGN_OR_RETURN(const Holder holder, FindHolder(session, name, "renew"));
  if (!holder.pidfd.valid()) return NothingHeld(name);
  P2PD_ASSIGN_OR_RETURN(const v1::Export before, WindowOf(session, name));
  const auto events = session.Watch();
  P2PD_RETURN_IF_ERROR(SendTo(holder, SIGUSR1));
  EndOfWait end(*events, holder.pidfd, timeout);
  for (;;) {
    const absl::StatusOr<v1::Event> event = events->Next();
    if (!event.ok() && end.process_ended()) return NothingHeld(name);
    if (!event.ok() && !absl::IsCancelled(event.status())) return event.status();
    if (!event.ok()) {
      return p2pd::MakeError(absl::StatusCode::kDeadlineExceeded, {.step = "renew", .object = name},
                             "its process has not renewed it in time");
    }
    if (event->export_().name() != before.name()) continue;
    if (event->type() == v1::Event::DELETED) return NothingHeld(name);
    if (ExpireNs(event->export_()) != ExpireNs(before)) return event->export_();
  }
}

}  // namespace p2p::ctl
