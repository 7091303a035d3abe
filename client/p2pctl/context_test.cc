#include "client/p2pctl/context.h"

#include "gtest/gtest.h"

namespace p2p::ctl {
namespace {

TEST(ContextTest, ConnectingTakesAsLongAsTheCommandLineAllowsBeItShortOrLong) {
  for (const absl::Duration timeout : {absl::Milliseconds(10), absl::Minutes(10)}) {
    const SessionOptions options = ForSession({.timeout = timeout}, {});
    EXPECT_EQ(options.connect_timeout, timeout);
    EXPECT_EQ(options.call_timeout, timeout);
  }
}

TEST(ContextTest, ASessionCallsItselfP2pctlUnlessTheCommandHasAName) {
  EXPECT_EQ(ForSession({}, {}).client_name, "p2pctl");
  EXPECT_EQ(ForSession({}, {.client_name = "holder"}).client_name, "holder");
}

}  // namespace
}  // namespace p2p::ctl
