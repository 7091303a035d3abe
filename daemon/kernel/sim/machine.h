// The simulated machine: devices, contexts and dma-bufs, and the rules between them. One method per verb of
// the Kernel interface, failing with the errno that Linux 7.3 fails with, in the order in which it checks.
//
// Not thread-safe, and it sees nothing by itself: CatchUp() brings in what happened to its descriptors
// elsewhere (a last close, a write to configuration space), so it comes before everything else.
//
// Invariant: a device reaches a byte of another device only through a live area of the IOVA space that it
// is attached to, and no area is live whose dma-buf is or was revoked since it was mapped.
#ifndef P2PD_DAEMON_KERNEL_SIM_MACHINE_H_
#define P2PD_DAEMON_KERNEL_SIM_MACHINE_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "daemon/kernel/kernel.h"
#include "daemon/kernel/sim/device.h"

namespace p2pd::sim {

// A DMA that the IOMMU stopped.
struct DmaFault {
  PciAddress device;
  uint64_t iova = 0;
  bool write = false;

  auto operator<=>(const DmaFault&) const = default;
};

// Of an error that a PCI Express device or its link reports and cannot correct.
enum class ErrorSeverity { kNonFatal, kFatal };

class Machine {
 public:
  static absl::StatusOr<std::unique_ptr<Machine>> Create(std::vector<DeviceSpec> specs);

  void CatchUp();

  // Lets device models act. True if one had something to do.
  bool Step();
  bool HasModelBound() const;

  // machine.cc
  absl::StatusOr<UniqueFd> OpenDevice(absl::string_view cdev);
  absl::Status BindDevice(FdRef fd, FdRef context, const std::optional<VfToken>& token);
  absl::Status SetVfToken(FdRef fd, const VfToken& token);
  absl::StatusOr<DeviceInfo> GetDeviceInfo(FdRef fd);
  absl::StatusOr<RegionInfo> GetRegionInfo(FdRef fd, int region);
  absl::Status ProbeExport(FdRef fd);
  absl::StatusOr<UniqueFd> ExportDmaBuf(FdRef fd, int bar, Range range);
  absl::StatusOr<UniqueFd> ShareDmaBuf(FdRef fd);
  absl::StatusOr<bool> IsShared(FdRef fd);
  absl::Status ReadConfig(FdRef fd, uint64_t offset, absl::Span<uint8_t> bytes);
  absl::Status WriteConfig(FdRef fd, uint64_t offset, absl::Span<const uint8_t> bytes);
  absl::Status ClearBar(FdRef fd, int bar, Range range);
  absl::Status DisableInterrupts(FdRef fd);

  // A reset comes in halves, so that its time passes outside the lock. BeginReset revokes; FinishReset
  // resets if `error` is 0, and in any case ends the revocation if memory decode is on.
  absl::StatusOr<Device*> BeginReset(FdRef fd);
  absl::Status FinishReset(Device& device, int error);
  bool Resetting(FdRef fd);

  // machine_sets.cc: what happens to all devices of a bus at once. A hot reset comes in halves, too; where
  // BeginHotReset fails, it may have revoked some.
  absl::StatusOr<HotResetInfo> GetHotResetInfo(FdRef fd);
  absl::StatusOr<std::vector<Device*>> BeginHotReset(FdRef fd);
  absl::Status FinishHotReset(absl::Span<Device* const> set, int error);
  bool SetResetting(FdRef fd);
  absl::Status SetEventFd(FdRef fd, DeviceSignal signal, std::optional<FdRef> eventfd);

  // machine_sets.cc: what happens to devices from outside. InjectError is false where no error can be reported, and
  // EndRecovery gives the bus of what was recovered.
  bool InjectError(Device& device, ErrorSeverity severity);
  std::vector<Device*> EndRecovery(Device& device);
  void RequestRemoval(Device& device, Presence afterwards);
  // False while the device is still here.
  bool Arrive(Device& device);
  // Those that came, lost their character device, or went since the last call.
  std::vector<Device*> TakeMoved();

