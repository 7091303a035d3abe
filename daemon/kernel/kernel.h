// The seam between p2pd and the kernel: one verb per thing that p2pd asks of VFIO, iommufd and dma-buf.
// LinuxKernel carries them out with ioctls; SimKernel models the same semantics in memory. One contract
// suite (tests/contract) holds both to the same behaviour.
//
// Semantics are those of Linux 7.3; each verb names the code it rests on. Errors carry the name of the
// call that failed and its errno (base/errors.h). Every verb is thread-safe, and may block for as long as
// the kernel does: ResetDevice and the last close of a device fd up to 60 s, and whatever touches the same
// device meanwhile.
//
// A descriptor keeps its meaning when it is duplicated or passed to another process; a device is closed
// when its last duplicate, mmap and in-flight copy is gone.
#ifndef P2PD_DAEMON_KERNEL_KERNEL_H_
#define P2PD_DAEMON_KERNEL_KERNEL_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "daemon/base/pci_address.h"
#include "daemon/base/strong_id.h"
#include "daemon/base/unique_fd.h"

namespace p2pd {

using IoasId = StrongId<struct IoasIdTag, uint32_t>;

// What a mapping lets a device do. Some page-table formats cannot withhold reads: there, WRITE allows READ too.
enum class Access : uint8_t { kRead = 1, kWrite = 2, kReadWrite = 3 };
constexpr bool CanRead(Access a) { return (static_cast<uint8_t>(a) & 1) != 0; }
constexpr bool CanWrite(Access a) { return (static_cast<uint8_t>(a) & 2) != 0; }

// [start, start + length), in bytes.
struct Range {
  uint64_t start = 0;
  uint64_t length = 0;

  auto operator<=>(const Range&) const = default;
  // The last byte; the range must not be empty. Never overflows for a range that Valid() accepts.
  uint64_t last() const { return start + (length - 1); }
  // Not empty, and its last byte fits in 64 bits.
  bool Valid() const { return length != 0 && start <= UINT64_MAX - (length - 1); }
  bool Overlaps(const Range& other) const { return start <= other.last() && other.start <= last(); }
  bool Contains(const Range& other) const { return start <= other.start && other.last() <= last(); }
  std::string ToString() const;  // "[0x1000, +0x2000)"
};

struct DeviceInfo {
  bool can_reset = false;    // VFIO_DEVICE_FLAGS_RESET: the function reset at bind worked
  uint32_t num_regions = 0;  // 9 or more: six BARs, ROM, config, VGA
  PciAddress address;        // of which function it is a descriptor [vfio_main.c: vfio_device_show_fdinfo]
};

// VFIO region indexes: BAR 0 to 5, then the expansion ROM, then configuration space.
constexpr int kNumBars = 6;
constexpr int kConfigRegion = 7;

struct RegionInfo {
  uint64_t size = 0;    // 0: no such region
  uint64_t offset = 0;  // where pread, pwrite and mmap of the device fd find it
  bool readable = false;
  bool writable = false;
  bool mappable = false;
};

// A device that a hot reset reaches, and whether the asker's context has a say over it: it is bound there, or
// another device of its IOMMU group is, so that nobody else can bind it.
struct HotResetMember {
  PciAddress address;
  bool owned = false;

  auto operator<=>(const HotResetMember&) const = default;
};

struct HotResetInfo {
  std::vector<HotResetMember> members;  // by address; the device itself is one of them
  bool all_owned = false;               // what HotReset asks for
};

// What the kernel tells a device's holder through an eventfd.
enum class DeviceSignal : uint8_t {
  kError,    // an uncorrectable error, fatal or not, of the device or of one below the same port
  kRequest,  // somebody unbinds or unplugs the device and waits until every descriptor of it is closed
};

// A secret that whoever binds a physical function shares with those who bind its virtual ones.
using VfToken = std::array<uint8_t, 16>;

struct MapRequest {
  IoasId ioas;
  FdRef file;           // a dma-buf exported by VFIO, or a memfd
  uint64_t offset = 0;  // into the file
  Range iova;           // where the device will see it, and how much of it
  Access access = Access::kReadWrite;
};

struct IovaLayout {
  std::vector<Range> usable;  // ascending, without what the IOMMU and the platform reserve
  uint64_t alignment = 1;     // bytes; IOVAs, lengths and offsets must be multiples of it
};

// What the kernel says about a file that a client offers as memory.
struct MemoryInfo {
  bool is_memfd = false;  // shmem or hugetlbfs, with seals: nothing else answers F_GET_SEALS
  bool is_hugetlb = false;
  uint64_t size = 0;       // bytes
  uint64_t allocated = 0;  // bytes
  bool writable = false;   // this open file description allows writes
  bool sealed_shrink = false;
  bool sealed_write = false;  // F_SEAL_WRITE or F_SEAL_FUTURE_WRITE
};

class Kernel {
 public:
  virtual ~Kernel() = default;

