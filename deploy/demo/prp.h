// Where the data of an NVMe command is, page by page ("physical region pages"). The addresses are IOVAs: the
// controller does not care whether memory or another device's window is behind them.
#ifndef P2PD_DEPLOY_DEMO_PRP_H_
#define P2PD_DEPLOY_DEMO_PRP_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace demo::nvme {

// A page of memory that the controller reaches at `iova`, for the addresses that do not fit into the command.
struct PrpList {
  absl::Span<uint64_t> entries;
  uint64_t iova = 0;
};

struct DataPointer {
  uint64_t prp1 = 0;
  uint64_t prp2 = 0;
};

// The two pointers of a command whose data are the `length` bytes at `iova`. More than two pages fill `list`,
// which must stay as it is until the command has completed. Errors: InvalidArgument (`iova` is not a multiple of
// 4, `length` is 0, or the pages outnumber the list).
absl::StatusOr<DataPointer> PointAt(uint64_t iova, uint64_t length, const PrpList& list);

}  // namespace demo::nvme

#endif  // P2PD_DEPLOY_DEMO_PRP_H_
