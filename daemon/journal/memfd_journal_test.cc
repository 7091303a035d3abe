#include "daemon/journal/memfd_journal.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "daemon/journal/journal_codec.h"
#include "daemon/journal/testing/sample_entries.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

constexpr size_t kHalf = 16384;
using Phase = JournalMapping::Phase;

// As another process would, if the first one ended now.
absl::StatusOr<std::unique_ptr<MemfdJournal>> TakeOver(FdRef fd) { return MemfdJournal::Open(CopyOf(fd)); }

class MemfdJournalTest : public testing::Test {
 protected:
  MemfdJournalTest() : journal_(*MemfdJournal::Create(kHalf)) {
    std::vector<JournalEntry> start = SmallMachine();
    start.push_back(SampleExport(2));
    start.push_back(SampleSpace(3));
    EXPECT_TRUE(journal_->Append(start).ok());
  }

  JournalState Successors() {
    const auto successor = TakeOver(journal_->fd());
    EXPECT_TRUE(successor.ok()) << successor.status();
    return successor.ok() ? (*successor)->state() : JournalState();
  }

  // Maps until there is no room; returns how many there are.
  uint64_t Fill() {
    for (uint64_t id = 10;; ++id) {
      const absl::Status status = journal_->Append(SampleMapping(id, 3, 2, id));
      if (status.ok()) continue;
      EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
      return id - 10;
    }
  }

  const std::unique_ptr<MemfdJournal> journal_;
};

TEST_F(MemfdJournalTest, ASuccessorKnowsWhatThisOneWrote) {
  EXPECT_TRUE(journal_->Append(SampleMapping(10, 3, 2, 1)).ok());
  EXPECT_TRUE(journal_->Append({SampleStep(10, Phase::kMapped), SampleOutcome(1, 10)}).ok());
  EXPECT_EQ(journal_->state().mappings.at(MappingId(10)).phase, Phase::kMapped);
  EXPECT_EQ(Successors(), journal_->state());
}

TEST_F(MemfdJournalTest, TheSuccessorsSuccessorKnowsItToo) {
  EXPECT_TRUE(journal_->Append(SampleMapping(10, 3, 2, 1)).ok());
  const auto second = *TakeOver(journal_->fd());
  EXPECT_TRUE(second->Append(SampleMapping(11, 3, 2, 2)).ok());
  const auto third = *TakeOver(second->fd());
  EXPECT_EQ(third->state(), second->state());
  EXPECT_EQ(third->state().mappings.size(), 2u);
}

TEST_F(MemfdJournalTest, EntriesThatCannotAllBeAppliedAreNotWrittenAtAll) {
  const JournalState before = journal_->state();
  EXPECT_TRUE(absl::IsFailedPrecondition(
      journal_->Append({SampleMapping(10, 3, 2, 1), SampleStep(11, Phase::kMapped), SampleMapping(12, 3, 2, 2)})));
  EXPECT_EQ(journal_->state(), before);
  EXPECT_EQ(Successors(), before);
}

TEST_F(MemfdJournalTest, ItGoesOnForEverWhileLittleStands) {
  for (uint64_t id = 10; id < 5000; ++id) {
    ASSERT_TRUE(journal_->Append(SampleMapping(id, 3, 2, id)).ok()) << id;
    ASSERT_TRUE(journal_->Append(SampleStep(id, Phase::kMapped)).ok()) << id;
    if (id >= 20) {
      ASSERT_TRUE(journal_->Append(JournalRemoval{.key = MappingId(id - 10)}).ok()) << id;
    }
  }
  EXPECT_EQ(journal_->state().mappings.size(), 10u);
  EXPECT_EQ(Successors(), journal_->state());
}

TEST_F(MemfdJournalTest, ASuccessorNeedNotReadAllThatEverWas) {
  const auto journal = *MemfdJournal::Create(4 << 20);
  ASSERT_TRUE(journal->Append(SmallMachine()).ok());
  ASSERT_TRUE(journal->Append({SampleExport(2), SampleSpace(3)}).ok());
  size_t most = 0;
  for (uint64_t id = 10; id < 30000; ++id) {
    ASSERT_TRUE(journal->Append(SampleMapping(id, 3, 2, id)).ok());
    ASSERT_TRUE(journal->Append(JournalRemoval{.key = MappingId(id)}).ok());
    if (id % 500 == 0) most = std::max(most, (*JournalFile::Open(*Duplicate(journal->fd())))->used());
  }
  EXPECT_GT(most, 200u << 10);
  EXPECT_LT(most, 270u << 10);
}