  // ---- Devices: /dev/vfio/devices/vfioN ----------------------------------------------------------------

  // Opens the character device that sysfs calls `cdev` ("vfio3"). A device can be opened many times and
  // bound once. Errors: NotFound; FailedPrecondition (ENODEV: it is being unregistered); InvalidArgument
  // for "noiommu-vfioN", which p2pd never uses. [vfio/device_cdev.c: vfio_device_fops_cdev_open]
  virtual absl::StatusOr<UniqueFd> OpenDevice(absl::string_view cdev) = 0;

  // Binds an open device to an iommufd context; everything else needs this first. The kernel resets the
  // function, turns bus mastering off and memory decode on. Errors: EINVAL (the device is bound through
  // another open file, or this one is bound already), EPERM (its group belongs to another context or to a
  // kernel driver, or interrupts are not isolated), EBUSY, EAGAIN, ENODEV.
  //
  // EACCES: a token is asked for, and this is not it. A virtual function that its physical one has had while vfio-pci
  // had that takes the token which the physical one has, at first a random one that nobody knows; a physical one
  // takes its own while a virtual one of it is bound, and else has any that is given from then on. EINVAL: a token
  // that nobody asked for. [device_cdev.c: vfio_df_ioctl_bind_iommufd; pci_core: match_token_uuid]
  virtual absl::Status BindDevice(FdRef device, FdRef context, const std::optional<VfToken>& token) = 0;
  absl::Status BindDevice(FdRef device, FdRef context) { return BindDevice(device, context, std::nullopt); }

  // Gives a bound physical function its token, whatever it was and whoever is bound by it: it is looked at when
  // something is bound. Nobody can read it back, and any holder of the device's fd can set another. Errors: ENOTTY
  // (it cannot have virtual functions). [pci_core: feature_token]
  virtual absl::Status SetVfToken(FdRef device, const VfToken& token) = 0;

  virtual absl::StatusOr<DeviceInfo> GetDeviceInfo(FdRef device) = 0;

  // `region` is a BAR (0..5) or kConfigRegion. Errors: EINVAL (no such index).
  virtual absl::StatusOr<RegionInfo> GetRegionInfo(FdRef device, int region) = 0;

  // Whether this kernel and driver can export the device's BARs at all. OK, or Unimplemented (ENOTTY: old
  // kernel or CONFIG_VFIO_PCI_DMABUF=n; EOPNOTSUPP: a variant driver).
  virtual absl::Status ProbeExport(FdRef device) = 0;

  // Makes a dma-buf of one range of one BAR. Born revoked while memory decode is off. Errors: EINVAL (not
  // page-aligned, empty, an I/O BAR, overflows, or beyond the BAR), ENODEV (no such BAR), EMFILE.
  // [vfio_pci_dmabuf.c: vfio_pci_core_feature_dma_buf]
  virtual absl::StatusOr<UniqueFd> ExportDmaBuf(FdRef device, int bar, Range range) = 0;

  // Another descriptor of the same dma-buf, to be given away.
  virtual absl::StatusOr<UniqueFd> ShareDmaBuf(FdRef dma_buf) = 0;

  // Whether anything but this one descriptor refers to the dma-buf: a descriptor that was given away, wherever
  // it is, or an area that maps it. Errors: EINVAL (no dma-buf), EBADF. [dma-buf.c: dma_buf_show_fdinfo]
  virtual absl::StatusOr<bool> IsShared(FdRef dma_buf) = 0;

  // Resets the function. Every dma-buf of the device is revoked first, also when the reset then fails
  // with EAGAIN or ENOTTY; EINVAL (no function reset) comes before that. Revoked areas stay in their IOAS,
  // dead, until Unmap. Configuration is restored, bus mastering included. [pci_core: ioctl_reset]
  virtual absl::Status ResetDevice(FdRef device) = 0;

  // Which devices HotReset would reset: those of the slot or, where the slot has no reset, of the bus, with the
  // buses below it. Errors: ENODEV (neither can be reset: the device is on a root bus, or a quirk forbids it),
  // ENOMEM. [pci_core: ioctl_get_pci_hot_reset_info]
  virtual absl::StatusOr<HotResetInfo> GetHotResetInfo(FdRef device) = 0;

  // Resets every device of that list at once, which works also for functions that cannot be reset by themselves.
  // Their configuration is restored, bus mastering included. Errors: ENODEV (as above: nothing was revoked);
  // EINVAL (a device of the list is not owned by the context, or not bound to vfio-pci), EBUSY (a device of it is
  // being reset, or one of its BARs accessed), EAGAIN (it or the port above it is locked: unbind, error recovery):
  // after any return but ENODEV take every dma-buf of the list for revoked, as all or some of them are. Blocks
  // bind, close and reset of all of them meanwhile. [pci_core: dev_set_hot_reset; pci.c: pci_try_reset_bus]
  virtual absl::Status HotReset(FdRef device) = 0;

