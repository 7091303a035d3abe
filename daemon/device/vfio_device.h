// A VFIO device that p2pd holds: open, bound, memory decode on. Calls block as the kernel does and are made
// on the device's strand, one at a time; what is const after Open may be read from anywhere.
#ifndef P2PD_DAEMON_DEVICE_VFIO_DEVICE_H_
#define P2PD_DAEMON_DEVICE_VFIO_DEVICE_H_

#include <array>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "daemon/device/config_space.h"
#include "daemon/device/holders.h"
#include "daemon/device/iommu_context.h"
#include "daemon/device/sysfs.h"
#include "daemon/kernel/kernel.h"

namespace p2pd {

constexpr uint64_t kPageSize = 4096;

struct Bar {
  uint64_t size = 0;  // 0: no such BAR
  uint64_t fd_offset = 0;
  bool memory = false;        // not I/O ports
  bool prefetchable = false;  // plain memory, as opposed to registers
  std::vector<Range> msix;    // pages that no window may touch
  std::vector<Range> runs;    // what is left of it: windows lie inside one run
};

// A dma-buf of one run of a BAR, from which every mapping of windows in it is cut, and which never leaves p2pd;
// or of a single window, for a client that gets it.
struct DmaBuf {
  UniqueFd fd;
  uint64_t bar_offset = 0;  // where in the BAR it begins
};

class VfioDevice {
 public:
  // Opens and binds; a failure leaves nothing behind. `token`: of a physical function, which gets it, or of the one
  // that a virtual one belongs to.
  static absl::StatusOr<std::unique_ptr<VfioDevice>> Open(Kernel& kernel, const SysfsDevice& sysfs,
                                                          std::shared_ptr<IommuContext> context,
                                                          const std::optional<VfToken>& token);

  // Takes over one that is open and bound, as it is. Errors: DataLoss (it is of another function).
  static absl::StatusOr<std::unique_ptr<VfioDevice>> Adopt(Kernel& kernel, const SysfsDevice& sysfs, UniqueFd fd,
                                                           std::shared_ptr<IommuContext> context);

  VfioDevice(Kernel& kernel, UniqueFd fd, std::shared_ptr<IommuContext> context)
      : kernel_(kernel), fd_(std::move(fd)), context_(std::move(context)) {}

  FdRef fd() const { return fd_; }
  const FileIdentity& file() const { return file_; }  // what its holders hold
  const std::shared_ptr<IommuContext>& context() const { return context_; }
  bool can_reset() const { return can_reset_; }
  bool can_export() const { return can_export_; }
  const std::array<Bar, kNumBars>& bars() const { return bars_; }
  uint64_t config_fd_offset() const { return config_fd_offset_; }
  ConfigSpace config() const { return ConfigSpace(kernel_, fd_); }

  // The dma-buf of the run that `range` lies in, made at its first use.
  absl::StatusOr<std::shared_ptr<const DmaBuf>> DmaBufFor(int bar, Range range);

  // A dma-buf of exactly `range`, and of nobody else's windows.
  absl::StatusOr<std::shared_ptr<const DmaBuf>> ExportAlone(int bar, Range range) const;

  absl::Status Attach(const AddressSpace& space) const { return kernel_.AttachDevice(fd_, space.id()); }
  absl::Status Detach() const { return kernel_.DetachDevice(fd_); }
  absl::Status DisableInterrupts() const { return kernel_.DisableInterrupts(fd_); }
  // How much plain memory its windows can show, and zeros in all of it.
  uint64_t memory_size() const;
  absl::Status ClearMemory() const;
  absl::Status Reset() const { return kernel_.ResetDevice(fd_); }
  // All that a reset of its slot or bus takes along, itself included.
  absl::StatusOr<HotResetInfo> ResetSet() const { return kernel_.GetHotResetInfo(fd_); }
  absl::Status ResetBus() const { return kernel_.HotReset(fd_); }  // all of that
  absl::Status SetSignal(DeviceSignal signal, std::optional<FdRef> eventfd) const {
    return kernel_.SetEventFd(fd_, signal, eventfd);
  }
  absl::Status SetVfToken(const VfToken& token) const { return kernel_.SetVfToken(fd_, token); }
  // A non-posted read of the function: when its completion is here, every posted write that was under way
  // to it has arrived (PCI Express Base 2.4.1: a read does not pass posted writes).
  absl::Status FlushPostedWrites() const;

 private:
  absl::Status Describe(const SysfsDevice& sysfs);
  absl::Status ReadRegions(const SysfsDevice& sysfs);

  Kernel& kernel_;
  const UniqueFd fd_;
  const std::shared_ptr<IommuContext> context_;
  FileIdentity file_;
  bool can_reset_ = false;
  bool can_export_ = false;
  uint64_t config_fd_offset_ = 0;
  std::array<Bar, kNumBars> bars_;
  std::map<std::pair<int, uint64_t>, std::shared_ptr<const DmaBuf>> dma_bufs_;
};

// `size` bytes without the pages in `holes`: the runs that can be exported.
std::vector<Range> RunsBetween(uint64_t size, std::vector<Range> holes);

}  // namespace p2pd

#endif  // P2PD_DAEMON_DEVICE_VFIO_DEVICE_H_