  // machine_iommu.cc
  absl::StatusOr<UniqueFd> OpenContext();
  absl::StatusOr<IoasId> AllocIoas(FdRef fd);
  absl::Status DestroyIoas(FdRef fd, IoasId ioas);
  absl::Status AttachDevice(FdRef fd, IoasId ioas);
  absl::Status DetachDevice(FdRef fd);
  absl::StatusOr<IovaLayout> GetIovaLayout(FdRef fd, IoasId ioas);
  absl::Status MapFile(FdRef fd, const MapRequest& map);
  absl::Status Unmap(FdRef fd, IoasId ioas, Range iova);
  absl::StatusOr<MemoryInfo> InspectMemory(FdRef file) const;

  // machine_dma.cc: what a device does on the bus. False if any of it was stopped.
  bool DmaEnabled(const Device& device) const;
  bool DmaRead(Device& device, uint64_t iova, absl::Span<uint8_t> bytes);
  bool DmaWrite(Device& device, uint64_t iova, absl::Span<const uint8_t> bytes);
  bool CanReach(const Device& device, const Device& exporter, int bar, uint64_t offset) const;
  bool CanReachFile(const Device& device, FdRef file, uint64_t offset) const;
  std::vector<DmaFault> faults() const { return {faults_.begin(), faults_.end()}; }

  Device* Find(const PciAddress& address);
  const std::vector<std::unique_ptr<Device>>& devices() const { return devices_; }

 private:
  // Where a DMA goes, as far as it goes there in one piece.
  struct Target {
    Device* device = nullptr;  // a byte of this BAR
    int bar = 0;
    ClientFile* file = nullptr;  // or of this file
    uint64_t offset = 0;
    uint64_t length = 0;
  };

  absl::StatusOr<Device*> DeviceOf(FdRef fd, absl::string_view call);
  absl::StatusOr<Device*> BoundDeviceOf(FdRef fd, absl::string_view call);
  absl::StatusOr<Context*> ContextOf(FdRef fd, absl::string_view call);
  absl::StatusOr<IovaSpace*> SpaceOf(FdRef fd, IoasId ioas, absl::string_view call);
  bool IsOurs(FdRef fd) const;

  // 0, or the errno with which a bind with this token is refused.
  int CheckToken(Device& device, const std::optional<VfToken>& token);
  std::vector<Device*> VirtualFunctionsOf(const Device& device) const;

  void CloseDevice(Device& device);
  // Kills the areas and, until Restore(), refuses new ones.
  void Revoke(Device& device);
  void Restore(Device& device);
  void ApplyConfigWrite(Device& device, uint64_t offset, absl::Span<const uint8_t> bytes);
  void ForgetClosedDmaBufs();

  // Every function of the device's bus, in the order in which vfio-pci took them.
  std::vector<Device*> BusOf(const Device& device) const;
  bool Owned(const Device& device, const Context* context) const;
  void ResetSetAfterClose(Device& closed);
  void CatchUpWithDepartures();

  IovaSpace* SpaceOfGroup(uint32_t group) const;
  int MoveGroup(uint32_t group, IovaSpace& from, IovaSpace& to);
  absl::StatusOr<Area> MakeArea(const MapRequest& map);

  std::optional<Target> Resolve(Device& device, uint64_t iova, uint64_t length, bool write);
  void RecordFault(const Device& device, uint64_t iova, bool write);

  std::vector<std::unique_ptr<Device>> devices_;  // in the order in which vfio-pci took them
  std::vector<Device*> moved_;
  std::map<FileId, Device*> devices_by_file_;
  std::map<FileId, std::unique_ptr<Context>> contexts_;
  std::map<FileId, std::shared_ptr<DmaBuf>> dma_bufs_;
  size_t dma_bufs_after_cleanup_ = 0;
  std::deque<DmaFault> faults_;  // the latest
};

}  // namespace p2pd::sim

#endif  // P2PD_DAEMON_KERNEL_SIM_MACHINE_H_
