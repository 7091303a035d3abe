#include "client/p2pctl/holder.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/p2pctl/pidfd.h"
#include "client/p2pctl/session_news.h"
#include "client/p2pctl/signals.h"
#include "daemon/base/errors.h"

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

void WaitForTheEnd(Signals& signals, SessionNews& news) {
  for (;;) {
    std::array<pollfd, 2> waits = {
        {{.fd = signals.fd().get(), .events = POLLIN}, {.fd = news.fd().get(), .events = POLLIN}}};
    poll(waits.data(), waits.size(), -1);
    if (signals.Take().has_value()) return;
    // A QuiesceRequest that goes out of scope is acknowledged.
    if (const auto entry = news.Take(); entry.has_value() && std::holds_alternative<absl::Status>(*entry)) return;
  }
}

absl::Status CheckReleasable(const v1::Session& session) {
  p2pd::ErrorInfo info = {.reason = p2pd::Reason::kNotOwner, .step = "release", .object = session.name()};
  if (session.uid() != geteuid()) {
    info.hint = "an administrator may: p2pctl revoke";
    return p2pd::MakeError(absl::StatusCode::kFailedPrecondition, info, "another user's session");
  }
  if (session.client() != kHolderClient || session.comm() != "p2pctl" || session.pid() <= 0) {
    info.hint = "only what p2pctl acquire printed can be released; p2pctl revoke ends any session";
    return p2pd::MakeError(absl::StatusCode::kFailedPrecondition, info,
                           absl::StrCat("not of p2pctl acquire, but of ", session.comm(), ", pid ", session.pid()));
  }
  return absl::OkStatus();
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

}  // namespace

absl::Status Hold(Context& context, const Holding& holding, Background& background) {
  P2PD_ASSIGN_OR_RETURN(Signals signals, Signals::Block({SIGTERM, SIGINT, SIGHUP}));
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
  P2PD_ASSIGN_OR_RETURN(const Acquired acquired, session->Acquire(holding.window, importers));
  PrintGrant(context, acquired);
  P2PD_RETURN_IF_ERROR(background.Detach());
  WaitForTheEnd(signals, *news);
  return absl::OkStatus();
}

absl::StatusOr<v1::Session> EndHolder(Session& session, const std::string& name, absl::Duration timeout) {
  P2PD_ASSIGN_OR_RETURN(const v1::Session holder, session.GetSession(name));
  P2PD_RETURN_IF_ERROR(CheckReleasable(holder));
  const p2pd::UniqueFd pidfd = OpenPidfd(holder.pid());
  if (!pidfd.valid() && errno == ESRCH) return holder;  // it has ended meanwhile
  if (!pidfd.valid()) return p2pd::ErrnoError("pidfd_open", absl::StrCat("pid ", holder.pid()), errno);
  // A session ends with its process: while it is there, the pid was not given to another.
  if (const auto still = session.GetSession(name); !still.ok()) {
    if (absl::IsNotFound(still.status())) return holder;
    return still.status();
  }
  if (!SendSignal(pidfd, SIGTERM) && errno != ESRCH) {
    return p2pd::ErrnoError("pidfd_send_signal", absl::StrCat("pid ", holder.pid()), errno);
  }
  P2PD_RETURN_IF_ERROR(WaitForExit(pidfd, name, timeout));
  return holder;
}

}  // namespace p2p::ctl
