#include "daemon/bus/denial_reporter.h"

#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

const absl::Time kStart = absl::FromUnixSeconds(1000);
const absl::Time kEnd = kStart + DenialLog::kPeriod;

// The clock stands still where a test puts it, a moment before a minute is over: what waits for that waits no longer.
class DenialReporterTest : public ::testing::Test {
 protected:
  void Deny(uint32_t uid, uint64_t times) {
    for (uint64_t i = 0; i < times; ++i) {
      reporter_.Note({.session = {.id = SessionId(7), .peer = {.subject = {.uid = uid}}}, .action = Action::kMap});
    }
  }
  // Until something is told.
  void Run() { EXPECT_TRUE(loop_->Run().ok()); }

  std::unique_ptr<EventLoop> loop_ = EventLoop::Create().value();
  std::vector<std::string> told_;
  absl::Time now_ = kStart;
  DenialReporter reporter_{*loop_,
                           [this](const LogEntry& entry) {
                             told_.push_back(entry.message);
                             loop_->Quit();
                           },
                           [this] { return now_; }};
};

TEST_F(DenialReporterTest, TellsTheFirstOnesAtOnceAndTheRestAsANumberWhenTheMinuteIsOver) {
  Deny(1000, DenialLog::kLogged);
  EXPECT_THAT(told_, SizeIs(DenialLog::kLogged));
  EXPECT_THAT(told_, Each(HasSubstr("may not MAP")));
  Run();  // what they asked for
  told_.clear();

  now_ = kEnd - absl::Milliseconds(1);
  Deny(1000, 3);
  EXPECT_THAT(told_, SizeIs(0));
  now_ = kEnd;
  Run();
  EXPECT_THAT(told_, ElementsAre(HasSubstr("uid 1000 was denied 3 times more")));
}

TEST_F(DenialReporterTest, WaitsForEachUsersMinute) {
  Deny(1000, DenialLog::kLogged);
  now_ = kStart + absl::Seconds(30);
  Deny(1001, DenialLog::kLogged);
  Run();
  told_.clear();

  now_ = kEnd - absl::Milliseconds(1);
  Deny(1000, 1);
  Deny(1001, 2);
  now_ = kEnd;
  Run();
  EXPECT_THAT(told_, ElementsAre(HasSubstr("uid 1000 was denied 1 times more")));
}

TEST_F(DenialReporterTest, TheNextMinuteIsTimedAsTheFirstWas) {
  for (int minute = 0; minute < 3; ++minute) {
    now_ = kStart + minute * DenialLog::kPeriod;
    Deny(1000, DenialLog::kLogged);
    Run();
    told_.clear();
    now_ += DenialLog::kPeriod - absl::Milliseconds(1);
    Deny(1000, 1);
    now_ += absl::Milliseconds(1);
    Run();
    EXPECT_THAT(told_, ElementsAre(HasSubstr("was denied 1 times more")));
  }
}

}  // namespace
}  // namespace p2pd
