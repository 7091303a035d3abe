#include "daemon/bus/bus_calls.h"

#include <errno.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"
#include "daemon/bus/bus_caller.h"
#include "daemon/bus/bus_error.h"
#include "daemon/bus/bus_properties.h"
#include "daemon/bus/polkit.h"
#include "daemon/front/from_proto.h"
#include "daemon/front/resource_name.h"
#include "daemon/service/log.h"
#include "daemon/service/message_ids.h"

namespace p2pd {
namespace {

constexpr char kDaemon[] = "org.freedesktop.DBus";
// As in deploy/org.p2pd.Broker1.policy.
constexpr char kResetAction[] = "org.p2pd.Broker1.reset-device";
constexpr char kRevokeAction[] = "org.p2pd.Broker1.revoke";
constexpr char kReloadAction[] = "org.p2pd.Broker1.reload-policy";
constexpr char kLogLevelAction[] = "org.p2pd.Broker1.set-log-level";

// Of a session that is there for one call: it is given nothing, and is not asked to give anything back.
class NoChannel final : public SessionChannel {
 public:
  absl::Status Grant(const Granted&, const std::string&, UniqueFd) override {
    return absl::UnavailableError("a D-Bus call can be granted nothing");
  }
  void RequestQuiesce(const QuiesceNotice&) override {}
  void Resume(const ResumeNotice&) override {}
  void RevokeDevice(const PciAddress& /*device*/, const std::string& /*reason*/) override {}
  void End(const std::string&) override {}
};

int ReplyError(sd_bus_message* message, const absl::Status& status) {
  return sd_bus_reply_method_errorf(message, BusErrorName(status.code()).c_str(), "%s",
                                    std::string(status.message()).c_str());
}

int ReplyOperation(sd_bus_message* message, const OperationView& operation) {
  sd_bus_message* reply = nullptr;
  int result = sd_bus_message_new_method_return(message, &reply);
  if (result >= 0) result = AppendText(reply, NameOf(operation.id));
  if (result >= 0) result = Append(reply, operation.state == OperationState::kSucceeded);
  if (result >= 0) result = AppendText(reply, operation.error);
  if (result >= 0) result = sd_bus_send(nullptr, reply, nullptr);
  sd_bus_message_unref(reply);
  return result;
}

std::string Describe(const PeerIdentity& peer) {
  return absl::StrCat(peer.client, " (uid ", peer.subject.uid, ", pid ", peer.pid, ", ", peer.comm, ")");
}

void LogPolkitDenial(const PeerIdentity& peer, const std::string& action, const absl::Status& denial) {
  Log({.level = LogLevel::kNotice,
       .message = absl::StrCat("denies ", Describe(peer), ": ", std::string(denial.message())),
       .id = kPolkitDenied,
       .fields = {{"P2PD_ACTION", action},
                  {"P2PD_UID", absl::StrCat(peer.subject.uid)},
                  {"P2PD_PID", absl::StrCat(peer.pid)},
                  {"P2PD_UNIT", peer.subject.unit}}});
}

void LogCall(SessionId session, const PeerIdentity& peer, const std::string& what) {
  Log({.level = LogLevel::kNotice,
       .message = absl::StrCat(Describe(peer), " asks: ", what),
       .id = kAdminCall,
       .fields = {{"P2PD_SESSION", session.value() == 0 ? "" : NameOf(session)},
                  {"P2PD_UID", absl::StrCat(peer.subject.uid)},
                  {"P2PD_PID", absl::StrCat(peer.pid)},
                  {"P2PD_UNIT", peer.subject.unit}}});
}

}  // namespace

// A call that is not answered yet. Dropped, it takes its question to the bus along.
struct BusCalls::Call {
  ~Call() {
    sd_bus_slot_unref(question);
    sd_bus_message_unref(message);
  }
  static int OnCredentials(sd_bus_message* reply, void* data, sd_bus_error*) {
    const Call& call = *static_cast<Call*>(data);
    call.owner.Identified(call.id, reply);
    return 1;
  }
  static int OnPolkit(sd_bus_message* reply, void* data, sd_bus_error*) {
    const Call& call = *static_cast<Call*>(data);
    call.owner.Authorized(call.id, reply);
    return 1;
  }

