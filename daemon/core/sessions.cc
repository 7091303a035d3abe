// Who is connected, and how a session ends.
#include <sys/random.h>

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "daemon/base/errors.h"
#include "daemon/core/core.h"
#include "daemon/core/keeping.h"
#include "daemon/core/once.h"
#include "daemon/core/rows.h"

namespace p2pd {
namespace {

absl::StatusOr<std::string> RandomToken() {
  std::string bytes(32, '\0');
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    return ErrnoError("getrandom", "session token", errno);
  }
  return absl::BytesToHexString(bytes);
}

absl::Status Unsuitable(const std::string& name, absl::string_view what, absl::string_view hint) {
  return MakeError(absl::StatusCode::kInvalidArgument,
                   {.reason = Reason::kMemoryUnsuitable,
                    .step = "OfferMemory",
                    .object = absl::StrCat("memory \"", name, "\""),
                    .hint = std::string(hint)},
                   what);
}

bool IsSameFile(FdRef one, FdRef other) {
  const absl::StatusOr<FileIdentity> first = IdentityOf(one);
  const absl::StatusOr<FileIdentity> second = IdentityOf(other);
  return first.ok() && second.ok() && *first == *second;
}

}  // namespace

absl::Status CheckMemory(const std::string& name, const MemoryInfo& info) {
  if (!info.is_memfd) return Unsuitable(name, "is not a memfd", "make it with memfd_create(MFD_ALLOW_SEALING)");
  if (!info.sealed_shrink) {
    return Unsuitable(name, "can still shrink under a device's DMA", "add F_SEAL_SHRINK with fcntl(F_ADD_SEALS)");
  }
  if (info.size == 0 || info.size % kPageSize != 0) {
    return Unsuitable(name, absl::StrCat("is ", info.size, " bytes long"), "the size must be a multiple of the page");
  }
  if (info.allocated < info.size) {
    return Unsuitable(name, absl::StrCat("has only ", info.allocated, " of its ", info.size, " bytes allocated"),
                      "allocate all of it with fallocate()");
  }
  return absl::OkStatus();
}

absl::Status SessionEnded() {
  return MakeError(absl::StatusCode::kUnauthenticated,
                   {.reason = Reason::kSessionEnded,
                    .step = "session",
                    .hint = "connect to the fd channel and use the token of its Welcome frame"},
                   "unknown or ended");
}

absl::StatusOr<Broker::NewSession> Broker::OpenSession(const PeerIdentity& peer,
                                                       std::shared_ptr<SessionChannel> channel) {
  SessionEntry session;
  P2PD_ASSIGN_OR_RETURN(session.token, RandomToken());
  session.channel = std::move(channel);
  {
    CoreLock lock(core_->mutex);
    if (core_->stopping) return absl::UnavailableError("p2pd is stopping");
    P2PD_ASSIGN_OR_RETURN(session.charge, core_->quota.Take({.uid = peer.subject.uid}, Resource::kSessions));
    session.view = {.id = SessionId(core_->tables.NextId()), .peer = peer, .connected = absl::Now()};
  }
  const NewSession opened = {.id = session.view.id, .token = session.token};
  const UniqueFd lifeline = Keeps(*core_) ? session.channel->Lifeline() : UniqueFd();
  if (lifeline.valid()) {
    session.fd_name = SessionFdName(opened.id.value());
    P2PD_RETURN_IF_ERROR(PutAnew(*core_, session.fd_name, lifeline));
  }
  const absl::Status entered = core_->EnterSession(std::move(session));
  if (!entered.ok()) return entered;
  return opened;
}

absl::Status Core::EnterSession(SessionEntry session) {
  CoreLock lock(mutex);
  const SessionId id = session.view.id;
  absl::Status status = stopping ? absl::UnavailableError("p2pd is stopping") : absl::OkStatus();
  if (status.ok()) status = journal.Grant(RowOf(session));
  if (!status.ok()) {
    RemoveLater(*this, {session.fd_name});
    lock.After([channel = std::move(session.channel)] {});
    return status;
  }
  tables.tokens[session.token] = id;
  tables.Publish(EventType::kCreated, session.view, id);
  tables.sessions[id] = std::move(session);
  return status;
}

absl::StatusOr<SessionId> Broker::Authenticate(absl::string_view token) const {
  CoreLock lock(core_->mutex);
  const auto entry = core_->tables.tokens.find(std::string(token));
  if (entry == core_->tables.tokens.end()) return SessionEnded();
  return entry->second;
}

