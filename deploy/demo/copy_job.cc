#include "deploy/demo/copy_job.h"

#include <cstring>

#include "absl/time/clock.h"
#include "daemon/base/errors.h"
#include "deploy/demo/report.h"

namespace demo {
namespace {

constexpr uint64_t kCopyPiece = 2 << 20;

class Copy final : public CopyJob {
 public:
  Copy(NvmeDisk& disk, uint64_t window_iova) : disk_(disk), window_(window_iova) {}

  absl::StatusOr<bool> Step() override {
    if (into_window_ < kAreaLength) {
      P2PD_RETURN_IF_ERROR(disk_.Read(kSourceArea + into_window_, window_ + into_window_, kCopyPiece));
      into_window_ += kCopyPiece;
      if (into_window_ == kAreaLength) SayDone("read");
      return true;
    }
    P2PD_RETURN_IF_ERROR(disk_.Write(kDestinationArea + written_back_, window_ + written_back_, kCopyPiece));
    written_back_ += kCopyPiece;
    if (written_back_ == kAreaLength) SayDone("copied");
    return written_back_ < kAreaLength;
  }

  void Say() const override { Report("copying").With("read", into_window_).With("written", written_back_).Say(); }

 private:
  void SayDone(const char* event) {
    Report(event).With("bytes", kAreaLength).With("seconds", absl::Now() - start_).Say();
    start_ = absl::Now();
  }

  NvmeDisk& disk_;
  const uint64_t window_;
  absl::Time start_ = absl::Now();
  uint64_t into_window_ = 0;  // bytes
  uint64_t written_back_ = 0;
};

class Traffic final : public CopyJob {
 public:
  Traffic(NvmeDisk& disk, uint64_t window_iova, const DmaMemory& memory)
      : disk_(disk), window_(window_iova), memory_(memory) {}

  absl::StatusOr<bool> Step() override {
    const absl::Status moved = MovePiece();
    if (!moved.ok() && !absl::IsDataLoss(moved)) return moved;
    if (!moved.ok()) {
      ++failed_;
    } else if (Same()) {
      ++right_;
    } else {
      ++wrong_;
    }
    at_ = (at_ + kTrafficPiece) % kAreaLength;
    return true;
  }

  void Say() const override {
    Report("traffic").With("right", right_).With("wrong", wrong_).With("failed", failed_).Say();
  }

 private:
  // A piece that is somewhere else each time, in the window and on the disk: old bytes cannot pass for new ones.
  absl::Status MovePiece() {
    P2PD_RETURN_IF_ERROR(disk_.Read(kSourceArea + at_, window_ + at_, kTrafficPiece));
    P2PD_RETURN_IF_ERROR(disk_.Write(kScratchArea + at_, window_ + at_, kTrafficPiece));
    P2PD_RETURN_IF_ERROR(disk_.Read(kSourceArea + at_, memory_.iova(), kTrafficPiece));
    return disk_.Read(kScratchArea + at_, memory_.iova(kTrafficPiece), kTrafficPiece);
  }

  bool Same() const {
    return memcmp(memory_.bytes(0, kTrafficPiece).data(), memory_.bytes(kTrafficPiece, kTrafficPiece).data(),
                  kTrafficPiece) == 0;
  }

  NvmeDisk& disk_;
  const uint64_t window_;
  const DmaMemory& memory_;
  uint64_t at_ = 0;
  uint64_t right_ = 0;  // pieces
  uint64_t wrong_ = 0;
  uint64_t failed_ = 0;
};

}  // namespace

std::unique_ptr<CopyJob> MakeCopyJob(NvmeDisk& disk, uint64_t window_iova) {
  return std::make_unique<Copy>(disk, window_iova);
}

std::unique_ptr<CopyJob> MakeTrafficJob(NvmeDisk& disk, uint64_t window_iova, const DmaMemory& memory) {
  return std::make_unique<Traffic>(disk, window_iova, memory);
}

}  // namespace demo
