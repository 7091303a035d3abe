#include "daemon/core/journal_state.h"

#include <string>

#include "gtest/gtest.h"

namespace p2pd {
namespace {

constexpr SessionId kSession(1);
const PciAddress kDevice = {.bus = 1};

class JournalStateTest : public testing::Test {
 protected:
  JournalStateTest() {
    Apply(JournalContext{.name = "c"});
    Apply(JournalSession{.id = kSession, .token = "t"});
    Apply(JournalDevice{.address = kDevice, .context = "c"});
    Apply(JournalSpace{.id = AddressSpaceId(2), .session = kSession, .context = "c", .devices = {kDevice}});
    Apply(JournalExport{.id = ExportId(3), .session = kSession, .window = {.device = kDevice}});
    Apply(MappingAt(4, 0x1000));
  }

  void Apply(const JournalEntry& entry) { EXPECT_TRUE(state_.Apply(entry).ok()); }

  static JournalMapping MappingAt(uint64_t id, uint64_t iova) {
    return {.id = MappingId(id),
            .session = kSession,
            .space = AddressSpaceId(2),
            .source = ExportId(3),
            .iova = {.start = iova, .length = 0x1000}};
  }
  static JournalOutcome Outcome(uint64_t session, size_t number, size_t parts = 0) {
    return {.session = SessionId(session), .request_id = std::to_string(number), .parts = {parts, {.object = 1}}};
  }

