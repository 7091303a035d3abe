#include "daemon/journal/journal_codec.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace p2pd {
namespace {

// ---- Writing ---------------------------------------------------------------------------------------------

template <typename Enum>
uint32_t NumberOf(Enum value) requires std::is_enum_v<Enum> {
  return static_cast<uint32_t>(value);
}

void Write(const Range& range, journal::Range& out) {
  out.set_start(range.start);
  out.set_length(range.length);
}

void Write(const JournalSession& row, journal::Entry& entry) {
  journal::Session& out = *entry.mutable_session();
  // By number, so that a field which is added there does not compile until it is written here, and read.
  const auto& [uid, gid, groups, unit, label, user_unit] = row.peer.subject;
  const auto& [subject, pid, comm, client] = row.peer;
  out.set_id(row.id.value());
  out.set_token(row.token);
  out.set_uid(uid);
  out.set_gid(gid);
  out.mutable_groups()->Add(groups.begin(), groups.end());
  out.set_unit(unit);
  out.set_label(label);
  if (user_unit.has_value()) out.set_user_unit(*user_unit);
  out.set_pid(pid);
  out.set_comm(comm);
  out.set_client(client);
  out.set_connected_ns(absl::ToUnixNanos(row.connected));
  out.set_ended(row.ended);
  out.set_fd_name(row.fd_name);
}

void Write(const JournalMemory& row, journal::Entry& entry) {
  journal::Memory& out = *entry.mutable_memory();
  out.set_session(row.session.value());
  out.set_name(row.name);
  out.set_fd_name(row.fd_name);
}

void Write(const JournalContext& row, journal::Entry& entry) {
  entry.mutable_context()->set_name(row.name);
  entry.mutable_context()->set_fd_name(row.fd_name);
}

void Write(const JournalDevice& row, journal::Entry& entry) {
  journal::Device& out = *entry.mutable_device();
  out.set_address(NumberOf(row.address));
  out.set_context(row.context);
  out.set_generation(row.generation);
  out.set_fd_name(row.fd_name);
  out.set_state(NumberOf(row.state));
  out.set_state_reason(row.state_reason);
  if (row.driver.has_value()) out.set_driver(row.driver->value());
  out.set_granted(row.granted);
  out.set_scrubbed(row.scrubbed);
  out.set_holds_data(row.holds_data);
  out.set_since_ns(absl::ToUnixNanos(row.since));
  if (row.resume.has_value()) out.set_resume(row.resume->value());
}

void Write(const JournalSpace& row, journal::Entry& entry) {
  journal::Space& out = *entry.mutable_space();
  out.set_id(row.id.value());
  out.set_session(row.session.value());
  out.set_context(row.context);
  out.set_phase(NumberOf(row.phase));
  out.set_ioas(row.ioas.value());
  for (const PciAddress& device : row.devices) out.add_devices(NumberOf(device));
}

void Write(const JournalExport& row, journal::Entry& entry) {
  journal::Export& out = *entry.mutable_export_();
  out.set_id(row.id.value());
  out.set_session(row.session.value());
  out.set_device(NumberOf(row.window.device));
  out.set_bar(static_cast<uint32_t>(row.window.bar));
  Write(row.window.range, *out.mutable_range());
  out.set_control(row.control);
  out.set_grade(NumberOf(row.grade));
  out.set_generation(row.generation);
  out.set_rule(row.rule);
  out.set_state(NumberOf(row.state));
  out.set_closing(row.closing);
  out.set_granted_ns(absl::ToUnixNanos(row.granted));
  if (row.expires.has_value()) out.set_expires_ns(absl::ToUnixNanos(*row.expires));
  out.set_fd_name(row.fd_name);
}

void Write(const JournalOffer& row, journal::Entry& entry) {
  journal::Offer& out = *entry.mutable_offer();
  out.set_id(row.id.value());
  out.set_session(row.session.value());
  out.set_device(NumberOf(row.window.device));
  out.set_bar(static_cast<uint32_t>(row.window.bar));
  Write(row.window.range, *out.mutable_range());
  if (row.uid.has_value()) out.set_uid(*row.uid);
  if (row.gid.has_value()) out.set_gid(*row.gid);
  out.set_unit(row.unit);
  if (row.to.has_value()) out.set_to(row.to->value());
  out.set_access(NumberOf(row.access));
  if (row.expires.has_value()) out.set_expires_ns(absl::ToUnixNanos(*row.expires));
}

void Write(const JournalMapping& row, journal::Entry& entry) {
  journal::Mapping& out = *entry.mutable_mapping();
  out.set_id(row.id.value());
  out.set_session(row.session.value());
  out.set_space(row.space.value());
  if (row.source.has_value()) out.set_source(row.source->value());
  out.set_memory(row.memory);
  out.set_offset(row.offset);
  out.set_iova(row.iova.start);
  out.set_length(row.iova.length);
  out.set_asked(NumberOf(row.asked));
  out.set_access(NumberOf(row.access));
  out.set_phase(NumberOf(row.phase));
  out.set_state(NumberOf(row.state));
  out.set_state_reason(row.state_reason);
  out.set_answered(row.answered);
  out.set_granted_ns(absl::ToUnixNanos(row.granted));
  out.set_ending(row.ending);
}

void Write(const JournalMappingStep& row, journal::Entry& entry) {
  journal::MappingStep& out = *entry.mutable_mapping_step();
  out.set_id(row.id.value());
  out.set_phase(NumberOf(row.phase));
  out.set_state(NumberOf(row.state));
  out.set_state_reason(row.state_reason);
  out.set_answered(row.answered);
  out.set_ending(row.ending);
}

void Write(const JournalRequest& row, journal::Request& out) {
  out.set_session(row.session.value());
  out.set_id(row.id);
  out.set_fingerprint(row.fingerprint);
}

void Write(const JournalOperation& row, journal::Entry& entry) {
  journal::Operation& out = *entry.mutable_operation();
  out.set_id(row.id.value());
  out.set_kind(NumberOf(row.kind));
  out.set_scope(NumberOf(row.scope));
  out.set_reason(row.reason);
  out.set_generation(row.generation);
  out.set_over(row.over);
  out.set_restore(row.restore);
  out.set_leave(row.leave);
  out.set_recorded(row.recorded);
  if (row.deadline != absl::InfiniteDuration()) out.set_deadline_ns(absl::ToInt64Nanoseconds(row.deadline));
  if (row.ending.has_value()) out.set_ending(row.ending->value());
  if (row.exempt.has_value()) out.set_exempt(row.exempt->value());
  if (row.request.has_value()) Write(*row.request, *out.mutable_request());
  for (const JournalOperation::Party& party : row.parties) {
    journal::Operation::Party& written = *out.add_parties();
    written.set_session(party.session.value());
    written.set_answer(NumberOf(party.answer));
  }
  for (const PciAddress& device : row.devices) out.add_devices(NumberOf(device));
  for (const ExportId id : row.exports) out.add_exports(id.value());
  for (const AddressSpaceId id : row.spaces) out.add_spaces(id.value());
  for (const MappingId id : row.mappings) out.add_mappings(id.value());
}

void Write(const JournalOutcome& row, journal::Entry& entry) {
  journal::Outcome& out = *entry.mutable_outcome();
  out.set_session(row.session.value());
  out.set_request_id(row.request_id);
  out.set_fingerprint(row.fingerprint);
  out.set_code(NumberOf(row.status.code()));
  out.set_message(std::string(row.status.message()));
  row.status.ForEachPayload([&](absl::string_view key, const absl::Cord& value) {
    journal::Outcome::Payload& payload = *out.add_payloads();
    payload.set_key(std::string(key));
    payload.set_value(std::string(value));
  });
  out.set_kind(NumberOf(row.kind));
  out.set_generation(row.generation);
  for (const JournalOutcome::Part& part : row.parts) {
    journal::Outcome::Part& written = *out.add_parts();
    written.set_object(part.object);
    if (part.iova != Range()) Write(part.iova, *written.mutable_iova());
  }
}

void WriteKey(SessionId id, journal::Removal& out) { out.set_session(id.value()); }
void WriteKey(const JournalMemoryKey& key, journal::Removal& out) {
  out.mutable_memory()->set_session(key.session.value());
  out.mutable_memory()->set_name(key.name);
}
void WriteKey(const JournalContextKey& key, journal::Removal& out) { out.set_context(key.name); }
void WriteKey(const PciAddress& address, journal::Removal& out) { out.set_device(NumberOf(address)); }
void WriteKey(AddressSpaceId id, journal::Removal& out) { out.set_space(id.value()); }
void WriteKey(ExportId id, journal::Removal& out) { out.set_export_(id.value()); }
void WriteKey(OfferId id, journal::Removal& out) { out.set_offer(id.value()); }
void WriteKey(MappingId id, journal::Removal& out) { out.set_mapping(id.value()); }
void WriteKey(OperationId id, journal::Removal& out) { out.set_operation(id.value()); }

void Write(const JournalRemoval& row, journal::Entry& entry) {
  std::visit([&](const auto& key) { WriteKey(key, *entry.mutable_removal()); }, row.key);
}

void Write(const JournalLastId& row, journal::Entry& entry) { entry.mutable_last_id()->set_last(row.last); }

}  // namespace

void Encode(const JournalEntry& entry, journal::Entry& message) {
  message.Clear();
  std::visit([&](const auto& row) { Write(row, message); }, entry);
}

}  // namespace p2pd
