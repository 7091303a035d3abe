// What a journal says, as bytes: for tests that damage one.
#ifndef P2PD_DAEMON_JOURNAL_TESTING_SAID_H_
#define P2PD_DAEMON_JOURNAL_TESTING_SAID_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "daemon/base/unique_fd.h"

namespace p2pd {

struct Said {
  size_t records = 0;
  std::string bytes;  // of all of them, each followed by a mark: whether it must be understood

  bool operator==(const Said&) const = default;
};

// What a successor reads, before it makes a state of it. (MemfdJournal::Open begins with this, and then writes.)
absl::StatusOr<Said> Read(FdRef journal);

}  // namespace p2pd

#endif  // P2PD_DAEMON_JOURNAL_TESTING_SAID_H_
