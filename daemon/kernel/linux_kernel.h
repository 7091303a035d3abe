// The kernel that runs: every verb of Kernel is one ioctl (or one file operation) on it. The only file of
// p2pd that opens device nodes or calls ioctl.
//
// Holds no state: what is true is what the kernel says, and any number of threads may ask at once.
#ifndef P2PD_DAEMON_KERNEL_LINUX_KERNEL_H_
#define P2PD_DAEMON_KERNEL_LINUX_KERNEL_H_

#include <string>

#include "daemon/kernel/kernel.h"

namespace p2pd {

class LinuxKernel final : public Kernel {
 public:
  // `dev_root` is where the device nodes are: tests put an empty folder there.
  explicit LinuxKernel(std::string dev_root = "/dev") : dev_root_(std::move(dev_root)) {}

  absl::StatusOr<UniqueFd> OpenDevice(absl::string_view cdev) override;
  using Kernel::BindDevice;
  absl::Status BindDevice(FdRef device, FdRef context, const std::optional<VfToken>& token) override;
  absl::Status SetVfToken(FdRef device, const VfToken& token) override;
  absl::StatusOr<DeviceInfo> GetDeviceInfo(FdRef device) override;
  absl::StatusOr<RegionInfo> GetRegionInfo(FdRef device, int region) override;
  absl::Status ProbeExport(FdRef device) override;
  absl::StatusOr<UniqueFd> ExportDmaBuf(FdRef device, int bar, Range range) override;
  absl::StatusOr<UniqueFd> ShareDmaBuf(FdRef dma_buf) override;
  absl::StatusOr<bool> IsShared(FdRef dma_buf) override;
  absl::Status ResetDevice(FdRef device) override;
  absl::StatusOr<HotResetInfo> GetHotResetInfo(FdRef device) override;
  absl::Status HotReset(FdRef device) override;
  absl::Status SetEventFd(FdRef device, DeviceSignal signal, std::optional<FdRef> eventfd) override;
  absl::Status ReadConfig(FdRef device, uint64_t offset, absl::Span<uint8_t> bytes) override;
  absl::Status WriteConfig(FdRef device, uint64_t offset, absl::Span<const uint8_t> bytes) override;
  absl::Status ClearBar(FdRef device, int bar, Range range) override;
  absl::Status DisableInterrupts(FdRef device) override;

  absl::StatusOr<UniqueFd> OpenContext() override;
  absl::StatusOr<IoasId> AllocIoas(FdRef context) override;
  absl::Status DestroyIoas(FdRef context, IoasId ioas) override;
  absl::Status AttachDevice(FdRef device, IoasId ioas) override;
  absl::Status DetachDevice(FdRef device) override;
  absl::StatusOr<IovaLayout> GetIovaLayout(FdRef context, IoasId ioas) override;
  absl::Status MapFile(FdRef context, const MapRequest& map) override;
  absl::Status Unmap(FdRef context, IoasId ioas, Range iova) override;

  absl::StatusOr<MemoryInfo> InspectMemory(FdRef file) override;
  absl::Status PrepareMemory(FdRef file, Range range) override;

 private:
  const std::string dev_root_;
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_KERNEL_LINUX_KERNEL_H_
