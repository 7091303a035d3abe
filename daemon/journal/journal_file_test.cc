#include "daemon/journal/journal_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace p2pd {
namespace {

constexpr size_t kHalf = 8192;

void AddText(JournalFile& file, const std::string& text, bool must_understand = false) {
  uint8_t* const room = file.Room(text.size());
  ASSERT_NE(room, nullptr);
  std::memcpy(room, text.data(), text.size());
  file.Add(text.size(), must_understand);
}

std::vector<std::string> Texts(const JournalFile& file) {
  std::vector<std::string> texts;
  EXPECT_TRUE(file.ForEach([&](const JournalFile::Record& record) {
                    texts.emplace_back(record.bytes.begin(), record.bytes.end());
                    return absl::OkStatus();
                  })
                  .ok());
  return texts;
}

// As another process would.
absl::StatusOr<std::unique_ptr<JournalFile>> OpenAgain(const JournalFile& file) {
  return JournalFile::Open(*Duplicate(file.fd()));
}

std::vector<std::string> TextsOfSuccessor(const JournalFile& file) {
  const auto successor = OpenAgain(file);
  EXPECT_TRUE(successor.ok()) << successor.status();
  return successor.ok() ? Texts(**successor) : std::vector<std::string>{"unreadable"};
}

using Strings = std::vector<std::string>;

TEST(JournalFileTest, ASuccessorReadsWhatWasCommittedInItsOrder) {
  const auto file = *JournalFile::Create(kHalf);
  EXPECT_EQ(TextsOfSuccessor(*file), Strings());
  AddText(*file, "one");
  AddText(*file, "");
  file->Commit();
  AddText(*file, "two");
  file->Commit();
  EXPECT_EQ(TextsOfSuccessor(*file), (Strings{"one", "", "two"}));
  EXPECT_EQ(Texts(*file), (Strings{"one", "", "two"}));
}

TEST(JournalFileTest, WhatWasAddedButNotCommittedDoesNotCount) {
  const auto file = *JournalFile::Create(kHalf);
  AddText(*file, "one");
  file->Commit();
  AddText(*file, "two");
  AddText(*file, "three");
  EXPECT_EQ(TextsOfSuccessor(*file), Strings{"one"});
  file->Discard();
  AddText(*file, "four");
  file->Commit();
  EXPECT_EQ(TextsOfSuccessor(*file), (Strings{"one", "four"}));
}

TEST(JournalFileTest, TheOtherHalfReplacesThisOneAtOnce) {
  const auto file = *JournalFile::Create(kHalf);
  for (int round = 0; round < 5; ++round) {
    const std::string old = "old" + std::to_string(round);
    const std::string fresh = "new" + std::to_string(round);
    file->BeginOtherHalf();
    AddText(*file, old);
    file->Commit();
    file->BeginOtherHalf();
    AddText(*file, fresh);
    EXPECT_EQ(TextsOfSuccessor(*file), Strings{old});
    file->Commit();
    EXPECT_EQ(TextsOfSuccessor(*file), Strings{fresh});
  }
}

TEST(JournalFileTest, AHalfThatWasBegunAndGivenUpChangesNothing) {
  const auto file = *JournalFile::Create(kHalf);
  AddText(*file, "one");
  file->Commit();
  file->BeginOtherHalf();
  AddText(*file, "lost");
  file->Discard();
  AddText(*file, "two");
  file->Commit();
  EXPECT_EQ(TextsOfSuccessor(*file), (Strings{"one", "two"}));
}

TEST(JournalFileTest, AHalfHoldsExactlyItsCapacity) {
  const auto file = *JournalFile::Create(kHalf);
  const size_t most = file->capacity() - JournalFile::kRecordHeader;
  EXPECT_EQ(file->Room(most + 1), nullptr);
  EXPECT_EQ(file->Room(SIZE_MAX), nullptr);
  AddText(*file, std::string(most, 'x'));
  file->Commit();
  EXPECT_EQ(file->Room(0), nullptr);
  EXPECT_EQ(TextsOfSuccessor(*file), Strings{std::string(most, 'x')});
}

TEST(JournalFileTest, ASuccessorGoesOnWhereTheOtherEnded) {
  const auto file = *JournalFile::Create(kHalf);
  AddText(*file, "one");
  file->Commit();
  const auto successor = *OpenAgain(*file);
  AddText(*successor, "two");
  successor->Commit();
  EXPECT_EQ(TextsOfSuccessor(*file), (Strings{"one", "two"}));
}

TEST(JournalFileTest, TheMarkOfWhatMustBeUnderstoodIsKept) {
  const auto file = *JournalFile::Create(kHalf);
  AddText(*file, "a");
  AddText(*file, "b", /*must_understand=*/true);
  file->Commit();
  std::vector<bool> marks;
  EXPECT_TRUE((*OpenAgain(*file))
                  ->ForEach([&](const JournalFile::Record& record) {
                    marks.push_back(record.must_understand);
                    return absl::OkStatus();
                  })
                  .ok());
  EXPECT_EQ(marks, (std::vector<bool>{false, true}));
}

TEST(JournalFileTest, AnotherMajorVersionIsRefused) {
  for (const uint32_t major : {0u, 2u}) {
    const auto file = *JournalFile::Create(kHalf, {.major = major});
    const absl::Status status = OpenAgain(*file).status();
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  }
}

TEST(JournalFileTest, ALaterMinorVersionIsReadAndTheNextHalfIsOfThisOne) {
  const auto file = *JournalFile::Create(kHalf, {.minor = 7});
  AddText(*file, "one");
  file->Commit();
  const auto successor = *OpenAgain(*file);
  EXPECT_EQ(successor->version().minor, 7u);
  EXPECT_EQ(Texts(*successor), Strings{"one"});
  successor->BeginOtherHalf();
  successor->Commit();
  EXPECT_EQ((*OpenAgain(*file))->version().minor, JournalVersion().minor);
}

TEST(JournalFileTest, ASizeThatIsNoneIsRefused) {
  for (const size_t size : {size_t{0}, size_t{4095}, size_t{1} << 32}) {
    EXPECT_TRUE(absl::IsInvalidArgument(JournalFile::Create(size).status())) << size;
  }
}

TEST(JournalFileTest, AFileThatIsNoJournalIsRefused) {
  UniqueFd unsealed(memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  EXPECT_EQ(ftruncate(unsealed.get(), 4096), 0);
  EXPECT_TRUE(absl::IsDataLoss(JournalFile::Open(std::move(unsealed)).status()));
  for (const off_t size : {0, 4096, 4096 + 2 * 8192}) {
    UniqueFd sealed(memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    EXPECT_EQ(ftruncate(sealed.get(), size), 0);
    EXPECT_EQ(fcntl(sealed.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);
    EXPECT_TRUE(absl::IsDataLoss(JournalFile::Open(std::move(sealed)).status())) << size;
  }
  EXPECT_TRUE(absl::IsDataLoss(JournalFile::Open(UniqueFd(open("/dev/null", O_RDWR | O_CLOEXEC))).status()));
}

TEST(JournalFileTest, AJournalOfAnotherLengthThanItSaysIsRefused) {
  const auto file = *JournalFile::Create(kHalf);
  std::vector<char> bytes(4096 + 2 * kHalf);
  ASSERT_EQ(pread(file->fd().get(), bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
  for (const int more : {-4096, 0, 4096}) {
    UniqueFd copy(memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    EXPECT_EQ(ftruncate(copy.get(), static_cast<off_t>(bytes.size()) + more), 0);
    const size_t length = bytes.size() + std::min(more, 0);
    EXPECT_EQ(pwrite(copy.get(), bytes.data(), length, 0), static_cast<ssize_t>(length));
    EXPECT_EQ(fcntl(copy.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);
    const absl::Status status = JournalFile::Open(std::move(copy)).status();
    EXPECT_EQ(status.code(), more == 0 ? absl::StatusCode::kOk : absl::StatusCode::kDataLoss);
  }
}

TEST(JournalFileTest, NobodyCanTakeItsPagesAway) {
  const auto file = *JournalFile::Create(kHalf);
  EXPECT_NE(ftruncate(file->fd().get(), 0), 0);
  EXPECT_NE(ftruncate(file->fd().get(), 1 << 20), 0);
}

}  // namespace
}  // namespace p2pd
