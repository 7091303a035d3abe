// The right to drive a device: its VFIO fd, and the duty to say when the device works.
#ifndef P2PD_CLIENT_DEVICE_H_
#define P2PD_CLIENT_DEVICE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/types.h"

namespace p2p {

namespace internal {
class Connection;
}

// Stops driving the device when it goes. Move-only; one thread at a time.
class Device {
 public:
  Device(Device&& other) noexcept;
  Device& operator=(Device&& other) noexcept;
  ~Device();

  const std::string& name() const;
  // The device's fd, bound, for BAR access, configuration space and interrupts; Device::Bar::fd_offset and
  // config_fd_offset say where. Borrowed: a copy, or an mmap, that is still there after Close() taints the
  // device. Drivers reset by Reset(), never by the fd. -1 once closed. When SessionOptions::on_device_revoked tells of
  // the device, close every copy, unmap every mmap, then Close().
  int fd() const;
  // As of the last answer of p2pd about it.
  const v1::Device& info() const;

  // The device works, set up for `generation`: of info() after OpenDevice, of the QuiesceRequest or the
  // Resumed after a reset. Errors: FailedPrecondition (STALE_GENERATION), it was reset again since.
  absl::Status Ready(uint64_t generation);

  // Quiesces the users of the device's windows, resets it and puts the mappings back; returns the receipt.
  // The device then waits for Ready(). This session is asked to quiesce too: do not block its callback. With scope
  // BUS all devices that share its slot or bus are reset in one, and each that has a driver waits for it.
  absl::StatusOr<v1::Operation> Reset(v1::ResetDeviceRequest::Scope scope = v1::ResetDeviceRequest::FUNCTION);

  // Closes the fd, then tells p2pd. Every export of the device is revoked, whoever owns it. Later calls return
  // OK. After an error the session may still be the device's driver, and the call can be made again.
  absl::Status Close();

 private:
  friend class Session;
  struct Impl;
  // Owns `fd`.
  Device(std::shared_ptr<internal::Connection> connection, int fd, v1::Device info);

  std::unique_ptr<Impl> impl_;
};

}  // namespace p2p

#endif  // P2PD_CLIENT_DEVICE_H_
