// Reading: the other half of journal_codec.h.
#include <optional>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"
#include "daemon/base/named_values.h"
#include "daemon/journal/journal_codec.h"

namespace p2pd {
namespace {

// Takes numbers for what they stand for, and remembers the first that stands for nothing.
class Reader {
 public:
  template <typename Enum>
  Enum OneOf(uint32_t number) {
    if (!IsNamedValue<Enum>(number)) Fail(number);
    return static_cast<Enum>(number);
  }

  // absl names one that it keeps for itself.
  absl::StatusCode Code(uint32_t number) {
    if (number > static_cast<uint32_t>(absl::StatusCode::kUnauthenticated)) Fail(number);
    return static_cast<absl::StatusCode>(number);
  }

  PciAddress Address(uint64_t number) {
    if (number >> 48 != 0) Fail(number);
    return AddressOf(number);
  }

  Range Extent(uint64_t start, uint64_t length) {
    const Range range = {.start = start, .length = length};
    if (!range.Valid()) Fail(length);
    return range;
  }

  void Fail(uint64_t number) {
    if (status_.ok()) {
      status_ = absl::DataLossError(absl::StrCat("journal: an entry says ", number, ", which means nothing here"));
    }
  }

  const absl::Status& status() const { return status_; }

 private:
  absl::Status status_;
};

template <typename Id, typename Numbers>
std::vector<Id> Ids(const Numbers& numbers) {
  std::vector<Id> ids;
  ids.reserve(numbers.size());
  for (const uint64_t number : numbers) ids.emplace_back(number);
  return ids;
}

template <typename Numbers>
std::vector<PciAddress> Addresses(const Numbers& numbers, Reader& reader) {
  std::vector<PciAddress> addresses;
  addresses.reserve(numbers.size());
  for (const uint64_t number : numbers) addresses.push_back(reader.Address(number));
  return addresses;
}

JournalSession Read(const journal::Session& in, Reader&) {
  return {.id = SessionId(in.id()),
          .token = in.token(),
          .peer = {.subject = {.uid = in.uid(),
                               .gid = in.gid(),
                               .groups = {in.groups().begin(), in.groups().end()},
                               .unit = in.unit(),
                               .label = in.label(),
                               .user_unit = in.has_user_unit() ? std::optional(in.user_unit()) : std::nullopt},
                   .pid = in.pid(),
                   .comm = in.comm(),
                   .client = in.client()},
          .connected = absl::FromUnixNanos(in.connected_ns()),
          .ended = in.ended(),
          .fd_name = in.fd_name()};
}

JournalMemory Read(const journal::Memory& in, Reader&) {
  return {.session = SessionId(in.session()), .name = in.name(), .fd_name = in.fd_name()};
}

JournalContext Read(const journal::Context& in, Reader&) { return {.name = in.name(), .fd_name = in.fd_name()}; }

JournalDevice Read(const journal::Device& in, Reader& reader) {
  JournalDevice row = {.address = reader.Address(in.address()),
                       .context = in.context(),
                       .generation = in.generation(),
                       .fd_name = in.fd_name(),
                       .state = reader.OneOf<DeviceState>(in.state()),
                       .state_reason = in.state_reason(),
                       .granted = in.granted(),
                       .scrubbed = in.scrubbed(),
                       .holds_data = in.holds_data(),
                       .since = absl::FromUnixNanos(in.since_ns())};
  if (in.has_driver()) row.driver = SessionId(in.driver());
  if (in.has_resume()) row.resume = OperationId(in.resume());
  return row;
}

JournalSpace Read(const journal::Space& in, Reader& reader) {
  return {.id = AddressSpaceId(in.id()),
          .session = SessionId(in.session()),
          .context = in.context(),
          .phase = reader.OneOf<JournalSpace::Phase>(in.phase()),
          .ioas = IoasId(in.ioas()),
          .devices = Addresses(in.devices(), reader)};
}

JournalExport Read(const journal::Export& in, Reader& reader) {
  if (in.bar() >= kNumBars) reader.Fail(in.bar());
  JournalExport row = {.id = ExportId(in.id()),
                       .session = SessionId(in.session()),
                       .window = {.device = reader.Address(in.device()),
                                  .bar = static_cast<int>(in.bar()),
                                  .range = reader.Extent(in.range().start(), in.range().length())},
                       .control = in.control(),
                       .grade = reader.OneOf<Grade>(in.grade()),
                       .generation = in.generation(),
                       .rule = in.rule(),
                       .state = reader.OneOf<ExportState>(in.state()),
                       .closing = in.closing(),
                       .granted = absl::FromUnixNanos(in.granted_ns()),
                       .fd_name = in.fd_name()};
  if (in.has_expires_ns()) row.expires = absl::FromUnixNanos(in.expires_ns());
  return row;
}

JournalOffer Read(const journal::Offer& in, Reader& reader) {
  if (in.bar() >= kNumBars) reader.Fail(in.bar());
  JournalOffer row = {.id = OfferId(in.id()),
                      .session = SessionId(in.session()),
                      .window = {.device = reader.Address(in.device()),
                                 .bar = static_cast<int>(in.bar()),
                                 .range = reader.Extent(in.range().start(), in.range().length())},
                      .unit = in.unit(),
                      .access = reader.OneOf<Access>(in.access())};
  if (in.has_uid()) row.uid = in.uid();
  if (in.has_gid()) row.gid = in.gid();
  if (in.has_to()) row.to = SessionId(in.to());
  if (in.has_expires_ns()) row.expires = absl::FromUnixNanos(in.expires_ns());
  return row;
}

JournalMapping Read(const journal::Mapping& in, Reader& reader) {
  JournalMapping row = {.id = MappingId(in.id()),
                        .session = SessionId(in.session()),
                        .space = AddressSpaceId(in.space()),
                        .memory = in.memory(),
                        .offset = in.offset(),
                        .iova = reader.Extent(in.iova(), in.length()),
                        .asked = reader.OneOf<Access>(in.asked()),
                        .access = reader.OneOf<Access>(in.access()),
                        .phase = reader.OneOf<JournalMapping::Phase>(in.phase()),
                        .state = reader.OneOf<MappingState>(in.state()),
                        .state_reason = in.state_reason(),
                        .answered = in.answered(),
                        .granted = absl::FromUnixNanos(in.granted_ns()),
                        .ending = in.ending()};
  if (in.has_source()) row.source = ExportId(in.source());
  return row;
}

JournalMappingStep Read(const journal::MappingStep& in, Reader& reader) {
  return {.id = MappingId(in.id()),
          .phase = reader.OneOf<JournalMapping::Phase>(in.phase()),
          .state = reader.OneOf<MappingState>(in.state()),
          .state_reason = in.state_reason(),
          .answered = in.answered(),
          .ending = in.ending()};
}

JournalRequest Read(const journal::Request& in) {
  return {.session = SessionId(in.session()), .id = in.id(), .fingerprint = in.fingerprint()};
}

JournalOperation Read(const journal::Operation& in, Reader& reader) {
  JournalOperation row = {.id = OperationId(in.id()),
                          .kind = reader.OneOf<OperationKind>(in.kind()),
                          .scope = reader.OneOf<ResetScope>(in.scope()),
                          .reason = in.reason(),
                          .generation = in.generation(),
                          .over = in.over(),
                          .restore = in.restore(),
                          .leave = in.leave(),
                          .recorded = in.recorded(),
                          .devices = Addresses(in.devices(), reader),
                          .exports = Ids<ExportId>(in.exports()),
                          .spaces = Ids<AddressSpaceId>(in.spaces()),
                          .mappings = Ids<MappingId>(in.mappings())};
  if (in.has_deadline_ns()) row.deadline = absl::Nanoseconds(in.deadline_ns());
  if (in.has_ending()) row.ending = SessionId(in.ending());
  if (in.has_exempt()) row.exempt = SessionId(in.exempt());
  if (in.has_request()) row.request = Read(in.request());
  row.parties.reserve(in.parties_size());
  for (const journal::Operation::Party& party : in.parties()) {
    row.parties.push_back({.session = SessionId(party.session()), .answer = reader.OneOf<Answer>(party.answer())});
  }
  return row;
}

JournalOutcome Read(const journal::Outcome& in, Reader& reader) {
  JournalOutcome row = {.session = SessionId(in.session()),
                        .request_id = in.request_id(),
                        .fingerprint = in.fingerprint(),
                        .status = absl::Status(reader.Code(in.code()), in.message()),
                        .kind = reader.OneOf<OperationKind>(in.kind()),
                        .generation = in.generation()};
  for (const journal::Outcome::Payload& payload : in.payloads()) {
    row.status.SetPayload(payload.key(), absl::Cord(payload.value()));
  }
  row.parts.reserve(in.parts_size());
  for (const journal::Outcome::Part& part : in.parts()) {
    row.parts.push_back(
        {.object = part.object(), .iova = {.start = part.iova().start(), .length = part.iova().length()}});
  }
  return row;
}

JournalRemoval Read(const journal::Removal& in, Reader& reader) {
  switch (in.key_case()) {
    case journal::Removal::kSession:
      return {.key = SessionId(in.session())};
    case journal::Removal::kMemory:
      return {.key = JournalMemoryKey{.session = SessionId(in.memory().session()), .name = in.memory().name()}};
    case journal::Removal::kContext:
      return {.key = JournalContextKey{.name = in.context()}};
    case journal::Removal::kDevice:
      return {.key = reader.Address(in.device())};
    case journal::Removal::kSpace:
      return {.key = AddressSpaceId(in.space())};
    case journal::Removal::kExport:
      return {.key = ExportId(in.export_())};
    case journal::Removal::kOffer:
      return {.key = OfferId(in.offer())};
    case journal::Removal::kMapping:
      return {.key = MappingId(in.mapping())};
    case journal::Removal::kOperation:
      return {.key = OperationId(in.operation())};
    case journal::Removal::KEY_NOT_SET:
      // What is no more is not to be skipped, even where it is not known what it was.
      reader.Fail(0);
  }
  return {};
}

JournalLastId Read(const journal::LastId& in, Reader&) { return {.last = in.last()}; }

std::optional<JournalEntry> ReadKind(const journal::Entry& in, Reader& reader) {
  switch (in.kind_case()) {
    case journal::Entry::kSession:
      return Read(in.session(), reader);
    case journal::Entry::kMemory:
      return Read(in.memory(), reader);
    case journal::Entry::kContext:
      return Read(in.context(), reader);
    case journal::Entry::kDevice:
      return Read(in.device(), reader);
    case journal::Entry::kSpace:
      return Read(in.space(), reader);
    case journal::Entry::kExport:
      return Read(in.export_(), reader);
    case journal::Entry::kOffer:
      return Read(in.offer(), reader);
    case journal::Entry::kMapping:
      return Read(in.mapping(), reader);
    case journal::Entry::kMappingStep:
      return Read(in.mapping_step(), reader);
    case journal::Entry::kOperation:
      return Read(in.operation(), reader);
    case journal::Entry::kOutcome:
      return Read(in.outcome(), reader);
    case journal::Entry::kRemoval:
      return Read(in.removal(), reader);
    case journal::Entry::kLastId:
      return Read(in.last_id(), reader);
    case journal::Entry::KIND_NOT_SET:
      break;
  }
  return std::nullopt;
}

}  // namespace

absl::StatusOr<std::optional<JournalEntry>> Decode(const journal::Entry& message) {
  Reader reader;
  std::optional<JournalEntry> entry = ReadKind(message, reader);
  if (!reader.status().ok()) return reader.status();
  return entry;
}

}  // namespace p2pd
