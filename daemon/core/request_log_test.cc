#include "daemon/core/request_log.h"

#include "daemon/base/errors.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

TEST(RequestLogTest, ARepeatGetsTheFirstOutcome) {
  RequestLog log;
  Done<int> done = [](absl::StatusOr<int>) {};
  EXPECT_FALSE(log.Begin<int>("a", Digest("Map 1"), done)->has_value());
  EXPECT_TRUE(log.End<int>("a", 7).empty());
  const auto repeat = log.Begin<int>("a", Digest("Map 1"), done);
  ASSERT_TRUE(repeat->has_value());
  EXPECT_EQ(**(**repeat).outcome, 7);
}

TEST(RequestLogTest, AnErrorIsAnOutcomeToo) {
  RequestLog log;
  Done<int> done = [](absl::StatusOr<int>) {};
  log.Begin<int>("a", Digest("Map 1"), done).IgnoreError();
  log.End<int>("a", absl::InternalError("no"));
  EXPECT_EQ((**log.Begin<int>("a", Digest("Map 1"), done)).outcome->status().message(), "no");
}

TEST(RequestLogTest, ARepeatOfARunningRequestWaitsForItsEnd) {
  RequestLog log;
  int got = 0;
  Done<int> first = [](absl::StatusOr<int>) {};
  Done<int> second = [&](absl::StatusOr<int> v) { got = *v; };
  log.Begin<int>("a", Digest("Map 1"), first).IgnoreError();
  const auto repeat = log.Begin<int>("a", Digest("Map 1"), second);
  EXPECT_FALSE((**repeat).outcome.has_value());
  auto waiting = log.End<int>("a", 9);
  ASSERT_EQ(waiting.size(), 1u);
  waiting[0](9);
  EXPECT_EQ(got, 9);
}

TEST(RequestLogTest, AnIdUsedForAnotherRequestIsRefused) {
  RequestLog log;
  Done<int> done = [](absl::StatusOr<int>) {};
  log.Begin<int>("a", Digest("Map 1"), done).IgnoreError();
  const auto reused = log.Begin<int>("a", Digest("Map 2"), done);
  EXPECT_EQ(GetErrorInfo(reused.status()).reason, Reason::kRequestIdReused);
}

TEST(RequestLogTest, AnIdMustBeOneToSixtyFourBytes) {
  RequestLog log;
  Done<int> done = [](absl::StatusOr<int>) {};
  EXPECT_FALSE(log.Begin<int>("", Digest("x"), done).ok());
  EXPECT_FALSE(log.Begin<int>(std::string(65, 'a'), Digest("x"), done).ok());
  EXPECT_TRUE(log.Begin<int>(std::string(64, 'a'), Digest("x"), done).ok());
}

TEST(RequestLogTest, OldOutcomesAreForgottenRunningRequestsAreNot) {
  RequestLog log;
  Done<int> done = [](absl::StatusOr<int>) {};
  log.Begin<int>("running", Digest("x"), done).IgnoreError();
  for (size_t i = 0; i <= RequestLog::kRemembered; ++i) {
    const std::string id = std::to_string(i);
    log.Begin<int>(id, Digest("x"), done).IgnoreError();
    log.End<int>(id, 1);
  }
  EXPECT_FALSE(log.Begin<int>("0", Digest("x"), done)->has_value());
  EXPECT_TRUE(log.Begin<int>("running", Digest("x"), done)->has_value());
}

TEST(RequestLogTest, RemembersFewerOutcomesOfManyParts) {
  RequestLog log;
  Done<std::vector<MappingView>> done = [](absl::StatusOr<std::vector<MappingView>>) {};
  constexpr size_t kParts = 1000;
  constexpr int kBatches = 10;
  for (int i = 0; i < kBatches; ++i) {
    const std::string id = std::to_string(i);
    ASSERT_TRUE(log.Begin<std::vector<MappingView>>(id, Digest("batch"), done).ok());
    log.End<std::vector<MappingView>>(id, std::vector<MappingView>(kParts));
  }
  int remembered = 0;
  for (int i = 0; i < kBatches; ++i) {
    const auto repeat = log.Begin<std::vector<MappingView>>(std::to_string(i), Digest("batch"), done);
    ASSERT_TRUE(repeat.ok());
    remembered += repeat->has_value();
  }
  EXPECT_EQ(remembered, static_cast<int>(RequestLog::kRememberedParts / (kParts + 1)));
}

}  // namespace
}  // namespace p2pd
