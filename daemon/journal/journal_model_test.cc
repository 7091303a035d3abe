// Random lives, written into small journals and taken over at random moments, beside a model that knows nothing
// of journals: a map from what a row is called to the row.
#include <map>
#include <string>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "daemon/journal/memfd_journal.h"
#include "daemon/journal/testing/sample_entries.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

class Model {
 public:
  void Apply(const JournalEntry& entry) {
    std::visit([&](const auto& row) { Take(row); }, entry);
  }

  // What a reader's state should hold, by the same names.
  static std::map<std::string, JournalEntry> RowsOf(const JournalState& state) {
    Model model;
    EXPECT_TRUE(state
                    .ForEach([&](const JournalEntry& entry) {
                      model.Apply(entry);
                      return absl::OkStatus();
                    })
                    .ok());
    return model.rows();
  }

  const std::map<std::string, JournalEntry>& rows() const { return rows_; }

 private:
  template <typename Row>
  void Take(const Row& row) {
    if constexpr (std::is_same_v<Row, JournalMappingStep>) {
      auto& mapping = std::get<JournalMapping>(rows_.at(absl::StrCat("mapping ", row.id.value())));
      mapping.phase = row.phase;
      mapping.state = row.state;
      mapping.state_reason = row.state_reason;
      mapping.ending = row.ending;
    } else if constexpr (std::is_same_v<Row, JournalRemoval>) {
      if (const auto* mapping = std::get_if<MappingId>(&row.key)) {
        EXPECT_EQ(rows_.erase(absl::StrCat("mapping ", mapping->value())), 1u);
      } else {
        EXPECT_EQ(rows_.erase(absl::StrCat("operation ", std::get<OperationId>(row.key).value())), 1u);
      }
    } else if constexpr (!std::is_same_v<Row, JournalLastId>) {
      rows_[NameOf(row)] = row;
    }
  }

  static std::string NameOf(const JournalSession& row) { return absl::StrCat("session ", row.id.value()); }
  static std::string NameOf(const JournalMemory& row) { return absl::StrCat("memory ", row.name); }
  static std::string NameOf(const JournalContext& row) { return absl::StrCat("context ", row.name); }
  static std::string NameOf(const JournalDevice& row) { return absl::StrCat("device ", row.address.ToString()); }
  static std::string NameOf(const JournalSpace& row) { return absl::StrCat("space ", row.id.value()); }
  static std::string NameOf(const JournalExport& row) { return absl::StrCat("export ", row.id.value()); }
  static std::string NameOf(const JournalOffer& row) { return absl::StrCat("offer ", row.id.value()); }
  static std::string NameOf(const JournalMapping& row) { return absl::StrCat("mapping ", row.id.value()); }
  static std::string NameOf(const JournalOperation& row) { return absl::StrCat("operation ", row.id.value()); }
  // An outcome's request_id is unlike any other here but that of the same mapping's end.
  static std::string NameOf(const JournalOutcome& row) { return absl::StrCat("outcome ", row.request_id); }

  std::map<std::string, JournalEntry> rows_;
};

class JournalModelTest : public testing::TestWithParam<uint32_t> {};

TEST_P(JournalModelTest, EverySuccessorKnowsWhatTheModelKnows) {
  constexpr size_t kHalf = 32768;
  std::mt19937 random(GetParam());
  RandomLife life(GetParam());
  std::unique_ptr<MemfdJournal> journal = *MemfdJournal::Create(kHalf);
  Model model;
  int refused = 0;
  int taken_over = 0;
  for (int step = 0; step < 3000; ++step) {
    const std::vector<JournalEntry> entries = life.Next(journal->state());
    const absl::Status written = journal->Append(entries);
    if (written.ok()) {
      for (const JournalEntry& entry : entries) model.Apply(entry);
    } else {
      ASSERT_TRUE(absl::IsResourceExhausted(written)) << written;
      ++refused;
    }
    if (random() % 50 != 0) continue;
    absl::StatusOr<std::unique_ptr<MemfdJournal>> successor = MemfdJournal::Open(*Duplicate(journal->fd()));
    ASSERT_TRUE(successor.ok()) << successor.status();
    journal = *std::move(successor);
    ++taken_over;
    ASSERT_TRUE(Model::RowsOf(journal->state()) == model.rows()) << "after step " << step;
  }
  EXPECT_GT(taken_over, 30);
  // It was full now and then, or this test says little.
  EXPECT_GT(refused, 0);
}

INSTANTIATE_TEST_SUITE_P(Seeds, JournalModelTest, testing::Range(1u, 9u));

}  // namespace
}  // namespace p2pd
