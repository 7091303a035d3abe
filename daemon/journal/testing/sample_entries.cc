#include "daemon/journal/testing/sample_entries.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "daemon/base/errors.h"

namespace p2pd {
namespace {

constexpr uint64_t kLarge = UINT64_MAX - 7;
constexpr uint64_t kPage = 4096;
constexpr PciAddress kExporter = {.bus = 1};
constexpr PciAddress kImporter = {.bus = 2};
constexpr SessionId kSession(1);

}  // namespace

std::vector<JournalEntry> EntriesWithEveryField() {
  const PciAddress address = {.domain = UINT32_MAX, .bus = 255, .device = 31, .function = 7};
  const SessionId session(kLarge);
  const absl::Status error = MakeError(absl::StatusCode::kUnavailable,
                                       {.reason = Reason::kDeviceNotReady,
                                        .step = "Map",
                                        .object = "devices/0000:01:00.0",
                                        .error = EBUSY,
                                        .hint = "try again"},
                                       "the exporter is RESETTING");
  return {
      JournalLastId{.last = kLarge},
      JournalContext{.name = "0000:01:00.0", .fd_name = "ctx-0000-01-00.0"},
      JournalSession{.id = session,
                     .token = std::string(64, 'f'),
                     .peer = {.subject = {.uid = UINT32_MAX - 1,
                                          .gid = UINT32_MAX - 2,
                                          .groups = {UINT32_MAX, 7, 0},
                                          .unit = "copy@1.service",
                                          .label = "system_u:system_r:copy_t:s0",
                                          .user_unit = "copy.service"},
                              .pid = INT32_MAX,
                              .comm = "a \xff\n name",
                              .client = "copy"},
                     .connected = absl::FromUnixNanos(INT64_MAX),
                     .ended = true,
                     .fd_name = "sess-1"},
      JournalMemory{.session = session, .name = "a \"name\"\xfe", .fd_name = "mem-9"},
      JournalDevice{.address = address,
                    .context = "0000:01:00.0",
                    .generation = kLarge,
                    .fd_name = "dev-ffffffff-ff-1f.7",
                    .state = DeviceState::kTainted,
                    .state_reason = "somebody holds it",
                    .driver = session,
                    .granted = true,
                    .scrubbed = true,
                    .holds_data = true,
                    .since = absl::FromUnixNanos(INT64_MAX),
                    .resume = OperationId(kLarge)},
      JournalSpace{.id = AddressSpaceId(kLarge),
                   .session = session,
                   .context = "0000:01:00.0",
                   .phase = JournalSpace::Phase::kMade,
                   .ioas = IoasId(UINT32_MAX),
                   .devices = {address}},
      JournalExport{.id = ExportId(kLarge),
                    .session = session,
                    .window = {.device = address, .bar = 5, .range = {.start = kLarge - 8192, .length = 4096}},
                    .control = true,
                    .grade = Grade::kRaw,
                    .generation = kLarge,
                    .rule = "accelerators",
                    .state = ExportState::kLingering,
                    .closing = true,
                    .granted = absl::FromUnixNanos(INT64_MAX - 2),
                    .expires = absl::FromUnixNanos(INT64_MAX - 1),
                    .fd_name = "raw-7"},
      JournalOffer{.id = OfferId(kLarge),
                   .session = session,
                   .window = {.device = address, .bar = 5, .range = {.start = kLarge - 8192, .length = 4096}},
                   .uid = UINT32_MAX - 1,
                   .gid = 0,
                   .unit = "copy@*.service",
                   .to = SessionId(kLarge),
                   .access = Access::kWrite,
                   .expires = absl::FromUnixNanos(INT64_MAX)},
      JournalMapping{.id = MappingId(kLarge),
                     .session = session,
                     .space = AddressSpaceId(kLarge),
                     .source = ExportId(kLarge),
                     .memory = "buffer",
                     .offset = kLarge,
                     .iova = {.start = kLarge - (1ull << 62), .length = 1ull << 62},
                     .asked = Access::kWrite,
                     .access = Access::kReadWrite,
                     .phase = JournalMapping::Phase::kUnmapped,
                     .state = MappingState::kLost,
                     .state_reason = "MAP_FILE failed",
                     .answered = true,
                     .granted = absl::FromUnixNanos(INT64_MAX),
                     .ending = "denied"},
      JournalMappingStep{.id = MappingId(kLarge),
                         .phase = JournalMapping::Phase::kUnmapping,
                         .state = MappingState::kRevoked,
                         .state_reason = "its session ended",
                         .answered = true,
                         .ending = "its session ended"},
      JournalOperation{
          .id = OperationId(kLarge),
          .kind = OperationKind::kSessionEnd,
          .scope = ResetScope::kBus,
          .reason = "hung up",
          .generation = kLarge,
          .over = true,
          .restore = true,
          .leave = true,
          .recorded = true,
          .deadline = absl::Nanoseconds(INT64_MAX),
          .ending = session,
          .exempt = SessionId(3),
          .request = JournalRequest{.session = session, .id = std::string(64, '\xdd'), .fingerprint = kLarge},
          .parties = {{.session = session, .answer = Answer::kGone}, {.session = SessionId(1)}},
          .devices = {address, {}},
          .exports = {ExportId(kLarge), ExportId(1)},
          .spaces = {AddressSpaceId(kLarge)},
          .mappings = {MappingId(kLarge), MappingId(2)}},
      JournalOutcome{.session = session,
                     .request_id = std::string(64, '\xee'),
                     .fingerprint = kLarge,
                     .status = error,
                     .kind = OperationKind::kExpiry,
                     .generation = kLarge,
                     .parts = {{.object = kLarge, .iova = {.start = kLarge - 1, .length = kLarge}}, {.object = 3}}},
      JournalOutcome{.session = session, .request_id = "r", .fingerprint = 1, .status = absl::OkStatus()},
      JournalRemoval{.key = OperationId(kLarge)},
      JournalRemoval{.key = MappingId(kLarge)},
      JournalRemoval{.key = OfferId(kLarge)},
      JournalRemoval{.key = ExportId(kLarge)},
      JournalRemoval{.key = AddressSpaceId(kLarge)},
      JournalRemoval{.key = address},
      JournalRemoval{.key = JournalMemoryKey{.session = session, .name = "a \"name\"\xfe"}},
      JournalRemoval{.key = session},
      JournalRemoval{.key = JournalContextKey{.name = "0000:01:00.0"}},
  };
}

std::vector<JournalEntry> SmallMachine() {
  const auto device = [](const PciAddress& address) {
    return JournalDevice{.address = address, .context = "c", .fd_name = "dev-" + std::to_string(address.bus)};
  };
  JournalDevice driven = device(kImporter);
  driven.driver = kSession;
  return {JournalContext{.name = "c", .fd_name = "ctx-c"},
          JournalSession{.id = kSession, .token = std::string(64, 'a'), .fd_name = "sess-1"}, device(kExporter),
          driven};
}

JournalExport SampleExport(uint64_t id) {
  return {.id = ExportId(id),
          .session = kSession,
          .window = {.device = kExporter, .bar = 2, .range = {.start = id * kPage, .length = 64 * kPage}},
          .rule = "all"};
}

JournalSpace SampleSpace(uint64_t id) {
  return {.id = AddressSpaceId(id),
          .session = kSession,
          .context = "c",
          .phase = JournalSpace::Phase::kMade,
          .ioas = IoasId(static_cast<uint32_t>(id)),
          .devices = {kImporter}};
}

JournalMapping SampleMapping(uint64_t id, uint64_t space, uint64_t source, uint64_t page) {
  return {.id = MappingId(id),
          .session = kSession,
          .space = AddressSpaceId(space),
          .source = ExportId(source),
          .offset = page % 64 * kPage,
          .iova = {.start = (1ull << 32) + id * kPage, .length = kPage}};
}

JournalMappingStep SampleStep(uint64_t id, JournalMapping::Phase phase) {
  return {.id = MappingId(id), .phase = phase};
}

JournalOutcome SampleOutcome(uint64_t session, uint64_t number) {
  return {.session = SessionId(session),
          .request_id = "request-" + std::to_string(number),
          .fingerprint = number * 0x9e3779b97f4a7c15,
          .parts = {{.object = number, .iova = {.start = number * kPage, .length = kPage}}}};
}

UniqueFd CopyOf(FdRef journal) {
  UniqueFd copy(memfd_create("copy", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  struct stat info = {};
  if (fstat(journal.get(), &info) != 0) std::abort();
  std::string bytes(static_cast<size_t>(info.st_size), '\0');
  const auto size = static_cast<ssize_t>(bytes.size());
  if (pread(journal.get(), bytes.data(), bytes.size(), 0) != size) std::abort();
  if (write(copy.get(), bytes.data(), bytes.size()) != size) std::abort();
  if (fcntl(copy.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) std::abort();
  return copy;
}

// ---- Random lives ----------------------------------------------------------------------------------------

std::vector<JournalEntry> RandomLife::Next(const JournalState& state) {
  if (state.sessions.empty()) return SmallMachine();
  const uint64_t die = Below(20);
  if (die < 7 || state.mappings.empty()) return NewRow(state);
  if (die == 7) {
    JournalDevice device = state.devices.at(kExporter);
    ++device.generation;
    device.state = Below(2) == 0 ? DeviceState::kReady : DeviceState::kResetting;
    return {device};
  }
  if (die == 8 && !state.operations.empty()) return {JournalRemoval{.key = state.operations.begin()->first}};
  if (die == 9) {
    return {JournalOperation{.id = OperationId(++last_id_),
                             .kind = OperationKind::kReset,
                             .restore = true,
                             .devices = {kExporter},
                             .mappings = {state.mappings.begin()->first}}};
  }
  auto mapping = state.mappings.begin();
  std::advance(mapping, Below(state.mappings.size()));
  return NextOfMapping(mapping->second);
}

std::vector<JournalEntry> RandomLife::NewRow(const JournalState& state) {
  const uint64_t id = ++last_id_;
  if (state.exports.empty() || Below(20) == 0) return {SampleExport(id)};
  if (state.spaces.empty() || Below(20) == 0) return {SampleSpace(id)};
  if (Below(20) == 0) return {JournalMemory{.session = kSession, .name = std::to_string(id), .fd_name = "mem"}};
  const uint64_t source = state.exports.begin()->first.value();
  const uint64_t space = state.spaces.rbegin()->first.value();
  // Now and then several at once, as a batch makes them.
  std::vector<JournalEntry> rows;
  for (uint64_t i = Below(4) == 0 ? 5 : 1; i != 0; --i) rows.push_back(SampleMapping(++last_id_, space, source, i));
  return rows;
}

std::vector<JournalEntry> RandomLife::NextOfMapping(const JournalMapping& mapping) {
  using Phase = JournalMapping::Phase;
  const uint64_t id = mapping.id.value();
  switch (mapping.phase) {
    case Phase::kMapping:
      return {SampleStep(id, Phase::kMapped), SampleOutcome(kSession.value(), id)};
    case Phase::kMapped:
      return {SampleStep(id, Phase::kUnmapping)};
    case Phase::kUnmapping:
    case Phase::kUnmapped:
      return {JournalRemoval{.key = mapping.id}, SampleOutcome(kSession.value(), id)};
  }
  return {};
}

}  // namespace p2pd
