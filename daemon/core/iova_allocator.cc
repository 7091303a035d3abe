#include "daemon/core/iova_allocator.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "daemon/base/errors.h"

namespace p2pd {
namespace {

constexpr uint64_t kLargePage = 2 << 20;
constexpr uint64_t kLowest = 0x10000;  // IOVA 0 and its neighbours catch null pointers
constexpr uint64_t kFourGiB = 1ull << 32;

absl::Status IovaError(absl::StatusCode code, Reason reason, Range iova, absl::string_view what,
                       absl::string_view hint = "") {
  return MakeError(
      code, {.reason = reason, .step = "place mapping", .object = "IOVA " + iova.ToString(), .hint = std::string(hint)},
      what);
}

// The lowest value >= `at` that is `phase` modulo `modulus` (a power of two); 0 on overflow.
uint64_t AlignUp(uint64_t at, uint64_t modulus, uint64_t phase) {
  const uint64_t result = at + ((phase - at) & (modulus - 1));
  return result < at ? 0 : result;
}

}  // namespace

std::vector<Range> Subtract(std::vector<Range> ranges, const std::vector<Range>& holes) {
  for (const Range& hole : holes) {
    std::vector<Range> rest;
    for (const Range& range : ranges) {
      if (!hole.Valid() || !range.Overlaps(hole)) {
        rest.push_back(range);
        continue;
      }
      if (range.start < hole.start) rest.push_back({.start = range.start, .length = hole.start - range.start});
      if (hole.last() < range.last()) {
        rest.push_back({.start = hole.last() + 1, .length = range.last() - hole.last()});
      }
    }
    ranges = std::move(rest);
  }
  std::sort(ranges.begin(), ranges.end());
  return ranges;
}

uint64_t IovaAllocator::TakenUpTo(Range range) const {
  auto next = taken_.upper_bound(range.last());
  if (next == taken_.begin()) return 0;
  --next;
  const Range before = {.start = next->first, .length = next->second};
  return before.Overlaps(range) ? before.last() : 0;
}

absl::StatusOr<Range> IovaAllocator::ReserveAt(Range wanted) {
  if (!wanted.Valid() || (wanted.start | wanted.length) % alignment_ != 0) {
    return IovaError(absl::StatusCode::kInvalidArgument, Reason::kInvalidArgument, wanted,
                     absl::StrFormat("IOVA and length must be multiples of %d and not wrap around", alignment_));
  }
  const bool usable = std::any_of(usable_.begin(), usable_.end(), [&](const Range& r) { return r.Contains(wanted); });
  if (!usable) {
    return IovaError(absl::StatusCode::kOutOfRange, Reason::kIovaUnusable, wanted,
                     "the platform reserves it, a bridge or BAR decodes it, or the IOMMU cannot address it",
                     "let p2pd choose, or take an IOVA from the address space's usable_iova");
  }
  if (TakenUpTo(wanted) != 0) {
    return IovaError(absl::StatusCode::kAlreadyExists, Reason::kOverlap, wanted,
                     "another mapping of this address space is there");
  }
  taken_.emplace(wanted.start, wanted.length);
  return wanted;
}

uint64_t IovaAllocator::Find(uint64_t length, uint64_t floor, uint64_t last, uint64_t modulus, uint64_t phase) const {
  for (const Range& range : usable_) {
    const uint64_t end = std::min(range.last(), last);
    uint64_t at = AlignUp(std::max(range.start, floor), modulus, phase);
    while (at != 0 && at <= end && end - at >= length - 1) {
      const uint64_t taken = TakenUpTo({.start = at, .length = length});
      if (taken == 0) return at;
      if (taken == UINT64_MAX) return 0;
      at = AlignUp(taken + 1, modulus, phase);
    }
  }
  return 0;
}

absl::StatusOr<Range> IovaAllocator::Reserve(uint64_t length, const Placement& placement, uint64_t phase) {
  if (placement.iova.has_value()) return ReserveAt({.start = *placement.iova, .length = length});
  const Range asked = {.start = 0, .length = length};
  const uint64_t modulus = std::max(placement.alignment, alignment_);
  if (length == 0 || length % alignment_ != 0 || (modulus & (modulus - 1)) != 0) {
    return IovaError(absl::StatusCode::kInvalidArgument, Reason::kInvalidArgument, asked,
                     absl::StrFormat("the length must be a multiple of %d, the alignment a power of two", alignment_));
  }
  const uint64_t last = placement.iova_max.value_or(UINT64_MAX);
  const bool limited = placement.iova_max.has_value();
  const bool large = placement.alignment == 0 && length >= kLargePage;
  uint64_t at = 0;
  // Best first: where the last search ended, then anywhere high, then low; large pages before small.
  for (const uint64_t step : large ? std::vector<uint64_t>{kLargePage, modulus} : std::vector<uint64_t>{modulus}) {
    const uint64_t offset = step == kLargePage && large ? phase % kLargePage : 0;
    if (!limited && at == 0) at = Find(length, std::max(cursor_, kFourGiB), last, step, offset);
    if (!limited && at == 0) at = Find(length, kFourGiB, last, step, offset);
    if (limited && at == 0) at = Find(length, std::max(low_cursor_, kLowest), last, step, offset);
    if (at == 0) at = Find(length, kLowest, last, step, offset);
  }
  if (at == 0) {
    return IovaError(absl::StatusCode::kOutOfRange, Reason::kIovaUnusable, asked,
                     absl::StrFormat("no free IOVA range of that length ends at or below 0x%x", last),
                     "unmap something, or raise iova_max");
  }
  (limited ? low_cursor_ : cursor_) = at + length;
  taken_.emplace(at, length);
  return Range{.start = at, .length = length};
}

}  // namespace p2pd
