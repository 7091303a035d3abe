// Records in a file that outlives its writer: a sealed, fully allocated memfd in two halves, one of which
// counts. Knows nothing of what the records say.
//
//   page 0         FileHeader; the word that says which half counts
//   half 0, 1      HalfHeader with the word that says how much of it counts; records
//
// Both words are stored atomically, each with its own check: that is when records begin to count. So whoever
// reads after the writer has ended, at whatever instruction, finds each committed group of records whole, and
// nothing of one that was not committed: a torn record is beyond what counts. And because every byte that
// counts is covered by a checksum that follows from the one before it, damage anywhere in it is found.
//
// Versions: another major is refused. A later minor only adds records that this version may skip; those it may
// not are marked (`must_understand`).
#ifndef P2PD_DAEMON_JOURNAL_JOURNAL_FILE_H_
#define P2PD_DAEMON_JOURNAL_JOURNAL_FILE_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "daemon/base/unique_fd.h"

namespace p2pd {

struct JournalVersion {
  uint32_t major = 1;
  uint32_t minor = 0;
};

class JournalFile {
 public:
  struct Record {
    absl::Span<const uint8_t> bytes;
    bool must_understand = false;
  };

  // An empty one; `half_bytes` is a multiple of the page size, below 4 GiB. Errors: InvalidArgument;
  // ResourceExhausted, and whatever else memfd_create, fallocate and mmap say.
  static absl::StatusOr<std::unique_ptr<JournalFile>> Create(size_t half_bytes, JournalVersion version = {});

  // One that another process wrote, which has ended. All that counts has been checked when it returns. Errors:
  // DataLoss (damaged, or no journal at all), FailedPrecondition (of another major version).
  static absl::StatusOr<std::unique_ptr<JournalFile>> Open(UniqueFd fd);

  ~JournalFile();
  JournalFile(const JournalFile&) = delete;
  JournalFile& operator=(const JournalFile&) = delete;

  FdRef fd() const { return fd_; }
  // Of whoever wrote the half that counts.
  JournalVersion version() const;
  // Bytes of records that a half can hold, their headers included.
  size_t capacity() const;
  // Bytes of records that count.
  size_t used() const { return committed_.used; }
  static constexpr size_t kRecordHeader = 12;

  // The records that count, oldest first, until `visit` returns an error.
  absl::Status ForEach(absl::FunctionRef<absl::Status(const Record&)> visit) const;

  // Where the next record may be written, `length` bytes; nullptr if there is no room. Add() then makes a record
  // of it, which counts from the next Commit() on.
  uint8_t* Room(size_t length);
  void Add(size_t length, bool must_understand = false);
  void Commit();
  // Forgets what was added since the last Commit.
  void Discard();

  // From here to Commit or Discard, what is added goes into the other half, from its start: Commit makes that
  // half, and nothing of this one, count.
  void BeginOtherHalf();

 private:
  struct FileHeader;
  struct HalfHeader;
  struct Cursor {
    uint32_t sequence = 0;  // of the half; its last bit says which
    uint32_t used = 0;      // bytes of records
    uint32_t crc = 0;       // of all that, the half's header first
  };

  JournalFile(UniqueFd fd, uint8_t* base, size_t half_bytes, JournalVersion version);
  static absl::StatusOr<std::unique_ptr<JournalFile>> Map(UniqueFd fd, size_t half_bytes, JournalVersion version);
  // Checks that the file is what its header says.
  static absl::StatusOr<FileHeader> ReadHeader(FdRef fd);
  // Checks all that counts, and goes to its end.
  absl::Status Verify();
  absl::Status VerifyRecords(uint32_t end, uint32_t crc);

  static uint32_t FirstCrc(const HalfHeader& half);
  HalfHeader& Half(uint32_t sequence) const;
  uint8_t* Records(uint32_t sequence) const;
  uint64_t* ActiveWord() const;

  const UniqueFd fd_;
  uint8_t* const base_;
  const size_t half_bytes_;
  const JournalVersion own_;
  Cursor committed_;
  Cursor next_;
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_JOURNAL_JOURNAL_FILE_H_