TEST_F(MemfdJournalTest, NoRightIsGrantedThatDoesNotFit) {
  const uint64_t mappings = Fill();
  EXPECT_GT(mappings, 50u);
  const JournalState before = journal_->state();
  EXPECT_EQ(before.mappings.size(), mappings);
  EXPECT_TRUE(absl::IsResourceExhausted(journal_->Append(SampleExport(900000))));
  EXPECT_TRUE(
      absl::IsResourceExhausted(journal_->Append({SampleStep(10, Phase::kMapped), SampleMapping(900000, 3, 2, 1)})));
  EXPECT_EQ(journal_->state(), before);
  EXPECT_EQ(Successors(), before);
}

TEST_F(MemfdJournalTest, WhatTheLimitsAllowFits) {
  QuotaLimits limits;
  for (int i = 0; i < kNumResources; ++i) limits[static_cast<Resource>(i)] = {.per_user = 5000, .total = 5000};
  const auto journal = *MemfdJournal::Create(MemfdJournal::HalfBytesFor(limits));
  ASSERT_TRUE(journal->Append(SmallMachine()).ok());
  const std::string text(96, 'x');
  for (uint64_t i = 0; i < 5000; ++i) {
    JournalSession session = {.id = SessionId(100000 + i), .token = std::string(64, 't')};
    session.peer.subject.groups.assign(64, UINT32_MAX);
    JournalExport source = SampleExport(200000 + i);
    source.rule = text;
    ASSERT_TRUE(
        journal
            ->Append({session, JournalMemory{.session = session.id, .name = text}, source, SampleSpace(300000 + i),
                      SampleMapping(400000 + i, 300000 + i, 200000 + i, i), SampleOutcome(session.id.value(), i)})
            .ok())
        << i;
  }
  EXPECT_EQ((*TakeOver(journal->fd()))->state(), journal->state());
}

TEST_F(MemfdJournalTest, LimitsThatAreNoneMakeNoJournalThatIsTooLarge) {
  QuotaLimits limits;
  for (int i = 0; i < kNumResources; ++i) limits[static_cast<Resource>(i)] = {.total = UINT64_MAX};
  EXPECT_LT(MemfdJournal::HalfBytesFor(limits), size_t{3} << 29);
  EXPECT_GT(MemfdJournal::HalfBytesFor(limits), size_t{1} << 30);
}

// Otherwise nothing could be taken back just when too much is out.
TEST_F(MemfdJournalTest, AFullJournalTakesEverythingThatEndsARight) {
  const uint64_t mappings = Fill();
  JournalDevice device = journal_->state().devices.begin()->second;
  for (int round = 0; round < 50; ++round) {
    ++device.generation;
    ASSERT_TRUE(journal_->Append(device).ok());
    JournalOperation reset = {.id = OperationId(1000000), .kind = OperationKind::kReset, .devices = {device.address}};
    ASSERT_TRUE(journal_->Append(reset).ok());
    for (uint64_t id = 10; id < 10 + mappings; ++id) {
      for (const Phase phase : {Phase::kMapped, Phase::kUnmapping, Phase::kUnmapped, Phase::kMapping, Phase::kMapped}) {
        ASSERT_TRUE(journal_->Append(SampleStep(id, phase)).ok());
      }
    }
    ASSERT_TRUE(journal_->Append(JournalRemoval{.key = reset.id}).ok());
  }
  EXPECT_EQ(Successors(), journal_->state());
  for (uint64_t id = 10; id < 10 + mappings; ++id) {
    ASSERT_TRUE(journal_->Append(JournalRemoval{.key = MappingId(id)}).ok());
  }
  EXPECT_TRUE(Successors().mappings.empty());
  EXPECT_EQ(Fill(), mappings);
}

