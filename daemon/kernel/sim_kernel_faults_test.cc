// Failures that a test asks for: each verb fails in turn, once, and without effect.
#include <cerrno>
#include <functional>
#include <map>

#include "daemon/kernel/sim_kernel_fixture.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

using sim::FailPoint;
using sim::Verb;

constexpr PciAddress kPhysical = {.bus = 7};

// The sample machine, with a physical function that has a virtual one.
class SimKernelFaultsTest : public SimKernelTest {
 protected:
  void SetUp() override {
    absl::StatusOr<v1::Simulation> machine = sim::ReadSimulationFile("deploy/simulation/two_nvme.textproto");
    ASSERT_TRUE(machine.ok()) << machine.status();
    ASSERT_TRUE(google::protobuf::TextFormat::MergeFromString(
        R"pb(device { bdf: "0000:07:00.0" iommu_group: 30 }
             device { bdf: "0000:07:00.1" iommu_group: 31 physical_function: "0000:07:00.0" })pb",
        &*machine));
    Use(SimKernel::Create(*machine));
  }
};

TEST_F(SimKernelFaultsTest, FailsEveryVerbInTurnAndOnlyOnce) {
  const UniqueFd spare = Open(kEngine);
  const UniqueFd nvme = OpenBound(kNvme);
  const UniqueFd physical = OpenBound(kPhysical);
  const UniqueFd memory = NewMemory();
  const absl::StatusOr<UniqueFd> exported = kernel_->ExportDmaBuf(nvme, 2, {.start = 0, .length = kPage});
  ASSERT_TRUE(exported.ok());
  const FdRef dma_buf = *exported;
  uint8_t bytes[2] = {};
  SimKernel& k = *kernel_;
  const std::map<Verb, std::function<absl::Status()>> calls = {
      {Verb::kOpenDevice, [&] { return k.OpenDevice("vfio0").status(); }},
      {Verb::kBindDevice, [&] { return k.BindDevice(spare, context_); }},
      {Verb::kSetVfToken, [&] { return k.SetVfToken(physical, {}); }},
      {Verb::kGetDeviceInfo, [&] { return k.GetDeviceInfo(nvme).status(); }},
      {Verb::kGetRegionInfo, [&] { return k.GetRegionInfo(nvme, 0).status(); }},
      {Verb::kProbeExport, [&] { return k.ProbeExport(nvme); }},
      {Verb::kExportDmaBuf, [&] { return k.ExportDmaBuf(nvme, 2, {.start = 0, .length = kPage}).status(); }},
      {Verb::kShareDmaBuf, [&] { return k.ShareDmaBuf(dma_buf).status(); }},
      {Verb::kIsShared, [&] { return k.IsShared(dma_buf).status(); }},
      {Verb::kResetDevice, [&] { return k.ResetDevice(nvme); }},
      {Verb::kGetHotResetInfo, [&] { return k.GetHotResetInfo(nvme).status(); }},
      {Verb::kHotReset, [&] { return k.HotReset(nvme); }},
      {Verb::kSetEventFd, [&] { return k.SetEventFd(nvme, DeviceSignal::kError, std::nullopt); }},
      {Verb::kReadConfig, [&] { return k.ReadConfig(nvme, 0, bytes); }},
      {Verb::kWriteConfig, [&] { return k.WriteConfig(nvme, 0, bytes); }},
      {Verb::kClearBar, [&] { return k.ClearBar(nvme, 2, {.start = 0, .length = kPage}); }},
      {Verb::kDisableInterrupts, [&] { return k.DisableInterrupts(nvme); }},
      {Verb::kOpenContext, [&] { return k.OpenContext().status(); }},
      {Verb::kAllocIoas, [&] { return k.AllocIoas(context_).status(); }},
      {Verb::kAttachDevice, [&] { return k.AttachDevice(nvme, ioas_); }},
      {Verb::kGetIovaLayout, [&] { return k.GetIovaLayout(context_, ioas_).status(); }},
      {Verb::kMapFile, [&] { return Map(memory); }},
      {Verb::kUnmap, [&] { return k.Unmap(context_, ioas_, {.start = kIova, .length = kPage}); }},
      {Verb::kDetachDevice, [&] { return k.DetachDevice(nvme); }},
      {Verb::kInspectMemory, [&] { return k.InspectMemory(memory).status(); }},
      {Verb::kPrepareMemory, [&] { return k.PrepareMemory(memory, {.start = 0, .length = kPage}); }},
      {Verb::kDestroyIoas, [&] { return k.DestroyIoas(context_, ioas_); }},
  };
  ASSERT_EQ(calls.size(), sim::kAllVerbs.size());
  // In an order in which each can succeed: unmap after map, destroy last.
  for (const Verb verb : {Verb::kOpenDevice,        Verb::kBindDevice,    Verb::kSetVfToken,      Verb::kGetDeviceInfo,
                          Verb::kGetRegionInfo,     Verb::kProbeExport,   Verb::kExportDmaBuf,    Verb::kShareDmaBuf,
                          Verb::kIsShared,          Verb::kResetDevice,   Verb::kGetHotResetInfo, Verb::kHotReset,
                          Verb::kSetEventFd,        Verb::kReadConfig,    Verb::kWriteConfig,     Verb::kClearBar,
                          Verb::kDisableInterrupts, Verb::kOpenContext,   Verb::kAllocIoas,       Verb::kAttachDevice,
                          Verb::kGetIovaLayout,     Verb::kMapFile,       Verb::kUnmap,           Verb::kDetachDevice,
                          Verb::kInspectMemory,     Verb::kPrepareMemory, Verb::kDestroyIoas}) {
    SCOPED_TRACE(std::string(sim::VerbName(verb)));
    const int before = k.CallCount(verb);
    k.FailNth(verb, 1, EIO);
    const absl::Status failed = calls.at(verb)();
    EXPECT_EQ(ErrnoOf(failed), EIO);
    EXPECT_EQ(GetErrorInfo(failed).step, std::string(sim::CallName(verb)));
    EXPECT_EQ(calls.at(verb)(), absl::OkStatus());
    EXPECT_EQ(k.CallCount(verb), before + 2);
  }
}

