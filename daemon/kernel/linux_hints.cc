#include "daemon/kernel/linux_hints.h"

#include <cerrno>

namespace p2pd {
namespace {

struct Hint {
  absl::string_view call;
  int error;
  absl::string_view text;
};

constexpr Hint kHints[] = {
    {"open device", ENOENT, "is the device still bound to vfio-pci, and does the kernel have CONFIG_VFIO_DEVICE_CDEV?"},
    {"open device", ENODEV, "the device is being unplugged or unbound from vfio-pci"},
    {"open device", EACCES, "p2pd needs read and write access to /dev/vfio/devices"},
    {"open device", EPERM, "the sandbox p2pd runs in (DeviceAllow=) does not allow this device"},
    {"open context", ENOENT, "load the iommufd module, or use a kernel with CONFIG_IOMMUFD"},
    {"open context", ENODEV, "load the iommufd module, or use a kernel with CONFIG_IOMMUFD"},
    {"open context", EACCES, "p2pd needs read and write access to /dev/iommu"},
    {"open context", EPERM, "the sandbox p2pd runs in (DeviceAllow=) does not allow /dev/iommu"},

    {"VFIO_DEVICE_BIND_IOMMUFD", EINVAL,
     "the device is bound already, through this or another open file: somebody else still holds an fd of it"},
    {"VFIO_DEVICE_BIND_IOMMUFD", EPERM,
     "either another device of its IOMMU group belongs to a kernel driver or to another iommufd context, or "
     "interrupts are not isolated: turn interrupt remapping on, or accept the risk with p2pd --unsafe-interrupts and "
     "iommufd.allow_unsafe_interrupts=1"},
    {"VFIO_DEVICE_BIND_IOMMUFD", EBUSY,
     "its group is open through the legacy /dev/vfio/N, or is not in its default IOMMU domain"},
    {"VFIO_DEVICE_BIND_IOMMUFD", EACCES,
     "a virtual function whose physical function is bound to vfio-pci with a VF token that p2pd does not know: let "
     "p2pd "
     "manage both; or a physical function whose virtual ones somebody else uses"},
    {"VFIO_DEVICE_BIND_IOMMUFD", EAGAIN, "the device is being unbound, reset or recovered elsewhere: try again"},
    {"VFIO_DEVICE_BIND_IOMMUFD", ENODEV, "the device is going away, or no IOMMU is in front of it"},
    {"VFIO_DEVICE_BIND_IOMMUFD", EBADF, "the context is not an iommufd"},
    {"VFIO_DEVICE_BIND_IOMMUFD", EBADFD, "the context is not an iommufd"},

    {"VFIO_DEVICE_FEATURE_DMA_BUF", ENOTTY,
     "this kernel cannot export BARs: it takes Linux 6.19 or later with CONFIG_VFIO_PCI_DMABUF"},
    {"VFIO_DEVICE_FEATURE_DMA_BUF", EOPNOTSUPP,
     "the device's driver is a variant of vfio-pci that cannot export BARs: bind it to vfio-pci itself"},
    {"VFIO_DEVICE_FEATURE_DMA_BUF", EINVAL,
     "the range must be page-aligned, not empty, and inside a memory BAR of a bound device"},
    {"VFIO_DEVICE_FEATURE_DMA_BUF", ENODEV,
     "no such BAR, or the kernel could not claim it, or the device is going away"},
    {"VFIO_DEVICE_FEATURE_DMA_BUF", EMFILE, "raise LimitNOFILE= of p2pd's unit"},

    {"VFIO_DEVICE_RESET", EINVAL, "the device has no function reset that works"},
    {"VFIO_DEVICE_RESET", EAGAIN,
     "the device is locked, by an unbind, an error recovery or a reset through sysfs; its dma-bufs are revoked anyway"},
    {"VFIO_DEVICE_RESET", ENOTTY,
     "none of the device's reset methods is enabled or works (see reset_method in sysfs); its dma-bufs are revoked "
     "anyway"},

    {"VFIO_DEVICE_GET_PCI_HOT_RESET_INFO", ENODEV, "neither its slot nor its bus can be reset: it is on a root bus"},
    {"VFIO_DEVICE_PCI_HOT_RESET", ENODEV, "neither its slot nor its bus can be reset: it is on a root bus"},
    {"VFIO_DEVICE_PCI_HOT_RESET", EINVAL,
     "a device that would be reset with it is not bound to vfio-pci, or not to the same iommufd context; some dma-bufs "
     "of the set may be revoked anyway"},
    {"VFIO_DEVICE_PCI_HOT_RESET", EBUSY,
     "a device of the set is being reset or used: try again; some dma-bufs of the set are revoked anyway"},
    {"VFIO_DEVICE_PCI_HOT_RESET", EAGAIN,
     "a device of the set is locked, by an unbind, an error recovery or a reset through sysfs; the dma-bufs of the set "
     "are revoked anyway"},

    {"VFIO_DEVICE_SET_IRQS", EBADF, "the eventfd is not open"},

    {"VFIO_DEVICE_ATTACH_IOMMUFD_PT", ENOENT, "the address space is gone, or belongs to another context"},
    {"VFIO_DEVICE_ATTACH_IOMMUFD_PT", EADDRINUSE,
     "a mapping of the address space lies in a range that this device's IOMMU reserves"},
    {"VFIO_DEVICE_ATTACH_IOMMUFD_PT", EINVAL,
     "another device of its IOMMU group is attached to another address space, or the device is not bound"},
    {"VFIO_DEVICE_ATTACH_IOMMUFD_PT", EBUSY, "a device of its IOMMU group is in the middle of a reset: try again"},

    {"IOMMU_DESTROY", EBUSY, "a device is still attached to it"},
    {"IOMMU_IOAS_MAP_FILE", ENOTTY, "this kernel cannot map files for devices: it takes Linux 6.19 or later"},
    {"IOMMU_IOAS_MAP_FILE", ENODEV,
     "the exporting device was reset, closed or had its memory decode turned off: the dma-buf is revoked now"},
    {"IOMMU_IOAS_MAP_FILE", EEXIST,
     "something is mapped there already; an area that a reset killed stays until unmapped"},
    {"IOMMU_IOAS_MAP_FILE", EINVAL, "empty, beyond the file, misaligned, or over a reserved IOVA"},
    {"IOMMU_IOAS_MAP_FILE", EOPNOTSUPP, "a dma-buf that iommufd cannot take: VFIO must have exported it, as one range"},
    {"IOMMU_IOAS_MAP_FILE", ENOENT, "the address space is gone"},
    {"IOMMU_IOAS_MAP_FILE", ENOMEM, "raise MemoryMax= or LimitMEMLOCK= of p2pd's unit"},
    {"IOMMU_IOAS_UNMAP", ENOENT, "nothing is mapped there, or an area lies across the edge of the range"},
    {"IOMMU_IOAS_UNMAP", EBUSY, "another map or unmap of the same range is going on"},
};

}  // namespace

absl::string_view HintFor(absl::string_view call, int error) {
  for (const Hint& hint : kHints) {
    if (hint.error == error && hint.call == call) return hint.text;
  }
  return "";
}

}  // namespace p2pd
