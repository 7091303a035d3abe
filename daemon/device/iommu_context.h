// An iommufd context and the address spaces in it, owned by descriptor and id. The context's fd goes to
// nobody: whoever holds it can map and unmap everything.
#ifndef P2PD_DAEMON_DEVICE_IOMMU_CONTEXT_H_
#define P2PD_DAEMON_DEVICE_IOMMU_CONTEXT_H_

#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "daemon/kernel/kernel.h"

namespace p2pd {

class IommuContext {
 public:
  static absl::StatusOr<std::shared_ptr<IommuContext>> Open(Kernel& kernel);

  IommuContext(Kernel& kernel, UniqueFd fd) : kernel_(kernel), fd_(std::move(fd)) {}

  Kernel& kernel() const { return kernel_; }
  FdRef fd() const { return fd_; }

 private:
  Kernel& kernel_;
  const UniqueFd fd_;
};

// One IOAS. Calls block as the kernel does; the caller makes one at a time (a strand per address space).
class AddressSpace {
 public:
  static absl::StatusOr<std::shared_ptr<AddressSpace>> Create(std::shared_ptr<IommuContext> context);

  AddressSpace(std::shared_ptr<IommuContext> context, IoasId id) : context_(std::move(context)), id_(id) {}

  IoasId id() const { return id_; }
  absl::StatusOr<IovaLayout> Layout() const;
  absl::Status Map(FdRef file, uint64_t offset, Range iova, Access access) const;
  absl::Status Unmap(Range iova) const;
  // Every mapping in it goes with it. Errors: Unavailable (EBUSY) while a device is attached.
  absl::Status Destroy() const;

 private:
  const std::shared_ptr<IommuContext> context_;
  const IoasId id_;
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_DEVICE_IOMMU_CONTEXT_H_
