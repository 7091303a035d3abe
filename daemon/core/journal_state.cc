#include "daemon/core/journal_state.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/str_cat.h"

namespace p2pd {
namespace {

auto Tied(const Subject& s) {
  const auto& [uid, gid, groups, unit, label, user_unit] = s;
  return std::tie(uid, gid, groups, unit, label, user_unit);
}
auto Tied(const Window& w) { return std::tie(w.device, w.bar, w.range); }

// One overload for each kind of entry; a kind without one does not compile.
template <typename... Overloads>
struct Visitor : Overloads... {
  using Overloads::operator()...;
};
template <typename... Overloads>
Visitor(Overloads...) -> Visitor<Overloads...>;

absl::Status Missing(absl::string_view what, uint64_t id) {
  return absl::FailedPreconditionError(absl::StrCat("journal: no such ", what, ": ", id));
}

absl::Status Broken(absl::string_view what, uint64_t id, absl::string_view lacks) {
  return absl::DataLossError(absl::StrCat("journal: ", what, "/", id, " refers to ", lacks, " that is not there"));
}

// ---- Weights: what a row's fields take at most, and its text -----------------------------------------------

constexpr size_t kFrame = 64;  // what is around a row, and a few small fields of it
constexpr size_t kNumber = 12;

size_t Weight(const JournalSession& row) {
  const PeerIdentity& peer = row.peer;
  return kFrame + 6 * kNumber + row.token.size() + row.fd_name.size() + peer.comm.size() + peer.client.size() +
         peer.subject.unit.size() + peer.subject.label.size() + peer.subject.user_unit.value_or("").size() +
         kNumber * peer.subject.groups.size();
}
size_t Weight(const JournalMemory& row) { return kFrame + row.name.size() + row.fd_name.size(); }
size_t Weight(const JournalContext& row) { return kFrame + row.name.size() + row.fd_name.size(); }
size_t Weight(const JournalDevice& row) {
  return kFrame + 5 * kNumber + row.context.size() + row.fd_name.size() + row.state_reason.size();
}
size_t Weight(const JournalSpace& row) {
  return kFrame + 2 * kNumber + row.context.size() + kNumber * row.devices.size();
}
size_t Weight(const JournalExport& row) { return kFrame + 9 * kNumber + row.rule.size() + row.fd_name.size(); }
size_t Weight(const JournalOffer& row) { return kFrame + 8 * kNumber + row.unit.size(); }
// There are many of them: a closer bound.
size_t Weight(const JournalMapping& row) {
  return 124 + row.memory.size() + row.state_reason.size() + row.ending.size();
}
size_t Weight(const JournalMappingStep& row) { return kFrame + row.state_reason.size() + row.ending.size(); }
size_t Weight(const JournalOperation& row) {
  const size_t request = row.request.has_value() ? 3 * kNumber + row.request->id.size() : 0;
  return kFrame + 5 * kNumber + row.reason.size() + request + 2 * kNumber * row.parties.size() +
         kNumber * (row.devices.size() + row.exports.size() + row.spaces.size() + row.mappings.size());
}
size_t Weight(const JournalOutcome& row) {
  size_t weight = kFrame + 3 * kNumber + row.request_id.size() + row.status.message().size();
  row.status.ForEachPayload(
      [&](absl::string_view key, const absl::Cord& value) { weight += kNumber + key.size() + value.size(); });
  return weight + 4 * kNumber * row.parts.size();
}
size_t Weight(const JournalRemoval&) { return 0; }  // leaves nothing behind
size_t Weight(const JournalLastId&) { return kFrame; }

// The number in a removal's key, for errors.
uint64_t NumberOf(const JournalRemoval::Key& key) {
  return std::visit(
      [](const auto& k) -> uint64_t {
        if constexpr (requires { k.value(); }) {
          return k.value();
        } else if constexpr (requires { k.session; }) {
          return k.session.value();
        } else {
          return 0;
        }
      },
      key);
}

}  // namespace

size_t WeightOf(const JournalEntry& entry) {
  return std::visit([](const auto& row) { return Weight(row); }, entry);
}

bool JournalSession::operator==(const JournalSession& other) const {
  return std::tie(id, token, connected, ended, fd_name, peer.pid, peer.comm, peer.client) ==
             std::tie(other.id, other.token, other.connected, other.ended, other.fd_name, other.peer.pid,
                      other.peer.comm, other.peer.client) &&
         Tied(peer.subject) == Tied(other.peer.subject);
}

bool JournalExport::operator==(const JournalExport& other) const {
  return std::tie(id, session, control, grade, generation, rule, state, closing, granted, expires, fd_name) ==
             std::tie(other.id, other.session, other.control, other.grade, other.generation, other.rule, other.state,
                      other.closing, other.granted, other.expires, other.fd_name) &&
         Tied(window) == Tied(other.window);
}

bool JournalOffer::operator==(const JournalOffer& other) const {
  return std::tie(id, session, uid, gid, unit, to, access, expires) == std::tie(other.id, other.session, other.uid,
                                                                                other.gid, other.unit, other.to,
                                                                                other.access, other.expires) &&
         Tied(window) == Tied(other.window);
}

absl::Status JournalState::Apply(const JournalEntry& entry) {
  const auto named = [&](auto& table, const auto& row, const auto& key) {
    const auto [place, fresh] = table.try_emplace(key);
    if (!fresh) weight_ -= Weight(place->second);
    place->second = row;
    weight_ += Weight(row);
    return absl::OkStatus();
  };
  const auto numbered = [&](auto& table, const auto& row) {
    last_id = std::max(last_id, row.id.value());
    return named(table, row, row.id);
  };
  return std::visit(Visitor{
                        [&](const JournalSession& row) { return numbered(sessions, row); },
                        [&](const JournalMemory& row) {
                          if (!sessions.contains(row.session)) return Missing("session", row.session.value());
                          return named(memories, row, JournalMemoryKey{.session = row.session, .name = row.name});
                        },
                        [&](const JournalContext& row) { return named(contexts, row, row.name); },
                        [&](const JournalDevice& row) { return named(devices, row, row.address); },
                        [&](const JournalSpace& row) { return numbered(spaces, row); },
                        [&](const JournalExport& row) { return numbered(exports, row); },
                        [&](const JournalOffer& row) { return numbered(offers, row); },
                        [&](const JournalMapping& row) { return numbered(mappings, row); },
                        [&](const JournalMappingStep& step) { return Step(step); },
                        [&](const JournalOperation& row) { return numbered(operations, row); },
                        [&](const JournalOutcome& outcome) { return Remember(outcome); },
                        [&](const JournalRemoval& removal) { return Remove(removal); },
                        [&](const JournalLastId& ids) {
                          last_id = std::max(last_id, ids.last);
                          return absl::OkStatus();
                        },
                    },
                    entry);
}

absl::Status JournalState::Step(const JournalMappingStep& step) {
  const auto mapping = mappings.find(step.id);
  if (mapping == mappings.end()) return Missing("mapping", step.id.value());
  JournalMapping& row = mapping->second;
  weight_ += step.state_reason.size() + step.ending.size();
  weight_ -= row.state_reason.size() + row.ending.size();
  row.phase = step.phase;
  row.state = step.state;
  row.state_reason = step.state_reason;
  row.answered = step.answered;
  row.ending = step.ending;
  return absl::OkStatus();
}

absl::Status JournalState::Remember(const JournalOutcome& outcome) {
  if (!sessions.contains(outcome.session)) return Missing("session", outcome.session.value());
  Outcomes& known = outcomes[outcome.session];
  const size_t weight = Weight(outcome);
  known.parts += 1 + outcome.parts.size();
  known.weight += weight;
  outcomes_weight_ += weight;
  weight_ += weight;
  known.entries.push_back(outcome);
  // The last is always kept: its call may be tried again.
  while (known.entries.size() > 1 && (known.entries.size() > kRemembered || known.parts > kRememberedParts)) {
    ForgetOldest(known);
  }
  while (outcomes_weight_ > kRememberedWeight) {
    const auto heaviest = std::max_element(outcomes.begin(), outcomes.end(), [](const auto& a, const auto& b) {
      return a.second.weight < b.second.weight;
    });
    if (heaviest->second.entries.size() == 1) break;
    ForgetOldest(heaviest->second);
  }
  return absl::OkStatus();
}

void JournalState::ForgetOldest(Outcomes& known) {
  const size_t weight = Weight(known.entries.front());
  known.parts -= 1 + known.entries.front().parts.size();
  known.weight -= weight;
  outcomes_weight_ -= weight;
  weight_ -= weight;
  known.entries.pop_front();
}

template <typename Table>
size_t JournalState::Erase(Table& table, const typename Table::key_type& key) {
  const auto row = table.find(key);
  if (row == table.end()) return 0;
  weight_ -= Weight(row->second);
  table.erase(row);
  return 1;
}

absl::Status JournalState::Remove(const JournalRemoval& removal) {
  const auto erase_session = [&](SessionId id) {
    if (const auto known = outcomes.find(id); known != outcomes.end()) {
      outcomes_weight_ -= known->second.weight;
      weight_ -= known->second.weight;
      outcomes.erase(known);
    }
    for (auto memory = memories.lower_bound({.session = id, .name = ""});
         memory != memories.end() && memory->first.session == id;) {
      weight_ -= Weight(memory->second);
      memory = memories.erase(memory);
    }
    return Erase(sessions, id);
  };
  const size_t removed = std::visit(Visitor{
                                        [&](SessionId id) { return erase_session(id); },
                                        [&](const JournalMemoryKey& key) { return Erase(memories, key); },
                                        [&](const JournalContextKey& key) { return Erase(contexts, key.name); },
                                        [&](const PciAddress& address) { return Erase(devices, address); },
                                        [&](AddressSpaceId id) { return Erase(spaces, id); },
                                        [&](ExportId id) { return Erase(exports, id); },
                                        [&](OfferId id) { return Erase(offers, id); },
                                        [&](MappingId id) { return Erase(mappings, id); },
                                        [&](OperationId id) { return Erase(operations, id); },
                                    },
                                    removal.key);
  return removed == 1 ? absl::OkStatus() : Missing("row to remove", NumberOf(removal.key));
}

absl::Status JournalState::Check() const {
  for (const auto& [address, device] : devices) {
    if (!contexts.contains(device.context)) {
      return absl::DataLossError(absl::StrCat("journal: devices/", address.ToString(), " is of an unknown context"));
    }
  }
  for (const auto& [id, space] : spaces) {
    if (!contexts.contains(space.context)) return Broken("address-spaces", id.value(), "a context");
    for (const PciAddress& device : space.devices) {
      if (!devices.contains(device)) return Broken("address-spaces", id.value(), "a device");
    }
  }
  for (const auto& [id, entry] : exports) {
    if (!devices.contains(entry.window.device)) return Broken("exports", id.value(), "a device");
  }
  for (const auto& [id, offer] : offers) {
    if (!devices.contains(offer.window.device)) return Broken("offers", id.value(), "a device");
  }
  std::map<std::pair<AddressSpaceId, uint64_t>, Range> taken;
  for (const auto& [id, mapping] : mappings) {
    if (!spaces.contains(mapping.space)) return Broken("mappings", id.value(), "an address space");
    if (mapping.source.has_value() && !exports.contains(*mapping.source)) {
      return Broken("mappings", id.value(), "an export");
    }
    if (!mapping.iova.Valid()) return absl::DataLossError(absl::StrCat("journal: mappings/", id.value(), " is empty"));
    taken[{mapping.space, mapping.iova.start}] = mapping.iova;
  }
  if (taken.size() != mappings.size()) return absl::DataLossError("journal: two mappings at one IOVA");
  const auto overlap = std::adjacent_find(taken.begin(), taken.end(), [](const auto& a, const auto& b) {
    return a.first.first == b.first.first && a.second.Overlaps(b.second);
  });
  return overlap == taken.end()
             ? absl::OkStatus()
             : absl::DataLossError(absl::StrCat("journal: mappings overlap at ", overlap->second.ToString()));
}

absl::Status JournalState::ForEach(absl::FunctionRef<absl::Status(const JournalEntry&)> visit) const {
  absl::Status status = visit(JournalLastId{.last = last_id});
  const auto rows = [&](const auto& table) {
    for (auto row = table.begin(); status.ok() && row != table.end(); ++row) status = visit(row->second);
  };
  rows(contexts);
  rows(sessions);
  rows(memories);
  rows(devices);
  rows(spaces);
  rows(exports);
  rows(offers);
  rows(mappings);
  rows(operations);
  for (const auto& [session, known] : outcomes) {
    for (auto outcome = known.entries.begin(); status.ok() && outcome != known.entries.end(); ++outcome) {
      status = visit(*outcome);
    }
  }
  return status;
}

}  // namespace p2pd