  // Has the kernel signal `eventfd` from now on, in place of the one before; with none, nothing is signalled.
  // Forgotten with the device's last close.
  //
  // kRequest comes at once and then every 10 s until the device is closed. Its character device and, in sysfs, its
  // driver are gone by then. Everything works meanwhile, exports too, but for what needs the lock that whoever
  // removes the device holds: binding fails with EAGAIN, resets do after they have revoked, and the last close
  // resets nothing. [vfio_main.c: vfio_unregister_group_dev]
  //
  // kError carries no severity, and revokes nothing. After a fatal error the port has reset everything below it
  // and restored nothing: COMMAND reads 0, BARs answer nobody, and dma-bufs still count as live. ResetDevice
  // leaves it so; writing memory decode on brings back the BARs alone; closing and binding anew, everything.
  // [pci_core: aer_err_detected; pcie/err.c: pcie_do_recovery]
  //
  // Errors: EBADF, EINVAL (no eventfd; older kernels also: kError of a device that is not PCI Express, which 7.3
  // takes and never signals). [vfio_pci_intrs.c: set_ctx_trigger_single; pci_core: get_irq_count]
  virtual absl::Status SetEventFd(FdRef device, DeviceSignal signal, std::optional<FdRef> eventfd) = 0;

  // Configuration space as VFIO shows it. COMMAND must be written as two bytes at offset 4; writing it
  // with memory decode off revokes every dma-buf of the device.
  virtual absl::Status ReadConfig(FdRef device, uint64_t offset, absl::Span<uint8_t> bytes) = 0;
  virtual absl::Status WriteConfig(FdRef device, uint64_t offset, absl::Span<const uint8_t> bytes) = 0;

  // Writes zeros to a part of a memory BAR, as a driver would by pwrite: where the device has it turned off, as a
  // controller memory buffer after a reset, they go nowhere. Takes as long as the range is large. Errors: EIO (memory
  // decode is off, or the device sleeps), EINVAL (no such BAR, or beyond it). [vfio_pci_rdwr.c: vfio_pci_bar_rw]
  virtual absl::Status ClearBar(FdRef device, int bar, Range range) = 0;

  // Takes every interrupt of the device down (INTx, MSI, MSI-X); OK when none was up.
  virtual absl::Status DisableInterrupts(FdRef device) = 0;

  // ---- Contexts: /dev/iommu ----------------------------------------------------------------------------

  virtual absl::StatusOr<UniqueFd> OpenContext() = 0;

  virtual absl::StatusOr<IoasId> AllocIoas(FdRef context) = 0;

  // Errors: EBUSY while a device is attached, ENOENT. Unmaps whatever the IOAS still maps.
  virtual absl::Status DestroyIoas(FdRef context, IoasId ioas) = 0;

  // Attaches a bound device, or moves it from the IOAS it is attached to. Errors: ENOENT, EADDRINUSE (a
  // reserved region of the device hits an area of the IOAS), EINVAL (the device's group is attached
  // elsewhere). [iommufd/device.c: iommufd_hw_pagetable_attach]
  virtual absl::Status AttachDevice(FdRef device, IoasId ioas) = 0;

  // The device can then reach nothing. OK when it was not attached.
  virtual absl::Status DetachDevice(FdRef device) = 0;

  virtual absl::StatusOr<IovaLayout> GetIovaLayout(FdRef context, IoasId ioas) = 0;

  // Maps part of a file at a fixed IOVA. Errors: EINVAL (empty, outside the file, misaligned, or a
  // reserved IOVA), EEXIST (an area is there, dead or alive), ENODEV (the dma-buf is revoked now), ENOENT
  // (no such IOAS), EOPNOTSUPP (a dma-buf that VFIO did not export), EBADF.
  // [iommufd/ioas.c: iommufd_ioas_map_file]
  virtual absl::Status MapFile(FdRef context, const MapRequest& map) = 0;

  // Removes every area inside `iova`, dead ones too; on return no device reaches them (IOTLB synced).
  // Errors: ENOENT (nothing there, or an area lies across the range's edge; areas before it are gone by
  // then), EBUSY (a map or unmap of it is going on).
  virtual absl::Status Unmap(FdRef context, IoasId ioas, Range iova) = 0;

  // ---- Clients' memory ---------------------------------------------------------------------------------

  virtual absl::StatusOr<MemoryInfo> InspectMemory(FdRef file) = 0;

  // Gives every page of the range content of its owner's. Pages that were allocated but never touched still hold
  // what was there before: the kernel pins them for a device as they are, and clears them at the first touch, with
  // whatever the device has written [mm/memfd.c: memfd_pin_folios; mm/shmem.c: SGP_FALLOC]. Takes as long as the
  // range is large. Errors: EACCES (not open for reading), EFAULT (beyond the end, or poisoned), ENOMEM.
  virtual absl::Status PrepareMemory(FdRef file, Range range) = 0;
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_KERNEL_KERNEL_H_
