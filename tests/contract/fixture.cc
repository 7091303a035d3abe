#include "tests/contract/fixture.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <memory>
#include <utility>

namespace p2pd::contract {
namespace {

std::unique_ptr<World>& Holder() {
  static auto& holder = *new std::unique_ptr<World>();
  return holder;
}

// edu's registers.
constexpr uint64_t kSource = 0x80;
constexpr uint64_t kDestination = 0x88;
constexpr uint64_t kCount = 0x90;
constexpr uint64_t kStart = 0x98;
constexpr uint64_t kRun = 1;
constexpr uint64_t kToMemory = 2;
constexpr uint64_t kBuffer = 0x40000;

// NVMe registers.
constexpr uint64_t kCc = 0x14;
constexpr uint64_t kCsts = 0x1c;
constexpr uint64_t kAqa = 0x24;
constexpr uint64_t kAsq = 0x28;
constexpr uint64_t kAcq = 0x30;
constexpr uint32_t kEnable = 0x00460001;  // with entries of 64 and 16 bytes
constexpr uint32_t kReady = 1;
constexpr uint64_t kCmbmsc = 0x50;
constexpr uint64_t kCmbmscEnable = 3;                // CRE and CMSE
constexpr uint64_t kBufferBase = uint64_t{1} << 40;  // where the controller sees its own buffer

}  // namespace

World& TheWorld() { return *Holder(); }
void SetWorld(std::unique_ptr<World> world) { Holder() = std::move(world); }

bool Eventually(const std::function<bool()>& done) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!done()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    TheWorld().Settle();
  }
  return true;
}

Bytes Pattern(uint8_t seed, size_t length) {
  Bytes bytes(length);
  for (size_t i = 0; i < length; ++i) bytes[i] = static_cast<uint8_t>(seed + i * 7 + i / 251);
  return bytes;
}