TEST_F(SimKernelFaultsTest, FailsTheNthCallFromNowOn) {
  const UniqueFd memory = NewMemory();
  kernel_->FailNth(Verb::kMapFile, 2, ENOMEM);
  EXPECT_EQ(Map(memory, kIova), absl::OkStatus());
  EXPECT_EQ(ErrnoOf(Map(memory, kIova + kPage)), ENOMEM);
  EXPECT_EQ(Map(memory, kIova + kPage), absl::OkStatus());
}

TEST_F(SimKernelFaultsTest, AFailedResetRevokesWhereLinuxWouldHaveRevoked) {
  const UniqueFd engine = OpenAttached(kEngine);
  const UniqueFd nvme = OpenBound(kNvme);
  const UniqueFd window = *kernel_->ExportDmaBuf(nvme, 2, {.start = 0, .length = kPage});
  ASSERT_EQ(Map(window), absl::OkStatus());
  kernel_->FailNth(Verb::kResetDevice, 1, EINVAL);
  EXPECT_EQ(ErrnoOf(kernel_->ResetDevice(nvme)), EINVAL);
  EXPECT_TRUE(kernel_->CanReach(kEngine, kNvme, 2, 0));
  kernel_->FailNth(Verb::kResetDevice, 1, EAGAIN, FailPoint::kAfterRevoking);
  EXPECT_EQ(ErrnoOf(kernel_->ResetDevice(nvme)), EAGAIN);
  EXPECT_FALSE(kernel_->CanReach(kEngine, kNvme, 2, 0));
  EXPECT_EQ(ErrnoOf(Map(window)), EEXIST);
  EXPECT_EQ(Map(window, kIova + kPage), absl::OkStatus());
}

TEST_F(SimKernelFaultsTest, AFailedHotResetRevokesWhereLinuxWouldHaveRevoked) {
  const UniqueFd engine = OpenAttached(kEngine);
  const UniqueFd nvme = OpenBound(kNvme);
  const UniqueFd window = *kernel_->ExportDmaBuf(nvme, 2, {.start = 0, .length = kPage});
  ASSERT_EQ(Map(window), absl::OkStatus());
  kernel_->FailNth(Verb::kHotReset, 1, ENODEV);
  EXPECT_EQ(ErrnoOf(kernel_->HotReset(nvme)), ENODEV);
  EXPECT_TRUE(kernel_->CanReach(kEngine, kNvme, 2, 0));
  kernel_->FailNth(Verb::kHotReset, 1, EAGAIN, FailPoint::kAfterRevoking);
  EXPECT_EQ(ErrnoOf(kernel_->HotReset(nvme)), EAGAIN);
  EXPECT_FALSE(kernel_->CanReach(kEngine, kNvme, 2, 0));
  EXPECT_EQ(Map(window, kIova + kPage), absl::OkStatus());
}

}  // namespace
}  // namespace p2pd
