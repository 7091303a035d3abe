// What the tests of SimKernel share: the sample machine, and short ways into the state that a test needs.
#ifndef P2PD_DAEMON_KERNEL_SIM_KERNEL_FIXTURE_H_
#define P2PD_DAEMON_KERNEL_SIM_KERNEL_FIXTURE_H_

#include <sys/mman.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>

#include "daemon/base/errors.h"
#include "daemon/kernel/sim_kernel.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"

namespace p2pd {

inline constexpr uint64_t kPage = 4096;
inline constexpr uint64_t kIova = 0x100000;
inline constexpr PciAddress kNvme = {.bus = 1};
inline constexpr PciAddress kEngine = {.device = 0x10};
inline constexpr PciAddress kPlain = {.device = 0x11};

inline int ErrnoOf(const absl::Status& status) { return GetErrorInfo(status).error; }

class SimKernelTest : public testing::Test {
 protected:
  void SetUp() override { Use(SimKernel::CreateFromFile("deploy/simulation/two_nvme.textproto", {})); }

  void Use(absl::StatusOr<std::unique_ptr<SimKernel>> kernel) {
    ASSERT_TRUE(kernel.ok()) << kernel.status();
    kernel_ = *std::move(kernel);
    context_ = *kernel_->OpenContext();
    ioas_ = *kernel_->AllocIoas(context_);
  }
  void UseMachine(const std::string& text) {
    v1::Simulation machine;
    ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &machine));
    Use(SimKernel::Create(machine));
  }

  UniqueFd Open(const PciAddress& address) { return *kernel_->OpenDevice(kernel_->CdevOf(address)); }
  UniqueFd OpenBound(const PciAddress& address) {
    UniqueFd device = Open(address);
    EXPECT_EQ(kernel_->BindDevice(device, context_), absl::OkStatus());
    const uint8_t command[2] = {6, 0};  // memory decode and bus mastering
    EXPECT_EQ(kernel_->WriteConfig(device, 4, command), absl::OkStatus());
    return device;
  }
  UniqueFd OpenAttached(const PciAddress& address) {
    UniqueFd device = OpenBound(address);
    EXPECT_EQ(kernel_->AttachDevice(device, ioas_), absl::OkStatus());
    return device;
  }
  absl::Status Map(FdRef file, uint64_t iova = kIova, uint64_t length = kPage, Access access = Access::kReadWrite) {
    return kernel_->MapFile(context_,
                            {.ioas = ioas_, .file = file, .iova = {.start = iova, .length = length}, .access = access});
  }
  static UniqueFd NewMemory() {
    UniqueFd fd(memfd_create("client", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    EXPECT_EQ(ftruncate(fd.get(), 16 * kPage), 0);
    return fd;
  }

  std::unique_ptr<SimKernel> kernel_;
  UniqueFd context_;
  IoasId ioas_;
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_KERNEL_SIM_KERNEL_FIXTURE_H_
