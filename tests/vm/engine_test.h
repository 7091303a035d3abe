// What the VM's tests of rights begin with: a p2pd, a session that is to be the driver of what is exported, and another
// that drives the DMA engine and has memory mapped for it. Whether a right has ended is asked of the engine, by its
// DMA, and of the kernel's log, not of p2pd.
#ifndef P2PD_TESTS_VM_ENGINE_TEST_H_
#define P2PD_TESTS_VM_ENGINE_TEST_H_

#include <unistd.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/session.h"
#include "daemon/base/unique_fd.h"
#include "daemon/kernel/linux_kernel.h"
#include "gtest/gtest.h"
#include "tests/vm/devices.h"
#include "tests/vm/real_p2pd.h"

namespace p2pd::vm {

inline constexpr char kNvme[] = "0000:01:00.0";
inline constexpr char kEngine[] = "0000:00:10.0";
inline constexpr uint64_t kMemoryIova = 0x100000;  // two pages
inline constexpr uint64_t kWindowIova = 0x4000000;
inline constexpr uint64_t kWindowLength = 32 << 10;

inline std::string Name(const std::string& bdf) { return "devices/" + bdf; }

// Looks again and again, for a minute; whether it came true.
bool Eventually(const std::function<bool()>& condition);

// What the kernel says from now on.
class KernelLog {
 public:
  KernelLog();
  // Whether a new line has all of these words.
  bool Says(const std::vector<std::string>& words);

 private:
  UniqueFd fd_;
};

// The right to drive a device, with a copy of its fd.
struct Driven {
  Driven(Kernel& kernel, p2p::Session& session, const std::string& bdf);

  p2p::Device right;
  DmaEngine device;  // or any other
};

class EngineTest : public ::testing::Test {
 protected:
  explicit EngineTest(const std::string& managed, const std::string& policy = kOpenPolicy) : p2pd_(managed, policy) {}
  void SetUp() override;

  // Has the engine copy `bytes` to the beginning of the window, and a page of the window to memory.
  void Send(const std::vector<uint8_t>& bytes);
  std::vector<uint8_t> Fetch();

  // The engine's writes to the window go nowhere: the IOMMU stops them, and says so.
  void ExpectStopped();

  p2p::v1::Device::State StateOf(const std::string& bdf) { return user_->GetDevice(Name(bdf)).value().state(); }

  // The operation of that kind; of the device, where one is named.
  p2p::v1::Operation Receipt(p2p::v1::Operation::Kind kind, const std::string& device = "");

  LinuxKernel kernel_;
  const RealP2pd p2pd_;
  std::unique_ptr<p2p::Session> driver_ = p2pd_.Connect("driver");
  std::unique_ptr<p2p::Session> user_ = p2pd_.Connect("user");
  std::optional<Driven> engine_;
  std::optional<p2p::AddressSpace> space_;
  std::optional<p2p::SealedMemory> memory_;
  std::optional<p2p::Mapping> memory_mapping_;
};

}  // namespace p2pd::vm

#endif  // P2PD_TESTS_VM_ENGINE_TEST_H_
