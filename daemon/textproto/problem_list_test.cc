#include "daemon/textproto/problem_list.h"

#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(ProblemListTest, WithoutProblemsAllIsWell) {
  const ProblemList problems("f");
  EXPECT_TRUE(problems.empty());
  EXPECT_TRUE(problems.ToStatus().ok());
}

TEST(ProblemListTest, EachProblemIsALineWithItsPlace) {
  ProblemList problems("f.textproto");
  problems.Add({.line = 3, .column = 7}, "first");
  problems.Add({.line = 12, .column = 1}, "second");
  problems.Add({}, "third");
  const absl::Status status = problems.ToStatus();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "f.textproto:3:7: first\nf.textproto:12:1: second\nf.textproto: third");
  EXPECT_EQ(GetErrorInfo(status).reason, Reason::kInvalidArgument);
  EXPECT_EQ(GetErrorInfo(status).object, "f.textproto:3:7");
}

TEST(ProblemListTest, WhatIsNotPrintableCannotForgeALine) {
  ProblemList problems("f");
  problems.Add({.line = 1, .column = 1}, "a\nf:2:1: forged\x1b[2J\xff");
  EXPECT_EQ(problems.ToStatus().message(), "f:1:1: a?f:2:1: forged?[2J?");
}

TEST(ProblemListTest, AFloodOfProblemsIsCounted) {
  ProblemList problems("f");
  for (int i = 1; i <= 1000; ++i) problems.Add({.line = i, .column = 1}, absl::StrCat("number ", i));
  const std::string message(problems.ToStatus().message());
  EXPECT_THAT(message, HasSubstr("f:20:1: number 20\n"));
  EXPECT_THAT(message, Not(HasSubstr("number 21")));
  EXPECT_THAT(message, EndsWith("f: 980 more problems"));
}

TEST(ProblemListTest, WhatIsWrongWithSeveralFilesIsOneError) {
  const absl::Status a = absl::NotFoundError("a: is not there");
  const absl::Status b = absl::InvalidArgumentError("b:1:2: oops");
  EXPECT_EQ(JoinProblems(absl::OkStatus(), absl::OkStatus()), absl::OkStatus());
  EXPECT_EQ(JoinProblems(a, absl::OkStatus()), a);
  EXPECT_EQ(JoinProblems(absl::OkStatus(), b), b);
  EXPECT_EQ(JoinProblems(a, b), absl::NotFoundError("a: is not there\nb:1:2: oops"));
}

}  // namespace
}  // namespace p2pd
