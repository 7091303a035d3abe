// polkit's part in the methods on D-Bus: it can refuse what policy allows, and allow nothing that policy does not.
#include <fstream>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "daemon/bus/bus_properties.h"
#include "daemon/service/log.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/component/bus_fixture.h"
#include "tests/component/fake_polkit.h"
#include "tests/component/raw_client.h"

namespace p2pd {
namespace {

using ::testing::HasSubstr;
using Answer = FakePolkit::Answer;

constexpr char kDisk[] = "devices/0000:01:00.0";

class BusPolkitTest : public BusFixture {
 protected:
  using BusFixture::BusFixture;

  std::string Generation() {
    return client_.Get("/org/p2pd/Broker1/devices/0000_01_00_0", kDeviceInterface, "Generation");
  }
};

TEST_F(BusPolkitTest, IsAskedAboutTheCallerAndLetsPass) {
  FakePolkit polkit(bus_->address(), Answer::kYes);
  EXPECT_EQ(client_.Call("ResetDevice", kDisk).error, "");
  const char* name = nullptr;
  ASSERT_GE(sd_bus_get_unique_name(client_.bus(), &name), 0);
  const auto questions = polkit.Stop();
  ASSERT_EQ(questions.size(), 1);
  EXPECT_EQ(questions[0].sender, name);
  EXPECT_EQ(questions[0].action, "org.p2pd.Broker1.reset-device");
  EXPECT_FALSE(questions[0].may_interact);
}

TEST_F(BusPolkitTest, AsksForAPasswordOnlyWhereTheCallerAllowsIt) {
  FakePolkit polkit(bus_->address(), Answer::kYes);
  sd_bus_set_allow_interactive_authorization(client_.bus(), 1);
  EXPECT_EQ(client_.Call("ResetDevice", kDisk).error, "");
  const auto questions = polkit.Stop();
  ASSERT_EQ(questions.size(), 1);
  EXPECT_TRUE(questions[0].may_interact);
}

TEST_F(BusPolkitTest, RefusesWhatPolicyAllows) {
  FakePolkit polkit(bus_->address(), Answer::kNo);
  RawClient other(daemon_.fd_path());
  const std::string before = Generation();
  const BusReply reply = client_.Call("ResetDevice", kDisk);
  EXPECT_EQ(reply.error, SD_BUS_ERROR_ACCESS_DENIED);
  EXPECT_THAT(reply.text, HasSubstr("polkit refuses"));
  EXPECT_EQ(client_.Call("RevokeSession", other.Hello().session(), "", 2).error, SD_BUS_ERROR_ACCESS_DENIED);
  EXPECT_EQ(client_.Call("RevokeExport", "exports/1", "", 2).error, SD_BUS_ERROR_ACCESS_DENIED);
  EXPECT_EQ(client_.Set("LogLevel", "debug").error, SD_BUS_ERROR_ACCESS_DENIED);
  EXPECT_EQ(GetLogLevel(), LogLevel::kInfo);
  EXPECT_EQ(Generation(), before);
}

TEST_F(BusPolkitTest, WithoutAClearAnswerNothingIsDone) {
  const std::string before = Generation();
  for (const Answer answer : {Answer::kChallenge, Answer::kError, Answer::kNonsense}) {
    FakePolkit polkit(bus_->address(), answer);
    EXPECT_EQ(client_.Call("ResetDevice", kDisk).error, SD_BUS_ERROR_ACCESS_DENIED);
  }
  EXPECT_EQ(Generation(), before);
}

TEST_F(BusPolkitTest, ThatIsNotThereRefusesNothing) { EXPECT_EQ(client_.Call("ResetDevice", kDisk).error, ""); }

class DeniedBusPolkitTest : public BusPolkitTest {
 protected:
  DeniedBusPolkitTest() : BusPolkitTest("rule { name: 'look' effect: ALLOW action: OBSERVE }") {}
};

TEST_F(DeniedBusPolkitTest, CannotAllowWhatPolicyDoesNot) {
  FakePolkit polkit(bus_->address(), Answer::kYes);
  const BusReply reply = client_.Call("ResetDevice", kDisk);
  EXPECT_EQ(reply.error, SD_BUS_ERROR_ACCESS_DENIED);
  EXPECT_THAT(reply.text, Not(HasSubstr("polkit")));
}

// What is not in the file, polkit refuses by an error.
TEST_F(BusPolkitTest, EveryActionIsInTheShippedFile) {
  FakePolkit polkit(bus_->address(), Answer::kYes);
  RawClient other(daemon_.fd_path());
  client_.Call("ResetDevice", kDisk);
  client_.Call("RevokeExport", "exports/1", "", 2);
  client_.Call("RevokeSession", other.Hello().session(), "", 2);
  client_.Set("LogLevel", "info");
  std::stringstream shipped;
  shipped << std::ifstream("deploy/org.p2pd.Broker1.policy").rdbuf();
  const auto questions = polkit.Stop();
  EXPECT_EQ(questions.size(), 4);
  for (const auto& question : questions) {
    EXPECT_THAT(shipped.str(), HasSubstr(absl::StrCat("<action id=\"", question.action, "\">")));
  }
}

}  // namespace
}  // namespace p2pd
