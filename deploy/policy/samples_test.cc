// Every sample does what its expectations say.
#include <cstdlib>
#include <filesystem>
#include <string>

#include "gtest/gtest.h"
#include "policy/expectations.h"
#include "policy/fake_user_database.h"

namespace p2pd {
namespace {

namespace fs = std::filesystem;

// Where a test finds them they may be links, which no policy is read through.
class SamplesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = ::testing::TempDir() + "/samples_XXXXXX";
    ASSERT_NE(mkdtemp(folder_.data()), nullptr);
    for (const auto& entry : fs::directory_iterator("deploy/policy")) {
      const std::string extension = entry.path().extension();
      if (extension != ".textproto" && extension != ".expect") continue;
      const fs::path copy = fs::path(folder_) / entry.path().filename();
      fs::copy_file(fs::canonical(entry.path()), copy);
      fs::permissions(copy, fs::perms::owner_read);
    }
  }
  std::string folder_;
};

TEST_F(SamplesTest, EachDoesWhatIsExpectedOfIt) {
  int samples = 0;
  for (const auto& entry : fs::directory_iterator(folder_)) {
    if (entry.path().extension() != ".expect") continue;
    ++samples;
    const auto report = TryExpectations(entry.path(), FakeUserDatabase());
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_GE(report->expectations, 2) << entry.path();
    for (const FailedExpectation& failed : report->failed) {
      ADD_FAILURE() << failed.place << ": " << failed.request << "\n- " << failed.expected << "\n+ " << failed.actual
                    << "\n"
                    << failed.reason;
    }
  }
  EXPECT_GE(samples, 4);
}

}  // namespace
}  // namespace p2pd
