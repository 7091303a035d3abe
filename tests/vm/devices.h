// Devices of the test VM, driven as the tests need it: by the fd, through LinuxKernel and nothing above it.
#ifndef P2PD_TESTS_VM_DEVICES_H_
#define P2PD_TESTS_VM_DEVICES_H_

#include <unistd.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "daemon/base/unique_fd.h"
#include "daemon/kernel/kernel.h"
#include "gtest/gtest.h"

namespace p2pd::vm {

inline constexpr uint64_t kPage = 4096;
inline constexpr int kCmbBar = 2;  // of the NVMe controllers

// "vfio3"; it changes whenever vfio-pci takes the device.
std::string CdevOf(const std::string& bdf);

// A page that differs in every byte from that of another seed, more or less.
std::vector<uint8_t> Pattern(uint32_t seed);

// A device, with memory decode and bus mastering on. What fails is a failure of the test.
class Device {
 public:
  // Opens the device and binds it into a context.
  static UniqueFd Bind(Kernel& kernel, FdRef context, const std::string& bdf);

  // `bound` is the device's fd, whoever has bound it.
  Device(Kernel& kernel, UniqueFd bound);

  FdRef fd() const { return fd_; }

  template <typename T>
  T Read(int bar, uint64_t offset) const {
    T value = {};
    EXPECT_EQ(pread(fd_.get(), &value, sizeof(value), bars_[bar].offset + offset), ssize_t{sizeof(value)});
    return value;
  }

  template <typename T>
  void Write(int bar, uint64_t offset, T value) const {
    EXPECT_EQ(pwrite(fd_.get(), &value, sizeof(value), bars_[bar].offset + offset), ssize_t{sizeof(value)});
  }

  std::vector<uint8_t> ReadPage(int bar, uint64_t offset) const;
  void WritePage(int bar, uint64_t offset, const std::vector<uint8_t>& page) const;

  // Memory decode and bus mastering: a reset by whomever turns them off.
  void Enable() const;

 private:
  Kernel& kernel_;
  UniqueFd fd_;
  std::vector<RegionInfo> bars_;
};

// QEMU's edu: copies a page from one IOVA to another by way of its own buffer. In halves: QEMU dies of a transfer that
// ends at the buffer's last byte.
class DmaEngine : public Device {
 public:
  using Device::Device;

  void CopyPage(uint64_t from, uint64_t to) const;

 private:
  void Run(uint64_t source, uint64_t destination, uint64_t command) const;
};

}  // namespace p2pd::vm

#endif  // P2PD_TESTS_VM_DEVICES_H_
