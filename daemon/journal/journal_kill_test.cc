// SIGKILL at every instruction: a child writes a journal one machine instruction at a time, and whenever one of
// them has changed the file, it is read as a successor would read it if that had been the last. It must then
// hold exactly what was there before the group of entries that is being written, or after it.
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <vector>

#include "daemon/journal/memfd_journal.h"
#include "daemon/journal/testing/sample_entries.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

constexpr size_t kHalf = 4096;
constexpr size_t kSize = 4096 + 2 * kHalf;

using Phase = JournalMapping::Phase;

// Enough for the halves to change places more than once.
std::vector<std::vector<JournalEntry>> Scenario() {
  std::vector<std::vector<JournalEntry>> groups = {SmallMachine(), {SampleExport(2), SampleSpace(3)}};
  for (uint64_t id = 10; id < 15; ++id) {
    // Takes room, but not many instructions.
    groups.push_back({JournalContext{.name = std::string(900, 'x')}});
    groups.push_back({JournalRemoval{.key = JournalContextKey{.name = std::string(900, 'x')}}});
    groups.push_back({SampleMapping(id, 3, 2, id), SampleMapping(id + 100, 3, 2, id)});
    groups.push_back({SampleStep(id, Phase::kMapped), SampleOutcome(1, id)});
    groups.push_back({SampleStep(id, Phase::kUnmapping)});
    groups.push_back({JournalRemoval{.key = MappingId(id)}, JournalRemoval{.key = MappingId(id + 100)}});
  }
  return groups;
}

class JournalKillTest : public testing::Test {
 protected:
  JournalKillTest()
      : groups_(Scenario()),
        journal_(*MemfdJournal::Create(kHalf)),
        bytes_(
            static_cast<uint8_t*>(mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, journal_->fd().get(), 0))),
        shown_(static_cast<size_t*>(
            mmap(nullptr, sizeof(size_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {
    states_.emplace_back();
    for (const auto& group : groups_) {
      JournalState next = states_.back();
      for (const JournalEntry& entry : group) EXPECT_TRUE(next.Apply(entry).ok());
      states_.push_back(std::move(next));
    }
  }
  ~JournalKillTest() override {
    munmap(bytes_, kSize);
    munmap(shown_, sizeof(size_t));
  }

  // The child's whole life. `shown_` says how many groups have been appended.
  [[noreturn]] void Write() {
    ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    raise(SIGSTOP);
    for (const auto& group : groups_) {
      if (!journal_->Append(group).ok()) _exit(1);
      ++*shown_;
    }
    _exit(0);
  }

  // What a successor would read just now; it writes, so it gets a copy.
  absl::StatusOr<JournalState> Read() const {
    const auto successor = MemfdJournal::Open(CopyOf(journal_->fd()));
    if (!successor.ok()) return successor.status();
    return (*successor)->state();
  }

  const std::vector<std::vector<JournalEntry>> groups_;
  std::vector<JournalState> states_;  // after so many groups
  const std::unique_ptr<MemfdJournal> journal_;
  uint8_t* const bytes_;
  size_t* const shown_;
};

TEST_F(JournalKillTest, AfterEveryInstructionASuccessorReadsAGroupWholeOrNotAtAll) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) Write();
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  if (!WIFSTOPPED(status)) GTEST_SKIP() << "this machine lets no process trace another";
  std::vector<uint8_t> last(bytes_, bytes_ + kSize);
  size_t looks = 0;
  size_t halves = 0;
  for (;;) {
    ASSERT_EQ(ptrace(PTRACE_SINGLESTEP, child, nullptr, nullptr), 0);
    ASSERT_EQ(waitpid(child, &status, 0), child);
    if (!WIFSTOPPED(status)) break;
    if (std::memcmp(last.data(), bytes_, kSize) == 0) continue;
    ++looks;
    halves += std::memcmp(last.data(), bytes_, 4096) != 0 ? 1 : 0;
    last.assign(bytes_, bytes_ + kSize);
    const absl::StatusOr<JournalState> state = Read();
    const size_t shown = *shown_;
    if (!state.ok() || (*state != states_[shown] && (shown + 1 == states_.size() || *state != states_[shown + 1]))) {
      kill(child, SIGKILL);
      waitpid(child, &status, 0);
      FAIL() << "after group " << shown << ": " << state.status();
    }
  }
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_EQ(*shown_, groups_.size());
  EXPECT_EQ(*Read(), states_.back());
  EXPECT_GT(looks, 10 * groups_.size());
  EXPECT_GE(halves, 2u);
  RecordProperty("instructions that stored", static_cast<int>(looks));
  RecordProperty("changes of the half", static_cast<int>(halves));
}

}  // namespace
}  // namespace p2pd
