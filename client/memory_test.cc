// A client's own memory: offered on the fd channel, then mapped.
#include <sys/mman.h>

#include <string>
#include <thread>

#include "client/error.h"
#include "client/testing/session_fixture.h"
#include "daemon/base/unique_fd.h"

namespace p2p::testing {
namespace {

class MemoryTest : public SessionFixture {
 protected:
  MemoryTest()
      : session_(Connect()),
        device_(*session_->OpenDevice(kImporter)),
        space_(*session_->CreateAddressSpace({kImporter})),
        memory_(*SealedMemory::Create("buffer", 65536)) {}

  std::unique_ptr<Session> session_;
  Device device_;
  AddressSpace space_;
  SealedMemory memory_;
};

TEST_F(MemoryTest, IsOfferedAndMappedInOneGo) {
  auto mapping = session_->MapMemory(memory_, space_, {.length = 65536, .access = v1::WRITE, .iova = 0x10000});
  ASSERT_TRUE(mapping.ok()) << mapping.status();
  EXPECT_EQ(mapping->iova(), 0x10000u);
  EXPECT_EQ(mapping->length(), 65536u);
  EXPECT_EQ(mapping->access(), v1::WRITE);
  EXPECT_EQ(mapping->state(), v1::Mapping::ACTIVE);
  EXPECT_TRUE(mapping->Release().ok());
  EXPECT_TRUE(session_->ListMappings()->empty());
}

TEST_F(MemoryTest, OfferedOnceIsMappedManyTimes) {
  const auto name = session_->OfferMemory(memory_.fd());
  ASSERT_TRUE(name.ok()) << name.status();
  const auto first = session_->MapMemory(*name, space_, {.length = 4096});
  const auto second = session_->MapMemory(*name, space_, {.offset = 4096, .length = 4096});
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_NE(first->iova(), second->iova());
}

TEST_F(MemoryTest, AMemoryIsOfferedOnceHoweverOftenItIsMapped) {
  for (uint64_t offset : {0, 4096, 8192}) {
    const auto mapping = session_->MapMemory(memory_, space_, {.offset = offset, .length = 4096});
    ASSERT_TRUE(mapping.ok()) << mapping.status();
  }
  const auto other = *SealedMemory::Create("other", 4096);
  ASSERT_TRUE(session_->MapMemory(other, space_).ok());
  p2pd_.broker().WithState([](FakeState& state) { EXPECT_EQ(state.memories.size(), 2u); });
}

TEST_F(MemoryTest, AWithdrawnMemoryIsGoneAndItsMappingsStay) {
  const auto name = session_->OfferMemory(memory_.fd());
  ASSERT_TRUE(name.ok()) << name.status();
  const auto mapping = session_->MapMemory(*name, space_);
  ASSERT_TRUE(mapping.ok()) << mapping.status();
  EXPECT_TRUE(session_->WithdrawMemory(*name).ok());
  EXPECT_TRUE(session_->OfferMemory(memory_.fd()).ok());  // the channel keeps the order
  EXPECT_EQ(session_->MapMemory(*name, space_).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(session_->ListMappings()->size(), 1u);
}

TEST_F(MemoryTest, AWithdrawnSealedMemoryIsOfferedAnew) {
  ASSERT_TRUE(session_->MapMemory(memory_, space_).ok());
  EXPECT_TRUE(session_->WithdrawMemory(memory_).ok());
  EXPECT_TRUE(session_->WithdrawMemory(memory_).ok());
  EXPECT_TRUE(session_->MapMemory(memory_, space_).ok());
  p2pd_.broker().WithState([](FakeState& state) { EXPECT_EQ(state.memories.size(), 1u); });
}

TEST_F(MemoryTest, WithdrawingByNameForgetsTheSealedMemoryToo) {
  ASSERT_TRUE(session_->MapMemory(memory_, space_).ok());
  std::string name;
  p2pd_.broker().WithState([&name](FakeState& state) { name = state.memories.begin()->second; });
  EXPECT_TRUE(session_->WithdrawMemory(name).ok());
  EXPECT_TRUE(session_->MapMemory(memory_, space_).ok());
}

TEST_F(MemoryTest, AnEndedSessionWithdrawsNothing) {
  p2pd_.HangUp();
  while (session_->ended().ok()) std::this_thread::yield();
  EXPECT_TRUE(IsDisconnected(session_->WithdrawMemory("any")));
  EXPECT_TRUE(IsDisconnected(session_->WithdrawMemory(memory_)));
}

TEST_F(MemoryTest, ARefusalOfP2pdIsPassedOn) {
  v1::MemoryAccepted refusal;
  refusal.set_error("OfferMemory: request-3: pages are missing (fallocate it)");
  refusal.set_code(static_cast<int>(absl::StatusCode::kFailedPrecondition));
  refusal.set_reason(v1::ErrorDetail::MEMORY_UNSUITABLE);
  p2pd_.RefuseNextMemory(refusal);
  const absl::Status status = session_->MapMemory(memory_, space_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.message(), refusal.error());
  EXPECT_EQ(GetErrorDetail(status).reason(), v1::ErrorDetail::MEMORY_UNSUITABLE);
  EXPECT_TRUE(session_->OfferMemory(memory_.fd()).ok());
}

TEST_F(MemoryTest, AnOfferThatGotLostInARestartIsMadeAgain) {
  p2pd_.RestartAtNextMemory();
  const auto name = session_->OfferMemory(memory_.fd());
  ASSERT_TRUE(name.ok()) << name.status();
  EXPECT_TRUE(session_->MapMemory(*name, space_, {.length = 4096}).ok());
}

TEST_F(MemoryTest, AMemfdThatCanShrinkIsRefusedBeforeItIsSent) {
  const p2pd::UniqueFd memfd(memfd_create("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  const absl::Status status = session_->OfferMemory(memfd.get()).status();
  EXPECT_EQ(GetErrorDetail(status).reason(), v1::ErrorDetail::MEMORY_UNSUITABLE);
  EXPECT_EQ(GetErrorDetail(status).hint(), "add F_SEAL_SHRINK, or use SealedMemory");
}

TEST_F(MemoryTest, WhatIsNotAMemfdIsRefused) {
  EXPECT_EQ(session_->OfferMemory(0).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(session_->OfferMemory(-1).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(MemoryTest, ANameThatWasNeverOfferedIsNotFound) {
  EXPECT_EQ(session_->MapMemory("no-such", space_).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace p2p::testing
