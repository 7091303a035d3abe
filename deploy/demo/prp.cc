#include "deploy/demo/prp.h"

#include "absl/strings/str_cat.h"
#include "deploy/demo/nvme_format.h"

namespace demo::nvme {

absl::StatusOr<DataPointer> PointAt(uint64_t iova, uint64_t length, const PrpList& list) {
  if (length == 0) return absl::InvalidArgumentError("a command without data has no data pointer");
  if (iova % 4 != 0) return absl::InvalidArgumentError(absl::StrCat("data at ", iova, ", no multiple of 4"));
  const uint64_t first_page = iova / kPageSize;
  const uint64_t last_page = (iova + length - 1) / kPageSize;
  const uint64_t further = last_page - first_page;  // pages after the first
  if (further == 0) return DataPointer{.prp1 = iova};
  const uint64_t second = (first_page + 1) * kPageSize;
  if (further == 1) return DataPointer{.prp1 = iova, .prp2 = second};
  if (further > list.entries.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat(further, " pages after the first, room for ", list.entries.size(), " in the list"));
  }
  for (uint64_t i = 0; i < further; ++i) list.entries[i] = second + i * kPageSize;
  return DataPointer{.prp1 = iova, .prp2 = list.iova};
}

}  // namespace demo::nvme
