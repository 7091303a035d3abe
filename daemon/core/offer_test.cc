#include "daemon/core/offer.h"

#include "gtest/gtest.h"

namespace p2pd {
namespace {

constexpr Window kPage = {.device = {.bus = 1}, .bar = 0, .range = {0x1000, 0x1000}};

bool IsOffered(const OfferTerms& terms, const Subject& subject, std::optional<SessionId> session = {},
               const Window& window = kPage, std::optional<Access> access = {}) {
  return Covers({.window = {.device = {.bus = 1}, .bar = 0, .range = {0x1000, 0x2000}}, .terms = terms}, subject,
                session, window, access);
}

TEST(OfferTest, AnOfferThatNamesNobodyIsForEverybody) { EXPECT_TRUE(IsOffered({}, {})); }

TEST(OfferTest, WhoIsNamedInSeveralWaysMustBeAllOfThem) {
  const OfferTerms terms = {.uid = 7, .gid = 30, .unit = "copy@*.service", .session = SessionId(4)};
  const Subject subject = {.uid = 7, .gid = 7, .groups = {30}, .unit = "copy@1.service"};
  EXPECT_TRUE(IsOffered(terms, subject, SessionId(4)));
  EXPECT_FALSE(IsOffered(terms, subject, SessionId(5)));
  EXPECT_FALSE(IsOffered(terms, subject)) << "whose session is not known";
  EXPECT_FALSE(IsOffered(terms, {.uid = 8, .groups = {30}, .unit = "copy@1.service"}, SessionId(4)));
  EXPECT_FALSE(IsOffered(terms, {.uid = 7, .unit = "copy@1.service"}, SessionId(4)));
  EXPECT_FALSE(IsOffered(terms, {.uid = 7, .groups = {30}, .unit = "other.service"}, SessionId(4)));
}

TEST(OfferTest, AWindowMustLieWithinIt) {
  const auto offered = [](uint64_t offset, uint64_t length, int bar = 0, uint8_t bus = 1) {
    return IsOffered({}, {}, {}, {.device = {.bus = bus}, .bar = bar, .range = {offset, length}});
  };
  EXPECT_TRUE(offered(0x1000, 0x2000));
  EXPECT_TRUE(offered(0x2000, 0x1000));
  EXPECT_FALSE(offered(0x2000, 0x2000));
  EXPECT_FALSE(offered(0, 0x2000));
  EXPECT_FALSE(offered(0x1000, 0x1000, 2));
  EXPECT_FALSE(offered(0x1000, 0x1000, 0, 2));
  EXPECT_FALSE(offered(0x2000, UINT64_MAX));
}

TEST(OfferTest, AnImporterGetsNoMoreThanIsOffered) {
  const OfferTerms read = {.access = Access::kRead};
  EXPECT_TRUE(IsOffered(read, {}, {}, kPage, Access::kRead));
  EXPECT_FALSE(IsOffered(read, {}, {}, kPage, Access::kReadWrite));
  EXPECT_FALSE(IsOffered(read, {}, {}, kPage, Access::kWrite));
  EXPECT_TRUE(IsOffered(read, {})) << "an export is not an access yet";
}

}  // namespace
}  // namespace p2pd
