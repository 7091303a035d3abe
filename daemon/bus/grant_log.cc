#include "daemon/bus/grant_log.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/front/resource_name.h"
#include "daemon/service/message_ids.h"

namespace p2pd {

struct GrantLog::Grant {
  SessionId session;
  std::string name;
  std::string what;
  std::string action;
  std::string rule;
  std::string origin;
  std::string reason = "";  // why it ended
  std::optional<OperationId> operation = {};
  uint64_t generation = 0;  // of the device; 0: none
};

std::optional<LogEntry> GrantLog::EntryFor(const Event& event) {
  const bool begins = event.type == EventType::kCreated;
  const bool ends = event.type == EventType::kDeleted;
  if (const auto* session = std::get_if<SessionView>(&event.object)) {
    if (ends) {
      peers_.erase(session->id);
    } else {
      peers_[session->id] = session->peer;
    }
    return std::nullopt;
  }
  if (const auto* device = std::get_if<DeviceView>(&event.object)) {
    std::optional<LogEntry> entry = OfDriver(*device);
    // What a predecessor has granted is not granted anew.
    return event.type == EventType::kSnapshot ? std::nullopt : std::move(entry);
  }
  if (!begins && !ends) return std::nullopt;
  if (const auto* window = std::get_if<ExportView>(&event.object)) {
    return Entry({.session = window->session,
                  .name = NameOf(window->id),
                  .what = absl::StrCat(NameOf(window->window.device), " BAR ", window->window.bar, " ",
                                       window->window.range.ToString()),
                  .action = absl::StrCat(window->control ? "EXPORT_CONTROL" : "EXPORT",
                                         window->grade == Grade::kRaw ? " RECEIVE_FD" : ""),
                  .rule = window->rule,
                  .origin = window->rule_origin,
                  .operation = window->operation,
                  .generation = window->generation},
                 begins);
  }
  if (const auto* mapping = std::get_if<MappingView>(&event.object)) {
    const std::string source = mapping->source.has_value() ? NameOf(*mapping->source) : "memory of its own";
    return Entry({.session = mapping->session,
                  .name = NameOf(mapping->id),
                  .what = absl::StrCat(source, " in ", NameOf(mapping->address_space)),
                  .action = mapping->source.has_value() ? "MAP" : "MAP_MEMORY",
                  .rule = mapping->rule,
                  .origin = mapping->rule_origin,
                  .reason = mapping->state_reason,
                  .operation = mapping->operation},
                 begins);
  }
  return std::nullopt;
}

std::optional<LogEntry> GrantLog::OfDriver(const DeviceView& device) {
  const auto known = driven_.find(device.address);
  const bool driven = known != driven_.end();
  if (driven == device.driver.has_value()) {
    if (driven) known->second = device;  // it may rest on another rule by now
    return std::nullopt;
  }
  // At its end the view does not know any more who it was.
  const DeviceView granted = driven ? known->second : device;
  const LogEntry entry = Entry({.session = *granted.driver,
                                .name = NameOf(device.address),
                                .what = "as its driver",
                                .action = "DRIVE",
                                .rule = granted.driver_rule,
                                .origin = granted.driver_rule_origin,
                                .generation = device.generation},
                               !driven);
  if (driven) {
    driven_.erase(known);
  } else {
    driven_[device.address] = device;
  }
  return entry;
}

LogEntry GrantLog::Entry(const Grant& grant, bool begins) {
  const auto known = peers_.find(grant.session);
  const PeerIdentity peer = known == peers_.end() ? PeerIdentity() : known->second;
  std::string message = absl::StrCat(NameOf(grant.session), " (uid ", peer.subject.uid, ", pid ", peer.pid, ", ",
                                     peer.comm, begins ? ") has " : ") has no more ", grant.name, ", ", grant.what);
  if (begins) absl::StrAppend(&message, ": rule \"", grant.rule, "\" (", grant.origin, ")");
  if (!begins && !grant.reason.empty()) absl::StrAppend(&message, ": ", grant.reason);
  return {.level = LogLevel::kInfo,
          .message = std::move(message),
          .id = begins ? kGranted : kGrantEnded,
          .fields = {{"P2PD_SESSION", NameOf(grant.session)},
                     {"P2PD_UID", absl::StrCat(peer.subject.uid)},
                     {"P2PD_PID", absl::StrCat(peer.pid)},
                     {"P2PD_UNIT", peer.subject.unit},
                     {"P2PD_ACTION", grant.action},
                     {"P2PD_OBJECT", grant.name},
                     {"P2PD_RULE", grant.rule},
                     {"P2PD_RULE_ORIGIN", grant.origin},
                     {"P2PD_OPERATION", grant.operation.has_value() ? NameOf(*grant.operation) : ""},
                     {"P2PD_GENERATION", grant.generation == 0 ? "" : absl::StrCat(grant.generation)}}};
}

}  // namespace p2pd
