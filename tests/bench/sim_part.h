// SimKernel's own part of what a bench measures: the same kernel calls on the same machine, in this process, with
// nothing of p2pd above the seam.
#ifndef P2PD_TESTS_BENCH_SIM_PART_H_
#define P2PD_TESTS_BENCH_SIM_PART_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/kernel/sim_kernel.h"

namespace p2pd::bench {

class SimPart {
 public:
  // The machine as p2pd has it: every device bound, in a context of its own. The first one is the exporter; the second
  // one has an IOAS.
  static absl::StatusOr<SimPart> Create(const std::string& machine_text);

  // What a RAW export takes: a new dma-buf of a page of the exporter's memory, and a descriptor to give away.
  absl::StatusOr<UniqueFd> Grant();
  absl::Status Map();    // a page, past the last one
  absl::Status Unmap();  // the last one
  // So many pages.
  absl::Status MapAll(int count);
  absl::Status UnmapAll(int count);
  absl::Status ResetExporter();

 private:
  SimPart() = default;

  std::unique_ptr<SimKernel> kernel_;
  std::vector<UniqueFd> contexts_;
  std::vector<UniqueFd> devices_;
  UniqueFd dma_buf_;
  IoasId ioas_;
  uint64_t mapped_ = 0;  // pages
};

}  // namespace p2pd::bench

#endif  // P2PD_TESTS_BENCH_SIM_PART_H_
