#include "client/p2pctl/step_lines.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2p::ctl {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

v1::Operation Reset(int steps) {
  v1::Operation operation;
  operation.set_name("operations/5");
  operation.set_kind(v1::Operation::RESET);
  operation.set_device("devices/0000:01:00.0");
  for (const char* what : {"quiesce", "unmap"}) {
    if (operation.steps_size() == steps) break;
    operation.add_steps()->set_what(what);
    operation.mutable_steps()->rbegin()->mutable_took()->set_nanos(1'500'000);
  }
  return operation;
}

TEST(StepLinesTest, EachStepIsToldOnceAndTheOperationFirst) {
  StepLines lines;
  EXPECT_THAT(lines.Take(Reset(0)), ElementsAre("operations/5: RESET of 0000:01:00.0"));
  EXPECT_THAT(lines.Take(Reset(1)), ElementsAre("operations/5: quiesce: ok, 1.50 ms"));
  EXPECT_THAT(lines.Take(Reset(1)), IsEmpty());
  EXPECT_THAT(lines.Take(Reset(2)), ElementsAre("operations/5: unmap: ok, 1.50 ms"));
}

TEST(StepLinesTest, WhoComesLateIsToldAllOfIt) {
  EXPECT_THAT(StepLines().Take(Reset(2)),
              ElementsAre("operations/5: RESET of 0000:01:00.0", "operations/5: quiesce: ok, 1.50 ms",
                          "operations/5: unmap: ok, 1.50 ms"));
}

TEST(StepLinesTest, AStepThatFailedSaysWhy) {
  StepLines lines;
  lines.Take(Reset(0));
  v1::Operation operation = Reset(1);
  operation.mutable_steps(0)->set_error("VFIO_DEVICE_RESET: ENOTTY");
  EXPECT_THAT(lines.Take(operation),
              ElementsAre("operations/5: quiesce: failed after 1.50 ms: VFIO_DEVICE_RESET: ENOTTY"));
}

TEST(StepLinesTest, EveryOperationIsToldOfApart) {
  StepLines lines;
  lines.Take(Reset(2));
  v1::Operation other = Reset(1);
  other.set_name("operations/6");
  EXPECT_THAT(lines.Take(other),
              ElementsAre("operations/6: RESET of 0000:01:00.0", "operations/6: quiesce: ok, 1.50 ms"));
  EXPECT_TRUE(lines.Knows("operations/5"));
  EXPECT_TRUE(lines.Knows("operations/6"));
  EXPECT_FALSE(lines.Knows("operations/7"));
}

}  // namespace
}  // namespace p2p::ctl
