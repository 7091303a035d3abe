#include "daemon/base/pci_address.h"

#include "gtest/gtest.h"

namespace p2pd {
namespace {

TEST(PciAddressTest, ReadsWhatItWrites) {
  for (const char* text : {"0000:3a:00.0", "0001:ff:1f.7", "10000:00:1e.2"}) {
    const auto address = PciAddress::Parse(text);
    ASSERT_TRUE(address.ok()) << address.status();
    EXPECT_EQ(address->ToString(), text);
  }
}

TEST(PciAddressTest, RefusesEverythingElse) {
  for (const char* text : {"", "3a:00.0", "0000:3a:00", "0000:3a:00.8", "0000:3a:20.0", "0000:3a:00.0 ", "0000:3g:00.0",
                           "000:3a:00.0", "123456789:00:00.0", "0000:3a:00.00", ":::"}) {
    EXPECT_EQ(PciAddress::Parse(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(PciAddressTest, SortsByDomainBusDeviceFunction) {
  EXPECT_LT(*PciAddress::Parse("0000:01:00.1"), *PciAddress::Parse("0000:02:00.0"));
  EXPECT_LT(*PciAddress::Parse("0000:ff:1f.7"), *PciAddress::Parse("0001:00:00.0"));
}

}  // namespace
}  // namespace p2pd
