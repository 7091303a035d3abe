// What the cases of the contract suite share: the world, short ways to bring a device into the state that a
// case begins with, and matchers for how calls fail.
#ifndef P2PD_TESTS_CONTRACT_FIXTURE_H_
#define P2PD_TESTS_CONTRACT_FIXTURE_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/base/errors.h"
#include "daemon/base/unique_fd.h"
#include "daemon/kernel/kernel.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/contract/world.h"

namespace p2pd::contract {

inline constexpr uint64_t kPage = 4096;
inline constexpr uint64_t kCommand = 4;  // in configuration space
inline constexpr uint16_t kMemoryDecode = 2;
inline constexpr uint16_t kBusMaster = 4;
inline constexpr int kMemoryBar = 2;  // of kExporter, kPlainMemory and the set

using Bytes = std::vector<uint8_t>;

// The world that main() made.
World& TheWorld();
void SetWorld(std::unique_ptr<World> world);

// Lets devices act until `done`, or until the deadline (20 s); says which.
bool Eventually(const std::function<bool()>& done);

inline const absl::Status& StatusOf(const absl::Status& status) { return status; }
template <typename T>
const absl::Status& StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

MATCHER(Succeeds, "succeeds") {
  *result_listener << StatusOf(arg);
  return StatusOf(arg).ok();
}
MATCHER_P(FailsWith, error, "fails with " + ErrnoName(error)) {
  *result_listener << StatusOf(arg);
  return GetErrorInfo(StatusOf(arg)).error == error;
}

// Sends `fd` into a socket that nobody reads.
void SendInto(int socket, FdRef fd);

// `length` bytes that differ for every seed.
Bytes Pattern(uint8_t seed, size_t length = kPage);

class ContractTest : public ::testing::Test {
 protected:
  Kernel& kernel() { return TheWorld().kernel(); }

  UniqueFd NewContext();
  IoasId NewIoas(FdRef context);

  UniqueFd Open(Role role);
  UniqueFd OpenBound(Role role, FdRef context);
  UniqueFd OpenAttached(Role role, FdRef context, IoasId ioas);  // bus mastering on, too

  uint16_t Command(FdRef device);
  absl::Status SetCommand(FdRef device, uint16_t command);
  absl::Status SetCommandBits(FdRef device, uint16_t bits, bool on);

  // BARs, as whoever holds the descriptor sees them.
  Bytes ReadBar(FdRef device, int bar, uint64_t offset, size_t length = kPage);
  void WriteBar(FdRef device, int bar, uint64_t offset, const Bytes& bytes);
  uint32_t ReadRegister32(FdRef device, uint64_t offset);
  uint64_t ReadRegister64(FdRef device, uint64_t offset);
  void WriteRegister32(FdRef device, uint64_t offset, uint32_t value);
  void WriteRegister64(FdRef device, uint64_t offset, uint64_t value);

  // What an NVMe's driver does before its memory buffer may be used.
  void EnableMemoryBuffer(FdRef nvme);

  // A state that only a reset of the NVMe ends.
  void EnableController(FdRef nvme);
  bool ControllerIsReady(FdRef nvme);

  absl::StatusOr<UniqueFd> Export(FdRef device, uint64_t length, uint64_t offset = 0, int bar = kMemoryBar) {
    return kernel().ExportDmaBuf(device, bar, {.start = offset, .length = length});
  }
  absl::Status Map(FdRef context, IoasId ioas, FdRef file, uint64_t iova, uint64_t length, uint64_t offset = 0,
                   Access access = Access::kReadWrite) {
    return kernel().MapFile(
        context,
        {.ioas = ioas, .file = file, .offset = offset, .iova = {.start = iova, .length = length}, .access = access});
  }
  absl::Status Unmap(FdRef context, IoasId ioas, uint64_t iova, uint64_t length) {
    return kernel().Unmap(context, ioas, {.start = iova, .length = length});
  }
};

// A client's memory.
class Memory {
 public:
  explicit Memory(uint64_t length = 16 * kPage);
  const UniqueFd& fd() const { return fd_; }
  Bytes Read(uint64_t offset, size_t length = kPage) const;
  void Write(uint64_t offset, const Bytes& bytes) const;

 private:
  UniqueFd fd_;
};

// A scene: a DMA engine that is attached to an IOAS, with a client's memory mapped there, read and write, at
// kMemoryIova. Everything is in one context.
class DmaTest : public ContractTest {
 protected:
  static constexpr uint64_t kMemoryIova = 0x1000000;
  static constexpr uint64_t kWindowIova = 0x2000000;
  static constexpr size_t kChunk = 1024;  // what one transfer moves

  void SetUp() override;

  // One transfer into the engine's buffer, or out of it. The engine does not say whether it was stopped.
  void Load(uint64_t iova, uint64_t length = kChunk);
  void Store(uint64_t iova, uint64_t length = kChunk);

  // What a device finds at `iova`: kChunk bytes, through the engine and the client's memory.
  Bytes Fetch(uint64_t iova);
  // Has the device write `bytes` (kChunk of them) to `iova`.
  void Put(uint64_t iova, const Bytes& bytes);

  UniqueFd context_;
  UniqueFd engine_;
  IoasId ioas_;
  Memory memory_;

 private:
  void Transfer(uint64_t source, uint64_t destination, uint64_t length, uint64_t command);
};

}  // namespace p2pd::contract

#endif  // P2PD_TESTS_CONTRACT_FIXTURE_H_
