#include "daemon/service/uevents.h"

#include "gtest/gtest.h"

namespace p2pd {
namespace {

template <size_t N>
absl::string_view Bytes(const char (&text)[N]) {
  return {text, N};
}

TEST(UeventsTest, ACharacterDeviceOfVfioConcernsUs) {
  EXPECT_TRUE(
      ConcernsDevices(Bytes("add@/devices/pci0000:00/0000:01:00.0/vfio-dev/vfio0\0ACTION=add\0"
                            "DEVPATH=/devices/pci0000:00/0000:01:00.0/vfio-dev/vfio0\0SUBSYSTEM=vfio-dev\0"
                            "MAJOR=511\0MINOR=0\0SEQNUM=1234")));
}

TEST(UeventsTest, APciFunctionConcernsUs) {
  EXPECT_TRUE(
      ConcernsDevices(Bytes("remove@/devices/pci0000:00/0000:01:00.0\0ACTION=remove\0SUBSYSTEM=pci\0SEQNUM=1")));
}

TEST(UeventsTest, OthersDoNot) {
  EXPECT_FALSE(ConcernsDevices(Bytes("add@/devices/virtual/net/lo\0ACTION=add\0SUBSYSTEM=net")));
  EXPECT_FALSE(ConcernsDevices(Bytes("add@/SUBSYSTEM=pci/x\0NAME=SUBSYSTEM=pci")));
  EXPECT_FALSE(ConcernsDevices(""));
}

TEST(UeventsTest, AnybodyMayListen) {
  const auto loop = *EventLoop::Create();
  EXPECT_TRUE(Uevents::Listen(*loop, [] {}).ok());
}

}  // namespace
}  // namespace p2pd
