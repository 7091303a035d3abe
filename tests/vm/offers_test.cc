// Drivers' offers on a real kernel in the test VM: a policy that grants windows only inside of what the device's driver
// offers. What an offer allows must work, and nothing beyond it; what rested on it must end with it, and with the
// driver. Needs --add sets.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/vm/engine_test.h"

namespace p2pd::vm {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// The VM's host bridge is none of those that are known to pass requests between devices.
constexpr char kPolicy[] = R"(
rule { name: "whoever" effect: ALLOW action: [OBSERVE, MAP_MEMORY] }
rule { name: "drive" effect: ALLOW action: DRIVE limits { scrub: NONE } }
rule { name: "what is offered" effect: ALLOW action: EXPORT when { offered: true } }
rule { name: "likewise mapped" effect: ALLOW action: MAP when { offered: true } unsupported_path: true }
)";
constexpr uint64_t kOffered = 64 << 10;  // from there on in the controller memory buffer

class OffersTest : public EngineTest {
 protected:
  OffersTest() : EngineTest("0000:01:00.0,0000:00:10.0", kPolicy) {}

  void SetUp() override {
    EngineTest::SetUp();
    nvme_.emplace(kernel_, *driver_, kNvme);
  }

  // To the user's session.
  absl::StatusOr<p2p::v1::Offer> Offer(p2p::v1::Access access = p2p::v1::READ_WRITE) {
    p2p::v1::OfferWindowRequest request;
    request.mutable_window()->set_device(Name(kNvme));
    request.mutable_window()->set_bar(kCmbBar);
    request.mutable_window()->set_offset(kOffered);
    request.mutable_window()->set_length(kWindowLength);
    request.mutable_to()->set_session(user_->name());
    request.set_access(access);
    return driver_->OfferWindow(std::move(request));
  }
  static absl::StatusOr<p2p::Export> Ask(p2p::Session& session, uint64_t offset = kOffered,
                                         uint64_t length = kWindowLength) {
    return session.CreateExport({.device = Name(kNvme), .bar = kCmbBar, .offset = offset, .length = length});
  }
  // All of what is offered, mapped for the engine, which then reaches it.
  void TakeWhatIsOffered() {
    auto window = Ask(*user_);
    ASSERT_TRUE(window.ok()) << window.status();
    window_.emplace(*std::move(window));
    auto mapping = user_->Map(*window_, *space_, {.iova = kWindowIova});
    ASSERT_TRUE(mapping.ok()) << mapping.status();
    mapping_.emplace(*std::move(mapping));
    Send(Pattern(1));
    ASSERT_EQ(nvme_->device.ReadPage(kCmbBar, kOffered), Pattern(1));
  }
  void ExpectRefused(const absl::Status& status) {
    EXPECT_TRUE(absl::IsPermissionDenied(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("what is offered"));
  }

  std::optional<Driven> nvme_;
  std::optional<p2p::Export> window_;
  std::optional<p2p::Mapping> mapping_;
};

TEST_F(OffersTest, WhatIsOfferedIsGrantedToWhomItIsOfferedAndNotAPageBeyond) {
  ExpectRefused(Ask(*user_).status());
  const auto offer = Offer();
  ASSERT_TRUE(offer.ok()) << offer.status();
  ExpectRefused(Ask(*user_, kOffered - kPage).status());
  ExpectRefused(Ask(*user_, kOffered, kWindowLength + kPage).status());
  ExpectRefused(Ask(*p2pd_.Connect("another")).status());
  TakeWhatIsOffered();
}

TEST_F(OffersTest, WithdrawingItStopsTheDmaThatRestedOnIt) {
  const auto offer = Offer();
  ASSERT_TRUE(offer.ok()) << offer.status();
  TakeWhatIsOffered();
  const auto withdrawn = driver_->WithdrawOffer(offer->name());
  ASSERT_TRUE(withdrawn.ok()) << withdrawn.status();
  nvme_->device.WritePage(kCmbBar, kOffered, Pattern(2));
  ExpectStopped();
  EXPECT_EQ(nvme_->device.ReadPage(kCmbBar, kOffered), Pattern(2)) << "a byte arrived";

  const auto receipt = user_->GetOperation(withdrawn->operation());
  ASSERT_TRUE(receipt.ok()) << receipt.status();
  EXPECT_EQ(receipt->kind(), p2p::v1::Operation::WITHDRAWAL);
  EXPECT_EQ(receipt->state(), p2p::v1::Operation::SUCCEEDED) << receipt->ShortDebugString();
  ASSERT_EQ(receipt->mappings_size(), 1) << receipt->ShortDebugString();
  EXPECT_EQ(receipt->mappings(0).mapping(), mapping_->name());
  EXPECT_TRUE(absl::IsNotFound(user_->GetExport(window_->name()).status()));
  ExpectRefused(Ask(*user_).status());
}

TEST_F(OffersTest, TheDriversEndStopsTheDmaAndTheNextDriverHasOfferedNothing) {
  ASSERT_TRUE(Offer().ok());
  TakeWhatIsOffered();
  nvme_.reset();
  ExpectStopped();
  ASSERT_TRUE(Eventually([&] { return StateOf(kNvme) == p2p::v1::Device::READY; })) << StateOf(kNvme);
  EXPECT_THAT(user_->ListOffers().value(), IsEmpty());

  nvme_.emplace(kernel_, *driver_, kNvme);
  EXPECT_EQ(nvme_->device.ReadPage(kCmbBar, kOffered), std::vector<uint8_t>(kPage)) << "a byte arrived";
  ExpectRefused(Ask(*user_).status());
  ASSERT_TRUE(Offer().ok());
  EXPECT_THAT(user_->ListOffers().value(), SizeIs(1));
  TakeWhatIsOffered();
}

TEST_F(OffersTest, WhatIsOfferedForReadingIsNotWrittenTo) {
  ASSERT_TRUE(Offer(p2p::v1::READ).ok());
  const auto window = Ask(*user_);
  ASSERT_TRUE(window.ok()) << window.status();
  EXPECT_TRUE(absl::IsPermissionDenied(user_->Map(*window, *space_, {.iova = kWindowIova}).status()));
  const auto mapping = user_->Map(*window, *space_, {.access = p2p::v1::READ, .iova = kWindowIova});
  ASSERT_TRUE(mapping.ok()) << mapping.status();
  nvme_->device.WritePage(kCmbBar, kOffered, Pattern(3));
  // The writes first: QEMU's IOMMU stops those that a cached translation forbids, but tells of them no fault.
  ExpectStopped();
  EXPECT_EQ(Fetch(), Pattern(3));
  EXPECT_EQ(nvme_->device.ReadPage(kCmbBar, kOffered), Pattern(3)) << "a byte arrived";
}

}  // namespace
}  // namespace p2pd::vm
