// Every bit of a journal of more than 200 records is flipped, one at a time. Wherever it counts, that must be
// found; wherever it does not, exactly the same must be read: never is there a right too many.
#include <sys/mman.h>

#include <string>

#include "daemon/journal/journal_file.h"
#include "daemon/journal/memfd_journal.h"
#include "daemon/journal/testing/said.h"
#include "daemon/journal/testing/sample_entries.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

constexpr size_t kHalf = 16384;
constexpr size_t kSize = 4096 + 2 * kHalf;

// The journal's own mapping, to be damaged.
class JournalDamageTest : public testing::Test {
 protected:
  JournalDamageTest()
      : journal_(*MemfdJournal::Create(kHalf)),
        bytes_(
            static_cast<uint8_t*>(mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, journal_->fd().get(), 0))) {
    EXPECT_NE(bytes_, MAP_FAILED);
  }
  ~JournalDamageTest() override { munmap(bytes_, kSize); }

  const std::unique_ptr<MemfdJournal> journal_;
  uint8_t* const bytes_;
};

TEST_F(JournalDamageTest, NoFlippedBitChangesWhatIsRead) {
  // Records of every sort, and both halves have been in use.
  RandomLife life(11);
  Said said;
  for (int i = 0; i < 1000 || said.records < 200; ++i) {
    const absl::Status written = journal_->Append(life.Next(journal_->state()));
    ASSERT_TRUE(written.ok() || absl::IsResourceExhausted(written)) << written;
    said = *Read(journal_->fd());
  }
  // Whether flipping the bit is found. Where it is not, it must make no difference.
  const auto flip = [&](size_t byte, int bit) {
    bytes_[byte] ^= static_cast<uint8_t>(1u << bit);
    const absl::StatusOr<Said> damaged = Read(journal_->fd());
    bytes_[byte] ^= static_cast<uint8_t>(1u << bit);
    if (!damaged.ok()) {
      EXPECT_TRUE(absl::IsDataLoss(damaged.status())) << damaged.status();
    } else {
      EXPECT_EQ(*damaged, said) << "byte " << byte << ", bit " << bit;
    }
    return !damaged.ok();
  };
  size_t found = 0;
  for (size_t byte = 0; byte < kSize; ++byte) {
    // Of a byte that does not count, one bit is as good as another.
    if (!flip(byte, static_cast<int>(byte % 8))) continue;
    for (int bit = 0; bit < 8; ++bit) found += flip(byte, bit) ? 1 : 0;
  }
  // All that counts: the records and their headers, the two words, what the file and the half say of themselves.
  const size_t records = said.bytes.size() + said.records * (JournalFile::kRecordHeader - 1);
  constexpr size_t kHeaders = 8 + 16 + (8 + 4 + 4 + 8);
  EXPECT_EQ(found, 8 * (records + kHeaders));
  RecordProperty("records", static_cast<int>(said.records));
  RecordProperty("bits", static_cast<int>(found));
}

// Nothing in it may ever count again by accident.
TEST_F(JournalDamageTest, TheHalfThatDoesNotCountMayHoldAnything) {
  ASSERT_TRUE(journal_->Append(SmallMachine()).ok());
  const Said said = *Read(journal_->fd());
  std::mt19937 random(3);
  // The first half that counts is the second one.
  for (size_t i = 4096; i < 4096 + kHalf; ++i) bytes_[i] = static_cast<uint8_t>(random());
  EXPECT_EQ(*Read(journal_->fd()), said);
}

}  // namespace
}  // namespace p2pd
