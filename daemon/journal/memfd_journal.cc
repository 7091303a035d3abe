#include "daemon/journal/memfd_journal.h"

#include <algorithm>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"
#include "daemon/journal/journal_codec.h"

namespace p2pd {
namespace {

// Whether the entry makes a right that was not there. What is known of devices and operations is little, and what
// is remembered of outcomes has a limit of its own.
bool Grants(const JournalState& state, const JournalEntry& entry) {
  return std::visit(
      [&](const auto& row) {
        using Row = std::decay_t<decltype(row)>;
        if constexpr (std::is_same_v<Row, JournalSession>) return !state.sessions.contains(row.id);
        if constexpr (std::is_same_v<Row, JournalSpace>) return !state.spaces.contains(row.id);
        if constexpr (std::is_same_v<Row, JournalExport>) return !state.exports.contains(row.id);
        if constexpr (std::is_same_v<Row, JournalMapping>) return !state.mappings.contains(row.id);
        return std::is_same_v<Row, JournalMemory>;
      },
      entry);
}

absl::Status Full(size_t needed, size_t limit) {
  return MakeError(absl::StatusCode::kResourceExhausted,
                   {.reason = Reason::kQuota,
                    .step = "write the journal",
                    .hint = "release what is not needed; limits that let more be granted make the journal larger too"},
                   absl::StrCat("what stands would take ", needed, " bytes, and ", limit, " are there for it"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<MemfdJournal>> MemfdJournal::Create(size_t half_bytes) {
  P2PD_ASSIGN_OR_RETURN(std::unique_ptr<JournalFile> file, JournalFile::Create(half_bytes));
  return std::unique_ptr<MemfdJournal>(new MemfdJournal(std::move(file)));
}

size_t MemfdJournal::HalfBytesFor(const QuotaLimits& limits) {
  constexpr size_t kText = 96;          // in a row: names, reasons
  constexpr size_t kIdentity = 1024;    // in a session's: its groups, its unit, its label
  constexpr size_t kDevices = 1 << 20;  // they, their contexts, and operations
  constexpr size_t kPage = 4096;
  const auto room = [&](Resource resource, const JournalEntry& row, size_t text) {
    return std::min<uint64_t>(limits[resource].total, 1 << 30) * (WeightOf(row) + text);
  };
  const size_t granted =
      room(Resource::kSessions, JournalSession(), kIdentity) + room(Resource::kMemories, JournalMemory(), kText) +
      room(Resource::kAddressSpaces, JournalSpace(), kText) + room(Resource::kExports, JournalExport(), kText) +
      room(Resource::kMappings, JournalMapping(), 0);
  const size_t all = std::min(granted + kDevices + JournalState::kRememberedWeight, size_t{1} << 30);
  return (all / 3 * 4 + kPage) / kPage * kPage;
}

absl::StatusOr<std::unique_ptr<MemfdJournal>> MemfdJournal::Open(UniqueFd fd) {
  P2PD_ASSIGN_OR_RETURN(std::unique_ptr<JournalFile> file, JournalFile::Open(std::move(fd)));
  std::unique_ptr<MemfdJournal> journal(new MemfdJournal(std::move(file)));
  P2PD_RETURN_IF_ERROR(journal->Read(journal->state_));
  P2PD_RETURN_IF_ERROR(journal->state_.Check());
  // From here on it is of this version.
  P2PD_RETURN_IF_ERROR(journal->Compact());
  return journal;
}

absl::Status MemfdJournal::Read(JournalState& state) {
  skipped_ = 0;
  return file_->ForEach([&](const JournalFile::Record& record) -> absl::Status {
    if (!message_.ParseFromArray(record.bytes.data(), static_cast<int>(record.bytes.size()))) {
      return absl::DataLossError("journal: a record is no entry");
    }
    P2PD_ASSIGN_OR_RETURN(const std::optional<JournalEntry> entry, Decode(message_));
    if (!entry.has_value()) {
      ++skipped_;
      if (!record.must_understand) return absl::OkStatus();
      const JournalVersion version = file_->version();
      return absl::FailedPreconditionError(
          absl::StrCat("journal: written by format ", version.major, ".", version.minor,
                       " with a record that must be understood, and is not, by format ", JournalVersion().major, ".",
                       JournalVersion().minor));
    }
    const absl::Status applied = state.Apply(*entry);
    return applied.ok() ? applied : absl::DataLossError(applied.message());
  });
}

absl::Status MemfdJournal::CheckRoom(absl::Span<const JournalEntry> entries) const {
  size_t all = 0;
  bool grants = false;
  for (const JournalEntry& entry : entries) {
    // A mapping's step changes a row that has its weight; a reason adds to it.
    const auto* step = std::get_if<JournalMappingStep>(&entry);
    all += step != nullptr ? step->state_reason.size() : WeightOf(entry);
    grants = grants || Grants(state_, entry);
  }
  const size_t limit = grants ? file_->capacity() / 4 * 3 : file_->capacity();
  return all == 0 || state_.weight() + all <= limit ? absl::OkStatus() : Full(state_.weight() + all, limit);
}

absl::Status MemfdJournal::Append(absl::Span<const JournalEntry> entries) {
  P2PD_RETURN_IF_ERROR(CheckRoom(entries));
  const bool fits = !IsStale() && StageAll(entries).ok();
  if (!fits) file_->Discard();
  absl::Status status = ApplyAll(entries);
  if (status.ok() && !fits) status = Compact();
  if (status.ok() && fits) file_->Commit();
  if (status.ok()) return status;
  // None of it, then: what was applied so far is taken back by reading what stands.
  file_->Discard();
  state_ = JournalState();
  const absl::Status read = Read(state_);
  return read.ok() ? status : read;
}

bool MemfdJournal::IsStale() const {
  constexpr size_t kLeast = 256 << 10;  // bytes: less is read in no time
  return file_->used() - snapshot_ > state_.weight() + kLeast;
}

absl::Status MemfdJournal::ApplyAll(absl::Span<const JournalEntry> entries) {
  for (const JournalEntry& entry : entries) P2PD_RETURN_IF_ERROR(state_.Apply(entry));
  return absl::OkStatus();
}

absl::Status MemfdJournal::StageAll(absl::Span<const JournalEntry> entries) {
  for (const JournalEntry& entry : entries) P2PD_RETURN_IF_ERROR(Stage(entry));
  return absl::OkStatus();
}

absl::Status MemfdJournal::Stage(const JournalEntry& entry) {
  Encode(entry, message_);
  const size_t length = message_.ByteSizeLong();
  uint8_t* const room = file_->Room(length);
  if (room == nullptr) return Full(length, file_->capacity());
  message_.SerializeWithCachedSizesToArray(room);
  file_->Add(length);
  return absl::OkStatus();
}

absl::Status MemfdJournal::Compact() {
  file_->BeginOtherHalf();
  P2PD_RETURN_IF_ERROR(state_.ForEach([&](const JournalEntry& entry) { return Stage(entry); }));
  file_->Commit();
  snapshot_ = file_->used();
  return absl::OkStatus();
}

}  // namespace p2pd
