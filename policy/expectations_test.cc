#include "policy/expectations.h"

#include <sys/stat.h>

#include <cstdlib>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "policy/fake_user_database.h"

namespace p2pd {
namespace {

using ::testing::HasSubstr;

constexpr char kPolicy[] = R"(
rule {
  name: "alice maps"
  effect: ALLOW
  action: MAP
  subject { user: "alice" group: "spdk" }
  exporter { bdf: "0000:01:00.0" bar: 2 }
  when { access: READ path: SAME_SWITCH }
  limits { max_count: 2 }
}
)";
constexpr char kRequest[] =
    "request { action: MAP exporter { bdf: '0000:01:00.0' } importer { bdf: '0000:02:00.0' class: '020000' numa_node: "
    "1 "
    "ats: false } window { bar: 2 length: 4096 } access: READ path: SAME_SWITCH offered: false context: 'x' } ";

class ExpectationsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = ::testing::TempDir() + "/expect_XXXXXX";
    ASSERT_NE(mkdtemp(folder_.data()), nullptr);
    Write("p.textproto", kPolicy);
  }
  std::string Write(const std::string& name, const std::string& text) const {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path) << text;
    EXPECT_EQ(chmod(path.c_str(), 0644), 0);
    return path;
  }
  absl::StatusOr<ExpectationReport> Try(const std::string& expectations) const {
    return TryExpectations(Write("p.expect", "identity { group: 'spdk' id: 990 }\n" + expectations),
                           FakeUserDatabase());
  }
  std::string ErrorOf(const std::string& expectations) const {
    return std::string(Try(expectations).status().message());
  }

  std::string folder_;
};

TEST_F(ExpectationsTest, WhatIsAsExpectedPasses) {
  const auto report = Try(absl::StrCat("expect { subject { user: 'alice' } ", kRequest,
                                       "allowed: true rule: 'alice maps' limits { max_count: 2 } }\n",
                                       "expect { subject { user: '7' group: 'spdk' } ", kRequest, "allowed: true }\n",
                                       "expect { subject { user: 'bob' } ", kRequest, "allowed: false rule: '' }\n"));
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->expectations, 3);
  EXPECT_TRUE(report->failed.empty()) << report->failed[0].reason;
}

TEST_F(ExpectationsTest, WhatIsNotIsShownBesideWhatWasExpected) {
  const auto report =
      Try(absl::StrCat("expect { subject { user: 'bob' } ", kRequest, "allowed: true rule: 'alice maps' }"));
  ASSERT_TRUE(report.ok()) << report.status();
  ASSERT_EQ(report->failed.size(), 1u);
  const FailedExpectation& failed = report->failed[0];
  EXPECT_EQ(failed.place, folder_ + "/p.expect:2");
  EXPECT_EQ(failed.request, "uid 1001: MAP BAR 2 of 0000:01:00.0 for 0000:02:00.0");
  EXPECT_EQ(failed.expected, "allowed: true rule: \"alice maps\"");
  EXPECT_EQ(failed.actual, "allowed: false rule: \"\"");
  EXPECT_THAT(failed.reason, HasSubstr("the nearest is \"alice maps\""));
}

TEST_F(ExpectationsTest, LimitsAreExactlyThoseExpected) {
  const auto report = Try(absl::StrCat("expect { subject { user: 'alice' } ", kRequest, "allowed: true limits {} }"));
  ASSERT_TRUE(report.ok()) << report.status();
  ASSERT_EQ(report->failed.size(), 1u);
  EXPECT_THAT(report->failed[0].actual, HasSubstr("count 2"));
}

TEST_F(ExpectationsTest, ThePolicyMayBeNamed) {
  Write("other.textproto", "");
  const auto report =
      Try(absl::StrCat("policy: 'other.textproto' expect { subject { user: 'alice' } ", kRequest, "allowed: false }"));
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->failed.empty());
}

TEST_F(ExpectationsTest, WhatIsNotSaidOrMakesNoSenseIsRefusedWithItsPlace) {
  EXPECT_THAT(ErrorOf(""), HasSubstr("expected something to be expected"));
  EXPECT_THAT(ErrorOf(absl::StrCat("expect { subject { user: 'alice' } ", kRequest, " }")),
              HasSubstr("p.expect:2:1: expectation \"1\": expected allowed: true or allowed: false"));
  EXPECT_THAT(ErrorOf(absl::StrCat("expect { ", kRequest, " allowed: true }")),
              HasSubstr("expected a user: who asks?"));
  EXPECT_THAT(ErrorOf(absl::StrCat("expect { subject { user: 'zoe' } ", kRequest, " allowed: true }")),
              HasSubstr("there is no user \"zoe\""));
  EXPECT_THAT(ErrorOf("expect { subject { user: '0' } allowed: true }"), HasSubstr("expected an action"));
  EXPECT_THAT(ErrorOf("expect { subject { user: '0' } request { action: DRIVE exporter { bdf: 'x' class: '1' } } "
                      "allowed: true }"),
              ::testing::AllOf(HasSubstr("\"x\" is no PCI address"), HasSubstr("\"1\" is no class")));
}

}  // namespace
}  // namespace p2pd
