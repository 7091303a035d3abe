// A predecessor's work, brought to its end: what it had begun is done from its beginning, which changes nothing where
// it was done; what it had made and told nobody of is taken back; whoever has left meanwhile is gone.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"
#include "daemon/core/rejudging.h"
#include "daemon/core/rows.h"
#include "daemon/core/standing.h"

namespace p2pd {
namespace {

// Of a session whose client is gone.
class NobodyThere final : public SessionChannel {
 public:
  absl::Status Grant(const Granted&, const std::string&, UniqueFd) override {
    return absl::UnavailableError("the client left while p2pd was away");
  }
  void RequestQuiesce(const QuiesceNotice&) override {}
  void Resume(const ResumeNotice&) override {}
  void RevokeDevice(const PciAddress&, const std::string&) override {}
  void End(const std::string&) override {}
};

void AnswerCarriedOn(Core& core, const JournalOperation& row, const OperationView& view)
    ABSL_LOCKS_EXCLUDED(core.mutex) {
  JournalOutcome outcome = SummaryOfOperation(row, view);
  std::vector<RequestLog::Waiter> waiters;
  {
    CoreLock lock(core.mutex);
    WriteAnswer(core, *row.request, outcome, {});
    outcome.session = row.request->session;
    outcome.request_id = row.request->id;
    outcome.fingerprint = row.request->fingerprint;
    if (SessionEntry* session = core.tables.FindSession(outcome.session))
      waiters = session->requests.EndCarriedOn(outcome);
  }
  for (RequestLog::Waiter& waiter : waiters) waiter(outcome);
}

void CarryOnOperations(Core& core, CoreLock& lock) ABSL_EXCLUSIVE_LOCKS_REQUIRED(core.mutex) {
  // Whoever has stopped was about to be told to go on, and may have been; or, if it was cut off before, to have its
  // mappings back first.
  for (auto& [id, operation] : core.tables.operations) {
    if (operation.view.state == OperationState::kRunning) continue;
    for (const OperationParty& party : operation.view.parties) {
      if (party.answer != Answer::kAcked || core.RestoreLate(lock, operation, party.session) != 0) continue;
      for (const PciAddress& address : operation.order.devices) {
        const DeviceEntry* device = core.tables.FindDevice(address);
        // Else it is told when the device is READY.
        if (device != nullptr && device->resume != id) core.SendResumeTo(lock, party.session, operation, *device);
      }
    }
  }
  std::vector<OperationId> running;
  for (const auto& [id, operation] : core.tables.operations) {
    if (operation.view.state == OperationState::kRunning) running.push_back(id);
  }
  for (const OperationId id : running) {
    OperationEntry& operation = core.tables.operations.at(id);
    RevokeOrder& order = operation.order;
    for (const PciAddress& address : order.devices) {
      DeviceEntry& device = core.tables.devices.at(address);
      // Without the device there is nothing to put back.
      if (device.vfio == nullptr) order.restore = false;
      device.view.state = DeviceState::kQuiescing;
      device.view.state_reason = order.reason;
      core.Note(device);
    }
    if (order.request.has_value()) {
      order.done = [self = core.shared_from_this(), row = RowOf(operation)](absl::StatusOr<OperationView> view) {
        AnswerCarriedOn(*self, row, view.ok() ? *view : OperationView());
      };
    }
    core.Announce(operation, EventType::kCreated);
    core.AskToStop(lock, operation);
  }
  ForgetSettled(core);
}

void UndoUnanswered(Core& core, CoreLock& lock) ABSL_EXCLUSIVE_LOCKS_REQUIRED(core.mutex) {
  std::map<SessionId, RevokeOrder> orders;
  const auto order_for = [&](SessionId session) -> RevokeOrder& {
    RevokeOrder& order = orders[session];
    order.reason = "p2pd ended before anybody was told of it";
    order.exempt = session;
    order.deadline = absl::ZeroDuration();
    order.recorded = false;
    return order;
  };
  std::set<MappingId> mappings;
  const auto undo = [&](const MappingEntry& mapping) {
    if (mappings.insert(mapping.view.id).second) {
      order_for(mapping.view.session).mappings.push_back(mapping.view.id);
    }
  };
  for (auto& [id, entry] : core.tables.exports) {
    if (entry.answered || entry.closing) continue;
    order_for(entry.view.session).exports.push_back(id);
    for (const MappingId mapping : entry.mappings) undo(*core.tables.FindMapping(mapping));
  }
  for (auto& [id, space] : core.tables.spaces) {
    if (space.answered || space.closing) continue;
    order_for(space.view.session).spaces.push_back(id);
    for (const MappingId mapping : space.mappings) undo(*core.tables.FindMapping(mapping));
  }
  for (const auto& [id, mapping] : core.tables.mappings) {
    if (!mapping->answered && !mapping->operation.has_value()) undo(*mapping);
  }
  for (auto& [session, order] : orders) core.Revoke(lock, std::move(order));
}

void CarryOnDevices(Core& core, CoreLock& lock) ABSL_EXCLUSIVE_LOCKS_REQUIRED(core.mutex) {
  // Their fds went with the device that was closed under them.
  for (const auto& [address, driver] : core.cut_off) {
    const SessionEntry* session = core.tables.FindSession(driver);
    const auto taker = core.tables.operations.find(core.tables.devices.at(address).operation.value_or(OperationId()));
    const bool own = taker != core.tables.operations.end() && taker->second.order.request.has_value() &&
                     taker->second.order.request->session == driver;
    // Who has asked for it itself knows.
    if (session == nullptr || session->ended || own) continue;
    lock.After([channel = session->channel, address = address] {
      channel->RevokeDevice(address, "it was being taken away when p2pd ended");
    });
  }
  core.cut_off.clear();
  for (const auto& [address, device] : core.tables.devices) {
    if (device.view.state == DeviceState::kAwaitingDriver) core.WatchReady(device);
  }
}

bool IsEnding(Core& core, SessionId id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(core.mutex) {
  return std::any_of(core.tables.operations.begin(), core.tables.operations.end(),
                     [&](const auto& entry) { return entry.second.order.ending == id; });
}

// The policy may be another one than the predecessor's; what a rule limits is counted anew in any case.
void JudgeRecovered(Core& core, CoreLock& lock) ABSL_EXCLUSIVE_LOCKS_REQUIRED(core.mutex) {
  RevokeOrder order =
      Rejudging(core, *core.policy, "p2pd started anew with another policy").Commit(lock, OperationKind::kPolicy);
  if (!order.mappings.empty() || !order.exports.empty() || !order.devices.empty()) core.Revoke(lock, std::move(order));
}

}  // namespace

std::vector<Broker::RecoveredSession> Broker::TakeRecovered() {
  CoreLock lock(core_->mutex);
  return std::exchange(core_->recovered, {});
}

void Broker::Reattach(SessionId id, std::shared_ptr<SessionChannel> channel) {
  CoreLock lock(core_->mutex);
  core_->tables.sessions.at(id).channel = std::move(channel);
}

void Broker::CarryOn() {
  std::vector<SessionId> left;
  {
    CoreLock lock(core_->mutex);
    for (auto& [id, session] : core_->tables.sessions) {
      if (session.channel != nullptr) continue;
      session.channel = std::make_shared<NobodyThere>();
      left.push_back(id);
    }
    CarryOnOperations(*core_, lock);
    UndoUnanswered(*core_, lock);
    CarryOnDevices(*core_, lock);
  }
  for (const SessionId id : left) {
    CoreLock lock(core_->mutex);
    SessionEntry* session = core_->tables.FindSession(id);
    if (session == nullptr || IsEnding(*core_, id)) continue;
    session->ended = true;
    core_->tables.tokens.erase(session->token);
    core_->journal.Note(RowOf(*session));
    core_->EndSession(lock, *session, "its client left while p2pd was away");
  }
  CoreLock lock(core_->mutex);
  JudgeRecovered(*core_, lock);
}

}  // namespace p2pd
