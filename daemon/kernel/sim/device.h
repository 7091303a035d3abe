// One simulated device and what the system knows about it: who opened it, whom it is bound to, what it is
// attached to. The rules between devices are the Machine's.
#ifndef P2PD_DAEMON_KERNEL_SIM_DEVICE_H_
#define P2PD_DAEMON_KERNEL_SIM_DEVICE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "daemon/kernel/sim/config_space.h"
#include "daemon/kernel/sim/device_file.h"
#include "daemon/kernel/sim/device_model.h"
#include "daemon/kernel/sim/device_spec.h"
#include "daemon/kernel/sim/iova_space.h"

namespace p2pd::sim {

// An iommufd context. It lives while its file is open or a device is bound to it.
struct Context {
  static constexpr uint64_t kHandle = 0;  // its only open

  TrackedFile file;
  std::map<IoasId, IovaSpace> spaces = {};
  uint32_t last_id = 0;
};

class Device {
 public:
  static absl::StatusOr<std::unique_ptr<Device>> Create(const DeviceSpec& spec);

  const DeviceSpec& spec() const { return spec_; }
  std::string name() const { return "devices/" + spec_.address.ToString(); }
  DeviceFile& file() { return *file_; }
  DeviceModel* model() { return model_.get(); }  // null: its BARs are plain memory

  // Which open `fd`, a descriptor of this device, belongs to.
  std::optional<uint64_t> HandleOf(FdRef fd);
  absl::StatusOr<UniqueFd> Open();

  // What the kernel does to the function when it is bound and when its last descriptor is closed. Both leave
  // configuration as after power-on, with memory decode on or off.
  void Enable();
  void Disable();
  bool bound() const { return bound_.has_value(); }
  // Whether what BindDevice bound was closed since, everywhere.
  bool closed() const { return bound() && !file_->file().IsOpen(*bound_); }
  bool IsBound(FdRef fd) const { return bound() && file_->file().IsHandle(fd, *bound_); }
  void set_bound(uint64_t handle) { bound_ = handle; }

  // A function reset of the hardware: every BAR and the model's state. Configuration stays.
  void ResetFunction();
  bool can_reset() const { return can_reset_; }  // as found out when it was bound
  bool has_reset_method() const { return has_reset_method_; }
  void set_has_reset_method(bool has) { has_reset_method_ = has; }

  // Configuration as it is; bytes() is also what descriptors show, once Publish() was called.
  ConfigSpace& config() { return config_; }
  const ConfigSpace& config() const { return config_; }
  void PublishConfig();
  // Whether somebody wrote to configuration through a descriptor since.
  bool ConfigTouched() const;

  // Whom the device is bound and attached to; the Machine keeps both.
  Context* context = nullptr;
  IovaSpace* space = nullptr;
  bool resetting = false;  // ResetDevice is at it, without the lock

 private:
  Device(const DeviceSpec& spec, std::unique_ptr<DeviceFile> file)
      : spec_(spec), file_(std::move(file)), config_(spec) {}

  const DeviceSpec spec_;
  std::unique_ptr<DeviceFile> file_;
  std::unique_ptr<DeviceModel> model_;
  ConfigSpace config_;
  std::set<uint64_t> opens_;
  uint64_t last_handle_ = 0;
  std::optional<uint64_t> bound_;
  bool can_reset_ = false;
  bool has_reset_method_ = true;
};

}  // namespace p2pd::sim

#endif  // P2PD_DAEMON_KERNEL_SIM_DEVICE_H_
