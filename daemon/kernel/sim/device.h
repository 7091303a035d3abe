// One simulated device and what the system knows about it: who opened it, whom it is bound to, what it is
// attached to. The rules between devices are the Machine's.
#ifndef P2PD_DAEMON_KERNEL_SIM_DEVICE_H_
#define P2PD_DAEMON_KERNEL_SIM_DEVICE_H_

#include <array>
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

// Where a device stands with the system.
enum class Presence {
  kBound,    // to vfio-pci: it has a character device
  kLeaving,  // on its way out: the character device is gone, and whoever removes it waits for the last close
  kUnbound,  // on the bus, with no driver
  kUnplugged,
};

class Device {
 public:
  static absl::StatusOr<std::unique_ptr<Device>> Create(const DeviceSpec& spec);

  const DeviceSpec& spec() const { return spec_; }
  std::string name() const { return "devices/" + spec_.address.ToString(); }
  // "vfio3"; "" unless its presence is kBound.
  const std::string& cdev() const { return cdev_; }
  DeviceFile& file() { return *file_; }
  DeviceModel* model() { return model_.get(); }  // null: its BARs are plain memory

  // Which open `fd`, a descriptor of this device, belongs to.
  std::optional<uint64_t> HandleOf(FdRef fd);
  absl::StatusOr<UniqueFd> Open();
  // Whether any open is left, bound or not.
  bool HasOpens();

  // Comings and goings, as the Machine orders them. Arrive() of a device that was unplugged is a power-on.
  Presence presence() const { return presence_; }
  void Leave(Presence afterwards);
  void Depart();
  void Arrive(std::string cdev);

  // What the kernel does to the function when it is bound and when its last descriptor is closed. Both leave
  // configuration as after power-on, with memory decode on or off. Whoever removes a device holds its lock: then
  // the close resets nothing.
  void Enable();
  void Disable();
  bool bound() const { return bound_.has_value(); }
  // Whether what BindDevice bound was closed since, everywhere.
  bool closed() const { return bound() && !file_->file().IsOpen(*bound_); }
  bool IsBound(FdRef fd) const { return bound() && file_->file().IsHandle(fd, *bound_); }
  void set_bound(uint64_t handle) { bound_ = handle; }

  // A function reset of the hardware: registers and the model's state. Configuration stays, and so does what is in
  // memory: QEMU's NVMe keeps its controller memory buffer, and no specification says that a device must not.
  void ResetFunction();
  bool can_reset() const { return can_reset_; }  // as found out when it was bound
  // Closed, and not reset since.
  bool needs_reset() const { return needs_reset_; }
  void set_needs_reset(bool needs) { needs_reset_ = needs; }
  // Of a virtual function: the next reset of its physical one takes it off the bus for good, as where VF Enable cannot
  // be restored. VFIO goes on as if it were there; of its configuration it reads ones where it does not keep it
  // itself, and writes go nowhere.
  void VanishWithNextReset() { on_bus_ = OnBus::kUntilReset; }
  void ResetWithPhysicalFunction();
  bool answers() const { return on_bus_ != OnBus::kVanished; }
  bool has_reset_method() const { return has_reset_method_; }
  void set_has_reset_method(bool has) { has_reset_method_ = has; }

  // Whom to tell; an invalid descriptor is nobody. Forgotten by Disable().
  void set_eventfd(DeviceSignal signal, UniqueFd eventfd) {
    eventfds_[static_cast<size_t>(signal)] = std::move(eventfd);
  }
  void Signal(DeviceSignal signal) const;

  // Configuration as it is; bytes() is also what descriptors show, once Publish() was called.
  ConfigSpace& config() { return config_; }
  const ConfigSpace& config() const { return config_; }
  void PublishConfig();
  // Whether somebody wrote to configuration through a descriptor since.
  bool ConfigTouched() const;

  // Whom the device is bound and attached to; the Machine keeps both.
  Context* context = nullptr;
  IovaSpace* space = nullptr;
  bool resetting = false;      // ResetDevice or HotReset is at it, without the lock
  bool set_resetting = false;  // HotReset is
  bool frozen = false;         // a fatal error was told, and the bus is not reset yet

  // Of a physical function; none: the random one that the system gave it.
  std::optional<VfToken> vf_token;

 private:
  enum class OnBus { kForGood, kUntilReset, kVanished };

  Device(const DeviceSpec& spec, std::unique_ptr<DeviceFile> file)
      : spec_(spec), cdev_(spec.cdev), file_(std::move(file)), config_(spec) {}

  const DeviceSpec spec_;
  std::string cdev_;
  Presence presence_ = Presence::kBound;
  Presence afterwards_ = Presence::kBound;  // of kLeaving
  OnBus on_bus_ = OnBus::kForGood;
  std::unique_ptr<DeviceFile> file_;
  std::unique_ptr<DeviceModel> model_;
  ConfigSpace config_;
  std::set<uint64_t> opens_;
  uint64_t last_handle_ = 0;
  std::optional<uint64_t> bound_;
  bool can_reset_ = false;
  bool needs_reset_ = false;
  std::array<UniqueFd, 2> eventfds_;  // by DeviceSignal
  bool has_reset_method_ = true;
};

}  // namespace p2pd::sim

#endif  // P2PD_DAEMON_KERNEL_SIM_DEVICE_H_
