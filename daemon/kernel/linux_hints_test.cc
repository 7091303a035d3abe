#include "daemon/kernel/linux_hints.h"

#include <cerrno>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

using ::testing::HasSubstr;

TEST(LinuxHintsTest, SaysWhichOptionAcceptsSharedInterrupts) {
  const std::string hint(HintFor("VFIO_DEVICE_BIND_IOMMUFD", EPERM));
  EXPECT_THAT(hint, HasSubstr("--unsafe-interrupts"));
  EXPECT_THAT(hint, HasSubstr("allow_unsafe_interrupts"));
}

TEST(LinuxHintsTest, SaysThatAFailedResetRevokesTooWhereItDoes) {
  EXPECT_THAT(std::string(HintFor("VFIO_DEVICE_RESET", EAGAIN)), HasSubstr("revoked anyway"));
  EXPECT_THAT(std::string(HintFor("VFIO_DEVICE_RESET", ENOTTY)), HasSubstr("revoked anyway"));
  EXPECT_EQ(std::string(HintFor("VFIO_DEVICE_RESET", EINVAL)).find("revoked"), std::string::npos);
  for (const int error : {EINVAL, EBUSY, EAGAIN}) {
    EXPECT_THAT(std::string(HintFor("VFIO_DEVICE_PCI_HOT_RESET", error)), HasSubstr("revoked anyway"));
  }
  EXPECT_EQ(std::string(HintFor("VFIO_DEVICE_PCI_HOT_RESET", ENODEV)).find("revoked"), std::string::npos);
}

TEST(LinuxHintsTest, SaysNothingWhereItKnowsNothing) {
  EXPECT_EQ(HintFor("VFIO_DEVICE_RESET", ENOSPC), "");
  EXPECT_EQ(HintFor("no such call", EINVAL), "");
}

}  // namespace
}  // namespace p2pd
