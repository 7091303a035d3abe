#include "daemon/kernel/sim_kernel.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "daemon/base/errors.h"
#include "daemon/kernel/linux_hints.h"
#include "daemon/kernel/memory_info.h"
#include "daemon/kernel/sim/device_spec.h"

namespace p2pd {

using sim::FailPoint;
using sim::Verb;

namespace {

// Errors explain themselves as Linux's do.
absl::Status Explain(const absl::Status& status) {
  const ErrorInfo info = GetErrorInfo(status);
  return status.ok() || !info.hint.empty() ? status : WithHint(status, HintFor(info.step, info.error));
}

template <typename T>
absl::StatusOr<T> Explain(absl::StatusOr<T> result) {
  if (result.ok()) return result;
  return Explain(result.status());
}

}  // namespace

absl::StatusOr<std::unique_ptr<SimKernel>> SimKernel::Create(const v1::Simulation& machine, Options options) {
  P2PD_ASSIGN_OR_RETURN(std::vector<sim::DeviceSpec> specs, sim::ParseSimulation(machine));
  P2PD_ASSIGN_OR_RETURN(sim::HierarchySpec hierarchy, sim::ParseHierarchy(machine, specs));
  P2PD_ASSIGN_OR_RETURN(std::unique_ptr<sim::Machine> built, sim::Machine::Create(specs));
  return std::unique_ptr<SimKernel>(
      new SimKernel(std::move(specs), std::move(hierarchy), std::move(built), std::move(options)));
}

absl::StatusOr<std::unique_ptr<SimKernel>> SimKernel::CreateFromFile(const std::string& path, Options options) {
  P2PD_ASSIGN_OR_RETURN(const v1::Simulation machine, sim::ReadSimulationFile(path));
  return Create(machine, std::move(options));
}

bool SimKernel::Step() {
  MutexLock lock(mutex_);
  CatchUp();
  return machine_->Step();
}

bool SimKernel::AwaitModel(absl::Duration at_most) {
  MutexLock lock(mutex_);
  CatchUp();
  if (!machine_->HasModelBound()) model_bound_.wait_for(mutex_, absl::ToChronoNanoseconds(at_most));
  return machine_->HasModelBound();
}

absl::Status SimKernel::Begin(Verb verb) {
  CatchUp();
  const sim::FaultPlan::Failure failure = faults_.Next(verb);
  if (failure.error == 0 || failure.point != FailPoint::kBeforeAnything) return absl::OkStatus();
  return ErrnoError(sim::CallName(verb), sim::VerbName(verb), failure.error, "a failure that was asked for");
}

absl::Status SimKernel::BeginWhenIdle(Verb verb, FdRef device) {
  while (machine_->Resetting(device)) reset_done_.wait(mutex_);
  return Begin(verb);
}

absl::StatusOr<UniqueFd> SimKernel::OpenDevice(absl::string_view cdev) {
  MutexLock lock(mutex_);
  P2PD_RETURN_IF_ERROR(Begin(Verb::kOpenDevice));
  return Explain(machine_->OpenDevice(cdev));
}

absl::Status SimKernel::BindDevice(FdRef device, FdRef context, const std::optional<VfToken>& token) {
  MutexLock lock(mutex_);
  while (machine_->SetResetting(device)) reset_done_.wait(mutex_);
  P2PD_RETURN_IF_ERROR(Begin(Verb::kBindDevice));
  P2PD_RETURN_IF_ERROR(Explain(machine_->BindDevice(device, context, token)));
  model_bound_.notify_all();
  return absl::OkStatus();
}

absl::Status SimKernel::SetVfToken(FdRef device, const VfToken& token) {
  MutexLock lock(mutex_);
  P2PD_RETURN_IF_ERROR(Begin(Verb::kSetVfToken));
  return Explain(machine_->SetVfToken(device, token));
}

absl::StatusOr<DeviceInfo> SimKernel::GetDeviceInfo(FdRef device) {
  MutexLock lock(mutex_);
  P2PD_RETURN_IF_ERROR(Begin(Verb::kGetDeviceInfo));
  return Explain(machine_->GetDeviceInfo(device));
}

absl::StatusOr<RegionInfo> SimKernel::GetRegionInfo(FdRef device, int region) {
  MutexLock lock(mutex_);
  P2PD_RETURN_IF_ERROR(Begin(Verb::kGetRegionInfo));
  return Explain(machine_->GetRegionInfo(device, region));
}

absl::Status SimKernel::ProbeExport(FdRef device) {
  MutexLock lock(mutex_);
  P2PD_RETURN_IF_ERROR(Begin(Verb::kProbeExport));
  return Explain(machine_->ProbeExport(device));
}

absl::StatusOr<UniqueFd> SimKernel::ExportDmaBuf(FdRef device, int bar, Range range) {
  MutexLock lock(mutex_);
  P2PD_RETURN_IF_ERROR(BeginWhenIdle(Verb::kExportDmaBuf, device));
  return Explain(machine_->ExportDmaBuf(device, bar, range));
}

absl::StatusOr<UniqueFd> SimKernel::ShareDmaBuf(FdRef dma_buf) {
  MutexLock lock(mutex_);
  P2PD_RETURN_IF_ERROR(Begin(Verb::kShareDmaBuf));
  return Explain(machine_->ShareDmaBuf(dma_buf));
}

absl::StatusOr<bool> SimKernel::IsShared(FdRef dma_buf) {
  MutexLock lock(mutex_);
  P2PD_RETURN_IF_ERROR(Begin(Verb::kIsShared));
  return machine_->IsShared(dma_buf);
}

absl::Status SimKernel::ResetDevice(FdRef device) {
  sim::Device* resetting = nullptr;
  absl::Duration duration;
  int error = 0;
  {
    MutexLock lock(mutex_);
    while (machine_->Resetting(device)) reset_done_.wait(mutex_);
    CatchUp();
    const sim::FaultPlan::Failure failure = faults_.Next(Verb::kResetDevice);
    error = failure.error;
    if (error != 0 && failure.point == FailPoint::kBeforeAnything) {
      return ErrnoError(sim::CallName(Verb::kResetDevice), "", error, "a failure that was asked for");
    }
    P2PD_ASSIGN_OR_RETURN(resetting, Explain(machine_->BeginReset(device)));
    duration = resetting->spec().reset_time;
  }
  // Everybody else may go on meanwhile, but for what touches this device.
  if (error == 0 && options_.sleep != nullptr && duration > absl::ZeroDuration()) options_.sleep(duration);
  MutexLock lock(mutex_);
  const absl::Status status = Explain(machine_->FinishReset(*resetting, error));
  reset_done_.notify_all();
  return status;
}

absl::StatusOr<HotResetInfo> SimKernel::GetHotResetInfo(FdRef device) {
  MutexLock lock(mutex_);
  while (machine_->SetResetting(device)) reset_done_.wait(mutex_);
  P2PD_RETURN_IF_ERROR(Begin(Verb::kGetHotResetInfo));
  return Explain(machine_->GetHotResetInfo(device));
}

absl::Status SimKernel::HotReset(FdRef device) {
  std::vector<sim::Device*> set;
  absl::Duration duration;
  int error = 0;
  {
    MutexLock lock(mutex_);
    while (machine_->SetResetting(device)) reset_done_.wait(mutex_);
    CatchUp();
    const sim::FaultPlan::Failure failure = faults_.Next(Verb::kHotReset);
    error = failure.error;
    if (error != 0 && failure.point == FailPoint::kBeforeAnything) {
      return ErrnoError(sim::CallName(Verb::kHotReset), "", error, "a failure that was asked for");
    }
    P2PD_ASSIGN_OR_RETURN(set, Explain(machine_->BeginHotReset(device)));
    for (const sim::Device* const member : set) duration = std::max(duration, member->spec().reset_time);
  }
  if (error == 0 && options_.sleep != nullptr && duration > absl::ZeroDuration()) options_.sleep(duration);
  MutexLock lock(mutex_);
  const absl::Status status = Explain(machine_->FinishHotReset(set, error));
  reset_done_.notify_all();
  return status;
}

absl::Status SimKernel::SetEventFd(FdRef device, DeviceSignal signal, std::optional<FdRef> eventfd) {
  MutexLock lock(mutex_);
  P2PD_RETURN_IF_ERROR(Begin(Verb::kSetEventFd));
  return Explain(machine_->SetEventFd(device, signal, eventfd));
}

absl::Status SimKernel::ReadConfig(FdRef device, uint64_t offset, absl::Span<uint8_t> bytes) {
  MutexLock lock(mutex_);
  P2PD_RETURN_IF_ERROR(BeginWhenIdle(Verb::kReadConfig, device));
  return Explain(machine_->ReadConfig(device, offset, bytes));
}

absl::Status SimKernel::WriteConfig(FdRef device, uint64_t offset, absl::Span<const uint8_t> bytes) {
  MutexLock lock(mutex_);
  P2PD_RETURN_IF_ERROR(BeginWhenIdle(Verb::kWriteConfig, device));
  return Explain(machine_->WriteConfig(device, offset, bytes));
}

absl::Status SimKernel::ClearBar(FdRef device, int bar, Range range) {
  MutexLock lock(mutex_);
  P2PD_RETURN_IF_ERROR(BeginWhenIdle(Verb::kClearBar, device));
  return Explain(machine_->ClearBar(device, bar, range));
}

absl::Status SimKernel::DisableInterrupts(FdRef device) {
  MutexLock lock(mutex_);
  P2PD_RETURN_IF_ERROR(BeginWhenIdle(Verb::kDisableInterrupts, device));
  return Explain(machine_->DisableInterrupts(device));
}

absl::StatusOr<UniqueFd> SimKernel::OpenContext() {
  MutexLock lock(mutex_);
  P2PD_RETURN_IF_ERROR(Begin(Verb::kOpenContext));
  return Explain(machine_->OpenContext());
}

absl::StatusOr<IoasId> SimKernel::AllocIoas(FdRef context) {
  MutexLock lock(mutex_);
  P2PD_RETURN_IF_ERROR(Begin(Verb::kAllocIoas));
  return Explain(machine_->AllocIoas(context));
}

absl::Status SimKernel::DestroyIoas(FdRef context, IoasId ioas) {
  MutexLock lock(mutex_);
  P2PD_RETURN_IF_ERROR(Begin(Verb::kDestroyIoas));
  return Explain(machine_->DestroyIoas(context, ioas));
}

absl::Status SimKernel::AttachDevice(FdRef device, IoasId ioas) {
  MutexLock lock(mutex_);
  P2PD_RETURN_IF_ERROR(Begin(Verb::kAttachDevice));
  return Explain(machine_->AttachDevice(device, ioas));
}

absl::Status SimKernel::DetachDevice(FdRef device) {
  MutexLock lock(mutex_);
  P2PD_RETURN_IF_ERROR(Begin(Verb::kDetachDevice));
  return Explain(machine_->DetachDevice(device));
}

absl::StatusOr<IovaLayout> SimKernel::GetIovaLayout(FdRef context, IoasId ioas) {
  MutexLock lock(mutex_);
  P2PD_RETURN_IF_ERROR(Begin(Verb::kGetIovaLayout));
  return Explain(machine_->GetIovaLayout(context, ioas));
}

absl::Status SimKernel::MapFile(FdRef context, const MapRequest& map) {
  MutexLock lock(mutex_);
  P2PD_RETURN_IF_ERROR(Begin(Verb::kMapFile));
  return Explain(machine_->MapFile(context, map));
}

absl::Status SimKernel::Unmap(FdRef context, IoasId ioas, Range iova) {
  MutexLock lock(mutex_);
  P2PD_RETURN_IF_ERROR(Begin(Verb::kUnmap));
  return Explain(machine_->Unmap(context, ioas, iova));
}

absl::StatusOr<MemoryInfo> SimKernel::InspectMemory(FdRef file) {
  MutexLock lock(mutex_);
  P2PD_RETURN_IF_ERROR(Begin(Verb::kInspectMemory));
  return Explain(machine_->InspectMemory(file));
}

absl::Status SimKernel::PrepareMemory(FdRef file, Range range) {
  {
    MutexLock lock(mutex_);
    P2PD_RETURN_IF_ERROR(Begin(Verb::kPrepareMemory));
  }
  return PopulateFile(file, range);
}

}  // namespace p2pd