  JournalState state_;
};

TEST_F(JournalStateTest, AStepTakesAMappingOnAndLeavesTheRestOfIt) {
  Apply(JournalMappingStep{.id = MappingId(4),
                           .phase = JournalMapping::Phase::kUnmapped,
                           .state = MappingState::kLost,
                           .state_reason = "why"});
  JournalMapping expected = MappingAt(4, 0x1000);
  expected.phase = JournalMapping::Phase::kUnmapped;
  expected.state = MappingState::kLost;
  expected.state_reason = "why";
  EXPECT_EQ(state_.mappings.at(MappingId(4)), expected);
}

TEST_F(JournalStateTest, ARowThatIsNotThereIsNeitherChangedNorRemoved) {
  const JournalState before = state_;
  EXPECT_TRUE(absl::IsFailedPrecondition(state_.Apply(JournalMappingStep{.id = MappingId(5)})));
  for (const JournalRemoval::Key& key :
       {JournalRemoval::Key(SessionId(9)), JournalRemoval::Key(JournalMemoryKey{.session = kSession, .name = "m"}),
        JournalRemoval::Key(JournalContextKey{.name = "d"}), JournalRemoval::Key(PciAddress{.bus = 2}),
        JournalRemoval::Key(AddressSpaceId(9)), JournalRemoval::Key(ExportId(9)), JournalRemoval::Key(MappingId(9)),
        JournalRemoval::Key(OperationId(9))}) {
    EXPECT_TRUE(absl::IsFailedPrecondition(state_.Apply(JournalRemoval{.key = key})));
  }
  EXPECT_TRUE(absl::IsFailedPrecondition(state_.Apply(Outcome(9, 1))));
  EXPECT_TRUE(absl::IsFailedPrecondition(state_.Apply(JournalMemory{.session = SessionId(9)})));
  EXPECT_EQ(state_, before);
}

TEST_F(JournalStateTest, WithASessionGoItsOutcomesAndItsMemoryButNotItsMappings) {
  Apply(JournalSession{.id = SessionId(7)});
  for (const SessionId session : {kSession, SessionId(7)}) {
    Apply(JournalMemory{.session = session, .name = "m"});
    Apply(Outcome(session.value(), 1));
  }
  Apply(JournalRemoval{.key = kSession});
  EXPECT_EQ(state_.sessions.size(), 1u);
  EXPECT_EQ(state_.memories.size(), 1u);
  EXPECT_EQ(state_.memories.begin()->first.session, SessionId(7));
  EXPECT_EQ(state_.outcomes.size(), 1u);
  EXPECT_TRUE(state_.outcomes.contains(SessionId(7)));
  EXPECT_EQ(state_.mappings.size(), 1u);
  EXPECT_TRUE(state_.Check().ok());
}

TEST_F(JournalStateTest, NoNumberIsForgottenWhenItsRowGoes) {
  Apply(JournalRemoval{.key = MappingId(4)});
  EXPECT_EQ(state_.last_id, 4u);
  Apply(JournalLastId{.last = 1024});
  Apply(JournalLastId{.last = 512});
  EXPECT_EQ(state_.last_id, 1024u);
}

TEST_F(JournalStateTest, ASessionsOldestOutcomesAreForgottenFirst) {
  for (size_t i = 0; i < JournalState::kRemembered + 3; ++i) Apply(Outcome(1, i));
  const auto& known = state_.outcomes.at(kSession).entries;
  EXPECT_EQ(known.size(), JournalState::kRemembered);
  EXPECT_EQ(known.front().request_id, "3");
}

TEST_F(JournalStateTest, ALargeBatchesOutcomeWeighsMore) {
  Apply(Outcome(1, 1, 2000));
  Apply(Outcome(1, 2, 2000));
  EXPECT_EQ(state_.outcomes.at(kSession).entries.size(), 2u);
  Apply(Outcome(1, 3, 2000));
  EXPECT_EQ(state_.outcomes.at(kSession).entries.size(), 2u);
  // The last one is kept, whatever it weighs.
  Apply(Outcome(1, 4, 5000));
  EXPECT_EQ(state_.outcomes.at(kSession).entries.size(), 1u);
}

TEST_F(JournalStateTest, WhoeverHasTheMostOutcomesOfAllGivesFirst) {
  Apply(JournalSession{.id = SessionId(7)});
  Apply(Outcome(1, 0));
  // Three sessions are too much in all, though none of them alone.
  for (uint64_t session = 10; session < 40; ++session) {
    Apply(JournalSession{.id = SessionId(session)});
    Apply(Outcome(session, 1, 2000));
    Apply(Outcome(session, 2, 2000));
  }
  EXPECT_EQ(state_.outcomes.at(kSession).entries.size(), 1u);
  size_t weight = 0;
  size_t least = SIZE_MAX;
  for (const auto& [session, known] : state_.outcomes) {
    weight += known.weight;
    least = std::min(least, known.entries.size());
  }
  EXPECT_LE(weight, JournalState::kRememberedWeight);
  EXPECT_GT(weight, JournalState::kRememberedWeight / 2);
  EXPECT_GE(least, 1u);
}

TEST_F(JournalStateTest, WhatForEachVisitsMakesTheSameState) {
  Apply(JournalMemory{.session = kSession, .name = "m"});
  Apply(JournalOperation{.id = OperationId(9), .devices = {kDevice}});
  Apply(Outcome(1, 1));
  Apply(Outcome(1, 2, 3));
  JournalState copy;
  const auto apply = [&](const JournalEntry& entry) { return copy.Apply(entry); };
  EXPECT_TRUE(state_.ForEach(apply).ok());
  EXPECT_EQ(copy, state_);
}

TEST_F(JournalStateTest, TheWeightIsThatOfItsRowsHoweverTheyCameAndWent) {
  const size_t before = state_.weight();
  const JournalState start = state_;
  Apply(JournalSession{.id = SessionId(7), .token = "tttt"});
  Apply(JournalMemory{.session = SessionId(7), .name = "m"});
  Apply(JournalMemory{.session = SessionId(7), .name = "m", .fd_name = "longer"});
  Apply(Outcome(7, 1, 3));
  Apply(MappingAt(8, 0x2000));
  Apply(JournalMappingStep{.id = MappingId(8), .state_reason = "a reason"});
  Apply(JournalMappingStep{.id = MappingId(8), .state_reason = "none"});
  Apply(JournalOperation{.id = OperationId(9), .mappings = {MappingId(8)}});
  size_t rows = 0;
  EXPECT_TRUE(state_
                  .ForEach([&](const JournalEntry& entry) {
                    rows += WeightOf(entry);
                    return absl::OkStatus();
                  })
                  .ok());
  EXPECT_EQ(state_.weight(), rows);
  for (const JournalRemoval::Key& key :
       {JournalRemoval::Key(OperationId(9)), JournalRemoval::Key(MappingId(8)), JournalRemoval::Key(SessionId(7))}) {
    Apply(JournalRemoval{.key = key});
  }
  EXPECT_EQ(state_.weight(), before);
}

// ---- Whether the picture is whole -------------------------------------------------------------------------

TEST_F(JournalStateTest, AWholePictureIsAccepted) {
  Apply(MappingAt(5, 0x2000));
  EXPECT_TRUE(state_.Check().ok());
}

TEST_F(JournalStateTest, ARowThatRefersToNothingIsFound) {
  for (const JournalRemoval::Key& key :
       {JournalRemoval::Key(JournalContextKey{.name = "c"}), JournalRemoval::Key(kDevice),
        JournalRemoval::Key(AddressSpaceId(2)), JournalRemoval::Key(ExportId(3))}) {
    JournalState broken = state_;
    EXPECT_TRUE(broken.Apply(JournalRemoval{.key = key}).ok());
    EXPECT_TRUE(absl::IsDataLoss(broken.Check()));
  }
}

TEST_F(JournalStateTest, MappingsOfOneAddressSpaceThatOverlapAreFound) {
  for (const uint64_t iova : {0x1000ull, 0x1800ull, 0x800ull}) {
    JournalState broken = state_;
    EXPECT_TRUE(broken.Apply(MappingAt(5, iova)).ok());
    EXPECT_TRUE(absl::IsDataLoss(broken.Check())) << iova;
  }
}

TEST_F(JournalStateTest, MappingsOfTwoAddressSpacesMayBeAtOneIova) {
  Apply(JournalSpace{.id = AddressSpaceId(6), .session = kSession, .context = "c"});
  JournalMapping other = MappingAt(5, 0x1000);
  other.space = AddressSpaceId(6);
  Apply(other);
  EXPECT_TRUE(state_.Check().ok());
}

}  // namespace
}  // namespace p2pd
