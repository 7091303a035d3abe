#include "deploy/demo/window_content.h"

#include <cstring>

#include "gtest/gtest.h"

namespace demo {
namespace {

TEST(Crc32Test, IsTheOneThatZlibComputes) {
  const char text[] = "123456789";
  EXPECT_EQ(Crc32(text, 9), 0xcbf43926u);
  EXPECT_EQ(Crc32(text, 0), 0u);
}

TEST(Crc32Test, ContinuesWhereItStopped) {
  const char text[] = "123456789";
  EXPECT_EQ(Crc32(text + 4, 5, Crc32(text, 4)), 0xcbf43926u);
}

}  // namespace
}  // namespace demo
