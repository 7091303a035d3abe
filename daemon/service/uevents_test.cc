#include "daemon/service/uevents.h"

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

template <size_t N>
absl::string_view Bytes(const char (&text)[N]) {
  return {text, N};
}

TEST(UeventsTest, ACharacterDeviceOfVfioConcernsUs) {
  EXPECT_TRUE(ParseUevent(Bytes("add@/devices/pci0000:00/0000:01:00.0/vfio-dev/vfio0\0ACTION=add\0"
                                "DEVPATH=/devices/pci0000:00/0000:01:00.0/vfio-dev/vfio0\0SUBSYSTEM=vfio-dev\0"
                                "MAJOR=511\0MINOR=0\0SEQNUM=1234"))
                  .changed);
}

TEST(UeventsTest, APciFunctionConcernsUs) {
  EXPECT_TRUE(ParseUevent(Bytes("remove@/devices/pci0000:00/0000:01:00.0\0ACTION=remove\0SUBSYSTEM=pci\0"
                                "PCI_SLOT_NAME=0000:01:00.0\0SEQNUM=1"))
                  .changed);
}

// As the VM's kernel tells it.
Uevent OfError(absl::string_view event) {
  return ParseUevent(absl::StrCat(
      Bytes("change@/devices/pci0000:00/0000:00:07.0/0000:05:00.1\0ACTION=change\0"
            "DEVPATH=/devices/pci0000:00/0000:00:07.0/0000:05:00.1\0SUBSYSTEM=pci"),
      "ERROR_EVENT=", event, Bytes(""),
      Bytes("DEVICE_ONLINE=1\0DRIVER=vfio-pci\0PCI_CLASS=20000\0PCI_ID=8086:10D3\0PCI_SUBSYS_ID=8086:0000\0"
            "PCI_SLOT_NAME=0000:05:00.1\0MODALIAS=pci:v00008086d000010D3\0SEQNUM=1234")));
}

TEST(UeventsTest, ARecoveryThatHasEndedIsToldOfItsFunction) {
  constexpr PciAddress kFunction = {.bus = 5, .function = 1};
  EXPECT_EQ(OfError("SUCCESSFUL_RECOVERY").recovered, kFunction);
  EXPECT_EQ(OfError("FAILED_RECOVERY").recovered, kFunction);
  EXPECT_FALSE(OfError("SUCCESSFUL_RECOVERY").changed);
}

TEST(UeventsTest, ARecoveryThatBeginsIsNoNews) {
  EXPECT_FALSE(OfError("BEGIN_RECOVERY").recovered.has_value());
  EXPECT_FALSE(OfError("BEGIN_RECOVERY").changed);
}

TEST(UeventsTest, ARecoveryOfNoFunctionIsNoNews) {
  EXPECT_FALSE(ParseUevent(Bytes("change@/x\0SUBSYSTEM=pci\0ERROR_EVENT=FAILED_RECOVERY\0PCI_SLOT_NAME=5")).changed);
  EXPECT_FALSE(ParseUevent(Bytes("change@/x\0SUBSYSTEM=net\0ERROR_EVENT=FAILED_RECOVERY\0PCI_SLOT_NAME=0000:05:00.1"))
                   .recovered.has_value());
}

TEST(UeventsTest, OthersDoNotConcernUs) {
  EXPECT_FALSE(ParseUevent(Bytes("add@/devices/virtual/net/lo\0ACTION=add\0SUBSYSTEM=net")).changed);
  EXPECT_FALSE(ParseUevent(Bytes("add@/SUBSYSTEM=pci/x\0NAME=SUBSYSTEM=pci")).changed);
  EXPECT_FALSE(ParseUevent("").changed);
}

TEST(UeventsTest, AnybodyMayListen) {
  const auto loop = *EventLoop::Create();
  EXPECT_TRUE(Uevents::Listen(*loop, [](const Uevent&) {}).ok());
}

}  // namespace
}  // namespace p2pd
