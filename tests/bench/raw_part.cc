#include "tests/bench/raw_part.h"

#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"

namespace p2pd::bench {
namespace {

constexpr int kMemoryBar = 2;
constexpr uint64_t kPageBytes = 4096;

absl::StatusOr<UniqueFd> OpenBound(LinuxKernel& kernel, const std::string& bdf, FdRef context) {
  std::error_code error;
  for (const auto& entry :
       std::filesystem::directory_iterator(absl::StrCat("/sys/bus/pci/devices/", bdf, "/vfio-dev"), error)) {
    P2PD_ASSIGN_OR_RETURN(UniqueFd device, kernel.OpenDevice(entry.path().filename().string()));
    P2PD_RETURN_IF_ERROR(kernel.BindDevice(device, context));
    return device;
  }
  return absl::NotFoundError(absl::StrCat(bdf, " is not there, or not bound to vfio-pci: run this in the test VM"));
}

}  // namespace

absl::StatusOr<RawPart> RawPart::Create(const std::string& exporter, const std::string& importer, uint64_t iova) {
  RawPart raw;
  raw.iova_ = iova;
  P2PD_ASSIGN_OR_RETURN(raw.context_, raw.kernel_.OpenContext());
  P2PD_ASSIGN_OR_RETURN(raw.exporter_, OpenBound(raw.kernel_, exporter, raw.context_));
  P2PD_ASSIGN_OR_RETURN(raw.importer_, OpenBound(raw.kernel_, importer, raw.context_));
  P2PD_ASSIGN_OR_RETURN(raw.ioas_, raw.kernel_.AllocIoas(raw.context_));
  P2PD_RETURN_IF_ERROR(raw.kernel_.AttachDevice(raw.importer_, raw.ioas_));
  P2PD_ASSIGN_OR_RETURN(raw.dma_buf_, raw.kernel_.ExportDmaBuf(raw.exporter_, kMemoryBar, {.length = kPageBytes}));
  return raw;
}

Range RawPart::PageAt(int index) const {
  return {.start = iova_ + static_cast<uint64_t>(index) * kPageBytes, .length = kPageBytes};
}

absl::Status RawPart::Map(int index) {
  return kernel_.MapFile(context_, {.ioas = ioas_, .file = dma_buf_, .iova = PageAt(index)});
}

absl::Status RawPart::Unmap(int index) { return kernel_.Unmap(context_, ioas_, PageAt(index)); }

absl::Status RawPart::MapAll(int count) {
  for (int i = 0; i < count; ++i) P2PD_RETURN_IF_ERROR(Map(i));
  return absl::OkStatus();
}

absl::Status RawPart::UnmapAll(int count) {
  for (int i = 0; i < count; ++i) P2PD_RETURN_IF_ERROR(Unmap(i));
  return absl::OkStatus();
}

absl::Status RawPart::ResetExporter() { return kernel_.ResetDevice(exporter_); }

}  // namespace p2pd::bench
