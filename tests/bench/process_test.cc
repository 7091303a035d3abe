#include "tests/bench/process.h"

#include <fstream>

#include "gtest/gtest.h"

namespace p2pd::bench {
namespace {

constexpr char kStatus[] =
    "Name:\tp2pd\nVmHWM:\t   20000 kB\nVmRSS:\t   18432 kB\nvoluntary_ctxt_switches:\t17\n"
    "nonvoluntary_ctxt_switches:\t4\n";

TEST(StatusFieldTest, FindsTheNumberAfterItsKey) {
  EXPECT_EQ(StatusField(kStatus, "VmRSS:").value_or(0), 18432u);
  EXPECT_EQ(StatusField(kStatus, "voluntary_ctxt_switches:").value_or(0), 17u);
}

TEST(StatusFieldTest, TellsWhatIsNotThere) {
  EXPECT_FALSE(StatusField(kStatus, "VmSwap:").ok());
  EXPECT_FALSE(StatusField(kStatus, "Name:").ok());
}

TEST(ProcessTest, AProgramThatEndsAtOnceIsNotReady) {
  const auto folder = Folder::Create();
  ASSERT_TRUE(folder.ok());
  const auto process = Process::Start({"/bin/false"}, *folder);
  ASSERT_FALSE(process.ok());
  EXPECT_NE(process.status().message().find("ended before"), std::string::npos);
}

TEST(ProcessTest, AFolderGoesWithWhatIsInIt) {
  std::string path;
  {
    const auto folder = Folder::Create();
    ASSERT_TRUE(folder.ok() && folder->Write("file", "content").ok());
    path = folder->At("file");
    EXPECT_TRUE(std::ifstream(path).good());
  }
  EXPECT_FALSE(std::ifstream(path).good());
}

TEST(RunToEndTest, SaysWhetherTheProgramSucceeded) {
  EXPECT_TRUE(RunToEnd({"/bin/true"}).ok());
  EXPECT_FALSE(RunToEnd({"/bin/false"}).ok());
  EXPECT_FALSE(RunToEnd({"/no/such/program"}).ok());
}

}  // namespace
}  // namespace p2pd::bench
