// Opening and binding: nothing works before it, and it works once.
#include <fcntl.h>
#include <sys/mman.h>

#include <cerrno>

#include "tests/contract/fixture.h"

namespace p2pd::contract {
namespace {

class BindTest : public ContractTest {};

TEST_F(BindTest, OpensADeviceManyTimes) {
  const UniqueFd one = Open(Role::kExporter);
  const UniqueFd two = Open(Role::kExporter);
  EXPECT_TRUE(one.valid());
  EXPECT_TRUE(two.valid());
}

TEST_F(BindTest, FindsNoDeviceThatDoesNotExist) { EXPECT_THAT(kernel().OpenDevice("vfio9999"), FailsWith(ENOENT)); }

TEST_F(BindTest, RefusesADeviceWithoutAnIommu) {
  EXPECT_EQ(kernel().OpenDevice("noiommu-vfio0").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(BindTest, OpensWhatIsNotInheritedByOtherPrograms) {
  EXPECT_NE(fcntl(Open(Role::kExporter).get(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_NE(fcntl(NewContext().get(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST_F(BindTest, NothingElseWorksBeforeIt) {
  const UniqueFd context = NewContext();
  const IoasId ioas = NewIoas(context);
  const UniqueFd device = Open(Role::kExporter);
  uint8_t bytes[2] = {};
  EXPECT_THAT(kernel().GetDeviceInfo(device), FailsWith(EINVAL));
  EXPECT_THAT(kernel().GetRegionInfo(device, 0), FailsWith(EINVAL));
  EXPECT_THAT(kernel().ProbeExport(device), FailsWith(EINVAL));
  EXPECT_THAT(Export(device, kPage), FailsWith(EINVAL));
  EXPECT_THAT(kernel().ResetDevice(device), FailsWith(EINVAL));
  EXPECT_THAT(kernel().GetHotResetInfo(device), FailsWith(EINVAL));
  EXPECT_THAT(kernel().HotReset(device), FailsWith(EINVAL));
  EXPECT_THAT(kernel().SetEventFd(device, DeviceSignal::kError, std::nullopt), FailsWith(EINVAL));
  EXPECT_THAT(kernel().SetVfToken(device, {}), FailsWith(EINVAL));
  EXPECT_THAT(kernel().ReadConfig(device, 0, bytes), FailsWith(EINVAL));
  EXPECT_THAT(kernel().WriteConfig(device, kCommand, bytes), FailsWith(EINVAL));
  EXPECT_THAT(kernel().DisableInterrupts(device), FailsWith(EINVAL));
  EXPECT_THAT(kernel().AttachDevice(device, ioas), FailsWith(EINVAL));
  EXPECT_THAT(kernel().DetachDevice(device), FailsWith(EINVAL));
}

TEST_F(BindTest, HappensOnceThroughOneOpen) {
  const UniqueFd context = NewContext();
  const UniqueFd device = OpenBound(Role::kExporter, context);
  EXPECT_THAT(kernel().BindDevice(device, context), FailsWith(EINVAL));
  EXPECT_THAT(kernel().GetDeviceInfo(device), Succeeds());
}

TEST_F(BindTest, HappensOnceThroughAllOpens) {
  const UniqueFd context = NewContext();
  UniqueFd bound = OpenBound(Role::kExporter, context);
  const UniqueFd other = Open(Role::kExporter);
  EXPECT_THAT(kernel().BindDevice(other, context), FailsWith(EINVAL));
  EXPECT_THAT(kernel().GetDeviceInfo(other), FailsWith(EINVAL));
  bound.Reset();
  EXPECT_THAT(kernel().BindDevice(other, context), Succeeds());
}

TEST_F(BindTest, ADuplicateIsTheSameOpen) {
  const UniqueFd context = NewContext();
  UniqueFd device = OpenBound(Role::kExporter, context);
  const UniqueFd copy = *Duplicate(device);
  device.Reset();
  EXPECT_THAT(kernel().GetDeviceInfo(copy), Succeeds());
  EXPECT_THAT(kernel().BindDevice(copy, context), FailsWith(EINVAL));
}

TEST_F(BindTest, NeedsAContext) {
  const UniqueFd device = Open(Role::kExporter);
  const UniqueFd file(memfd_create("no context", MFD_CLOEXEC));
  EXPECT_THAT(kernel().BindDevice(device, file), FailsWith(EBADFD));
  EXPECT_THAT(kernel().BindDevice(device, device), FailsWith(EBADFD));
  EXPECT_THAT(kernel().BindDevice(device, NewContext()), Succeeds());
}

TEST_F(BindTest, NeedsADevice) {
  const UniqueFd context = NewContext();
  const UniqueFd file(memfd_create("no device", MFD_CLOEXEC));
  EXPECT_THAT(kernel().BindDevice(file, context), FailsWith(ENOTTY));
  EXPECT_THAT(kernel().BindDevice(FdRef(9999), context), FailsWith(EBADF));
}

TEST_F(BindTest, TurnsMemoryDecodeOnAndBusMasteringOff) {
  const UniqueFd context = NewContext();
  for (const Role role : {Role::kExporter, Role::kSecondNvme, Role::kDmaEngine, Role::kPlainMemory}) {
    const UniqueFd device = OpenBound(role, context);
    EXPECT_EQ(Command(device) & (kMemoryDecode | kBusMaster), kMemoryDecode);
  }
}

TEST_F(BindTest, TurnsBusMasteringOffAgainTheNextTime) {
  const UniqueFd context = NewContext();
  UniqueFd device = OpenBound(Role::kDmaEngine, context);
  ASSERT_THAT(SetCommandBits(device, kBusMaster, true), Succeeds());
  device.Reset();
  EXPECT_EQ(Command(OpenBound(Role::kDmaEngine, context)) & kBusMaster, 0);
}

TEST_F(BindTest, TakesSeveralDevicesIntoOneContext) {
  const UniqueFd context = NewContext();
  const UniqueFd one = OpenBound(Role::kExporter, context);
  const UniqueFd two = OpenBound(Role::kSecondNvme, context);
  EXPECT_THAT(kernel().GetDeviceInfo(one), Succeeds());
  EXPECT_THAT(kernel().GetDeviceInfo(two), Succeeds());
}

TEST_F(BindTest, SaysWhetherTheFunctionCanBeReset) {
  const UniqueFd context = NewContext();
  const UniqueFd nvme = OpenBound(Role::kExporter, context);
  const UniqueFd engine = OpenBound(Role::kDmaEngine, context);
  const absl::StatusOr<DeviceInfo> with = kernel().GetDeviceInfo(nvme);
  const absl::StatusOr<DeviceInfo> without = kernel().GetDeviceInfo(engine);
  ASSERT_THAT(with, Succeeds());
  ASSERT_THAT(without, Succeeds());
  EXPECT_TRUE(with->can_reset);
  EXPECT_FALSE(without->can_reset);
  EXPECT_GE(with->num_regions, 9u);
}

TEST_F(BindTest, FindsNoResetWhereTheMethodsWereTakenAway) {
  const UniqueFd context = NewContext();
  TheWorld().SetResettable(Role::kExporter, false);
  UniqueFd device = OpenBound(Role::kExporter, context);
  TheWorld().SetResettable(Role::kExporter, true);
  EXPECT_FALSE(kernel().GetDeviceInfo(device)->can_reset);
  EXPECT_THAT(kernel().ResetDevice(device), FailsWith(EINVAL));
  device.Reset();
  EXPECT_TRUE(kernel().GetDeviceInfo(OpenBound(Role::kExporter, context))->can_reset);
}

TEST_F(BindTest, ShowsTheBars) {
  const UniqueFd device = OpenBound(Role::kExporter, NewContext());
  const RegionInfo registers = *kernel().GetRegionInfo(device, 0);
  EXPECT_EQ(registers.size, 16 * 1024u);
  EXPECT_TRUE(registers.readable && registers.writable && registers.mappable);
  const RegionInfo memory = *kernel().GetRegionInfo(device, kMemoryBar);
  EXPECT_EQ(memory.size, uint64_t{64} << 20);
  EXPECT_TRUE(memory.readable && memory.writable && memory.mappable);
  EXPECT_EQ(kernel().GetRegionInfo(device, 5)->size, 0u);
  const RegionInfo config = *kernel().GetRegionInfo(device, kConfigRegion);
  EXPECT_GE(config.size, 256u);
  EXPECT_TRUE(config.readable && config.writable && !config.mappable);
  EXPECT_THAT(kernel().GetRegionInfo(device, 1000), FailsWith(EINVAL));
  EXPECT_THAT(kernel().GetRegionInfo(device, -1), FailsWith(EINVAL));
}

TEST_F(BindTest, GivesMemoryToWhoeverMapsIt) {
  const UniqueFd device = OpenBound(Role::kPlainMemory, NewContext());
  const RegionInfo memory = *kernel().GetRegionInfo(device, kMemoryBar);
  void* const map =
      mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, device.get(), static_cast<off_t>(memory.offset));
  ASSERT_NE(map, MAP_FAILED);
  *static_cast<volatile uint32_t*>(map) = 0x12345678;
  EXPECT_EQ(ReadBar(device, kMemoryBar, 0, 4), (Bytes{0x78, 0x56, 0x34, 0x12}));
  munmap(map, kPage);
}

}  // namespace
}  // namespace p2pd::contract
