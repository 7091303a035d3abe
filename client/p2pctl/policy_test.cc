// What p2pctl says of a policy, without any p2pd.
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>

#include "client/p2pctl/p2pctl_fixture.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/util/json_util.h"

namespace p2p::ctl {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kPolicy[] =
    "rule { name: 'a' effect: ALLOW action: DRIVE subject { user: '2001' } exporter { bdf: '0000:01:00.0' } }\n";

class PolicyTest : public P2pctlFixture {
 protected:
  void SetUp() override {
    folder_ = ::testing::TempDir() + "/p2pctl_policy_XXXXXX";
    ASSERT_NE(mkdtemp(folder_.data()), nullptr);
  }
  std::string Write(const std::string& name, const std::string& text) const {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path) << text;
    EXPECT_EQ(chmod(path.c_str(), 0644), 0);
    return path;
  }
  google::protobuf::Struct Json() const {
    google::protobuf::Struct all;
    EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(out_, &all).ok()) << out_;
    return all;
  }

  std::string folder_;
};

TEST_F(PolicyTest, CheckShowsWhoCanReachWhat) {
  const std::string path = Write("a.textproto", kPolicy);
  EXPECT_EQ(RunBare({"policy", "check", folder_}), ExitStatus::kOk);
  EXPECT_THAT(out_, StartsWith("WHO"));
  EXPECT_THAT(out_, HasSubstr("uid 2001"));
  EXPECT_THAT(out_, HasSubstr("a (" + path + ":1)"));
  EXPECT_THAT(out_, HasSubstr("1 files, 1 rules, 0 warnings\n"));
  EXPECT_EQ(err_, "");
}

TEST_F(PolicyTest, CheckWarnsOfUsersThatDoNotExistAndOfIdleRules) {
  const std::string path = Write("a.textproto", std::string(kPolicy) +
                                                    "rule { name: 'd' effect: DENY action: DRIVE }\n"
                                                    "rule { name: 'z' effect: ALLOW action: MAP subject { user: "
                                                    "'no-such-user' } }\n");
  EXPECT_EQ(RunBare({"policy", "check", path}), ExitStatus::kOk);
  EXPECT_THAT(err_, HasSubstr("p2pctl: warning: " + path + ":3:54: rule \"z\": there is no user \"no-such-user\""));
  EXPECT_THAT(err_, HasSubstr("p2pctl: warning: " + path + ":1: rule \"a\" never allows anything"));
  EXPECT_THAT(out_, HasSubstr("2 warnings"));
}

TEST_F(PolicyTest, CheckListsEverythingThatIsWrong) {
  const std::string a = Write("a.textproto", "rule { nmae: 'a' }");
  const std::string b = Write("b.textproto", "rule { effect: MAYBE }");
  EXPECT_EQ(RunBare({"policy", "check", folder_}), ExitStatus::kFailed);
  EXPECT_THAT(err_, HasSubstr(a + ":1:8: \"nmae\" is unknown here"));
  EXPECT_THAT(err_, HasSubstr(b + ":1:16: \"MAYBE\" is unknown here"));
  EXPECT_EQ(out_, "");
}

TEST_F(PolicyTest, CheckOfWhatIsNotThereIsFive) {
  EXPECT_EQ(RunBare({"policy", "check", folder_ + "/none"}), ExitStatus::kNotFound);
}

TEST_F(PolicyTest, CheckAsJsonHasEveryRule) {
  Write("a.textproto", kPolicy);
  EXPECT_EQ(RunBare({"policy", "check", folder_, "--json"}), ExitStatus::kOk);
  const auto all = Json();
  const auto& rule = all.fields().at("rules").list_value().values(0).struct_value().fields();
  EXPECT_EQ(rule.at("rule").string_value(), "a");
  EXPECT_TRUE(rule.at("may").bool_value());
  EXPECT_EQ(rule.at("exporter").string_value(), "0000:01:00.0");
}

TEST_F(PolicyTest, TestShowsHowAVerdictDiffersFromWhatWasExpected) {
  Write("a.textproto", kPolicy);
  const std::string request = " request { action: DRIVE exporter { bdf: '0000:01:00.0' } } ";
  const std::string path =
      Write("a.expect", "expect { subject { user: '2001' }" + request + "allowed: true rule: 'a' }\n" +
                            "expect { subject { user: '0' }" + request + "allowed: true }\n");
  EXPECT_EQ(RunBare({"policy", "test", path}), ExitStatus::kFailed);
  EXPECT_THAT(out_,
              StartsWith(path + ":2: uid 0: DRIVE 0000:01:00.0\n- allowed: true\n+ allowed: false\n  uid 0 may not"));
  EXPECT_THAT(out_, HasSubstr("1 of 2 expectations are met\n"));
  EXPECT_EQ(RunBare({"policy", "test", path, "--json"}), ExitStatus::kFailed);
  EXPECT_EQ(Json().fields().at("failed").list_value().values_size(), 1);
}

TEST_F(PolicyTest, TestEndsWellWhereEverythingIsAsExpected) {
  Write("a.textproto", kPolicy);
  const std::string path =
      Write("a.expect", "expect { subject { user: '0' } request { action: OBSERVE } allowed: false }");
  EXPECT_EQ(RunBare({"policy", "test", path}), ExitStatus::kOk);
  EXPECT_EQ(out_, "1 of 1 expectations are met\n");
  EXPECT_EQ(RunBare({"policy", "test", folder_ + "/none.expect"}), ExitStatus::kNotFound);
}

}  // namespace
}  // namespace p2p::ctl
