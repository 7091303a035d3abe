#include "daemon/front/resource_name.h"

#include "daemon/base/errors.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

TEST(ResourceNameTest, ReadsWhatItWrites) {
  const PciAddress device = {.domain = 0, .bus = 0x3a, .device = 1, .function = 7};
  EXPECT_EQ(NameOf(device), "devices/0000:3a:01.7");
  EXPECT_EQ(*ParseDeviceName(NameOf(device)), device);
  EXPECT_EQ(*ParseExportName(NameOf(ExportId(12))), ExportId(12));
  EXPECT_EQ(*ParseAddressSpaceName("address-spaces/3"), AddressSpaceId(3));
  EXPECT_EQ(*ParseMappingName("mappings/18446744073709551615"), MappingId(UINT64_MAX));
  EXPECT_EQ(*ParseOperationName("operations/5"), OperationId(5));
  EXPECT_EQ(NameOf(SessionId(7)), "sessions/7");
}

TEST(ResourceNameTest, RefusesWhatIsNoNameAndShowsOne) {
  for (const char* name : {"", "exports", "exports/", "exports/-1", "exports/+1", "exports/ 1", "exports/01",
                           "exports/0", "exports/1x", "exports/18446744073709551616", "mappings/1"}) {
    EXPECT_EQ(ParseExportName(name).status().code(), absl::StatusCode::kInvalidArgument) << name;
  }
  const absl::Status status = ParseDeviceName("0000:3a:00.0").status();
  EXPECT_EQ(GetErrorInfo(status).reason, Reason::kInvalidArgument);
  EXPECT_EQ(status.message(), "name: 0000:3a:00.0: is no name of the form \"devices/0000:3a:00.0\"");
}

}  // namespace
}  // namespace p2pd
