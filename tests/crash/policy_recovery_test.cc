// A successor judges what it takes back by the policy that it was started with itself; what rules limit goes on being
// limited, and grants do not grow younger.
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "daemon/core/testing/policy_world.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "policy/fake_user_database.h"
#include "policy/policy_file.h"
#include "tests/crash/crash_world.h"

namespace p2pd {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr uint64_t kMiB = 1 << 20;
constexpr char kElse[] = "OBSERVE, EXPORT_CONTROL, MAP_MEMORY, DRIVE, RESET, ADMIN";

std::shared_ptr<const Policy> Rules(const std::string& text) {
  auto rules = ParsePolicy(text, "policy", FakeUserDatabase());
  EXPECT_TRUE(rules.ok()) << rules.status();
  return rules.ok() ? std::make_shared<const RuleChain>(*std::move(rules)) : nullptr;
}

class PolicyRecoveryTest : public ::testing::Test {
 protected:
  void Start(const std::string& rules) {
    world_.UsePolicy(Rules(rules));
    world_.Boot(0);
  }

  template <typename... Args>
  auto Ask(CrashChannel& client, Args&&... args) {
    return world_.Ask(client, absl::StrFormat("request-%03d", ++requests_), std::forward<Args>(args)...);
  }

  // Alice drives the exporter; Bob drives an engine and wants windows of hers.
  void Connect() {
    alice_ = world_.Connect(1000);
    bob_ = world_.Connect(1001);
    Drive(*alice_, CoreWorld::kExporter);
    Drive(*bob_, CoreWorld::kEngine);
    const auto space = Ask(*bob_, &Broker::CreateAddressSpace, std::vector<PciAddress>{CoreWorld::kEngine});
    ASSERT_TRUE(space.ok()) << space.status();
    space_ = *space;
  }
  void Drive(CrashChannel& client, const PciAddress& device) {
    const auto opened = Ask(client, &Broker::OpenDevice, device);
    ASSERT_TRUE(opened.ok()) << opened.status();
    ASSERT_TRUE(Ask(client, &Broker::DeviceReady, device, opened->generation).ok());
  }

  absl::StatusOr<ExportView> Export(uint64_t start) {
    return Ask(*bob_, &Broker::CreateExport,
               Window{.device = CoreWorld::kExporter, .bar = 2, .range = {start, 1 << 16}}, Terms());
  }
  absl::StatusOr<MappingView> Map(ExportId source) {
    return Ask(*bob_, &Broker::Map, MapArgs{.source = source, .address_space = space_.id});
  }
  // The exporter's, which is what the client was granted last.
  FdRef Fd(CrashChannel& client) { return client.grants.rbegin()->second; }
  off_t Memory(CrashChannel& client) {
    const auto region = world_.kernel().GetRegionInfo(Fd(client), 2);
    return static_cast<off_t>(region.ok() ? region->offset : 0);
  }
  bool Reaches(uint64_t start) { return world_.kernel().CanReach(CoreWorld::kEngine, CoreWorld::kExporter, 2, start); }
  std::vector<MappingView> Mappings() { return world_.broker().ListMappings(bob_->session); }

