#include "daemon/journal/testing/said.h"

#include "daemon/journal/journal_file.h"

namespace p2pd {

absl::StatusOr<Said> Read(FdRef journal) {
  const auto file = JournalFile::Open(*Duplicate(journal));
  if (!file.ok()) return file.status();
  Said said;
  const absl::Status read = (*file)->ForEach([&](const JournalFile::Record& record) {
    ++said.records;
    said.bytes.append(record.bytes.begin(), record.bytes.end());
    said.bytes += record.must_understand ? "!" : ".";
    return absl::OkStatus();
  });
  if (!read.ok()) return read;
  return said;
}

}  // namespace p2pd
