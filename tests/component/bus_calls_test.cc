// The methods on D-Bus: p2pd's policy judges whoever calls, and what makes no sense harms nobody.
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "daemon/bus/bus_properties.h"
#include "daemon/service/log.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/component/bus_fixture.h"
#include "tests/component/raw_client.h"

namespace p2pd {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kDisk[] = "devices/0000:01:00.0";
constexpr char kDiskPath[] = "/org/p2pd/Broker1/devices/0000_01_00_0";

using BusCallsTest = BusFixture;

TEST_F(BusCallsTest, ADeviceIsResetAndTheReceiptNamed) {
  const BusReply reply = client_.Call("ResetDevice", kDisk);
  EXPECT_EQ(reply.error, "") << reply.text;
  EXPECT_THAT(reply.text, StartsWith("operations/"));
}

TEST_F(BusCallsTest, ASessionIsRevokedAndToldWhy) {
  RawClient victim(daemon_.fd_path());
  const BusReply reply = client_.Call("RevokeSession", victim.Hello().session(), "maintenance", 2);
  EXPECT_EQ(reply.error, "") << reply.text;
  const auto last = victim.Read();
  ASSERT_TRUE(last.has_value());
  EXPECT_THAT(last->ended().reason(), HasSubstr("maintenance"));
}

TEST_F(BusCallsTest, AnExportIsRevoked) {
  RawClient owner(daemon_.fd_path());
  owner.Hello();
  const auto stub = daemon_.NewStub();
  v1::CreateExportRequest request;
  request.mutable_window()->set_device("devices/0000:00:11.0");
  request.mutable_window()->set_bar(2);
  request.mutable_window()->set_length(4096);
  request.set_request_id("1");
  v1::Export window;
  ASSERT_TRUE(stub->CreateExport(CallAs(owner.welcome().token()).get(), request, &window).ok());
  EXPECT_EQ(client_.Call("RevokeExport", window.name(), "", 2).error, "");
  EXPECT_EQ(client_.Call("RevokeExport", window.name(), "", 2).error, "org.p2pd.Broker1.Error.NotFound");
}

TEST_F(BusCallsTest, TheCallersSessionIsGoneAfterwards) {
  client_.Listen();
  ASSERT_EQ(client_.Call("ResetDevice", kDisk).error, "");
  client_.Await("PropertiesChanged", kDiskPath, "Generation");
  RawClient looking(daemon_.fd_path());
  looking.Hello();
  const auto stub = daemon_.NewStub();
  // It ends on a thread of core's.
  int sessions = 0;
  for (int i = 0; i < 1000 && sessions != 1; ++i) {
    v1::ListSessionsResponse response;
    ASSERT_TRUE(stub->ListSessions(CallAs(looking.welcome().token()).get(), {}, &response).ok());
    sessions = response.sessions_size();
  }
  EXPECT_EQ(sessions, 1);
}

TEST_F(BusCallsTest, TheLogLevelIsSetAndTold) {
  client_.Listen();
  EXPECT_EQ(client_.Get(kBusPath, kManagerInterface, "LogLevel"), "info");
  EXPECT_EQ(client_.Set("LogLevel", "warning").error, "");
  EXPECT_EQ(GetLogLevel(), LogLevel::kWarning);
  client_.Await("PropertiesChanged", kBusPath, "LogLevel");
  EXPECT_EQ(client_.Get(kBusPath, kManagerInterface, "LogLevel"), "warning");
  EXPECT_EQ(client_.Set("LogLevel", "loud").error, SD_BUS_ERROR_INVALID_ARGS);
  EXPECT_EQ(GetLogLevel(), LogLevel::kWarning);
  SetLogLevel(LogLevel::kInfo);
}

TEST_F(BusCallsTest, ALogLevelThatAClientSetIsToldOnTheBus) {
  client_.Listen();
  RawClient session(daemon_.fd_path());
  session.Hello();
  v1::SetLogLevelRequest request;
  request.set_level("notice");
  v1::SetLogLevelResponse response;
  const auto stub = daemon_.NewStub();
  ASSERT_TRUE(stub->SetLogLevel(CallAs(session.welcome().token()).get(), request, &response).ok());
  client_.Await("PropertiesChanged", kBusPath, "LogLevel");
  EXPECT_EQ(client_.Get(kBusPath, kManagerInterface, "LogLevel"), "notice");
  SetLogLevel(LogLevel::kInfo);
}

TEST_F(BusCallsTest, WhatMakesNoSenseIsRefusedAndHarmsNobody) {
  for (const char* name : {"", "devices/", "devices/0000:01:00.9", "sessions/1", "devices/0000:01:00.0/", "\x01"}) {
    EXPECT_EQ(client_.Call("ResetDevice", name).error, SD_BUS_ERROR_INVALID_ARGS) << name;
  }
  EXPECT_EQ(client_.Call("ResetDevice", "devices/0000:09:00.0").error, "org.p2pd.Broker1.Error.NotFound");
  EXPECT_EQ(client_.Call("RevokeSession", "sessions/999", "", 2).error, "org.p2pd.Broker1.Error.NotFound");
  EXPECT_EQ(client_.Call("RevokeSession", "sessions/01", "", 2).error, SD_BUS_ERROR_INVALID_ARGS);
  EXPECT_EQ(client_.Call("RevokeSession", "sessions/1", std::string(300, 'x'), 2).error, SD_BUS_ERROR_INVALID_ARGS);
  EXPECT_EQ(client_.Call("ResetDevice", kDisk, "", 2).error, SD_BUS_ERROR_INVALID_ARGS);
  EXPECT_EQ(client_.CallPlain(kBusPath, kManagerInterface, "ResetDevice").error, SD_BUS_ERROR_INVALID_ARGS);
  EXPECT_EQ(client_.CallPlain(kBusPath, kManagerInterface, "Explode").error, SD_BUS_ERROR_UNKNOWN_METHOD);
  EXPECT_EQ(client_.CallPlain("/org/p2pd/Broker1/devices/x", "org.freedesktop.DBus.Peer", "Explode").error,
            SD_BUS_ERROR_UNKNOWN_METHOD);
  EXPECT_NE(client_.CallPlain("/org/p2pd/Broker1/devices/x", "org.freedesktop.DBus.Properties", "GetAll").error, "");
  EXPECT_EQ(client_.Set("Version", "2").error, SD_BUS_ERROR_PROPERTY_READ_ONLY);
  EXPECT_NE(client_.Set("Nothing", "2").error, "");
  EXPECT_EQ(client_.Call("ResetDevice", kDisk).error, "");
}

TEST_F(BusCallsTest, ACallerThatIsGoneHarmsNobody) {
  for (int i = 0; i < 10; ++i) {
    BusClient hasty(bus_->address());
    sd_bus_call_method_async(hasty.bus(), nullptr, kBusName, kBusPath, kManagerInterface, "ResetDevice", nullptr,
                             nullptr, "s", kDisk);
    sd_bus_flush(hasty.bus());
  }
  // Their resets may still run.
  std::string error = "org.p2pd.Broker1.Error.Unavailable";
  for (int i = 0; i < 1000 && error == "org.p2pd.Broker1.Error.Unavailable"; ++i) {
    error = client_.Call("ResetDevice", kDisk).error;
  }
  EXPECT_EQ(error, "");
}

// The caller is this test's own user.
class DeniedBusCallsTest : public BusFixture {
 protected:
  DeniedBusCallsTest()
      : BusFixture(absl::StrCat("rule { name: 'all' effect: ALLOW action: [OBSERVE, RESET, ADMIN] } ",
                                "rule { name: 'not this one' effect: DENY action: [RESET, ADMIN] subject { user: '",
                                getuid(), "' } }")) {}
};

TEST_F(DeniedBusCallsTest, PolicyJudgesTheCallersUser) {
  const std::string before = client_.Get(kDiskPath, kDeviceInterface, "Generation");
  const BusReply reply = client_.Call("ResetDevice", kDisk);
  EXPECT_EQ(reply.error, SD_BUS_ERROR_ACCESS_DENIED);
  EXPECT_THAT(reply.text, HasSubstr("not this one"));
  RawClient other(daemon_.fd_path());
  EXPECT_EQ(client_.Call("RevokeSession", other.Hello().session(), "", 2).error, SD_BUS_ERROR_ACCESS_DENIED);
  EXPECT_EQ(client_.Call("RevokeExport", "exports/1", "", 2).error, SD_BUS_ERROR_ACCESS_DENIED);
  EXPECT_EQ(client_.Set("LogLevel", "debug").error, SD_BUS_ERROR_ACCESS_DENIED);
  EXPECT_EQ(GetLogLevel(), LogLevel::kInfo);
  EXPECT_EQ(client_.Get(kDiskPath, kDeviceInterface, "Generation"), before);
}

// By a group that the bus knows of.
class GroupBusCallsTest : public BusFixture {
 protected:
  GroupBusCallsTest()
      : BusFixture(absl::StrCat("rule { name: 'the group' effect: ALLOW action: RESET subject { group: '", getgid(),
                                "' } }")) {}
};

TEST_F(GroupBusCallsTest, PolicyJudgesTheCallersGroups) {
  EXPECT_EQ(client_.Call("ResetDevice", kDisk).error, "");
  EXPECT_EQ(client_.Set("LogLevel", "debug").error, SD_BUS_ERROR_ACCESS_DENIED);
}

}  // namespace
}  // namespace p2pd
