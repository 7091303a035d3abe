// What LinuxKernel does without a device: refusals, and what it says about files. Its verbs are held to the
// kernel's behaviour by tests/contract, in the test VM.
#include "daemon/kernel/linux_kernel.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>

#include "daemon/base/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

using ::testing::HasSubstr;

UniqueFd MemoryOf(off_t size, int seals) {
  UniqueFd fd(memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  EXPECT_EQ(ftruncate(fd.get(), size), 0);
  EXPECT_EQ(fcntl(fd.get(), F_ADD_SEALS, seals), 0);
  return fd;
}

TEST(LinuxKernelTest, RefusesADeviceThatNoIommuConfines) {
  const absl::Status status = LinuxKernel().OpenDevice("noiommu-vfio0").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(GetErrorInfo(status).reason, Reason::kInvalidArgument);
}

TEST(LinuxKernelTest, RefusesNamesThatLeaveTheFolder) {
  for (const char* name : {"", "vfio", "vfio0/../../mem", "../vfio0", "vfio0x", "/dev/vfio/devices/vfio0"}) {
    EXPECT_EQ(LinuxKernel().OpenDevice(name).status().code(), absl::StatusCode::kInvalidArgument) << name;
  }
}

TEST(LinuxKernelTest, NamesTheNodeAndTheCauseWhenThereIsNone) {
  LinuxKernel kernel("/nonexistent");
  const ErrorInfo device = GetErrorInfo(kernel.OpenDevice("vfio7").status());
  EXPECT_EQ(device.object, "/nonexistent/vfio/devices/vfio7");
  EXPECT_EQ(device.error, ENOENT);
  EXPECT_THAT(device.hint, HasSubstr("vfio-pci"));
  const absl::Status context = kernel.OpenContext().status();
  EXPECT_EQ(context.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(context.message()), HasSubstr("/nonexistent/iommu"));
  EXPECT_THAT(GetErrorInfo(context).hint, HasSubstr("iommufd"));
}

TEST(LinuxKernelTest, OpensNodesThatExecDoesNotInherit) {
  std::string root = ::testing::TempDir() + "/devXXXXXX";
  ASSERT_NE(mkdtemp(root.data()), nullptr);
  ASSERT_TRUE(UniqueFd(open((root + "/iommu").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600)).valid());
  const absl::StatusOr<UniqueFd> context = LinuxKernel(root).OpenContext();
  ASSERT_TRUE(context.ok()) << context.status();
  EXPECT_EQ(fcntl(context->get(), F_GETFD), FD_CLOEXEC);
}

TEST(LinuxKernelTest, NamesTheCallAndTheObjectOfAFailedIoctl) {
  LinuxKernel kernel;
  const UniqueFd no_context = MemoryOf(4096, 0);
  const absl::Status status = kernel.Unmap(no_context, IoasId(3), {.start = 0x1000, .length = 0x2000});
  EXPECT_EQ(GetErrorInfo(status).step, "IOMMU_IOAS_UNMAP");
  EXPECT_EQ(GetErrorInfo(status).object, "ioas 3 [0x1000, +0x2000)");
  EXPECT_EQ(GetErrorInfo(status).error, ENOTTY);
}

TEST(LinuxKernelTest, NeverTakesABadEventFdForNone) {
  const UniqueFd no_device = MemoryOf(4096, 0);
  LinuxKernel kernel;
  for (const DeviceSignal signal : {DeviceSignal::kError, DeviceSignal::kRequest}) {
    EXPECT_EQ(GetErrorInfo(kernel.SetEventFd(no_device, signal, FdRef(-1))).error, EBADF);
    EXPECT_EQ(GetErrorInfo(kernel.SetEventFd(no_device, signal, std::nullopt)).error, ENOTTY);
  }
}

TEST(InspectMemoryTest, TellsWhatAMemfdIs) {
  const UniqueFd file = MemoryOf(8192, F_SEAL_SHRINK);
  ASSERT_EQ(fallocate(file.get(), 0, 0, 4096), 0);
  const absl::StatusOr<MemoryInfo> info = LinuxKernel().InspectMemory(file);
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_TRUE(info->is_memfd);
  EXPECT_FALSE(info->is_hugetlb);
  EXPECT_EQ(info->size, 8192u);
  EXPECT_GE(info->allocated, 4096u);
  EXPECT_TRUE(info->writable);
  EXPECT_TRUE(info->sealed_shrink);
  EXPECT_FALSE(info->sealed_write);
}

TEST(InspectMemoryTest, SeesEachSealAgainstWriting) {
  for (const int seal : {F_SEAL_WRITE, F_SEAL_FUTURE_WRITE}) {
    const absl::StatusOr<MemoryInfo> info = LinuxKernel().InspectMemory(MemoryOf(4096, seal));
    ASSERT_TRUE(info.ok()) << info.status();
    EXPECT_TRUE(info->sealed_write) << seal;
    EXPECT_FALSE(info->sealed_shrink) << seal;
  }
}

TEST(InspectMemoryTest, SeesThatAnFdIsForReadingOnly) {
  const UniqueFd file = MemoryOf(4096, 0);
  const UniqueFd reader(open(("/proc/self/fd/" + std::to_string(file.get())).c_str(), O_RDONLY | O_CLOEXEC));
  const absl::StatusOr<MemoryInfo> info = LinuxKernel().InspectMemory(reader);
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_TRUE(info->is_memfd);
  EXPECT_FALSE(info->writable);
}

TEST(InspectMemoryTest, TakesNothingElseForAMemfd) {
  for (const char* path : {"/dev/zero", "/proc/self/exe", "/"}) {
    const UniqueFd file(open(path, O_RDONLY | O_CLOEXEC));
    const absl::StatusOr<MemoryInfo> info = LinuxKernel().InspectMemory(file);
    ASSERT_TRUE(info.ok()) << path << ": " << info.status();
    EXPECT_FALSE(info->is_memfd) << path;
  }
}

}  // namespace
}  // namespace p2pd