  CrashWorld world_{0, 0};
  std::shared_ptr<CrashChannel> alice_;
  std::shared_ptr<CrashChannel> bob_;
  AddressSpaceView space_;
  int requests_ = 0;
};

TEST_F(PolicyRecoveryTest, WhatItsOwnPolicyDoesNotAllowIsRevoked) {
  const std::string others = AllowRule("else", kElse);
  Start(AllowRule("windows", "EXPORT, MAP") + others);
  Connect();
  const auto window = Export(0);
  ASSERT_TRUE(window.ok()) << window.status();
  ASSERT_TRUE(Map(window->id).ok());
  ASSERT_TRUE(Reaches(0));
  Start(others);
  EXPECT_FALSE(Reaches(0));
  EXPECT_THAT(Mappings(), IsEmpty());
  const auto operations = world_.broker().ListOperations(bob_->session, {});
  ASSERT_THAT(operations, SizeIs(1));
  EXPECT_EQ(operations.front().kind, OperationKind::kPolicy);
}

TEST_F(PolicyRecoveryTest, WhatIsStillAllowedRestsOnTheRuleThatAllowsItNow) {
  Start(AllowRule("all", kEveryAction));
  Connect();
  const auto window = Export(0);
  ASSERT_TRUE(window.ok() && Map(window->id).ok());
  Start(AllowRule("renamed", kEveryAction));
  EXPECT_TRUE(Reaches(0));
  ASSERT_THAT(Mappings(), SizeIs(1));
  EXPECT_EQ(Mappings().front().rule, "renamed");
  EXPECT_EQ(world_.broker().GetDevice(CoreWorld::kEngine)->driver_rule, "renamed");
}

TEST_F(PolicyRecoveryTest, WhatWasThereCountsAgainstALimit) {
  const std::string rules =
      AllowRule("two", "MAP", "limits { max_count: 2 }") + AllowRule("else", absl::StrCat("EXPORT, ", kElse));
  Start(rules);
  Connect();
  const auto window = Export(0);
  ASSERT_TRUE(window.ok() && Map(window->id).ok());
  Start(rules);
  EXPECT_TRUE(Map(window->id).ok());
  EXPECT_TRUE(absl::IsResourceExhausted(Map(window->id).status()));
}

TEST_F(PolicyRecoveryTest, AGrantAgesOnWhereItsRuleLimitsThat) {
  const std::string rules = AllowRule("short", "MAP", "limits { time_to_live_seconds: 3600 }") +
                            AllowRule("else", absl::StrCat("EXPORT, ", kElse));
  Start(rules);
  Connect();
  const auto window = Export(0);
  ASSERT_TRUE(window.ok() && Map(window->id).ok());
  Start(rules);
  world_.Pass(absl::Minutes(58));
  EXPECT_TRUE(Reaches(0));
  world_.Pass(absl::Minutes(2));
  EXPECT_FALSE(Reaches(0));
}

TEST_F(PolicyRecoveryTest, AnOfferStandsWithWhatRestsOnIt) {
  const std::string rules = AllowRule("offered", "EXPORT, MAP", "when { offered: true }") + AllowRule("else", kElse);
  Start(rules);
  Connect();
  const auto offer = Ask(*alice_, &Broker::OfferWindow,
                         Window{.device = CoreWorld::kExporter, .bar = 2, .range = {0, kMiB}}, OfferTerms{.uid = 1001});
  ASSERT_TRUE(offer.ok()) << offer.status();
  const auto window = Export(0);
  ASSERT_TRUE(window.ok() && Map(window->id).ok()) << window.status();
  Start(rules);
  EXPECT_TRUE(Reaches(0));
  EXPECT_TRUE(Export(1 << 16).ok());
  EXPECT_FALSE(Export(kMiB).ok());
  ASSERT_THAT(world_.broker().ListOffers(alice_->session, {}), SizeIs(1));
  ASSERT_TRUE(Ask(*alice_, &Broker::WithdrawOffer, offer->id).ok());
  EXPECT_FALSE(Reaches(0));
  Start(rules);
  EXPECT_THAT(world_.broker().ListOffers(alice_->session, {}), IsEmpty());
  EXPECT_FALSE(Export(0).ok());
}

TEST_F(PolicyRecoveryTest, AnOfferStillEndsInTime) {
  const std::string rules = AllowRule("offered", "EXPORT, MAP", "when { offered: true }") + AllowRule("else", kElse);
  Start(rules);
  Connect();
  ASSERT_TRUE(Ask(*alice_, &Broker::OfferWindow, Window{.device = CoreWorld::kExporter, .bar = 2, .range = {0, kMiB}},
                  OfferTerms{.uid = 1001, .time_to_live = absl::Hours(1)})
                  .ok());
  const auto window = Export(0);
  ASSERT_TRUE(window.ok() && Map(window->id).ok()) << window.status();
  Start(rules);
  EXPECT_TRUE(Reaches(0));
  world_.Pass(absl::Hours(1));
  EXPECT_FALSE(Reaches(0));
}

TEST_F(PolicyRecoveryTest, TheDriverOfADeviceThatItsPolicyDeniesIsCutOff) {
  Start(AllowRule("all", kEveryAction));
  Connect();
  const auto window = Export(0);
  ASSERT_TRUE(window.ok() && Map(window->id).ok());
  Start(AllowRule("no more drivers", "OBSERVE, EXPORT, EXPORT_CONTROL, MAP, MAP_MEMORY, RESET, ADMIN"));
  EXPECT_FALSE(Reaches(0));
  EXPECT_FALSE(world_.broker().GetDevice(CoreWorld::kEngine)->driver.has_value());
  EXPECT_TRUE(bob_->grants.empty()) << "it was not told";
}

// What the last driver left in the device's memory is still there after p2pd's end.
TEST_F(PolicyRecoveryTest, ARecoveredDriverLeavesNothingBehindEither) {
  Start(AllowRule("all", kEveryAction));
  Connect();
  const uint64_t secret = 0x5ec7e7;
  ASSERT_EQ(pwrite(Fd(*alice_).get(), &secret, sizeof(secret), Memory(*alice_)), ssize_t{sizeof(secret)});
  Start(AllowRule("all", kEveryAction));
  alice_->grants.clear();
  ASSERT_TRUE(Ask(*alice_, &Broker::CloseDevice, CoreWorld::kExporter).ok());
  Drive(*bob_, CoreWorld::kExporter);
  uint64_t found = 0;
  ASSERT_EQ(pread(Fd(*bob_).get(), &found, sizeof(found), Memory(*bob_)), ssize_t{sizeof(found)});
  EXPECT_EQ(found, 0u);
}

}  // namespace
}  // namespace p2pd
