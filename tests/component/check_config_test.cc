// p2pd --check-config: what an administrator sees before a start.
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

class CheckConfigTest : public ::testing::Test {
 protected:
  struct Outcome {
    int exit_code = -1;
    std::string out;
    std::string errors;
  };

  CheckConfigTest() {
    char name[] = "/tmp/p2pd-XXXXXX";
    folder_ = mkdtemp(name);
    Write("policy", "rule { name: 'all' effect: ALLOW action: OBSERVE }");
  }
  ~CheckConfigTest() override { std::filesystem::remove_all(folder_); }

  std::string Write(const std::string& name, const std::string& text) {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path) << text;
    EXPECT_EQ(chmod(path.c_str(), 0644), 0);
    return path;
  }
  std::string Read(const std::string& name) {
    std::ifstream file(folder_ + "/" + name);
    return std::string(std::istreambuf_iterator<char>(file), {});
  }

  Outcome Run(const std::string& arguments) {
    const std::string command =
        "daemon/p2pd " + arguments + " >" + folder_ + "/out 2>" + folder_ + "/errors </dev/null";
    const int status = system(command.c_str());
    return {.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1, .out = Read("out"), .errors = Read("errors")};
  }
  Outcome Check(const std::string& config, const std::string& arguments = "") {
    return Run("--check-config --config=" + Write("p2pd.conf", config) + " " + arguments);
  }

  std::string folder_;
};

TEST_F(CheckConfigTest, ShowsWhatWouldBeInForce) {
  const Outcome outcome =
      Check("policy: '" + folder_ + "/policy' deadlines { quiesce: '3s' } limits { sessions { total: 10 } }",
            "--log-level=debug --fd-socket=/tmp/f");
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(outcome.errors, IsEmpty());
  EXPECT_THAT(outcome.out, StartsWith("sockets {\n  fd: \"/tmp/f\"\n  grpc: \"/run/p2pd/p2pd.sock\"\n"
                                      "  config: \"/run/p2pd/config.sock\"\n}\npolicy: \""));
  EXPECT_THAT(outcome.out, HasSubstr("deadlines {\n  quiesce: \"3s\"\n  hello: \"5s\"\n  ready: \"1m\"\n}\n"));
  EXPECT_THAT(outcome.out, HasSubstr("  sessions {\n    per_user: 10\n    total: 10\n  }\n"));
  EXPECT_THAT(outcome.out, HasSubstr("  watchers {\n    per_user: "));
  EXPECT_THAT(outcome.out, HasSubstr("log_level: \"debug\"\n"));
}

TEST_F(CheckConfigTest, WhatItShowsIsAConfiguration) {
  const Outcome first = Check("policy: '" + folder_ + "/policy' limits { exports { per_user: 3 } }");
  EXPECT_EQ(Check(first.out).out, first.out);
}

TEST_F(CheckConfigTest, TellsEachProblemOnALineOfItsOwn) {
  const Outcome outcome = Check("polici: '/x'");
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.out, IsEmpty());
  EXPECT_THAT(outcome.errors, StartsWith(folder_ + "/p2pd.conf:1:1: \"polici\" is unknown here"));
  const Outcome two = Check("log_level: 'x'\npolicy: 'y'");
  EXPECT_EQ(two.exit_code, 1);
  EXPECT_THAT(two.errors, HasSubstr("\n" + folder_ + "/p2pd.conf:"));
}

TEST_F(CheckConfigTest, ReadsThePolicyToo) {
  const Outcome outcome = Check("policy: '" + Write("policy", "rule {\n  oops: 1\n}") + "'");
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.errors, StartsWith(folder_ + "/policy:2:3: \"oops\" is unknown here"));
}

TEST_F(CheckConfigTest, AFileThatIsNamedMustExist) {
  const Outcome outcome = Run("--check-config --config=" + folder_ + "/none");
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.errors, HasSubstr(folder_ + "/none"));
}

TEST_F(CheckConfigTest, WrongUsageIsNoWrongFile) { EXPECT_EQ(Run("--check-config --oops").exit_code, 2); }

TEST_F(CheckConfigTest, StartsNothing) {
  const std::string sockets = "--fd-socket=" + folder_ + "/fds.sock --grpc-socket=" + folder_ + "/grpc.sock";
  EXPECT_EQ(Check("policy: '" + folder_ + "/policy'", sockets).exit_code, 0);
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/fds.sock"));
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/grpc.sock"));
}

TEST_F(CheckConfigTest, AWrongConfigurationKeepsP2pdFromStarting) {
  const std::string config = Write("p2pd.conf", "limits { sessions { per_user: 0 } }");
  const Outcome outcome = Run("--simulate=deploy/simulation/two_nvme.textproto --config=" + config);
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.errors, HasSubstr("p2pd.conf:1:21: 0 is too few, expected at least 1"));
}

TEST_F(CheckConfigTest, AMergedContextOfADeviceThatIsNotThereIsAnErrorOfItsLine) {
  const std::string config = Write("p2pd.conf", "policy: '" + folder_ +
                                                    "/policy'\n"
                                                    "merged_contexts { devices: ['0000:01:00.0', '0000:77:00.0'] }");
  const Outcome outcome = Run("--simulate=deploy/simulation/two_nvme.textproto --config=" + config);
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.errors, HasSubstr("p2pd.conf:2:1: merged context of devices/0000:77:00.0: p2pd manages no such"));
  EXPECT_THAT(outcome.errors, Not(HasSubstr("0000:01:00.0")));
}

}  // namespace
}  // namespace p2pd
