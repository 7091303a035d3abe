#include "daemon/journal/journal_codec.h"

#include <string>

#include "daemon/base/named_values.h"
#include "daemon/journal/journal_file.h"
#include "daemon/journal/testing/sample_entries.h"
#include "google/protobuf/unknown_field_set.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

journal::Entry Written(const JournalEntry& entry) {
  journal::Entry message;
  Encode(entry, message);
  journal::Entry read;
  EXPECT_TRUE(read.ParseFromString(message.SerializeAsString()));
  return read;
}

TEST(JournalCodecTest, EveryKindComesBackAsItWas) {
  std::set<size_t> kinds;
  for (const JournalEntry& entry : EntriesWithEveryField()) {
    const auto read = Decode(Written(entry));
    ASSERT_TRUE(read.ok()) << read.status();
    ASSERT_TRUE(read->has_value());
    EXPECT_EQ(**read, entry) << Written(entry).ShortDebugString();
    kinds.insert(entry.index());
  }
  EXPECT_EQ(kinds.size(), std::variant_size_v<JournalEntry>);
}

TEST(JournalCodecTest, WhatIsNotThereStaysAway) {
  for (const JournalEntry& entry : SmallMachine()) EXPECT_EQ(**Decode(Written(entry)), entry);
  for (const JournalEntry& entry :
       std::vector<JournalEntry>{SampleExport(3), SampleSpace(4), SampleMapping(5, 4, 3, 1), SampleOutcome(1, 9),
                                 JournalOperation{.id = OperationId(7)}, JournalLastId{}}) {
    EXPECT_EQ(**Decode(Written(entry)), entry) << Written(entry).ShortDebugString();
  }
}

TEST(JournalCodecTest, NothingIsHeavierThanItsWeight) {
  std::vector<JournalEntry> entries = EntriesWithEveryField();
  for (const JournalEntry& entry : SmallMachine()) entries.push_back(entry);
  JournalMapping bare = std::get<JournalMapping>(*std::find_if(
      entries.begin(), entries.end(), [](const auto& e) { return std::holds_alternative<JournalMapping>(e); }));
  bare.memory = bare.state_reason = "";
  entries.push_back(bare);
  for (const JournalEntry& entry : entries) {
    if (std::holds_alternative<JournalRemoval>(entry)) continue;
    EXPECT_LE(Written(entry).ByteSizeLong() + JournalFile::kRecordHeader, WeightOf(entry))
        << Written(entry).ShortDebugString();
  }
}

TEST(JournalCodecTest, AKindOfALaterVersionIsNotAnError) {
  journal::Entry later;
  later.GetReflection()->MutableUnknownFields(&later)->AddLengthDelimited(99)->assign("whatever");
  const auto read = Decode(Written(JournalLastId{.last = 1}));
  ASSERT_TRUE(read.ok());
  journal::Entry parsed;
  ASSERT_TRUE(parsed.ParseFromString(later.SerializeAsString()));
  const auto unknown = Decode(parsed);
  ASSERT_TRUE(unknown.ok()) << unknown.status();
  EXPECT_FALSE(unknown->has_value());
}

TEST(JournalCodecTest, AFieldOfALaterVersionIsPassedOver) {
  journal::Entry later = Written(SampleMapping(5, 4, 3, 1));
  journal::Mapping& mapping = *later.mutable_mapping();
  mapping.GetReflection()->MutableUnknownFields(&mapping)->AddVarint(99, 7);
  journal::Entry parsed;
  ASSERT_TRUE(parsed.ParseFromString(later.SerializeAsString()));
  EXPECT_EQ(**Decode(parsed), JournalEntry(SampleMapping(5, 4, 3, 1)));
}

TEST(JournalCodecTest, EveryKindOfOperationIsKnown) {
  int known = 0;
  for (uint32_t kind = 0; kind < 64; ++kind) {
    journal::Entry message = Written(JournalOperation());
    message.mutable_operation()->set_kind(kind);
    const auto read = Decode(message);
    EXPECT_EQ(read.ok(), IsNamedValue<OperationKind>(kind)) << kind;
    if (!read.ok()) continue;
    EXPECT_EQ(std::get<JournalOperation>(**read).kind, static_cast<OperationKind>(kind));
    ++known;
  }
  EXPECT_GE(known, static_cast<int>(OperationKind::kUnplug));
}

// What a value that this version does not know stands for cannot be guessed.
TEST(JournalCodecTest, AValueOfALaterVersionIsRefused) {
  const auto refused = [](const JournalEntry& entry, auto change) {
    journal::Entry message = Written(entry);
    change(message);
    const absl::Status status = Decode(message).status();
    EXPECT_TRUE(absl::IsDataLoss(status)) << message.ShortDebugString();
  };
  const JournalEntry mapping = SampleMapping(5, 4, 3, 1);
  for (const uint32_t value : {0u, 5u}) {
    refused(mapping, [&](journal::Entry& m) { m.mutable_mapping()->set_phase(value); });
    refused(mapping, [&](journal::Entry& m) { m.mutable_mapping()->set_state(value); });
    refused(mapping, [&](journal::Entry& m) { m.mutable_mapping()->set_access(value); });
    refused(mapping, [&](journal::Entry& m) { m.mutable_mapping()->set_asked(value); });
    refused(SampleStep(5, JournalMapping::Phase::kMapped),
            [&](journal::Entry& m) { m.mutable_mapping_step()->set_phase(value); });
    refused(SampleExport(3), [&](journal::Entry& m) { m.mutable_export_()->set_grade(value); });
    refused(SampleExport(3), [&](journal::Entry& m) { m.mutable_export_()->set_state(value); });
    refused(SampleSpace(4), [&](journal::Entry& m) { m.mutable_space()->set_phase(value); });
    refused(SmallMachine().back(), [&](journal::Entry& m) { m.mutable_device()->set_phase(value); });
    refused(JournalOperation(), [&](journal::Entry& m) { m.mutable_operation()->set_phase(value); });
  }
  refused(SmallMachine().back(), [](journal::Entry& m) { m.mutable_device()->set_state(9); });
  refused(SmallMachine().back(), [](journal::Entry& m) { m.mutable_device()->set_address(1ull << 48); });
  refused(SampleExport(3), [](journal::Entry& m) { m.mutable_export_()->set_bar(6); });
  refused(SampleOutcome(1, 1), [](journal::Entry& m) { m.mutable_outcome()->set_code(17); });
  refused(mapping, [](journal::Entry& m) { m.mutable_mapping()->set_length(0); });
  refused(mapping, [](journal::Entry& m) { m.mutable_mapping()->set_length(UINT64_MAX); });
  // Something is gone, but what?
  refused(JournalRemoval{.key = MappingId(1)}, [](journal::Entry& m) { m.mutable_removal()->clear_key(); });
}

}  // namespace
}  // namespace p2pd
