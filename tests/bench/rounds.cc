#include "tests/bench/rounds.h"

#include <algorithm>

#include "daemon/base/errors.h"

namespace p2pd::bench {

absl::Status Rounds::Run(int rounds) {
  for (int i = 0; i < std::max(rounds / 10, 1); ++i) P2PD_RETURN_IF_ERROR(RunOne());
  for (Samples& samples : samples_) samples.Clear();
  for (int i = 0; i < rounds; ++i) P2PD_RETURN_IF_ERROR(RunOne());
  return absl::OkStatus();
}

absl::Status Rounds::RunOne() const {
  for (const Block& block : blocks_) {
    for (int i = 0; i < block.calls; ++i) P2PD_RETURN_IF_ERROR(block.once());
    if (block.after != nullptr) P2PD_RETURN_IF_ERROR(block.after());
  }
  return absl::OkStatus();
}

}  // namespace p2pd::bench
