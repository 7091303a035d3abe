#include "daemon/base/named_values.h"

#include <gtest/gtest.h>

namespace p2pd {
namespace {

enum class Color { kRed = 1, kGreen = 2, kBlue = 4 };
enum class Small : uint8_t { kNone = 0, kLast = 63 };

TEST(NamedValuesTest, AreThoseThatTheEnumerationNames) {
  EXPECT_FALSE(IsNamedValue<Color>(0));
  EXPECT_TRUE(IsNamedValue<Color>(1));
  EXPECT_TRUE(IsNamedValue<Color>(2));
  EXPECT_FALSE(IsNamedValue<Color>(3)) << "a hole";
  EXPECT_TRUE(IsNamedValue<Color>(4));
  EXPECT_FALSE(IsNamedValue<Color>(5));
}

TEST(NamedValuesTest, DoNotDependOnTheUnderlyingType) {
  EXPECT_TRUE(IsNamedValue<Small>(0));
  EXPECT_TRUE(IsNamedValue<Small>(63));
  EXPECT_FALSE(IsNamedValue<Small>(62));
}

TEST(NamedValuesTest, EndAtSixtyFour) {
  EXPECT_FALSE(IsNamedValue<Small>(64));
  EXPECT_FALSE(IsNamedValue<Small>(256 + 63));
  EXPECT_FALSE(IsNamedValue<Color>(UINT64_MAX));
}

}  // namespace
}  // namespace p2pd