  BusCalls& owner;
  const uint64_t id;
  const Asked asked;
  sd_bus_message* const message;
  Act act;
  sd_bus_slot* question = nullptr;
  PeerIdentity peer = {};  // once the bus has said
};

BusCalls::BusCalls(EventLoop& loop, Broker& broker, Scheduler& workers, std::function<void()> on_log_level)
    : loop_(loop), broker_(broker), workers_(workers), on_log_level_(std::move(on_log_level)) {}

BusCalls::~BusCalls() = default;

void BusCalls::Forget() { calls_.clear(); }

// ---- The methods -----------------------------------------------------------------------------------------

int BusCalls::ResetDevice(sd_bus_message* message) {
  const char* name = nullptr;
  if (const int result = sd_bus_message_read(message, "s", &name); result < 0) return result;
  const auto device = ParseDeviceName(name);
  if (!device.ok()) return ReplyError(message, device.status());
  return BeginOperation(message, {absl::StrCat("ResetDevice ", name), kResetAction},
                        [&broker = broker_, device = *device](SessionId session, Done<OperationView> done) {
                          broker.ResetDevice(session, "1", device, std::move(done));
                        });
}

int BusCalls::RevokeSession(sd_bus_message* message) {
  const char* name = nullptr;
  const char* reason = nullptr;
  if (const int result = sd_bus_message_read(message, "ss", &name, &reason); result < 0) return result;
  const auto ending = ParseSessionName(name);
  if (!ending.ok()) return ReplyError(message, ending.status());
  if (const absl::Status status = CheckReason(reason); !status.ok()) return ReplyError(message, status);
  return BeginOperation(
      message, {absl::StrCat("RevokeSession ", name), kRevokeAction},
      [&broker = broker_, ending = *ending, reason = std::string(reason)](SessionId session, Done<OperationView> done) {
        broker.RevokeSession(session, "1", ending, reason, std::move(done));
      });
}

int BusCalls::RevokeExport(sd_bus_message* message) {
  const char* name = nullptr;
  const char* reason = nullptr;
  if (const int result = sd_bus_message_read(message, "ss", &name, &reason); result < 0) return result;
  const auto id = ParseExportName(name);
  if (!id.ok()) return ReplyError(message, id.status());
  if (const absl::Status status = CheckReason(reason); !status.ok()) return ReplyError(message, status);
  return BeginOperation(
      message, {absl::StrCat("RevokeExport ", name), kRevokeAction},
      [&broker = broker_, id = *id, reason = std::string(reason)](SessionId session, Done<OperationView> done) {
        broker.RevokeExport(session, "1", id, reason, std::move(done));
      });
}

int BusCalls::ReloadPolicy(sd_bus_message* message) {
  const std::string what = "ReloadPolicy";
  return Begin(message, {what, kReloadAction}, [this, what](uint64_t id, const PeerIdentity& peer) {
    if (const absl::Status status = broker_.CheckAdminOrRoot(peer, what); !status.ok()) return AnswerDone(id, status);
    LogCall(SessionId(), peer, what);
    broker_.Reload([&loop = loop_, weak = weak_from_this(), id](const absl::StatusOr<ReloadView>& outcome) {
      loop.Post([weak, id, outcome] {
        if (const auto self = weak.lock()) self->AnswerReload(id, outcome);
      });
    });
  });
}

int BusCalls::SetLogLevel(sd_bus_message* message) {
  if (sd_bus_message_is_method_call(message, "org.freedesktop.DBus.Properties", "Set") <= 0) return 0;
  const char* interface = nullptr;
  const char* property = nullptr;
  const char* value = nullptr;
  const bool is_it = sd_bus_message_read(message, "ss", &interface, &property) > 0 &&
                     absl::string_view(interface) == kManagerInterface &&
                     absl::string_view(property) == kLogLevelProperty &&
                     sd_bus_message_enter_container(message, SD_BUS_TYPE_VARIANT, "s") > 0 &&
                     sd_bus_message_read(message, "s", &value) > 0;
  if (!is_it) {
    const int result = sd_bus_message_rewind(message, /*complete=*/1);
    return result < 0 ? result : 0;
  }
  const auto level = ParseLogLevel(value);
  if (!level.ok()) return ReplyError(message, level.status());
  const std::string what = absl::StrCat("log level ", value);
  return Begin(message, {what, kLogLevelAction}, [this, level = *level, what](uint64_t id, const PeerIdentity& peer) {
    const absl::Status status = broker_.CheckAdmin(peer, what);
    if (status.ok()) {
      LogCall(SessionId(), peer, what);
      p2pd::SetLogLevel(level);
      on_log_level_();
    }
    AnswerDone(id, status);
  });
}

// ---- Their steps -----------------------------------------------------------------------------------------

int BusCalls::Begin(sd_bus_message* message, Asked asked, Act act) {
  const uint64_t id = ++last_id_;
  std::unique_ptr<Call> call(new Call{.owner = *this,
                                      .id = id,
                                      .asked = std::move(asked),
                                      .message = sd_bus_message_ref(message),
                                      .act = std::move(act)});
  const int result = sd_bus_call_method_async(sd_bus_message_get_bus(message), &call->question, kDaemon,
                                              "/org/freedesktop/DBus", kDaemon, "GetConnectionCredentials",
                                              Call::OnCredentials, call.get(), "s", sd_bus_message_get_sender(message));
  if (result < 0) return result;
  calls_[id] = std::move(call);
  return 1;
}

int BusCalls::BeginOperation(sd_bus_message* message, const Asked& asked, Start start) {
  return Begin(message, asked,
               [this, what = asked.what, start = std::move(start)](uint64_t id, const PeerIdentity& peer) mutable {
                 RunInSession(id, peer, what, std::move(start));
               });
}

void BusCalls::Identified(uint64_t id, sd_bus_message* credentials) {
  Call& call = *calls_.at(id);
  absl::StatusOr<PeerIdentity> peer = absl::UnavailableError("the bus does not say who calls");
  const char* const from = sd_bus_message_get_sender(credentials);
  if (sd_bus_message_is_method_error(credentials, nullptr) == 0 && from != nullptr &&
      from == absl::string_view(kDaemon)) {
    peer = ReadCaller(credentials);
  }
  if (!peer.ok()) return AnswerDone(id, peer.status());
  call.peer = *std::move(peer);
  call.peer.client = absl::StrCat("D-Bus ", sd_bus_message_get_sender(call.message));
  sd_bus_slot_unref(std::exchange(call.question, nullptr));
  const int result = AskPolkit(call.message, call.asked.action, Call::OnPolkit, &call, &call.question);
  if (result < 0) AnswerDone(id, ErrnoError("CheckAuthorization", call.asked.action, -result));
}

void BusCalls::Authorized(uint64_t id, sd_bus_message* answer) {
  Call& call = *calls_.at(id);
  if (const absl::Status status = ReadPolkitAnswer(answer, call.asked.action); !status.ok()) {
    LogPolkitDenial(call.peer, call.asked.action, status);
    return AnswerDone(id, status);
  }
  // An answer ends the call.
  Act act = std::move(call.act);
  const PeerIdentity peer = std::move(call.peer);
  act(id, peer);
}

void BusCalls::RunInSession(uint64_t id, const PeerIdentity& peer, const std::string& what, Start start) {
  const auto session = broker_.OpenSession(peer, std::make_shared<NoChannel>());
  if (!session.ok()) return AnswerDone(id, session.status());
  LogCall(session->id, peer, what);
  Done<OperationView> done = [&loop = loop_, &broker = broker_, session = session->id, weak = weak_from_this(),
                              id](const absl::StatusOr<OperationView>& outcome) {
    broker.EndSession(session, "its D-Bus call is over");
    loop.Post([weak, id, outcome] {
      if (const auto self = weak.lock()) self->Answer(id, outcome);
    });
  };
  // Elsewhere: core may do it on this thread at once, and a reset takes long.
  workers_.Run([start = std::move(start), session = session->id, done = std::move(done)]() mutable {
    start(session, std::move(done));
  });
}

void BusCalls::Answer(uint64_t id, const absl::StatusOr<OperationView>& outcome) {
  if (!outcome.ok()) return AnswerDone(id, outcome.status());
  const auto call = calls_.find(id);
  if (call == calls_.end()) return;
  ReplyOperation(call->second->message, *outcome);
  calls_.erase(call);
}

void BusCalls::AnswerReload(uint64_t id, const absl::StatusOr<ReloadView>& outcome) {
  if (!outcome.ok()) return AnswerDone(id, outcome.status());
  const auto call = calls_.find(id);
  if (call == calls_.end()) return;
  const std::string operation = outcome->operation.has_value() ? NameOf(*outcome->operation) : "";
  sd_bus_reply_method_return(call->second->message, "tts", outcome->generation,
                             static_cast<uint64_t>(outcome->fallen_count), operation.c_str());
  calls_.erase(call);
}

void BusCalls::AnswerDone(uint64_t id, const absl::Status& status) {
  const auto call = calls_.find(id);
  if (call == calls_.end()) return;
  if (status.ok()) {
    sd_bus_reply_method_return(call->second->message, "");
  } else {
    ReplyError(call->second->message, status);
  }
  calls_.erase(call);
}

}  // namespace p2pd
