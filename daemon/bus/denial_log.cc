#include "daemon/bus/denial_log.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "daemon/front/resource_name.h"
#include "daemon/service/message_ids.h"

namespace p2pd {

std::vector<LogEntry> DenialLog::Note(const Denial& denial, absl::Time now) {
  std::vector<LogEntry> entries = Flush(now);
  const auto [place, is_new] = users_.try_emplace(denial.session.peer.subject.uid, User{.began = now});
  if (++place->second.denials <= kLogged) entries.push_back(EntryFor(denial));
  return entries;
}

std::vector<LogEntry> DenialLog::Flush(absl::Time now) {
  std::vector<LogEntry> entries;
  for (auto user = users_.begin(); user != users_.end();) {
    if (now < user->second.began + kPeriod) {
      ++user;
      continue;
    }
    if (user->second.denials > kLogged) entries.push_back(Summary(user->first, user->second));
    user = users_.erase(user);
  }
  return entries;
}

std::optional<absl::Time> DenialLog::due() const {
  std::optional<absl::Time> earliest;
  for (const auto& [uid, user] : users_) {
    const absl::Time end = user.began + kPeriod;
    if (user.denials > kLogged) earliest = std::min(earliest.value_or(end), end);
  }
  return earliest;
}

LogEntry DenialLog::Summary(uint32_t uid, const User& user) {
  const uint64_t more = user.denials - kLogged;
  return {.level = LogLevel::kNotice,
          .message = absl::StrCat("uid ", uid, " was denied ", more, " times more within a minute"),
          .id = kPolicyDenied,
          .fields = {{"P2PD_UID", absl::StrCat(uid)}, {"P2PD_COUNT", absl::StrCat(more)}}};
}

LogEntry EntryFor(const Denial& denial) {
  const PeerIdentity& peer = denial.session.peer;
  const bool in_session = denial.session.id.value() != 0;
  const std::string who = in_session ? NameOf(denial.session.id) : peer.client;
  return {
      .level = LogLevel::kNotice,
      .message = absl::StrCat(who, " (uid ", peer.subject.uid, ", pid ", peer.pid, ", ", peer.comm, ") may not ",
                              std::string(ActionName(denial.action)), " ", denial.object, ": ", denial.verdict.reason),
      .id = kPolicyDenied,
      .fields = {{"P2PD_SESSION", in_session ? who : ""},
                 {"P2PD_UID", absl::StrCat(peer.subject.uid)},
                 {"P2PD_PID", absl::StrCat(peer.pid)},
                 {"P2PD_UNIT", peer.subject.unit},
                 {"P2PD_ACTION", std::string(ActionName(denial.action))},
                 {"P2PD_OBJECT", denial.object},
                 {"P2PD_RULE", denial.verdict.rule},
                 {"P2PD_RULE_ORIGIN", denial.verdict.origin}}};
}

}  // namespace p2pd