void Broker::EndSession(SessionId id, const std::string& reason) {
  CoreLock lock(core_->mutex);
  SessionEntry* session = core_->tables.FindSession(id);
  if (session == nullptr || session->ended) return;
  // From now on nothing is granted to it. The rest may block, and this may be the event loop.
  session->ended = true;
  core_->tables.tokens.erase(session->token);
  core_->journal.Note(RowOf(*session));
  lock.After([core = core_, id, reason] {
    core->scheduler.Run([core, id, reason] {
      CoreLock inner(core->mutex);
      if (SessionEntry* ending = core->tables.FindSession(id)) core->EndSession(inner, *ending, reason);
    });
  });
}

void Core::EndSession(CoreLock& lock, SessionEntry& session, const std::string& reason, Done<OperationView> done) {
  const SessionId id = session.view.id;
  lock.After([channel = session.channel, reason] { channel->End(reason); });
  std::vector<std::string> names;
  for (const auto& [name, entry] : session.memory) {
    names.push_back(entry.fd_name);
    journal.Forget(JournalMemoryKey{.session = id, .name = name});
  }
  RemoveLater(*this, std::move(names));
  // Freeing a client's memory takes as long as it is large.
  scheduler.Run([memory = std::make_shared<std::map<std::string, MemoryEntry>>(std::exchange(session.memory, {})),
                 self = shared_from_this()] {
    std::vector<std::shared_ptr<const UniqueFd>> files;
    CoreLock inner(self->mutex);
    for (auto& [name, entry] : *memory) files.push_back(std::move(entry.file));
    inner.After([files = std::move(files)] {});
    memory->clear();
  });
  std::vector<OperationId> waited_for;
  for (auto& [operation, entry] : tables.operations) {
    if (entry.waiting.contains(id)) waited_for.push_back(operation);
  }
  for (OperationId operation : waited_for) Ack(lock, id, operation, Answer::kGone);

  std::vector<PciAddress> driven;
  for (auto& [address, device] : tables.devices) {
    if (device.view.driver != id) continue;
    // A device in the middle of an operation is ended when that is over.
    if (device.operation.has_value()) {
      device.end_pending = {.reason = "its driver ended during another operation"};
    } else {
      driven.push_back(address);
    }
  }
  RevokeOrder order = DriverEnd(driven, id);
  order.kind = OperationKind::kSessionEnd;
  order.reason = absl::StrCat("session ", id.value(), " ended: ", reason);
  order.ending = id;
  order.recorded = !order.mappings.empty() || !driven.empty() || done != nullptr;
  order.done = std::move(done);
  Revoke(lock, std::move(order));
}

RevokeOrder Core::DriverEnd(const std::vector<PciAddress>& ended, std::optional<SessionId> driver) {
  const auto is_ended = [&](const PciAddress& device) {
    return std::find(ended.begin(), ended.end(), device) != ended.end();
  };
  // With a session that ends go its own grants; with a device that it drove, everybody's.
  const SessionEntry* session = driver.has_value() ? tables.FindSession(*driver) : nullptr;
  const bool session_ends = session != nullptr && session->ended;
  RevokeOrder order = {.kind = OperationKind::kDriverEnd, .devices = ended, .exempt = driver};
  std::set<MappingId> mappings;
  for (const auto& [id, entry] : tables.exports) {
    const bool own = session_ends && entry.view.session == *driver;
    if (!own && !is_ended(entry.view.window.device)) continue;
    order.exports.push_back(id);
    mappings.insert(entry.mappings.begin(), entry.mappings.end());
  }
  for (const auto& [id, space] : tables.spaces) {
    const bool own = session_ends && space.view.session == *driver;
    if (!own && !std::any_of(space.view.devices.begin(), space.view.devices.end(), is_ended)) continue;
    order.spaces.push_back(id);
    mappings.insert(space.mappings.begin(), space.mappings.end());
  }
  order.mappings.assign(mappings.begin(), mappings.end());
  return order;
}

void Broker::AckQuiesce(SessionId session, OperationId operation) {
  core_->scheduler.Run([core = core_, session, operation] {
    CoreLock lock(core->mutex);
    core->Ack(lock, session, operation, Answer::kAcked);
  });
}

absl::Status Broker::OfferMemory(SessionId id, const std::string& name, UniqueFd memory) {
  P2PD_ASSIGN_OR_RETURN(const MemoryInfo info, core_->kernel.InspectMemory(memory));
  P2PD_RETURN_IF_ERROR(CheckMemory(name, info));
  return core_->TakeMemory(id, name, {.file = std::make_shared<const UniqueFd>(std::move(memory)), .info = info});
}

