// Asking the policy: the facts of a request are gathered under core's lock, judged there, and what was judged is what
// is then done. What a grant rests on is kept with it, for its receipt and for the next policy.
#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"
#include "daemon/core/core.h"
#include "daemon/core/request_facts.h"
#include "daemon/device/path_verdict.h"

namespace p2pd {
namespace {

static_assert(static_cast<int>(Access::kRead) == static_cast<int>(AskedAccess::kRead));
static_assert(static_cast<int>(Access::kWrite) == static_cast<int>(AskedAccess::kWrite));
static_assert(static_cast<int>(Access::kReadWrite) == static_cast<int>(AskedAccess::kReadWrite));

}  // namespace

PolicyRequest Core::RequestOf(const Subject& subject, std::optional<SessionId> session, const Asked& asked) const {
  PolicyRequest request = {.subject = subject, .action = asked.action, .window = asked.window};
  if (asked.exporter != nullptr) request.exporter = FactsOf(asked.exporter->view, *topology);
  if (asked.importer != nullptr) request.importer = FactsOf(asked.importer->view, *topology);
  const DeviceEntry* const placed = asked.importer != nullptr ? asked.importer : asked.exporter;
  if (placed != nullptr) request.context = placed->view.context;
  if (asked.access.has_value()) request.access = static_cast<AskedAccess>(*asked.access);
  if (asked.window.has_value() && asked.exporter != nullptr) {
    const Window window = {.device = asked.exporter->view.address,
                           .bar = asked.window->bar,
                           .range = {asked.window->offset, asked.window->length}};
    request.offered = IsOffered(subject, session, window, asked.access);
  }
  if (asked.action == Action::kMap && asked.exporter != nullptr && asked.importer != nullptr) {
    request.path = FactsOf(JudgePath(*topology, asked.exporter->view.address, asked.importer->view.address));
  }
  return request;
}

Verdict Core::Judge(const SessionEntry& session, const Asked& asked) const {
  return policy->Judge(RequestOf(session.view.peer.subject, session.view.id, asked));
}

absl::StatusOr<Verdict> Core::Permit(const SessionEntry& session, const std::string& object, const Asked& asked) const {
  Verdict verdict = Judge(session, asked);
  if (verdict.allowed) return verdict;
  std::string target = object;
  if (asked.importer != nullptr) absl::StrAppend(&target, " for ", DeviceName(asked.importer->view.address));
  return Refuse({.session = session.view, .action = asked.action, .object = target, .verdict = std::move(verdict)});
}

absl::Status Core::Refuse(const Denial& denial) const {
  if (options.on_denied != nullptr) options.on_denied(denial);
  return MakeError(absl::StatusCode::kPermissionDenied,
                   {.reason = Reason::kPolicy,
                    .step = std::string(ActionName(denial.action)),
                    .object = denial.object,
                    .hint = "the administrator's policy decides"},
                   absl::StrCat("denied to uid ", denial.session.peer.subject.uid, ": ", denial.verdict.reason));
}

absl::Status Broker::CheckAdmin(const PeerIdentity& peer, const std::string& step) const {
  CoreLock lock(core_->mutex);
  Verdict verdict = core_->policy->Judge({.subject = peer.subject, .action = Action::kAdmin});
  if (verdict.allowed) return absl::OkStatus();
  return core_->Refuse(
      {.session = {.peer = peer}, .action = Action::kAdmin, .object = step, .verdict = std::move(verdict)});
}

bool Core::MayObserve(SessionId viewer) {
  const SessionEntry* session = tables.FindSession(viewer);
  return session != nullptr && Judge(*session, {.action = Action::kObserve}).allowed;
}

// ---- What each grant asks for ----------------------------------------------------------------------------

std::vector<Asked> Core::AskedFor(const ExportView& view) const {
  const DeviceEntry& device = tables.devices.at(view.window.device);
  const WindowFacts window = FactsOf(view.window, view.control);
  std::vector<Asked> asked = {
      {.action = view.control ? Action::kExportControl : Action::kExport, .exporter = &device, .window = window}};
  if (view.grade == Grade::kRaw) {
    asked.push_back({.action = Action::kReceiveFd, .exporter = &device, .window = window});
  }
  return asked;
}

std::vector<Asked> Core::AskedFor(const ExportView* source, const AddressSpaceView& space, Access access) const {
  std::vector<Asked> asked;
  for (const PciAddress& importer : space.devices) {
    Asked one = {.action = Action::kMapMemory, .importer = &tables.devices.at(importer), .access = access};
    if (source != nullptr) {
      one.action = Action::kMap;
      one.exporter = &tables.devices.at(source->window.device);
      one.window = FactsOf(source->window, source->control);
    }
    asked.push_back(one);
  }
  return asked;
}

absl::StatusOr<std::vector<Verdict>> Core::PermitAll(const SessionEntry& session, const std::string& object,
                                                     const std::vector<Asked>& asked) const {
  std::vector<Verdict> verdicts;
  for (const Asked& one : asked) {
    P2PD_ASSIGN_OR_RETURN(verdicts.emplace_back(), Permit(session, object, one));
  }
  return verdicts;
}

absl::StatusOr<Grounds> Core::RestOn(const SessionEntry& session, uint64_t bytes,
                                     const std::vector<Verdict>& verdicts) {
  return Rest(ledger, session.view.peer.subject.uid, bytes, verdicts);
}

}  // namespace p2pd
