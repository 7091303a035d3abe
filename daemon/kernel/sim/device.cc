#include "daemon/kernel/sim/device.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <utility>

#include "daemon/base/errors.h"
#include "daemon/kernel/sim/disk.h"
#include "daemon/kernel/sim/dma_engine.h"
#include "daemon/kernel/sim/nvme_controller.h"

namespace p2pd::sim {
namespace {

using p2pd::v1::SimulatedDevice;

absl::StatusOr<std::unique_ptr<DeviceModel>> MakeModel(const DeviceSpec& spec, DeviceFile& file) {
  switch (spec.model) {
    case SimulatedDevice::MODEL_NOT_SET:
      return nullptr;
    case SimulatedDevice::kDmaEngine:
      return std::make_unique<DmaEngine>(file, spec.dma_address_bits);
    case SimulatedDevice::kNvme: {
      P2PD_ASSIGN_OR_RETURN(Disk disk, Disk::Open(spec.nvme.disk(), spec.nvme.disk_size()));
      return std::make_unique<NvmeController>(file, spec, std::move(disk));
    }
  }
  return nullptr;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Device>> Device::Create(const DeviceSpec& spec) {
  P2PD_ASSIGN_OR_RETURN(std::unique_ptr<DeviceFile> file, DeviceFile::Create(spec));
  std::unique_ptr<Device> device(new Device(spec, std::move(file)));
  P2PD_ASSIGN_OR_RETURN(device->model_, MakeModel(spec, *device->file_));
  device->PublishConfig();
  return device;
}

bool Device::HasOpens() {
  std::erase_if(opens_, [this](uint64_t handle) { return !file_->file().IsOpen(handle); });
  return !opens_.empty();
}

std::optional<uint64_t> Device::HandleOf(FdRef fd) {
  if (!HasOpens()) return std::nullopt;
  const auto it =
      std::find_if(opens_.begin(), opens_.end(), [&](uint64_t handle) { return file_->file().IsHandle(fd, handle); });
  return it == opens_.end() ? std::nullopt : std::optional(*it);
}

absl::StatusOr<UniqueFd> Device::Open() {
  P2PD_ASSIGN_OR_RETURN(UniqueFd fd, file_->file().Open(++last_handle_));
  opens_.insert(last_handle_);
  return fd;
}

void Device::Leave(Presence afterwards) {
  presence_ = Presence::kLeaving;
  afterwards_ = afterwards;
  cdev_.clear();
}

void Device::Depart() { presence_ = afterwards_; }

void Device::Arrive(std::string cdev) {
  if (presence_ == Presence::kUnplugged) {
    on_bus_ = OnBus::kForGood;
    config_ = ConfigSpace(spec_);
    file_->ClearBars();
    ResetFunction();
    PublishConfig();
  }
  presence_ = Presence::kBound;
  cdev_ = std::move(cdev);
  needs_reset_ = false;
}

void Device::Signal(DeviceSignal signal) const {
  const UniqueFd& eventfd = eventfds_[static_cast<size_t>(signal)];
  // A counter that is full stays full, as the kernel does not wait for its reader.
  pollfd room = {.fd = eventfd.get(), .events = POLLOUT, .revents = 0};
  if (eventfd.valid() && poll(&room, 1, 0) == 1) eventfd_write(eventfd.get(), 1);
}

void Device::Enable() {
  config_ = ConfigSpace(spec_);
  const bool io = std::any_of(spec_.bars.begin(), spec_.bars.end(), [](const BarSpec& bar) { return bar.io; });
  config_.set_command(kCommandMemory | (io ? kCommandIo : 0));
  can_reset_ = spec_.resettable && has_reset_method_;
  if (can_reset_) ResetFunction();
  PublishConfig();
}

void Device::Disable() {
  config_ = ConfigSpace(spec_);
  needs_reset_ = !can_reset_ || !has_reset_method_ || presence_ == Presence::kLeaving;
  if (!needs_reset_) ResetFunction();
  PublishConfig();
  for (UniqueFd& eventfd : eventfds_) eventfd.Reset();
  bound_.reset();
  context = nullptr;
}

void Device::ResetFunction() {
  file_->ClearRegisters();
  if (model_ != nullptr) model_->Reset();
}

void Device::ResetWithPhysicalFunction() {
  ResetFunction();
  if (on_bus_ == OnBus::kUntilReset) on_bus_ = OnBus::kVanished;
}

void Device::PublishConfig() {
  const absl::Span<const uint8_t> bytes = config_.bytes();
  const absl::Span<const uint8_t> shown = file_->config();
  for (size_t i = 0; i < bytes.size(); i += 4) {
    const absl::Span<const uint8_t> word = bytes.subspan(i, 4);
    if (word != shown.subspan(i, 4)) file_->Write(kConfigRegion, i, word);
  }
}

bool Device::ConfigTouched() const { return config_.bytes() != file_->config().first(config_.size()); }

}  // namespace p2pd::sim
