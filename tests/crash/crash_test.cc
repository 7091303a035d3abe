// p2pd ends at every one of its kernel calls, journal writes and calls of the fd store in a long scenario, before it
// and after it; a successor takes over, and in every case
//
//   no device reaches a byte without a live right; what was answered is there, at its IOVA, and reached;
//   whoever asks again is answered as before, or as if for the first time; and the scenario goes on to its end;
//   in the end nothing is mapped, and nothing but the journal and devices that nobody drives is in the store.
//
// P2PD_CRASH_POINT tries only that one, P2PD_CRASH_STRIDE=N every Nth. And once more with a successor that ends
// during its own recovery.
#include <cstdio>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/crash/scenario.h"

namespace p2pd {
namespace {

int FromEnvironment(const char* name, int otherwise) {
  const char* value = getenv(name);
  return value != nullptr ? atoi(value) : otherwise;
}

// Beside the code a sample will do; tests/suites/crash.sh tries all.
int Stride() { return FromEnvironment("P2PD_CRASH_STRIDE", 16); }

int PointsOfALife(int first_end) {
  Scenario scenario(first_end, 0);
  scenario.Run();
  return scenario.world().life().points();
}

TEST(CrashTest, NobodyIsWorseOffWhereverP2pdEnds) {
  Scenario undisturbed(0, 0);
  undisturbed.Run();
  ASSERT_FALSE(HasFailure());
  const int points = undisturbed.world().life().points();
  const int only = FromEnvironment("P2PD_CRASH_POINT", 0);
  const int stride = Stride();
  int tried = 0;
  for (int point = only != 0 ? only : 1; point <= (only != 0 ? only : points); point += stride) {
    ++tried;
    SCOPED_TRACE(absl::StrCat("p2pd ended at point ", point, " of ", points));
    Scenario scenario(point, 0);
    scenario.Run();
    ASSERT_GE(scenario.world().boots(), 2) << "point " << point << " was not reached";
    if (HasFailure()) {
      ADD_FAILURE() << scenario.world().Tell();
      break;
    }
  }
  std::printf("crash: %d of %d points, before and after each of\n", tried, points);
  for (const auto& [call, times] : undisturbed.world().life().calls()) {
    std::printf("crash:   %5d x %s\n", times, call.c_str());
  }
}

TEST(CrashTest, NorWhereverASuccessorEnds) {
  const int points = PointsOfALife(0);
  int deaths = 0;
  const int stride = 5 * Stride();
  int lives = 0;
  for (int point = 1; point <= points; point += stride, ++lives) {
    // Early in its life a successor recovers: each case ends at another point of that.
    const int second = 1 + lives % 60;
    Scenario scenario(point, second);
    scenario.Run();
    deaths += scenario.world().boots() - 1;
    ASSERT_FALSE(HasFailure()) << "p2pd ended at point " << point << ", its successor at " << second;
  }
  std::printf("crash: %d ends of p2pd in %d lives with an end during recovery\n", deaths, lives);
}

}  // namespace
}  // namespace p2pd
