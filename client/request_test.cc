// Requests: what is asked, what is held, and what is given back when the holder goes.
#include <future>
#include <optional>
#include <thread>
#include <vector>

#include "client/error.h"
#include "client/testing/session_fixture.h"

namespace p2p::testing {
namespace {

using ::testing::HasSubstr;

class RequestTest : public SessionFixture {
 protected:
  RequestTest()
      : session_(Connect()),
        device_(*session_->OpenDevice(kImporter)),
        space_(*session_->CreateAddressSpace({kImporter})),
        export_(*session_->CreateExport({.device = kExporter, .bar = 2, .offset = 4096, .length = 65536})) {}

  std::unique_ptr<Session> session_;
  Device device_;
  AddressSpace space_;
  Export export_;
};

TEST_F(RequestTest, ListsAndGetsWhatThereIs) {
  const auto mapping = session_->Map(export_, space_);
  ASSERT_TRUE(mapping.ok()) << mapping.status();
  EXPECT_EQ(session_->GetStatus()->devices(), 2u);
  EXPECT_EQ(session_->ListDevices()->size(), 2u);
  EXPECT_EQ(session_->GetDevice(kExporter)->name(), kExporter);
  EXPECT_EQ(session_->ListSessions()->at(0).client(), "a test");
  EXPECT_EQ(session_->ListExports()->at(0).name(), export_.name());
  EXPECT_EQ(session_->GetExport(export_.name())->window().offset(), 4096u);
  EXPECT_EQ(session_->ListAddressSpaces()->at(0).name(), space_.name());
  EXPECT_EQ(session_->GetAddressSpace(space_.name())->devices(0), kImporter);
  EXPECT_EQ(session_->ListMappings()->at(0).name(), mapping->name());
  EXPECT_EQ(session_->GetMapping(mapping->name())->iova(), mapping->iova());
  const auto receipt = session_->ResetDevice(kExporter);
  ASSERT_TRUE(receipt.ok()) << receipt.status();
  EXPECT_EQ(session_->ListOperations()->at(0).name(), receipt->name());
  EXPECT_EQ(session_->GetOperation(receipt->name())->device(), kExporter);
}

TEST_F(RequestTest, MapPassesOnWhereAndWhatToMap) {
  const auto fixed = session_->Map(export_, space_, {.offset = 8192, .length = 4096, .access = v1::READ, .iova = 0});
  ASSERT_TRUE(fixed.ok()) << fixed.status();
  EXPECT_EQ(fixed->iova(), 0u);
  EXPECT_EQ(fixed->info().offset(), 8192u);
  EXPECT_EQ(fixed->length(), 4096u);
  EXPECT_EQ(fixed->access(), v1::READ);
  const auto rest = session_->Map(export_, space_, {.offset = 4096});
  ASSERT_TRUE(rest.ok()) << rest.status();
  EXPECT_EQ(rest->length(), 61440u);
}

TEST_F(RequestTest, WhatGoesOutOfScopeIsGivenBack) {
  {
    const auto again = session_->CreateExport({.device = kExporter, .bar = 2, .length = 4096});
    const auto space = session_->CreateAddressSpace({kImporter});
    const auto mapping = session_->Map(*again, *space);
    ASSERT_TRUE(mapping.ok()) << mapping.status();
    EXPECT_EQ(session_->GetStatus()->mappings(), 1u);
  }
  EXPECT_EQ(session_->GetStatus()->mappings(), 0u);
  EXPECT_EQ(session_->GetStatus()->exports(), 1u);
  EXPECT_EQ(session_->GetStatus()->address_spaces(), 1u);
}

TEST_F(RequestTest, AMovedObjectIsGivenBackOnce) {
  auto mapping = session_->Map(export_, space_);
  ASSERT_TRUE(mapping.ok()) << mapping.status();
  {
    const Mapping moved = *std::move(mapping);
    EXPECT_TRUE(p2pd_.calls().Of("Unmap").empty());
  }
  mapping = absl::CancelledError();
  EXPECT_EQ(p2pd_.calls().Of("Unmap").size(), 1u);
}

TEST_F(RequestTest, AssigningOverAnObjectGivesTheOldOneBack) {
  Mapping mapping = *session_->Map(export_, space_);
  const std::string first = mapping.name();
  mapping = *session_->Map(export_, space_, {.offset = 4096});
  EXPECT_EQ(session_->GetMapping(first).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(session_->ListMappings()->size(), 1u);
}

TEST_F(RequestTest, ReleaseReturnsTheReceipt) {
  const auto mapping = session_->Map(export_, space_);
  ASSERT_TRUE(mapping.ok()) << mapping.status();
  const auto receipt = export_.Release();
  ASSERT_TRUE(receipt.ok()) << receipt.status();
  EXPECT_EQ(receipt->kind(), v1::Operation::RELEASE);
  EXPECT_EQ(receipt->mappings(0).mapping(), mapping->name());
  EXPECT_EQ(receipt->mappings(0).state(), v1::Mapping::REVOKED);
}

TEST_F(RequestTest, ReleasingTwiceOrWhatIsGoneAlreadyIsFine) {
  auto mapping = session_->Map(export_, space_);
  ASSERT_TRUE(mapping.ok()) << mapping.status();
  ASSERT_TRUE(export_.Release().ok());  // takes the mapping along
  EXPECT_TRUE(mapping->Release().ok());
  EXPECT_TRUE(mapping->Release().ok());
  EXPECT_TRUE(export_.Release().ok());
  EXPECT_FALSE(mapping->Refresh().ok());
}

TEST_F(RequestTest, AFailedReleaseKeepsTheObject) {
  auto mapping = session_->Map(export_, space_);
  ASSERT_TRUE(mapping.ok()) << mapping.status();
  v1::ErrorDetail detail;
  detail.set_reason(v1::ErrorDetail::KERNEL);
  p2pd_.calls().FailNext("Unmap", MakeFailure(grpc::StatusCode::INTERNAL, detail, "bad day"));
  EXPECT_FALSE(mapping->Release().ok());
  EXPECT_TRUE(mapping->Release().ok());
  EXPECT_TRUE(session_->ListMappings()->empty());
}

TEST_F(RequestTest, RefreshAsksForTheStateNow) {
  auto mapping = session_->Map(export_, space_);
  ASSERT_TRUE(mapping.ok()) << mapping.status();
  p2pd_.broker().WithState(
      [&](FakeState& state) { state.mappings[mapping->name()].set_state(v1::Mapping::SUSPENDED); });
  EXPECT_EQ(mapping->state(), v1::Mapping::ACTIVE);
  EXPECT_EQ(*mapping->Refresh(), v1::Mapping::SUSPENDED);
  EXPECT_EQ(mapping->state(), v1::Mapping::SUSPENDED);
}

TEST_F(RequestTest, ReadyNeedsTheGenerationOfTheLastReset) {
  EXPECT_TRUE(device_.Ready(device_.info().generation()).ok());
  EXPECT_EQ(device_.info().state(), v1::Device::READY);
  const auto receipt = device_.Reset();
  ASSERT_TRUE(receipt.ok()) << receipt.status();
  const absl::Status stale = device_.Ready(receipt->generation() - 1);
  EXPECT_EQ(GetErrorDetail(stale).reason(), v1::ErrorDetail::STALE_GENERATION);
  EXPECT_TRUE(device_.Ready(receipt->generation()).ok());
}

TEST_F(RequestTest, ARefusalIsReadableAndCarriesItsReason) {
  const absl::Status status =
      session_->CreateExport({.device = kExporter, .bar = 2, .offset = 64 << 20, .length = 4096}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(status.message(), "CreateExport: devices/0000:01:00.0 BAR 2: the window is not inside the BAR");
  EXPECT_EQ(GetErrorDetail(status).reason(), v1::ErrorDetail::WINDOW_UNUSABLE);
}

TEST_F(RequestTest, ACallThatIsNotAnsweredEndsAtItsDeadline) {
  SessionOptions options = Options();
  options.call_timeout = absl::Milliseconds(50);
  const auto hurried = Connect(options);
  std::promise<void> answer;
  p2pd_.calls().BeforeNextReply("GetStatus", [&answer] { answer.get_future().wait(); });
  const absl::Status status = hurried->GetStatus().status();
  answer.set_value();
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(std::string(status.message()), HasSubstr("p2pd did not answer within 50ms"));
}

TEST_F(RequestTest, ThreadsShareASession) {
  std::vector<std::thread> threads;
  for (uint64_t i = 0; i < 4; ++i) {
    threads.emplace_back([this, i] {
      for (uint64_t j = 0; j < 10; ++j) {
        const auto mapping = session_->Map(export_, space_, {.iova = (i * 10 + j) << 20});
        ASSERT_TRUE(mapping.ok()) << mapping.status();
        EXPECT_EQ(mapping->iova(), (i * 10 + j) << 20);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(session_->ListMappings()->empty());
}

}  // namespace
}  // namespace p2p::testing
