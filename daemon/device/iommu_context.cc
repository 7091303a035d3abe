#include "daemon/device/iommu_context.h"

#include "daemon/base/errors.h"

namespace p2pd {

absl::StatusOr<std::shared_ptr<IommuContext>> IommuContext::Open(Kernel& kernel) {
  P2PD_ASSIGN_OR_RETURN(UniqueFd fd, kernel.OpenContext());
  return std::make_shared<IommuContext>(kernel, std::move(fd));
}

absl::StatusOr<std::shared_ptr<AddressSpace>> AddressSpace::Create(std::shared_ptr<IommuContext> context) {
  P2PD_ASSIGN_OR_RETURN(const IoasId id, context->kernel().AllocIoas(context->fd()));
  return std::make_shared<AddressSpace>(std::move(context), id);
}

absl::StatusOr<IovaLayout> AddressSpace::Layout() const {
  return context_->kernel().GetIovaLayout(context_->fd(), id_);
}

absl::Status AddressSpace::Map(FdRef file, uint64_t offset, Range iova, Access access) const {
  return context_->kernel().MapFile(context_->fd(),
                                    {.ioas = id_, .file = file, .offset = offset, .iova = iova, .access = access});
}

absl::Status AddressSpace::Unmap(Range iova) const { return context_->kernel().Unmap(context_->fd(), id_, iova); }

absl::Status AddressSpace::Destroy() const { return context_->kernel().DestroyIoas(context_->fd(), id_); }

}  // namespace p2pd