absl::Status Core::TakeMemory(SessionId id, const std::string& name, MemoryEntry memory) {
  {
    CoreLock lock(mutex);
    SessionEntry* session = tables.FindSession(id);
    if (session == nullptr || session->ended) return SessionEnded();
    if (const auto there = session->memory.find(name); there != session->memory.end()) {
      // Offered once more, after a restart of p2pd during which the answer may have been lost.
      if (IsSameFile(*there->second.file, *memory.file)) return absl::OkStatus();
      return MakeError(absl::StatusCode::kAlreadyExists,
                       {.reason = Reason::kInvalidArgument,
                        .step = "OfferMemory",
                        .object = absl::StrCat("memory \"", name, "\""),
                        .hint = "give each memfd of a session a name of its own"},
                       "this session offered other memory of that name before");
    }
    P2PD_ASSIGN_OR_RETURN(memory.charge, quota.Take(HolderOf(*session), Resource::kMemories));
    if (Keeps(*this) && !session->fd_name.empty()) memory.fd_name = MemoryFdName(tables.NextId());
  }
  if (!memory.fd_name.empty()) P2PD_RETURN_IF_ERROR(PutAnew(*this, memory.fd_name, *memory.file));
  CoreLock lock(mutex);
  SessionEntry* session = tables.FindSession(id);
  absl::Status status = session == nullptr || session->ended ? SessionEnded() : absl::OkStatus();
  if (status.ok()) {
    status = journal.Grant(JournalMemory{.session = id, .name = name, .fd_name = memory.fd_name});
  }
  if (status.ok()) {
    session->memory[name] = std::move(memory);
  } else {
    RemoveLater(*this, {memory.fd_name});
  }
  return status;
}

void Broker::WithdrawMemory(SessionId id, const std::string& name) {
  CoreLock lock(core_->mutex);
  SessionEntry* session = core_->tables.FindSession(id);
  const auto entry = session == nullptr ? std::map<std::string, MemoryEntry>::iterator() : session->memory.find(name);
  if (session == nullptr || entry == session->memory.end()) return;
  core_->journal.Forget(JournalMemoryKey{.session = id, .name = name});
  RemoveLater(*core_, {entry->second.fd_name});
  // Freeing it takes as long as it is large.
  core_->scheduler.Run([file = std::move(entry->second.file)] {});
  session->memory.erase(entry);
}

void Broker::RevokeSession(SessionId session, const std::string& request_id, SessionId ending,
                           const std::string& reason, Done<OperationView> done) {
  const std::string name = absl::StrCat("sessions/", ending.value());
  const auto body = [&](CoreLock& lock, SessionEntry& asking, Done<OperationView>& finish) -> absl::Status {
    core_->mutex.AssertHeld();
    P2PD_RETURN_IF_ERROR(core_->Permit(asking, name, {.action = Action::kAdmin}).status());
    SessionEntry* entry = core_->tables.FindSession(ending);
    if (entry == nullptr || entry->ended) {
      return MakeError(absl::StatusCode::kNotFound,
                       {.reason = Reason::kNotFound, .step = "RevokeSession", .object = name}, "no such session");
    }
    entry->ended = true;
    core_->tables.tokens.erase(entry->token);
    core_->journal.Note(RowOf(*entry));
    const std::string why = absl::StrCat("revoked by sessions/", session.value(), reason.empty() ? "" : ": ", reason);
    core_->EndSession(lock, *entry, why, std::move(finish));
    return absl::OkStatus();
  };
  core_->Once<OperationView>(session, request_id, absl::StrCat("RevokeSession ", ending.value(), " ", reason),
                             std::move(done), body);
}

void Broker::Stop(Task done) {
  CoreLock lock(core_->mutex);
  core_->stopping = true;
  core_->sleeping = false;
  core_->WakeUp(lock);
  core_->when_idle = std::move(done);
  std::vector<SessionId> ids;
  for (const auto& [id, session] : core_->tables.sessions) ids.push_back(id);
  lock.After([this, ids] {
    for (SessionId id : ids) EndSession(id, "p2pd is stopping");
  });
  core_->CheckIdle(lock);
}

void Core::CheckIdle(CoreLock& lock) {
  if (!stopping || when_idle == nullptr || !tables.sessions.empty()) return;
  const bool running = std::any_of(tables.operations.begin(), tables.operations.end(), [](const auto& entry) {
    return entry.second.view.state == OperationState::kRunning;
  });
  if (running) return;
  lock.After([self = shared_from_this(), done = std::exchange(when_idle, nullptr)]() mutable {
    self->scheduler.Run([self, done = std::move(done)]() mutable {
      LetGoOfAll(*self);
      done();
    });
  });
}

}  // namespace p2pd
