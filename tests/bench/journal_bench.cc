// What the journal adds to a Map, and what a successor takes to read it, beside a bare copy of as many bytes into
// a memfd of its own.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "daemon/base/errors.h"
#include "daemon/journal/memfd_journal.h"
#include "daemon/journal/testing/sample_entries.h"
#include "tests/bench/rounds.h"
#include "tests/bench/scene.h"

namespace p2pd::bench {
namespace {

constexpr size_t kHalf = 16 << 20;
constexpr size_t kMapBytes = 160;      // of what a Map and its Unmap write, each about half
constexpr uint64_t kStanding = 10000;  // mappings
constexpr size_t kStandingBytes = kStanding * 64;
constexpr int kFewer = 50;  // reading it takes so much longer than a call

class Ground {
 public:
  Ground() : fd_(memfd_create("floor", MFD_CLOEXEC)), text_(kStandingBytes, 'x') {
    if (ftruncate(fd_.get(), kHalf) != 0) return;
    void* const base = mmap(nullptr, kHalf, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd_.get(), 0);
    if (base != MAP_FAILED) base_ = static_cast<char*>(base);
  }
  ~Ground() {
    if (base_ != nullptr) munmap(base_, kHalf);
  }

  absl::Status Copy(size_t bytes) {
    if (base_ == nullptr) return absl::InternalError("no memfd to copy into");
    if (used_ + bytes > kHalf) used_ = 0;
    std::memcpy(base_ + used_, text_.data(), bytes);
    used_ += bytes;
    return absl::OkStatus();
  }

 private:
  const UniqueFd fd_;
  const std::string text_;
  char* base_ = nullptr;
  size_t used_ = 0;
};

absl::StatusOr<std::unique_ptr<MemfdJournal>> Standing(uint64_t mappings) {
  P2PD_ASSIGN_OR_RETURN(std::unique_ptr<MemfdJournal> journal, MemfdJournal::Create(kHalf));
  P2PD_RETURN_IF_ERROR(journal->Append(SmallMachine()));
  P2PD_RETURN_IF_ERROR(journal->Append({SampleExport(2), SampleSpace(3)}));
  for (uint64_t id = 10; id < 10 + mappings; ++id) P2PD_RETURN_IF_ERROR(journal->Append(SampleMapping(id, 3, 2, id)));
  return journal;
}

// All that a Map writes: its intent; then, in one, that it is done, and what was answered.
absl::Status NoteMap(MemfdJournal& journal, uint64_t id) {
  P2PD_RETURN_IF_ERROR(journal.Append(SampleMapping(id, 3, 2, id)));
  return journal.Append({SampleStep(id, JournalMapping::Phase::kMapped), SampleOutcome(1, id)});
}

absl::Status NoteUnmap(MemfdJournal& journal, uint64_t id) {
  P2PD_RETURN_IF_ERROR(journal.Append(SampleStep(id, JournalMapping::Phase::kUnmapping)));
  return journal.Append({JournalRemoval{.key = MappingId(id)}, SampleOutcome(1, id + 1)});
}

}  // namespace

absl::Status BenchJournal(const Setup& setup, Figures& figures) {
  P2PD_ASSIGN_OR_RETURN(const auto journal, Standing(kStanding));
  Ground ground;
  uint64_t next = 1000000;
  Rounds rounds;
  Samples& map = rounds.NewSamples();
  Samples& unmap = rounds.NewSamples();
  Samples& copy = rounds.NewSamples();
  Samples& read = rounds.NewSamples();
  Samples& copy_all = rounds.NewSamples();
  rounds.Add(setup.calls, [&]() -> absl::Status {
    next += 2;
    P2PD_RETURN_IF_ERROR(map.Time([&] { return NoteMap(*journal, next); }));
    return unmap.Time([&] { return NoteUnmap(*journal, next); });
  });
  rounds.Add(setup.calls, [&] { return copy.Time([&] { return ground.Copy(kMapBytes); }); });
  const int fewer = std::max(setup.calls / kFewer, 1);
  rounds.Add(fewer, [&]() -> absl::Status {
    UniqueFd left = CopyOf(journal->fd());
    return read.Time([&] { return MemfdJournal::Open(std::move(left)); }).status();
  });
  rounds.Add(fewer, [&] { return copy_all.Time([&] { return ground.Copy(kStandingBytes); }); });
  P2PD_RETURN_IF_ERROR(rounds.Run(setup.rounds));
  const Floor floor = {.name = "memcpy", .value = copy.Percentile(50)};
  figures.push_back(MakeTime("The journal's part of Map", map, floor, ValueAtMost(5)));
  figures.push_back(MakeTime("The journal's part of Unmap", unmap, floor, ValueAtMost(5)));
  figures.push_back(
      MakeTime("Reading 10000 mappings' journal", read, Floor{.name = "memcpy", .value = copy_all.Percentile(50)}));
  return absl::OkStatus();
}

}  // namespace p2pd::bench
