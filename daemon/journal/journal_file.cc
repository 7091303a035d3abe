#include "daemon/journal/journal_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"

namespace p2pd {
namespace {

constexpr size_t kPage = 4096;
constexpr char kMagic[8] = {'p', '2', 'p', 'd', 'j', 'r', 'n', 'l'};
constexpr size_t kActiveOffset = 64;
constexpr size_t kRecordsOffset = 64;  // in a half
constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
constexpr uint32_t kMustUnderstand = 1;

uint32_t Crc(uint32_t crc, const void* bytes, size_t length) {
  return static_cast<uint32_t>(crc32_z(crc, static_cast<const Bytef*>(bytes), length));
}

uint64_t Pair(uint32_t high, uint32_t low) { return uint64_t{high} << 32 | low; }

absl::Status Damaged(absl::string_view what) {
  return MakeError(absl::StatusCode::kDataLoss,
                   {.step = "read the journal", .hint = "what it said is lost: nothing that was granted can stay"},
                   what);
}

// A record as it lies in a half, before its bytes. Not aligned: to be copied.
struct RecordHeader {
  uint32_t length = 0;
  uint32_t flags = 0;
  uint32_t crc = 0;  // of all records before it, of length and flags, and of its bytes
};
static_assert(sizeof(RecordHeader) == JournalFile::kRecordHeader);

uint32_t CrcOf(uint32_t before, const RecordHeader& header, const uint8_t* bytes) {
  return Crc(Crc(before, &header, offsetof(RecordHeader, crc)), bytes, header.length);
}

}  // namespace

// The first fields, up to and including the major version, are where they are in every version.
struct JournalFile::FileHeader {
  char magic[8] = {};
  uint32_t crc = 0;  // of what follows
  uint32_t major = 0;
  uint64_t half_bytes = 0;
};

struct JournalFile::HalfHeader {
  uint64_t committed = 0;  // bytes of records that count, and their crc
  uint32_t sequence = 0;
  uint32_t minor = 0;
};

JournalFile::JournalFile(UniqueFd fd, uint8_t* base, size_t half_bytes, JournalVersion version)
    : fd_(std::move(fd)), base_(base), half_bytes_(half_bytes), own_(version) {}

JournalFile::~JournalFile() { munmap(base_, kPage + 2 * half_bytes_); }

JournalFile::HalfHeader& JournalFile::Half(uint32_t sequence) const {
  return *reinterpret_cast<HalfHeader*>(base_ + kPage + (sequence % 2) * half_bytes_);
}

uint8_t* JournalFile::Records(uint32_t sequence) const {
  return reinterpret_cast<uint8_t*>(&Half(sequence)) + kRecordsOffset;
}

uint64_t* JournalFile::ActiveWord() const { return reinterpret_cast<uint64_t*>(base_ + kActiveOffset); }

JournalVersion JournalFile::version() const { return {.major = own_.major, .minor = Half(committed_.sequence).minor}; }

size_t JournalFile::capacity() const { return half_bytes_ - kRecordsOffset; }

uint32_t JournalFile::FirstCrc(const HalfHeader& half) {
  static_assert(offsetof(HalfHeader, minor) == offsetof(HalfHeader, sequence) + sizeof(half.sequence));
  return Crc(0, &half.sequence, sizeof(half.sequence) + sizeof(half.minor));
}

absl::StatusOr<std::unique_ptr<JournalFile>> JournalFile::Map(UniqueFd fd, size_t half_bytes, JournalVersion version) {
  const size_t size = kPage + 2 * half_bytes;
  void* const base = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd.get(), 0);
  if (base == MAP_FAILED) return ErrnoError("mmap", "the journal", errno);
  // It holds the sessions' tokens.
  madvise(base, size, MADV_DONTDUMP);
  return std::unique_ptr<JournalFile>(new JournalFile(std::move(fd), static_cast<uint8_t*>(base), half_bytes, version));
}

