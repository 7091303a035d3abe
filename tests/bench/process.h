// Programs that a bench runs beside itself, and what the kernel says of them.
#ifndef P2PD_TESTS_BENCH_PROCESS_H_
#define P2PD_TESTS_BENCH_PROCESS_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace p2pd::bench {

// A folder of its own under /tmp, short because a socket's path has at most 107 bytes. Removed with what is in it.
class Folder {
 public:
  static absl::StatusOr<Folder> Create();
  Folder(Folder&& other) noexcept : path_(std::exchange(other.path_, "")) {}
  Folder& operator=(Folder&&) = delete;
  ~Folder();

  std::string At(absl::string_view name) const;
  absl::Status Write(absl::string_view name, absl::string_view content) const;
  absl::Status MakeFolders(absl::string_view name) const;

 private:
  explicit Folder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

// Ends when its Process does: asked to first, then killed.
class Process {
 public:
  // Returns once it has said READY=1 as sd_notify does. `folder` is where it says so, for this one only. Errors:
  // Unavailable, when it ends before or is not ready within 30 s.
  static absl::StatusOr<Process> Start(std::vector<std::string> command, const Folder& folder);
  Process(Process&& other) noexcept : pid_(std::exchange(other.pid_, 0)) {}
  Process& operator=(Process&&) = delete;
  ~Process();

  absl::StatusOr<uint64_t> ResidentBytes() const;
  // How often its threads went to sleep of their own accord: each time, something woke them up. Of threads that have
  // ended nothing is known.
  absl::StatusOr<uint64_t> VoluntarySwitches() const;

 private:
  explicit Process(pid_t pid) : pid_(pid) {}
  pid_t pid_ = 0;
};

// Runs the program to its end, its output thrown away. Errors: Unavailable, when it cannot be run or fails.
absl::Status RunToEnd(std::vector<std::string> command);

// The number after `key` ("VmRSS:") in what /proc/PID/status says. Errors: NotFound.
absl::StatusOr<uint64_t> StatusField(absl::string_view status, absl::string_view key);

}  // namespace p2pd::bench

#endif  // P2PD_TESTS_BENCH_PROCESS_H_