void SendInto(int socket, FdRef fd) {
  char byte = 0;
  iovec data = {.iov_base = &byte, .iov_len = 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  const int number = fd.get();
  memcpy(CMSG_DATA(header), &number, sizeof(number));
  ASSERT_EQ(sendmsg(socket, &message, 0), 1);
}

UniqueFd ContractTest::NewContext() {
  absl::StatusOr<UniqueFd> context = kernel().OpenContext();
  EXPECT_THAT(context, Succeeds());
  return context.ok() ? *std::move(context) : UniqueFd();
}

IoasId ContractTest::NewIoas(FdRef context) {
  const absl::StatusOr<IoasId> ioas = kernel().AllocIoas(context);
  EXPECT_THAT(ioas, Succeeds());
  return ioas.value_or(IoasId());
}

UniqueFd ContractTest::Open(Role role) {
  absl::StatusOr<UniqueFd> device = kernel().OpenDevice(TheWorld().CdevOf(role));
  EXPECT_THAT(device, Succeeds());
  return device.ok() ? *std::move(device) : UniqueFd();
}

UniqueFd ContractTest::OpenBound(Role role, FdRef context) {
  UniqueFd device = Open(role);
  EXPECT_THAT(kernel().BindDevice(device, context), Succeeds());
  return device;
}

UniqueFd ContractTest::OpenAttached(Role role, FdRef context, IoasId ioas) {
  UniqueFd device = OpenBound(role, context);
  EXPECT_THAT(kernel().AttachDevice(device, ioas), Succeeds());
  EXPECT_THAT(SetCommandBits(device, kBusMaster, true), Succeeds());
  return device;
}

uint16_t ContractTest::Command(FdRef device) {
  uint8_t bytes[2] = {};
  EXPECT_THAT(kernel().ReadConfig(device, kCommand, bytes), Succeeds());
  return static_cast<uint16_t>(bytes[0] | bytes[1] << 8);
}

absl::Status ContractTest::SetCommand(FdRef device, uint16_t command) {
  const uint8_t bytes[2] = {static_cast<uint8_t>(command), static_cast<uint8_t>(command >> 8)};
  return kernel().WriteConfig(device, kCommand, bytes);
}

absl::Status ContractTest::SetCommandBits(FdRef device, uint16_t bits, bool on) {
  const uint16_t command = Command(device);
  return SetCommand(device, static_cast<uint16_t>(on ? command | bits : command & ~bits));
}

Bytes ContractTest::ReadBar(FdRef device, int bar, uint64_t offset, size_t length) {
  Bytes bytes(length);
  const absl::StatusOr<RegionInfo> region = kernel().GetRegionInfo(device, bar);
  EXPECT_THAT(region, Succeeds());
  if (!region.ok()) return bytes;
  const auto at = static_cast<off_t>(region->offset + offset);
  EXPECT_EQ(pread(device.get(), bytes.data(), length, at), static_cast<ssize_t>(length)) << strerror(errno);
  return bytes;
}

void ContractTest::WriteBar(FdRef device, int bar, uint64_t offset, const Bytes& bytes) {
  const absl::StatusOr<RegionInfo> region = kernel().GetRegionInfo(device, bar);
  ASSERT_THAT(region, Succeeds());
  const auto at = static_cast<off_t>(region->offset + offset);
  ASSERT_EQ(pwrite(device.get(), bytes.data(), bytes.size(), at), static_cast<ssize_t>(bytes.size()))
      << strerror(errno);
}

uint32_t ContractTest::ReadRegister32(FdRef device, uint64_t offset) {
  uint32_t value;
  memcpy(&value, ReadBar(device, 0, offset, sizeof(value)).data(), sizeof(value));
  return value;
}

uint64_t ContractTest::ReadRegister64(FdRef device, uint64_t offset) {
  uint64_t value;
  memcpy(&value, ReadBar(device, 0, offset, sizeof(value)).data(), sizeof(value));
  return value;
}

void ContractTest::WriteRegister32(FdRef device, uint64_t offset, uint32_t value) {
  Bytes bytes(sizeof(value));
  memcpy(bytes.data(), &value, sizeof(value));
  WriteBar(device, 0, offset, bytes);
}

void ContractTest::WriteRegister64(FdRef device, uint64_t offset, uint64_t value) {
  Bytes bytes(sizeof(value));
  memcpy(bytes.data(), &value, sizeof(value));
  WriteBar(device, 0, offset, bytes);
}

void ContractTest::EnableMemoryBuffer(FdRef nvme) { WriteRegister64(nvme, kCmbmsc, kBufferBase | kCmbmscEnable); }

void ContractTest::EnableController(FdRef nvme) {
  WriteRegister32(nvme, kCc, 0);
  EXPECT_TRUE(Eventually([&] { return !ControllerIsReady(nvme); }));
  WriteRegister32(nvme, kAqa, 0x000f000f);
  WriteRegister64(nvme, kAsq, 0x100000);
  WriteRegister64(nvme, kAcq, 0x200000);
  WriteRegister32(nvme, kCc, kEnable);
  EXPECT_TRUE(Eventually([&] { return ControllerIsReady(nvme); }));
}

bool ContractTest::ControllerIsReady(FdRef nvme) { return (ReadRegister32(nvme, kCsts) & kReady) != 0; }

Memory::Memory(uint64_t length) : fd_(memfd_create("client", MFD_CLOEXEC | MFD_ALLOW_SEALING)) {
  EXPECT_TRUE(fd_.valid());
  EXPECT_EQ(ftruncate(fd_.get(), static_cast<off_t>(length)), 0);
}

Bytes Memory::Read(uint64_t offset, size_t length) const {
  Bytes bytes(length);
  EXPECT_EQ(pread(fd_.get(), bytes.data(), length, static_cast<off_t>(offset)), static_cast<ssize_t>(length));
  return bytes;
}

void Memory::Write(uint64_t offset, const Bytes& bytes) const {
  EXPECT_EQ(pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset)),
            static_cast<ssize_t>(bytes.size()));
}

void DmaTest::SetUp() {
  context_ = NewContext();
  ioas_ = NewIoas(context_);
  engine_ = OpenAttached(Role::kDmaEngine, context_, ioas_);
  ASSERT_THAT(Map(context_, ioas_, memory_.fd(), kMemoryIova, 16 * kPage), Succeeds());
}

void DmaTest::Transfer(uint64_t source, uint64_t destination, uint64_t length, uint64_t command) {
  WriteRegister64(engine_, kSource, source);
  WriteRegister64(engine_, kDestination, destination);
  WriteRegister64(engine_, kCount, length);
  WriteRegister64(engine_, kStart, command);
  ASSERT_TRUE(Eventually([this] { return (ReadRegister64(engine_, kStart) & kRun) == 0; })) << "the DMA never ended";
}

void DmaTest::Load(uint64_t iova, uint64_t length) { Transfer(iova, kBuffer, length, kRun); }
void DmaTest::Store(uint64_t iova, uint64_t length) { Transfer(kBuffer, iova, length, kRun | kToMemory); }

Bytes DmaTest::Fetch(uint64_t iova) {
  // What the engine held before must not pass for what it fetched.
  constexpr uint64_t kScratch = 15 * kPage;
  memory_.Write(kScratch, Bytes(kChunk, 0xee));
  Load(kMemoryIova + kScratch);
  Load(iova);
  Store(kMemoryIova + kScratch);
  return memory_.Read(kScratch, kChunk);
}

void DmaTest::Put(uint64_t iova, const Bytes& bytes) {
  constexpr uint64_t kScratch = 15 * kPage;
  memory_.Write(kScratch, bytes);
  Load(kMemoryIova + kScratch);
  Store(iova);
}

}  // namespace p2pd::contract
