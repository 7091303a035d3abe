#include "tests/bench/sim_part.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "daemon/base/errors.h"
#include "google/protobuf/text_format.h"

namespace p2pd::bench {
namespace {

constexpr int kMemoryBar = 2;
constexpr uint64_t kPage = 4096;
constexpr uint64_t kFirstIova = 1ull << 32;

Range LastPage(uint64_t mapped) { return {.start = kFirstIova + mapped * kPage, .length = kPage}; }

}  // namespace

absl::StatusOr<SimPart> SimPart::Create(const std::string& machine_text) {
  v1::Simulation machine;
  if (!google::protobuf::TextFormat::ParseFromString(machine_text, &machine)) {
    return absl::InvalidArgumentError("no machine");
  }
  SimPart part;
  P2PD_ASSIGN_OR_RETURN(part.kernel_, SimKernel::Create(machine, {.sleep = absl::SleepFor}));
  for (int i = 0; i < machine.device_size(); ++i) {
    P2PD_ASSIGN_OR_RETURN(UniqueFd context, part.kernel_->OpenContext());
    P2PD_ASSIGN_OR_RETURN(UniqueFd device, part.kernel_->OpenDevice(absl::StrCat("vfio", i)));
    P2PD_RETURN_IF_ERROR(part.kernel_->BindDevice(device, context));
    part.contexts_.push_back(std::move(context));
    part.devices_.push_back(std::move(device));
  }
  P2PD_ASSIGN_OR_RETURN(part.ioas_, part.kernel_->AllocIoas(part.contexts_.at(1)));
  P2PD_RETURN_IF_ERROR(part.kernel_->AttachDevice(part.devices_.at(1), part.ioas_));
  P2PD_ASSIGN_OR_RETURN(part.dma_buf_, part.kernel_->ExportDmaBuf(part.devices_.at(0), kMemoryBar, {.length = kPage}));
  return part;
}

absl::StatusOr<UniqueFd> SimPart::Grant() {
  P2PD_ASSIGN_OR_RETURN(const UniqueFd own, kernel_->ExportDmaBuf(devices_[0], kMemoryBar, {.length = kPage}));
  return kernel_->ShareDmaBuf(own);
}

absl::Status SimPart::Map() {
  P2PD_RETURN_IF_ERROR(kernel_->MapFile(contexts_[1], {.ioas = ioas_, .file = dma_buf_, .iova = LastPage(mapped_)}));
  ++mapped_;
  return absl::OkStatus();
}

absl::Status SimPart::Unmap() {
  P2PD_RETURN_IF_ERROR(kernel_->Unmap(contexts_[1], ioas_, LastPage(mapped_ - 1)));
  --mapped_;
  return absl::OkStatus();
}

absl::Status SimPart::MapAll(int count) {
  for (int i = 0; i < count; ++i) P2PD_RETURN_IF_ERROR(Map());
  return absl::OkStatus();
}

absl::Status SimPart::UnmapAll(int count) {
  for (int i = 0; i < count; ++i) P2PD_RETURN_IF_ERROR(Unmap());
  return absl::OkStatus();
}

absl::Status SimPart::ResetExporter() { return kernel_->ResetDevice(devices_[0]); }

}  // namespace p2pd::bench