// The halves change places at another entry each time.
TEST_F(MemfdJournalTest, ItMayMoveToTheOtherHalfAtAnyPoint) {
  for (size_t before = 0; before < 200; ++before) {
    const auto journal = *MemfdJournal::Create(kHalf);
    // So many bytes are used up first, and leave nothing.
    ASSERT_TRUE(journal->Append(JournalContext{.name = std::string(37 * before, 'x')}).ok());
    ASSERT_TRUE(journal->Append(JournalRemoval{.key = JournalContextKey{.name = std::string(37 * before, 'x')}}).ok());
    RandomLife life(7);
    JournalState expected;
    for (int i = 0; i < 150; ++i) {
      const std::vector<JournalEntry> entries = life.Next(journal->state());
      const absl::Status written = journal->Append(entries);
      ASSERT_TRUE(written.ok() || absl::IsResourceExhausted(written)) << written;
      if (!written.ok()) continue;
      for (const JournalEntry& entry : entries) ASSERT_TRUE(expected.Apply(entry).ok());
    }
    ASSERT_EQ(journal->state(), expected) << before;
    ASSERT_EQ((*TakeOver(journal->fd()))->state(), expected) << before;
  }
}

// ---- Other versions --------------------------------------------------------------------------------------

class OtherVersionTest : public testing::Test {
 protected:
  // What a later version writes: the entries, and then a record of a kind of its own.
  static std::unique_ptr<JournalFile> WrittenByALaterOne(bool must_understand, uint32_t major = 1) {
    auto file = *JournalFile::Create(kHalf, {.major = major, .minor = 7});
    std::vector<JournalEntry> entries = SmallMachine();
    journal::Entry message;
    for (const JournalEntry& entry : entries) {
      Encode(entry, message);
      Add(*file, message, false);
    }
    message.Clear();
    message.GetReflection()->MutableUnknownFields(&message)->AddLengthDelimited(99)->assign("of a later version");
    Add(*file, message, must_understand);
    Encode(SampleExport(2), message);
    journal::Export& row = *message.mutable_export_();
    row.GetReflection()->MutableUnknownFields(&row)->AddVarint(99, 7);
    Add(*file, message, false);
    file->Commit();
    return file;
  }

  static void Add(JournalFile& file, const journal::Entry& message, bool must_understand) {
    const std::string bytes = message.SerializeAsString();
    std::memcpy(file.Room(bytes.size()), bytes.data(), bytes.size());
    file.Add(bytes.size(), must_understand);
  }
};

TEST_F(OtherVersionTest, WhatALaterMinorVersionAddsIsSkipped) {
  const auto file = WrittenByALaterOne(/*must_understand=*/false);
  const auto journal = TakeOver(file->fd());
  ASSERT_TRUE(journal.ok()) << journal.status();
  EXPECT_EQ((*journal)->skipped(), 1u);
  JournalState expected;
  for (const JournalEntry& entry : SmallMachine()) EXPECT_TRUE(expected.Apply(entry).ok());
  EXPECT_TRUE(expected.Apply(SampleExport(2)).ok());
  EXPECT_EQ((*journal)->state(), expected);
  // From here on it is this version's.
  const auto again = *TakeOver((*journal)->fd());
  EXPECT_EQ(again->skipped(), 0u);
  EXPECT_EQ(again->state(), expected);
}

TEST_F(OtherVersionTest, WhatMustBeUnderstoodAndIsNotIsRefused) {
  const auto file = WrittenByALaterOne(/*must_understand=*/true);
  const absl::Status status = TakeOver(file->fd()).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_NE(status.message().find("1.7"), std::string::npos) << status;
}

TEST_F(OtherVersionTest, AnotherMajorVersionIsRefused) {
  const absl::Status status = TakeOver(WrittenByALaterOne(false, 2)->fd()).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
}

TEST_F(OtherVersionTest, RecordsThatMakeNoSenseAreDamage) {
  journal::Entry orphan;
  Encode(SampleStep(77, Phase::kMapped), orphan);
  journal::Entry homeless;
  Encode(SampleMapping(78, 3, 2, 1), homeless);
  for (const std::string& bytes : {std::string("\xff\xff"), orphan.SerializeAsString(), homeless.SerializeAsString()}) {
    const auto file = *JournalFile::Create(kHalf);
    std::memcpy(file->Room(bytes.size()), bytes.data(), bytes.size());
    file->Add(bytes.size());
    file->Commit();
    EXPECT_TRUE(absl::IsDataLoss(TakeOver(file->fd()).status()));
  }
}

}  // namespace
}  // namespace p2pd
