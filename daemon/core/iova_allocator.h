// Which IOVAs of one address space are in use, and where the next mapping goes. Pure bookkeeping: the
// caller holds core's lock.
//
// Low addresses are left to devices that need them: without a limit, a mapping goes above 4 GiB.
#ifndef P2PD_DAEMON_CORE_IOVA_ALLOCATOR_H_
#define P2PD_DAEMON_CORE_IOVA_ALLOCATOR_H_

#include <cstdint>
#include <map>
#include <vector>

#include "absl/status/statusor.h"
#include "daemon/core/types.h"

namespace p2pd {

class IovaAllocator {
 public:
  IovaAllocator() = default;
  // `usable` ascending and disjoint; `alignment` a power of two, the least that the IOMMU maps.
  IovaAllocator(std::vector<Range> usable, uint64_t alignment) : usable_(std::move(usable)), alignment_(alignment) {}

  // Reserves `length` bytes. Where `placement` leaves the choice, the IOVA is congruent to `phase` modulo
  // 2 MiB if the mapping is that long: then the IOMMU can use large pages. Errors: InvalidArgument
  // (misaligned), OutOfRange (IOVA_UNUSABLE: reserved, or no room below iova_max), AlreadyExists (OVERLAP).
  absl::StatusOr<Range> Reserve(uint64_t length, const Placement& placement, uint64_t phase);
  void Release(Range range) { taken_.erase(range.start); }

  const std::vector<Range>& usable() const { return usable_; }
  uint64_t alignment() const { return alignment_; }

 private:
  absl::StatusOr<Range> ReserveAt(Range wanted);
  // The lowest fitting IOVA in [floor, last], 0 if there is none (0 is never handed out).
  uint64_t Find(uint64_t length, uint64_t floor, uint64_t last, uint64_t modulus, uint64_t phase) const;
  // The last byte of the first taken range that overlaps `range`, 0 if it is free.
  uint64_t TakenUpTo(Range range) const;

  std::vector<Range> usable_;
  uint64_t alignment_ = 1;
  uint64_t cursor_ = 0;                 // where the last search without a limit ended
  uint64_t low_cursor_ = 0;             // and the last one with a limit
  std::map<uint64_t, uint64_t> taken_;  // start -> length
};

// `ranges` without `holes`; both may be in any order. Ascending and disjoint.
std::vector<Range> Subtract(std::vector<Range> ranges, const std::vector<Range>& holes);

}  // namespace p2pd

#endif  // P2PD_DAEMON_CORE_IOVA_ALLOCATOR_H_
