#include "daemon/kernel/sim/fault_plan.h"

#include <algorithm>

namespace p2pd::sim {
namespace {

struct Names {
  absl::string_view verb;
  absl::string_view call;
};

Names NamesOf(Verb verb) {
  switch (verb) {
    case Verb::kOpenDevice:
      return {"OpenDevice", "open"};
    case Verb::kBindDevice:
      return {"BindDevice", "VFIO_DEVICE_BIND_IOMMUFD"};
    case Verb::kSetVfToken:
      return {"SetVfToken", "VFIO_DEVICE_FEATURE_PCI_VF_TOKEN"};
    case Verb::kGetDeviceInfo:
      return {"GetDeviceInfo", "VFIO_DEVICE_GET_INFO"};
    case Verb::kGetRegionInfo:
      return {"GetRegionInfo", "VFIO_DEVICE_GET_REGION_INFO"};
    case Verb::kProbeExport:
      return {"ProbeExport", "VFIO_DEVICE_FEATURE_DMA_BUF"};
    case Verb::kExportDmaBuf:
      return {"ExportDmaBuf", "VFIO_DEVICE_FEATURE_DMA_BUF"};
    case Verb::kShareDmaBuf:
      return {"ShareDmaBuf", "F_DUPFD_CLOEXEC"};
    case Verb::kIsShared:
      return {"IsShared", "fdinfo"};
    case Verb::kResetDevice:
      return {"ResetDevice", "VFIO_DEVICE_RESET"};
    case Verb::kGetHotResetInfo:
      return {"GetHotResetInfo", "VFIO_DEVICE_GET_PCI_HOT_RESET_INFO"};
    case Verb::kHotReset:
      return {"HotReset", "VFIO_DEVICE_PCI_HOT_RESET"};
    case Verb::kSetEventFd:
      return {"SetEventFd", "VFIO_DEVICE_SET_IRQS"};
    case Verb::kReadConfig:
      return {"ReadConfig", "pread"};
    case Verb::kWriteConfig:
      return {"WriteConfig", "pwrite"};
    case Verb::kClearBar:
      return {"ClearBar", "pwrite"};
    case Verb::kDisableInterrupts:
      return {"DisableInterrupts", "VFIO_DEVICE_SET_IRQS"};
    case Verb::kOpenContext:
      return {"OpenContext", "open"};
    case Verb::kAllocIoas:
      return {"AllocIoas", "IOMMU_IOAS_ALLOC"};
    case Verb::kDestroyIoas:
      return {"DestroyIoas", "IOMMU_DESTROY"};
    case Verb::kAttachDevice:
      return {"AttachDevice", "VFIO_DEVICE_ATTACH_IOMMUFD_PT"};
    case Verb::kDetachDevice:
      return {"DetachDevice", "VFIO_DEVICE_DETACH_IOMMUFD_PT"};
    case Verb::kGetIovaLayout:
      return {"GetIovaLayout", "IOMMU_IOAS_IOVA_RANGES"};
    case Verb::kMapFile:
      return {"MapFile", "IOMMU_IOAS_MAP_FILE"};
    case Verb::kUnmap:
      return {"Unmap", "IOMMU_IOAS_UNMAP"};
    case Verb::kInspectMemory:
      return {"InspectMemory", "fstat"};
    case Verb::kPrepareMemory:
      return {"PrepareMemory", "MADV_POPULATE_READ"};
  }
  return {};
}

}  // namespace

absl::string_view VerbName(Verb verb) { return NamesOf(verb).verb; }
absl::string_view CallName(Verb verb) { return NamesOf(verb).call; }

void FaultPlan::FailNth(Verb verb, int nth, int error, FailPoint point) {
  State& state = of(verb);
  state.planned.push_back({.call = state.calls + nth, .failure = {.error = error, .point = point}});
}

void FaultPlan::Clear() {
  for (State& state : states_) state.planned.clear();
}

FaultPlan::Failure FaultPlan::Next(Verb verb) {
  State& state = of(verb);
  ++state.calls;
  const auto it = std::find_if(state.planned.begin(), state.planned.end(),
                               [&state](const Planned& planned) { return planned.call == state.calls; });
  if (it == state.planned.end()) return {};
  const Failure failure = it->failure;
  state.planned.erase(it);
  return failure;
}

}  // namespace p2pd::sim
