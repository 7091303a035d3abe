// A driver says which windows of its device who may have; rules may ask for that.
#include "daemon/base/errors.h"
#include "daemon/core/testing/policy_world.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr uint64_t kMiB = 1 << 20;
constexpr Window kOffered = {.device = {.bus = 1}, .bar = 2, .range = {0, 2 * kMiB}};

// Alice drives the exporter; Bob drives an engine and wants a window of hers.
class OffersTest : public ::testing::Test {
 protected:
  OffersTest() {
    world_.Drive(alice_, CoreWorld::kExporter);
    world_.Drive(bob_, CoreWorld::kEngine);
    space_ = world_.Space(bob_, CoreWorld::kEngine);
  }

  OfferView Offer(const OfferTerms& terms = {.uid = 1001}) {
    const auto offer = world_.Call(&Broker::OfferWindow, alice_, kOffered, terms);
    EXPECT_TRUE(offer.ok()) << offer.status();
    return offer.value_or(OfferView());
  }
  absl::StatusOr<ExportView> Export(const Client& client, uint64_t length = kMiB) {
    return world_.Call(&Broker::CreateExport, client,
                       Window{.device = CoreWorld::kExporter, .bar = 2, .range = {0, length}}, Terms());
  }
  absl::StatusOr<MappingView> Map(ExportId source, Access access = Access::kReadWrite) {
    return world_.Call(&Broker::Map, bob_, MapArgs{.source = source, .address_space = space_.id, .access = access});
  }
  void StopWhenAsked(Client& client) {
    client.channel->on_quiesce = [this, id = client.id](const QuiesceNotice& notice) {
      world_.broker->AckQuiesce(id, notice.operation);
    };
  }
  bool Reaches() { return world_.Reaches(CoreWorld::kEngine, CoreWorld::kExporter, 0); }

  PolicyWorld rules_{AllowRule("offered", "EXPORT, MAP", "when { offered: true }") +
                     AllowRule("else", "MAP_MEMORY, DRIVE, RESET, ADMIN")};
  CoreWorld& world_ = rules_.world;
  Client alice_ = world_.Connect(1000);
  Client bob_ = world_.Connect(1001);
  AddressSpaceView space_;
};

TEST_F(OffersTest, WhatIsNotOfferedIsRefused) {
  const auto refused = Export(bob_);
  EXPECT_EQ(GetErrorInfo(refused.status()).reason, Reason::kPolicy);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("within an offer of the driver"));
}

TEST_F(OffersTest, WhatIsOfferedIsGrantedToWhomItIsOffered) {
  Offer();
  const auto window = Export(bob_);
  ASSERT_TRUE(window.ok()) << window.status();
  EXPECT_TRUE(Map(window->id).ok());
  EXPECT_FALSE(Export(world_.Connect(1002)).ok()) << "it is made to another";
  EXPECT_FALSE(Export(bob_, 3 * kMiB).ok()) << "it goes beyond the offer";
}

TEST_F(OffersTest, AnImporterGetsTheAccessThatIsOffered) {
  Offer({.uid = 1001, .access = Access::kRead});
  const auto window = Export(bob_);
  ASSERT_TRUE(window.ok());
  EXPECT_FALSE(Map(window->id).ok());
  EXPECT_TRUE(Map(window->id, Access::kRead).ok());
}

TEST_F(OffersTest, OnlyTheDriverOffersAndWithdraws) {
  const auto refused = world_.Call(&Broker::OfferWindow, bob_, kOffered, OfferTerms());
  EXPECT_EQ(GetErrorInfo(refused.status()).reason, Reason::kNotOwner);
  const auto offer = Offer();
  EXPECT_EQ(world_.Call(&Broker::WithdrawOffer, bob_, offer.id).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(OffersTest, AWindowThatNobodyCouldExportCannotBeOffered) {
  Window window = kOffered;
  window.range = {0, 4097};
  const auto refused = world_.Call(&Broker::OfferWindow, alice_, window, OfferTerms());
  EXPECT_EQ(GetErrorInfo(refused.status()).reason, Reason::kWindowUnusable);
  EXPECT_EQ(GetErrorInfo(refused.status()).step, "OfferWindow");
}

TEST_F(OffersTest, WithdrawingRevokesWhatRestedOnIt) {
  const auto offer = Offer();
  const auto window = Export(bob_);
  ASSERT_TRUE(Map(window->id).ok());
  StopWhenAsked(bob_);
  const auto withdrawn = world_.Call(&Broker::WithdrawOffer, alice_, offer.id);
  ASSERT_TRUE(withdrawn.ok()) << withdrawn.status();
  EXPECT_FALSE(Reaches());
  EXPECT_FALSE(world_.broker->GetExport(bob_.id, window->id).ok());
  ASSERT_TRUE(withdrawn->operation.has_value());
  const auto receipt = world_.broker->GetOperation(bob_.id, *withdrawn->operation);
  EXPECT_EQ(receipt->kind, OperationKind::kWithdrawal);
  ASSERT_THAT(receipt->mappings, SizeIs(1));
  EXPECT_THAT(receipt->mappings[0].reason, HasSubstr("it was withdrawn"));
}

TEST_F(OffersTest, WhatAnotherOfferCoversStays) {
  const auto offer = Offer();
  Offer({.gid = 1001});
  const auto window = Export(bob_);
  ASSERT_TRUE(Map(window->id).ok());
  const auto withdrawn = world_.Call(&Broker::WithdrawOffer, alice_, offer.id);
  ASSERT_TRUE(withdrawn.ok());
  EXPECT_EQ(withdrawn->operation, std::nullopt);
  EXPECT_TRUE(Reaches());
}

TEST_F(OffersTest, AnOfferEndsWithItsTime) {
  Offer({.uid = 1001, .time_to_live = absl::Seconds(5)});
  const auto window = Export(bob_);
  ASSERT_TRUE(Map(window->id).ok());
  StopWhenAsked(bob_);
  world_.scheduler.Advance(absl::Milliseconds(4999));
  EXPECT_TRUE(Reaches());
  world_.scheduler.Advance(absl::Milliseconds(1));
  EXPECT_FALSE(Reaches());
  EXPECT_THAT(world_.broker->ListOffers(alice_.id), IsEmpty());
}

TEST_F(OffersTest, AnOfferEndsWithItsDriver) {
  Offer();
  const auto window = Export(bob_);
  ASSERT_TRUE(Map(window->id).ok());
  StopWhenAsked(bob_);
  alice_.channel->grants.clear();
  ASSERT_TRUE(world_.Call(&Broker::CloseDevice, alice_, CoreWorld::kExporter).ok());
  EXPECT_FALSE(Reaches());
  EXPECT_THAT(world_.broker->ListOffers(alice_.id), IsEmpty());
  world_.Drive(world_.Connect(1002), CoreWorld::kExporter);
  EXPECT_FALSE(Export(bob_).ok()) << "the next driver has offered nothing";
}

TEST_F(OffersTest, AnOfferIsSeenByWhomItConcerns) {
  const auto offer = Offer();
  EXPECT_THAT(world_.broker->ListOffers(alice_.id), SizeIs(1));
  EXPECT_THAT(world_.broker->ListOffers(bob_.id), SizeIs(1));
  EXPECT_THAT(world_.broker->ListOffers(world_.Connect(1002).id), IsEmpty());
  EXPECT_THAT(world_.broker->ListOffers(alice_.id, {.after = offer.id.value()}), IsEmpty());
}

}  // namespace
}  // namespace p2pd
