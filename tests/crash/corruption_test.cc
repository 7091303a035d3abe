// Bits of the live journal of a long scenario are flipped. Wherever a bit counts, that is found; where it does not,
// exactly the same is read. And whatever a successor makes of it, there is never a right too many: all that was
// granted stands, or nothing does.
//
// P2PD_CRASH_STRIDE=N: every Nth of the successors that are tried at most.
#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <vector>

#include "daemon/journal/testing/said.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/crash/scenario.h"

namespace p2pd {
namespace {

using ::testing::HasSubstr;

TEST(CorruptionTest, EveryBitOfALiveJournalCountsOrMakesNoDifference) {
  Scenario scenario(0, 0);
  scenario.Begin();
  scenario.MapMore(50);
  ASSERT_FALSE(HasFailure());
  const LiveJournal journal = scenario.world().Journal();
  const Said said = *Read(journal.fd());
  ASSERT_GE(said.records, 200u);
  size_t found = 0;
  size_t flipped = 0;
  for (const size_t byte : journal.Used()) {
    for (int bit = 0; bit < 8; ++bit, ++flipped) {
      journal.Flip(byte, bit);
      const absl::StatusOr<Said> damaged = Read(journal.fd());
      journal.Flip(byte, bit);
      if (damaged.ok()) {
        ASSERT_EQ(*damaged, said) << "byte " << byte << ", bit " << bit;
      } else {
        ASSERT_TRUE(absl::IsDataLoss(damaged.status())) << damaged.status();
        ++found;
      }
    }
  }
  EXPECT_GT(found, 8 * said.bytes.size());
  std::printf("corruption: %zu records, %zu bits flipped, %zu of them count and were found\n", said.records, flipped,
              found);
}

TEST(CorruptionTest, NoSuccessorGrantsMoreForIt) {
  const char* stride = getenv("P2PD_CRASH_STRIDE");
  const size_t successors = 256 / static_cast<size_t>(stride != nullptr ? atoi(stride) : 16);
  size_t stood = 0;
  for (size_t i = 0; i < successors; ++i) {
    Scenario scenario(0, 0);
    scenario.Begin();
    scenario.MapMore(50);
    CrashWorld& world = scenario.world();
    {
      const LiveJournal journal = world.Journal();
      const std::vector<size_t> used = journal.Used();
      journal.Flip(used[i * used.size() / successors], static_cast<int>(i % 8));
    }
    world.Boot(0);
    if (world.broker().Continuity().detail == "the journal is in order") {
      ++stood;
      scenario.Check();
    } else {
      EXPECT_THAT(world.broker().Continuity().detail, HasSubstr("taken down"));
      const StatusView status = world.broker().GetStatus();
      EXPECT_EQ(status.sessions + status.exports + status.mappings + status.address_spaces, 0u);
      scenario.CheckNothingReached();
    }
    ASSERT_FALSE(HasFailure()) << "successor " << i;
  }
  std::printf("corruption: %zu successors, %zu found nothing wrong\n", successors, stood);
}

}  // namespace
}  // namespace p2pd
