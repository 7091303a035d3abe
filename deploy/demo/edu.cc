#include "deploy/demo/edu.h"

#include "daemon/base/errors.h"
#include "deploy/demo/poll.h"

namespace demo {
namespace {

// Registers, in BAR 0.
constexpr uint64_t kSource = 0x80;
constexpr uint64_t kDestination = 0x88;
constexpr uint64_t kCount = 0x90;
constexpr uint64_t kCommand = 0x98;

constexpr uint64_t kRun = 1;
constexpr uint64_t kToMemory = 2;
constexpr uint64_t kBuffer = 0x40000;  // where the device sees its buffer

absl::Status AwaitIdle(const Bar& registers) {
  return PollUntil("edu's DMA", [&] { return (registers.Read64(kCommand) & kRun) == 0; });
}

}  // namespace

absl::StatusOr<std::unique_ptr<Edu>> Edu::Open(p2p::Session& session, const std::string& device) {
  P2PD_ASSIGN_OR_RETURN(p2p::Device opened, session.OpenDevice(device));
  P2PD_ASSIGN_OR_RETURN(p2p::AddressSpace space, session.CreateAddressSpace({device}));
  P2PD_ASSIGN_OR_RETURN(DmaMemory memory,
                        DmaMemory::Create(session, space, "edu source", sizeof(uint32_t), {.iova_max = kIovaMax}));
  P2PD_ASSIGN_OR_RETURN(Bar registers, Bar::Map(opened, 0));
  // It has no reset: what its last driver began may still be under way, and would go through this one's addresses.
  P2PD_RETURN_IF_ERROR(AwaitIdle(registers));
  P2PD_RETURN_IF_ERROR(EnableDma(opened));
  return std::unique_ptr<Edu>(new Edu(std::move(opened), std::move(space), std::move(memory), std::move(registers)));
}

absl::Status Edu::Write32(uint64_t iova, uint32_t value) {
  memory_.At<uint32_t>(0, 1)[0] = value;
  P2PD_RETURN_IF_ERROR(Fetch(memory_.iova(), sizeof(value)));
  return Store(iova, sizeof(value));
}

absl::Status Edu::Fetch(uint64_t iova, uint64_t length) { return Transfer(iova, kBuffer, length, /*to_memory=*/false); }

absl::Status Edu::Store(uint64_t iova, uint64_t length) { return Transfer(kBuffer, iova, length, /*to_memory=*/true); }

absl::Status Edu::Transfer(uint64_t source, uint64_t destination, uint64_t length, bool to_memory) {
  registers_.Write64(kSource, source);
  registers_.Write64(kDestination, destination);
  registers_.Write64(kCount, length);
  registers_.Write64(kCommand, kRun | (to_memory ? kToMemory : 0));
  return AwaitIdle(registers_);
}

}  // namespace demo
