// The part of Linux 7.3's VFIO and iommufd interface that p2pd uses. Debian 12's <linux/vfio.h> and
// <linux/iommufd.h> are older than what p2pd needs, so it is written down here once more: the structs and
// their fields are named as in the kernel, in a namespace of their own, and no macro is defined. An ioctl's
// number and its name stand together, so that an error always names the call that was made.
//
// Invariant: sizes are the kernel's (asserted), because the kernel refuses any other.
#ifndef P2PD_DAEMON_KERNEL_UAPI_H_
#define P2PD_DAEMON_KERNEL_UAPI_H_

#include <sys/ioctl.h>

#include <cstdint>

namespace p2pd::uapi {

struct IoctlNumber {
  unsigned long request;
  const char* name;
};

// Both families take their number from the same letter.
constexpr IoctlNumber Number(unsigned number, const char* name) { return {.request = _IO(';', number), .name = name}; }

// ---- VFIO (include/uapi/linux/vfio.h) ------------------------------------------------------------------------

inline constexpr IoctlNumber kGetInfo = Number(107, "VFIO_DEVICE_GET_INFO");
inline constexpr IoctlNumber kGetRegionInfo = Number(108, "VFIO_DEVICE_GET_REGION_INFO");
inline constexpr IoctlNumber kGetIrqInfo = Number(109, "VFIO_DEVICE_GET_IRQ_INFO");
inline constexpr IoctlNumber kSetIrqs = Number(110, "VFIO_DEVICE_SET_IRQS");
inline constexpr IoctlNumber kReset = Number(111, "VFIO_DEVICE_RESET");
inline constexpr IoctlNumber kGetPciHotResetInfo = Number(112, "VFIO_DEVICE_GET_PCI_HOT_RESET_INFO");
inline constexpr IoctlNumber kPciHotReset = Number(113, "VFIO_DEVICE_PCI_HOT_RESET");
inline constexpr IoctlNumber kDmaBufFeature = Number(117, "VFIO_DEVICE_FEATURE_DMA_BUF");
inline constexpr IoctlNumber kVfTokenFeature = Number(117, "VFIO_DEVICE_FEATURE_PCI_VF_TOKEN");
inline constexpr IoctlNumber kBindIommufd = Number(118, "VFIO_DEVICE_BIND_IOMMUFD");
inline constexpr IoctlNumber kAttachIommufdPt = Number(119, "VFIO_DEVICE_ATTACH_IOMMUFD_PT");
inline constexpr IoctlNumber kDetachIommufdPt = Number(120, "VFIO_DEVICE_DETACH_IOMMUFD_PT");

inline constexpr uint32_t kDeviceFlagsReset = 1u << 0;  // VFIO_DEVICE_FLAGS_RESET

inline constexpr uint32_t kRegionInfoFlagRead = 1u << 0;
inline constexpr uint32_t kRegionInfoFlagWrite = 1u << 1;
inline constexpr uint32_t kRegionInfoFlagMmap = 1u << 2;

inline constexpr uint32_t kPciIntxIrqIndex = 0;
inline constexpr uint32_t kPciMsiIrqIndex = 1;
inline constexpr uint32_t kPciMsixIrqIndex = 2;
inline constexpr uint32_t kPciErrIrqIndex = 3;
inline constexpr uint32_t kPciReqIrqIndex = 4;
inline constexpr uint32_t kIrqSetDataNone = 1u << 0;
inline constexpr uint32_t kIrqSetDataEventfd = 1u << 2;
inline constexpr uint32_t kIrqSetActionTrigger = 1u << 5;

inline constexpr int32_t kPciDevidNotOwned = -1;                 // VFIO_PCI_DEVID_NOT_OWNED
inline constexpr uint32_t kPciHotResetFlagDevIdOwned = 1u << 1;  // VFIO_PCI_HOT_RESET_FLAG_DEV_ID_OWNED

inline constexpr uint32_t kBindFlagToken = 1u << 0;  // VFIO_DEVICE_BIND_FLAG_TOKEN

inline constexpr uint32_t kFeaturePciVfToken = 0;
inline constexpr uint32_t kFeatureDmaBuf = 11;
inline constexpr uint32_t kFeatureGet = 1u << 16;
inline constexpr uint32_t kFeatureSet = 1u << 17;
inline constexpr uint32_t kFeatureProbe = 1u << 18;

struct vfio_device_info {
  uint32_t argsz;
  uint32_t flags;
  uint32_t num_regions;
  uint32_t num_irqs;
  uint32_t cap_offset;
  uint32_t pad;
};
static_assert(sizeof(vfio_device_info) == 24);

struct vfio_region_info {
  uint32_t argsz;
  uint32_t flags;
  uint32_t index;
  uint32_t cap_offset;
  uint64_t size;
  uint64_t offset;
};
static_assert(sizeof(vfio_region_info) == 32);

struct vfio_irq_info {
  uint32_t argsz;
  uint32_t flags;
  uint32_t index;
  uint32_t count;
};
static_assert(sizeof(vfio_irq_info) == 16);

struct vfio_irq_set {
  uint32_t argsz;
  uint32_t flags;
  uint32_t index;
  uint32_t start;
  uint32_t count;
};
static_assert(sizeof(vfio_irq_set) == 20);

struct vfio_pci_dependent_device {
  int32_t devid;  // a __u32 in the kernel's header, compared with negative numbers
  uint16_t segment;
  uint8_t bus;
  uint8_t devfn;
};
static_assert(sizeof(vfio_pci_dependent_device) == 8);

struct vfio_pci_hot_reset_info {
  uint32_t argsz;
  uint32_t flags;
  uint32_t count;
};
static_assert(sizeof(vfio_pci_hot_reset_info) == 12);

struct vfio_pci_hot_reset {
  uint32_t argsz;
  uint32_t flags;
  uint32_t count;
};
static_assert(sizeof(vfio_pci_hot_reset) == 12);

struct vfio_device_bind_iommufd {
  uint32_t argsz;
  uint32_t flags;
  int32_t iommufd;
  uint32_t out_devid;
  uint64_t token_uuid_ptr;
};
static_assert(sizeof(vfio_device_bind_iommufd) == 24);

struct vfio_device_attach_iommufd_pt {
  uint32_t argsz;
  uint32_t flags;
  uint32_t pt_id;
  uint32_t pasid;
};
static_assert(sizeof(vfio_device_attach_iommufd_pt) == 16);

struct vfio_device_detach_iommufd_pt {
  uint32_t argsz;
  uint32_t flags;
  uint32_t pasid;
};
static_assert(sizeof(vfio_device_detach_iommufd_pt) == 12);

struct vfio_device_feature {
  uint32_t argsz;
  uint32_t flags;
};
static_assert(sizeof(vfio_device_feature) == 8);

struct vfio_device_feature_dma_buf {
  uint32_t region_index;
  uint32_t open_flags;
  uint32_t flags;
  uint32_t nr_ranges;
};
static_assert(sizeof(vfio_device_feature_dma_buf) == 16);

struct vfio_region_dma_range {
  uint64_t offset;
  uint64_t length;
};
static_assert(sizeof(vfio_region_dma_range) == 16);

// ---- iommufd (include/uapi/linux/iommufd.h) ------------------------------------------------------------------

inline constexpr IoctlNumber kDestroy = Number(0x80, "IOMMU_DESTROY");
inline constexpr IoctlNumber kIoasAlloc = Number(0x81, "IOMMU_IOAS_ALLOC");
inline constexpr IoctlNumber kIoasIovaRanges = Number(0x84, "IOMMU_IOAS_IOVA_RANGES");
inline constexpr IoctlNumber kIoasUnmap = Number(0x86, "IOMMU_IOAS_UNMAP");
inline constexpr IoctlNumber kIoasMapFile = Number(0x8f, "IOMMU_IOAS_MAP_FILE");

inline constexpr uint32_t kIoasMapFixedIova = 1u << 0;
inline constexpr uint32_t kIoasMapWriteable = 1u << 1;
inline constexpr uint32_t kIoasMapReadable = 1u << 2;

struct iommu_destroy {
  uint32_t size;
  uint32_t id;
};
static_assert(sizeof(iommu_destroy) == 8);

struct iommu_ioas_alloc {
  uint32_t size;
  uint32_t flags;
  uint32_t out_ioas_id;
};
static_assert(sizeof(iommu_ioas_alloc) == 12);

struct iommu_iova_range {
  uint64_t start;
  uint64_t last;
};
static_assert(sizeof(iommu_iova_range) == 16);

struct iommu_ioas_iova_ranges {
  uint32_t size;
  uint32_t ioas_id;
  uint32_t num_iovas;
  uint32_t reserved;  // __reserved, a name that C++ keeps for itself
  uint64_t allowed_iovas;
  uint64_t out_iova_alignment;
};
static_assert(sizeof(iommu_ioas_iova_ranges) == 32);

struct iommu_ioas_map_file {
  uint32_t size;
  uint32_t flags;
  uint32_t ioas_id;
  int32_t fd;
  uint64_t start;
  uint64_t length;
  uint64_t iova;
};
static_assert(sizeof(iommu_ioas_map_file) == 40);

struct iommu_ioas_unmap {
  uint32_t size;
  uint32_t ioas_id;
  uint64_t iova;
  uint64_t length;
};
static_assert(sizeof(iommu_ioas_unmap) == 24);

}  // namespace p2pd::uapi

#endif  // P2PD_DAEMON_KERNEL_UAPI_H_
