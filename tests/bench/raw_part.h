// The kernel's own part of what a bench measures in the test VM: the ioctls alone, on devices of this process's own.
#ifndef P2PD_TESTS_BENCH_RAW_PART_H_
#define P2PD_TESTS_BENCH_RAW_PART_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/kernel/linux_kernel.h"

namespace p2pd::bench {

// An IOAS with a device attached, and a dma-buf of another device's BAR 2 to map in it.
class RawPart {
 public:
  // BDFs. Mappings begin at `iova`, which the importer must be able to address.
  static absl::StatusOr<RawPart> Create(const std::string& exporter, const std::string& importer, uint64_t iova);

  // Page `index` of the address range shows the first page of the dma-buf.
  absl::Status Map(int index);
  absl::Status Unmap(int index);
  // Indexes below `count`.
  absl::Status MapAll(int count);
  absl::Status UnmapAll(int count);
  absl::Status ResetExporter();

 private:
  RawPart() = default;
  Range PageAt(int index) const;

  LinuxKernel kernel_;
  UniqueFd context_;
  UniqueFd exporter_;
  UniqueFd importer_;
  IoasId ioas_;
  UniqueFd dma_buf_;
  uint64_t iova_ = 0;
};

}  // namespace p2pd::bench

#endif  // P2PD_TESTS_BENCH_RAW_PART_H_
