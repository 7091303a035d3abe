#include "deploy/demo/report.h"

#include "gtest/gtest.h"

namespace demo {
namespace {

TEST(ReportTest, IsOneJsonObject) {
  EXPECT_EQ(Report("copied").With("bytes", uint64_t{33554432}).With("seconds", absl::Milliseconds(1500)).Line(),
            R"({"event": "copied", "bytes": 33554432, "seconds": 1.5})");
}

TEST(ReportTest, QuotesWhatJsonRequires) {
  EXPECT_EQ(Report("x").With("message", "a \"b\" \\ c\nd").Line(),
            R"({"event": "x", "message": "a \"b\" \\ c\u000ad"})");
}

TEST(ReportTest, AnErrorKeepsItsCodeAndMessage) {
  EXPECT_EQ(
      Report("failed").With(absl::DataLossError("3 commands failed")).Line(),
      R"({"event": "failed", "code": "DATA_LOSS", "reason": "REASON_UNSPECIFIED", "message": "3 commands failed"})");
}

}  // namespace
}  // namespace demo
