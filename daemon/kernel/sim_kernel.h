// The kernel seam over a simulated machine: the semantics of Linux 7.3 in memory, without a device node or
// an ioctl. Behind `p2pd --simulate` and behind tests; the contract suite holds it to what Linux does.
//
// Descriptors are real: a device's can be duplicated, passed to another process, read, written and mapped
// there as VFIO's can, and last closes are noticed wherever they happen (at the next call or step, which is
// when the function is reset and its dma-bufs are revoked). What it cannot do: refuse an access through a
// descriptor (BARs answer a driver's own loads and stores even while memory decode is off or an NVMe's memory
// buffer is not enabled; other devices' accesses are stopped), answer ioctls, raise interrupts.
#ifndef P2PD_DAEMON_KERNEL_SIM_KERNEL_H_
#define P2PD_DAEMON_KERNEL_SIM_KERNEL_H_

#include <condition_variable>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "daemon/base/mutex.h"
#include "daemon/base/pci_address.h"
#include "daemon/kernel/kernel.h"
#include "daemon/kernel/sim/fault_plan.h"
#include "daemon/kernel/sim/hierarchy_spec.h"
#include "daemon/kernel/sim/machine.h"
#include "proto/p2pd/v1/simulation.pb.h"

namespace p2pd {

class SimKernel final : public Kernel {
 public:
  struct Options {
    // Passes the time of a reset. None: resets take no time.
    std::function<void(absl::Duration)> sleep = nullptr;
  };

  // Errors: InvalidArgument (the machine is not sound), NotFound (a disk is missing).
  static absl::StatusOr<std::unique_ptr<SimKernel>> Create(const v1::Simulation& machine, Options options);
  static absl::StatusOr<std::unique_ptr<SimKernel>> Create(const v1::Simulation& machine) {
    return Create(machine, Options());
  }
  // The machine of a file in protobuf's text format. Errors: also NotFound and InvalidArgument, with the place.
  static absl::StatusOr<std::unique_ptr<SimKernel>> CreateFromFile(const std::string& path, Options options);

  // What /sys would show of this machine, into an existing folder; and in its proc/cpuinfo, what /proc would. It
  // follows the machine's comings and goings from then on, as long as it is there.
  absl::Status WriteSysfs(const std::string& dir);

  // Lets device models act on what is in their registers and queues. True if there was anything to do.
  bool Step();
  // Waits until a device with a model is bound, at most so long; true if one is.
  bool AwaitModel(absl::Duration at_most);

  // ---- The Kernel interface ----------------------------------------------------------------------------

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

  // ---- For tests ---------------------------------------------------------------------------------------

  // Makes the nth call of `verb` from now on (1: the next) fail with `error`, once, without any effect; or,
  // for a reset, after it has revoked.
  void FailNth(sim::Verb verb, int nth, int error, sim::FailPoint point = sim::FailPoint::kBeforeAnything);
  int CallCount(sim::Verb verb);

  // "vfio0" for the device at `address`; "" if there is none, or none that can be opened.
  std::string CdevOf(const PciAddress& address);

  // Takes the function's reset methods away, or gives them back, as sysfs' reset_method does.
  void SetResettable(const PciAddress& address, bool resettable);

  // The next reset of its physical function takes this virtual one off the bus: its configuration reads as ones from
  // then on, but for what VFIO keeps itself. VFIO does not notice, and lets it be mapped.
  void VanishWithNextReset(const PciAddress& address);

  // An uncorrectable error that the device at `address` reports: every device of its bus gets kError. False where
  // nobody would report it: on the root bus, or without vfio-pci.
  bool InjectError(const PciAddress& address, sim::ErrorSeverity severity);
  // What the kernel then does: of a fatal one it resets the bus, without restoring anything. All that are on it.
  std::vector<PciAddress> EndRecovery(const PciAddress& address);

  // Somebody writes to the driver's `unbind`, or the device is being unplugged: its character device is gone at
  // once and kRequest is signalled; again with every further call. When nobody has the device open any more, it
  // is without its driver, or gone: at the next call or step, as for every last close.
  void Unbind(const PciAddress& address);
  void Unplug(const PciAddress& address);
  // Whether vfio-pci has the device no more.
  bool HasLeft(const PciAddress& address);
  // It is back, last in its bus' order, with the lowest character device that is free. False unless it had left.
  bool Return(const PciAddress& address);

  // Whether the device can still reach that byte: it is attached, and a live mapping leads there. Bus
  // mastering does not matter, as whoever drives the device can turn it on.
  bool CanReach(const PciAddress& device, const PciAddress& exporter, int bar, uint64_t offset);
  bool CanReachFile(const PciAddress& device, FdRef file, uint64_t offset);

  // A transfer by the device. False if any of it was stopped; what the IOMMU stopped is in faults().
  bool DmaRead(const PciAddress& device, uint64_t iova, absl::Span<uint8_t> bytes);
  bool DmaWrite(const PciAddress& device, uint64_t iova, absl::Span<const uint8_t> bytes);
  std::vector<sim::DmaFault> faults();  // the latest 1024, oldest first

 private:
  SimKernel(std::vector<sim::DeviceSpec> specs, sim::HierarchySpec hierarchy, std::unique_ptr<sim::Machine> machine,
            Options options)
      : specs_(std::move(specs)),
        hierarchy_(std::move(hierarchy)),
        options_(std::move(options)),
        machine_(std::move(machine)) {}

  // Brings in what happened elsewhere.
  void CatchUp() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // What every verb begins with: the machine catches up, and a planned failure comes due.
  absl::Status Begin(sim::Verb verb) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Also waits for a reset of that device: these verbs need what the reset holds (the device's memory_lock).
  absl::Status BeginWhenIdle(sim::Verb verb, FdRef device) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  absl::Status ShowIn(const std::string& dir, const sim::Device& device) const;
  void Remove(const PciAddress& address, sim::Presence afterwards);

  const std::vector<sim::DeviceSpec> specs_;
  const sim::HierarchySpec hierarchy_;
  std::vector<std::string> sysfs_ ABSL_GUARDED_BY(mutex_);  // the folders it was written to
  const Options options_;
  Mutex mutex_;
  std::condition_variable_any reset_done_;
  std::condition_variable_any model_bound_;
  const std::unique_ptr<sim::Machine> machine_ ABSL_PT_GUARDED_BY(mutex_);
  sim::FaultPlan faults_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_KERNEL_SIM_KERNEL_H_
