// Another policy for what is granted already. All or nothing: a policy that cannot be read changes nothing; one that
// can takes the old one's place under core's lock, and what it does not allow is revoked by the one path, in one
// operation.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"
#include "daemon/core/core.h"
#include "daemon/core/once.h"
#include "daemon/core/rejudging.h"
#include "daemon/core/request_facts.h"

namespace p2pd {
namespace {

bool IsControl(const DeviceEntry& device, int bar) {
  const auto& bars = device.view.bars;
  return std::any_of(bars.begin(), bars.end(), [bar](const BarView& b) { return b.index == bar && b.control; });
}

// Root may, whatever the policy says: else one that lets nobody administer could not be replaced by its own means. It
// gains nothing by that, as it can send SIGHUP.
bool IsRoot(const PeerIdentity& peer) { return peer.subject.uid == 0; }

}  // namespace

absl::StatusOr<std::shared_ptr<const Policy>> NoPolicyToRead() {
  return absl::FailedPreconditionError("this p2pd was given its policy, and does not know where to read another");
}

void Broker::ReloadPolicy(SessionId session, const std::string& request_id, bool dry_run, Done<ReloadView> done) {
  const auto body = [&](CoreLock& lock, SessionEntry& asking, Done<ReloadView>& finish) -> absl::Status {
    core_->mutex.AssertHeld();
    if (!IsRoot(asking.view.peer)) {
      P2PD_RETURN_IF_ERROR(core_->Permit(asking, "the policy", {.action = Action::kAdmin}).status());
    }
    lock.After(
        [core = core_, dry_run, finish = std::move(finish)]() mutable { core->Reload(dry_run, std::move(finish)); });
    return absl::OkStatus();
  };
  core_->Once<ReloadView>(session, request_id, absl::StrCat("ReloadPolicy ", dry_run), std::move(done), body);
}

absl::Status Broker::CheckAdminOrRoot(const PeerIdentity& peer, const std::string& step) const {
  return IsRoot(peer) ? absl::OkStatus() : CheckAdmin(peer, step);
}

void Broker::Reload(Done<ReloadView> done) { core_->Reload(/*dry_run=*/false, std::move(done)); }

absl::StatusOr<ExplanationView> Broker::ExplainPolicy(SessionId viewer, const ExplainArgs& args) const {
  CoreLock lock(core_->mutex);
  const SessionEntry* session = core_->tables.FindSession(viewer);
  if (session == nullptr) return SessionEnded();
  if (args.subject.has_value() || args.session.value_or(viewer) != viewer) {
    P2PD_RETURN_IF_ERROR(core_->Permit(*session, "another's rights", {.action = Action::kAdmin}).status());
  }
  const SessionEntry* asker = core_->tables.FindSession(args.session.value_or(viewer));
  if (asker == nullptr) {
    return MakeError(absl::StatusCode::kNotFound,
                     {.reason = Reason::kNotFound,
                      .step = "ExplainPolicy",
                      .object = absl::StrCat("sessions/", args.session->value())},
                     "no such session");
  }
  Asked asked = {.action = args.action, .access = args.access};
  if (args.exporter.has_value()) {
    P2PD_ASSIGN_OR_RETURN(asked.exporter, core_->RequireDevice(*args.exporter));
  }
  if (args.importer.has_value()) {
    P2PD_ASSIGN_OR_RETURN(asked.importer, core_->RequireDevice(*args.importer));
  }
  if (args.window.has_value() && asked.exporter != nullptr) {
    asked.window = FactsOf(*args.window, IsControl(*asked.exporter, args.window->bar));
  }
  PolicyRequest request =
      core_->RequestOf(args.subject.value_or(asker->view.peer.subject),
                       args.subject.has_value() ? std::nullopt : std::optional<SessionId>(asker->view.id), asked);
  Verdict verdict = core_->policy->Judge(request);
  return ExplanationView{
      .verdict = std::move(verdict), .request = std::move(request), .policy_generation = core_->policy_generation};
}

// One after the other: what is in force in the end is what was read last.
void Core::Reload(bool dry_run, Done<ReloadView> done) {
  reloads->Post([self = shared_from_this(), dry_run, done = std::move(done)]() mutable {
    absl::StatusOr<std::shared_ptr<const Policy>> read = self->options.read_policy();
    if (!read.ok()) return done(WithHint(read.status(), "the policy that was in force still is"));
    CoreLock lock(self->mutex);
    self->Install(lock, *std::move(read), dry_run, std::move(done));
  });
  scheduler.Run([strand = reloads] { strand->RunPosted(); });
}

void Core::Install(CoreLock& lock, std::shared_ptr<const Policy> other, bool dry_run, Done<ReloadView> done) {
  Rejudging rejudging(*this, *other, "the policy was reloaded");
  ReloadView view = {.dry_run = dry_run,
                     .generation = policy_generation,
                     .rules = other->rule_count(),
                     .fallen = rejudging.Fallen(),
                     .fallen_count = rejudging.fallen_count()};
  if (dry_run) {
    lock.After([done = std::move(done), view = std::move(view)]() mutable { done(std::move(view)); });
    return;
  }
  policy = std::move(other);
  view.generation = ++policy_generation;
  for (Tables::WatchEntry& watcher : tables.watchers) {
    if (watcher.viewer != SessionId()) watcher.observer = MayObserve(watcher.viewer);
  }
  RevokeOrder order = rejudging.Commit(lock, OperationKind::kPolicy);
  if (order.mappings.empty() && order.exports.empty() && order.devices.empty()) {
    lock.After([done = std::move(done), view = std::move(view)]() mutable { done(std::move(view)); });
    return;
  }
  order.done = [done = std::move(done), view = std::move(view)](absl::StatusOr<OperationView> operation) mutable {
    if (!operation.ok()) return done(operation.status());
    view.operation = operation->id;
    done(std::move(view));
  };
  Revoke(lock, std::move(order));
}

}  // namespace p2pd
