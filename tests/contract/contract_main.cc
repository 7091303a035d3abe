// Runs the contract suite on the world that is linked in and prints a line for each case:
//
//   MapTest.RefusesAnOverlap | sim | PASSED
//   ResetTest.TakesItsTime | linux | EXCEPTION the machine cannot ...
//
// An exception is never run and never counted as passed.
#include <cstdio>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/contract/fixture.h"

namespace p2pd::contract {
namespace {

std::string NameOf(const ::testing::TestInfo& test) { return absl::StrCat(test.test_suite_name(), ".", test.name()); }

class LinePrinter : public ::testing::EmptyTestEventListener {
 public:
  void OnTestPartResult(const ::testing::TestPartResult& result) override {
    if (!result.failed()) return;
    printf("%s:%d: %s\n", result.file_name() != nullptr ? result.file_name() : "?", result.line_number(),
           result.message());
  }
  void OnTestEnd(const ::testing::TestInfo& test) override {
    const bool passed = test.result()->Passed();
    (passed ? passed_ : failed_) += 1;
    printf("%s | %s | %s\n", NameOf(test).c_str(), TheWorld().name().c_str(), passed ? "PASSED" : "FAILED");
    fflush(stdout);
  }

  int passed() const { return passed_; }
  int failed() const { return failed_; }

 private:
  int passed_ = 0;
  int failed_ = 0;
};

std::set<std::string> AllCases() {
  std::set<std::string> cases;
  const ::testing::UnitTest& suite = *::testing::UnitTest::GetInstance();
  for (int i = 0; i < suite.total_test_suite_count(); ++i) {
    const ::testing::TestSuite& part = *suite.GetTestSuite(i);
    for (int j = 0; j < part.total_test_count(); ++j) cases.insert(NameOf(*part.GetTestInfo(j)));
  }
  return cases;
}

// Takes the world's exceptions out of the run. False if one names a case that does not exist.
bool ApplyExceptions() {
  const std::set<std::string> cases = AllCases();
  bool sound = true;
  std::string excluded;
  for (const Exception& exception : TheWorld().exceptions()) {
    if (!cases.contains(exception.test)) {
      printf("%s | %s | FAILED an exception for a case that does not exist\n", exception.test.c_str(),
             TheWorld().name().c_str());
      sound = false;
      continue;
    }
    printf("%s | %s | EXCEPTION %s\n", exception.test.c_str(), TheWorld().name().c_str(), exception.reason.c_str());
    absl::StrAppend(&excluded, excluded.empty() ? "" : ":", exception.test);
  }
  const std::string filter = GTEST_FLAG_GET(filter);
  const bool has_exclusions = filter.find('-') != std::string::npos;
  if (!excluded.empty()) GTEST_FLAG_SET(filter, absl::StrCat(filter, has_exclusions ? ":" : "-", excluded));
  return sound;
}

int Main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  SetWorld(MakeWorld());
  const bool sound = ApplyExceptions();
  ::testing::TestEventListeners& listeners = ::testing::UnitTest::GetInstance()->listeners();
  delete listeners.Release(listeners.default_result_printer());
  auto* const printer = new LinePrinter();
  listeners.Append(printer);  // takes it
  const int result = RUN_ALL_TESTS();
  printf("%d passed, %d failed, %zu exceptions\n", printer->passed(), printer->failed(),
         TheWorld().exceptions().size());
  return result != 0 || !sound || printer->passed() == 0 ? 1 : 0;
}

}  // namespace
}  // namespace p2pd::contract

int main(int argc, char** argv) { return p2pd::contract::Main(argc, argv); }