absl::StatusOr<std::unique_ptr<JournalFile>> JournalFile::Create(size_t half_bytes, JournalVersion version) {
  if (half_bytes == 0 || half_bytes % kPage != 0 || half_bytes >> 32 != 0) {
    return absl::InvalidArgumentError(absl::StrCat("journal: ", half_bytes, " bytes are no size for a half"));
  }
  UniqueFd fd(memfd_create("p2pd-journal", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd.valid()) return ErrnoError("memfd_create", "the journal", errno);
  const auto size = static_cast<off_t>(kPage + 2 * half_bytes);
  // Allocated now, so that no later store can fail.
  if (ftruncate(fd.get(), size) != 0) return ErrnoError("ftruncate", "the journal", errno);
  if (fallocate(fd.get(), 0, 0, size) != 0) return ErrnoError("fallocate", "the journal", errno);
  if (fcntl(fd.get(), F_ADD_SEALS, kSeals) != 0) return ErrnoError("F_ADD_SEALS", "the journal", errno);
  P2PD_ASSIGN_OR_RETURN(std::unique_ptr<JournalFile> file, Map(std::move(fd), half_bytes, version));
  FileHeader header = {.major = version.major, .half_bytes = half_bytes};
  header.crc = Crc(0, &header.major, sizeof(header) - offsetof(FileHeader, major));
  std::memcpy(header.magic, kMagic, sizeof(kMagic));
  std::memcpy(file->base_, &header, sizeof(header));
  file->BeginOtherHalf();
  file->Commit();
  return file;
}

absl::StatusOr<JournalFile::FileHeader> JournalFile::ReadHeader(FdRef fd) {
  struct stat info = {};
  if (fstat(fd.get(), &info) != 0) return ErrnoError("fstat", "the journal", errno);
  // A file that could shrink would take this process down with SIGBUS.
  const int seals = fcntl(fd.get(), F_GET_SEALS);
  if (seals < 0 || (seals & kSeals) != kSeals) return Damaged("it is no memfd that is sealed as a journal is");
  FileHeader header;
  if (pread(fd.get(), &header, sizeof(header), 0) != sizeof(header)) return Damaged("it is too short");
  if (std::memcmp(header.magic, kMagic, sizeof(kMagic)) != 0) return Damaged("it does not begin as a journal does");
  const uint32_t crc = Crc(0, &header.major, sizeof(header) - offsetof(FileHeader, major));
  const JournalVersion own;
  // Another version may have another header, but says so at the same place.
  if (crc == header.crc && header.major != own.major) {
    return MakeError(absl::StatusCode::kFailedPrecondition,
                     {.step = "read the journal",
                      .hint = "it was left by another version of p2pd, which alone can take over what it granted"},
                     absl::StrCat("its format is ", header.major, ", and this p2pd reads ", own.major));
  }
  if (crc != header.crc) return Damaged("its header is damaged");
  const auto size = static_cast<uint64_t>(info.st_size);
  if (header.half_bytes == 0 || header.half_bytes % kPage != 0 || header.half_bytes >> 32 != 0 ||
      size != kPage + 2 * header.half_bytes) {
    return Damaged(absl::StrCat("it is ", size, " bytes long"));
  }
  return header;
}

absl::StatusOr<std::unique_ptr<JournalFile>> JournalFile::Open(UniqueFd fd) {
  P2PD_ASSIGN_OR_RETURN(const FileHeader header, ReadHeader(fd));
  P2PD_ASSIGN_OR_RETURN(std::unique_ptr<JournalFile> file, Map(std::move(fd), header.half_bytes, JournalVersion()));
  P2PD_RETURN_IF_ERROR(file->Verify());
  return file;
}

absl::Status JournalFile::Verify() {
  const uint64_t active = *ActiveWord();
  const auto sequence = static_cast<uint32_t>(active >> 32);
  if (active != Pair(sequence, ~sequence)) return Damaged("the word that says which half counts is damaged");
  const HalfHeader& half = Half(sequence);
  if (half.sequence != sequence) return Damaged("the header of the half that counts is damaged");
  committed_ = next_ = {.sequence = sequence, .crc = FirstCrc(half)};
  return VerifyRecords(static_cast<uint32_t>(half.committed >> 32), static_cast<uint32_t>(half.committed));
}

absl::Status JournalFile::VerifyRecords(uint32_t end, uint32_t crc) {
  if (end > capacity()) return Damaged("it ends beyond its half");
  const uint8_t* const records = Records(next_.sequence);
  for (int number = 1; next_.used < end; ++number) {
    RecordHeader header;
    const size_t left = end - next_.used;
    if (left >= sizeof(header)) std::memcpy(&header, records + next_.used, sizeof(header));
    if (left < sizeof(header) || header.length > left - sizeof(header) ||
        header.crc != CrcOf(next_.crc, header, records + next_.used + sizeof(header))) {
      return Damaged(absl::StrCat("record ", number, ", at byte ", next_.used, ", is damaged"));
    }
    next_.used += sizeof(header) + header.length;
    next_.crc = header.crc;
  }
  if (next_.crc != crc) return Damaged("its last records are damaged");
  committed_ = next_;
  return absl::OkStatus();
}

absl::Status JournalFile::ForEach(absl::FunctionRef<absl::Status(const Record&)> visit) const {
  const uint8_t* const records = Records(committed_.sequence);
  for (uint32_t at = 0; at < committed_.used;) {
    RecordHeader header;
    std::memcpy(&header, records + at, sizeof(header));
    at += sizeof(header);
    P2PD_RETURN_IF_ERROR(
        visit({.bytes = {records + at, header.length}, .must_understand = (header.flags & kMustUnderstand) != 0}));
    at += header.length;
  }
  return absl::OkStatus();
}

uint8_t* JournalFile::Room(size_t length) {
  if (length > capacity() || capacity() - length < next_.used + kRecordHeader) return nullptr;
  return Records(next_.sequence) + next_.used + kRecordHeader;
}

void JournalFile::Add(size_t length, bool must_understand) {
  uint8_t* const record = Records(next_.sequence) + next_.used;
  RecordHeader header = {.length = static_cast<uint32_t>(length), .flags = must_understand ? kMustUnderstand : 0};
  header.crc = CrcOf(next_.crc, header, record + sizeof(header));
  std::memcpy(record, &header, sizeof(header));
  next_.used += sizeof(header) + header.length;
  next_.crc = header.crc;
}

void JournalFile::Commit() {
  // Until the last of these stores, what was committed before still counts, and nothing else.
  std::atomic_ref<uint64_t>(Half(next_.sequence).committed)
      .store(Pair(next_.used, next_.crc), std::memory_order_release);
  if (next_.sequence != committed_.sequence) {
    std::atomic_ref<uint64_t>(*ActiveWord()).store(Pair(next_.sequence, ~next_.sequence), std::memory_order_release);
  }
  committed_ = next_;
}

void JournalFile::Discard() { next_ = committed_; }

void JournalFile::BeginOtherHalf() {
  HalfHeader& half = Half(committed_.sequence + 1);
  half.sequence = committed_.sequence + 1;
  half.minor = own_.minor;
  next_ = {.sequence = half.sequence, .crc = FirstCrc(half)};
}

}  // namespace p2pd
