// What D-Bus shows: the objects, their properties, and the signals when they change. On a bus of the test's own.
#include <sys/prctl.h>

#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "daemon/bus/bus_properties.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/component/bus_fixture.h"
#include "tests/component/raw_client.h"

namespace p2pd {
namespace {

using ::testing::HasSubstr;

constexpr char kDisk[] = "devices/0000:01:00.0";
constexpr char kDiskPath[] = "/org/p2pd/Broker1/devices/0000_01_00_0";

std::string SessionPath(const RawClient& client) { return absl::StrCat(kBusPath, "/", client.welcome().session()); }

class BusObjectsTest : public BusFixture {
 protected:
  BusObjectsTest() { client_.Listen(); }

  v1::Device OpenDisk(RawClient& client) {
    v1::OpenDeviceRequest request;
    request.set_name(kDisk);
    request.set_request_id("open");
    v1::Device device;
    const grpc::Status status = stub_->OpenDevice(CallAs(client.welcome().token()).get(), request, &device);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return device;
  }

  std::unique_ptr<v1::Broker::Stub> stub_ = daemon_.NewStub();
};

TEST_F(BusObjectsTest, TheObjectManagerListsEveryDeviceAndSession) {
  RawClient client(daemon_.fd_path());
  client.Hello();
  client_.Await("InterfacesAdded", SessionPath(client), kSessionInterface);
  const auto objects = client_.ManagedObjects();
  EXPECT_EQ(objects.size(), 5u);
  EXPECT_EQ(objects.at(kDiskPath), kDeviceInterface);
  EXPECT_EQ(objects.at(SessionPath(client)), kSessionInterface);
}

TEST_F(BusObjectsTest, PropertiesSayWhatTheApiSays) {
  EXPECT_EQ(client_.Get(kDiskPath, kDeviceInterface, "Name"), kDisk);
  EXPECT_EQ(client_.Get(kDiskPath, kDeviceInterface, "State"), "READY");
  EXPECT_EQ(client_.Get(kDiskPath, kDeviceInterface, "DriverSession"), "");
  EXPECT_EQ(client_.Get(kBusPath, kManagerInterface, "Version"), "test");
  EXPECT_EQ(client_.Get(kBusPath, kManagerInterface, "Kernel"), "simulation");
  EXPECT_EQ(client_.Get(kBusPath, kManagerInterface, "Devices"), "4");
}

TEST_F(BusObjectsTest, AnOpenedDeviceChangesAndItsDriversEndIsSeen) {
  RawClient client(daemon_.fd_path());
  client.Hello();
  OpenDisk(client);
  client_.Await("PropertiesChanged", kDiskPath, "DriverSession");
  EXPECT_EQ(client_.Get(kDiskPath, kDeviceInterface, "State"), "AWAITING_DRIVER");
  EXPECT_EQ(client_.Get(kDiskPath, kDeviceInterface, "DriverSession"), client.welcome().session());
  const std::string path = SessionPath(client);
  client.HangUp();
  client_.Await("InterfacesRemoved", path, kSessionInterface);
  client_.Await("PropertiesChanged", kDiskPath, "READY");
  EXPECT_EQ(client_.Get(kDiskPath, kDeviceInterface, "DriverSession"), "");
}

TEST_F(BusObjectsTest, AResetIsSeenByItsGeneration) {
  RawClient client(daemon_.fd_path());
  client.Hello();
  const std::string before = client_.Get(kDiskPath, kDeviceInterface, "Generation");
  v1::ResetDeviceRequest request;
  request.set_name(kDisk);
  request.set_request_id("reset");
  v1::Operation operation;
  ASSERT_TRUE(stub_->ResetDevice(CallAs(client.welcome().token()).get(), request, &operation).ok());
  client_.Await("PropertiesChanged", kDiskPath, "Generation");
  EXPECT_NE(client_.Get(kDiskPath, kDeviceInterface, "Generation"), before);
}

TEST_F(BusObjectsTest, AnObjectSignalsAtMostTenTimesASecond) {
  RawClient client(daemon_.fd_path());
  client.Hello();
  const absl::Time began = absl::Now();
  for (int i = 0; i < 100; ++i) {  // five changes of state each
    v1::ResetDeviceRequest request;
    request.set_name(kDisk);
    request.set_request_id(std::to_string(i));
    v1::Operation operation;
    ASSERT_TRUE(stub_->ResetDevice(CallAs(client.welcome().token()).get(), request, &operation).ok());
  }
  RawClient last(daemon_.fd_path());
  last.Hello();
  client_.Await("InterfacesAdded", SessionPath(last), kSessionInterface);
  client_.Await("PropertiesChanged", kDiskPath, "Generation");
  EXPECT_LE(client_.CountOf("PropertiesChanged", kDiskPath), (absl::Now() - began) / absl::Milliseconds(100) + 1);
}

TEST_F(BusObjectsTest, ANameThatIsNotUtf8HidesNobody) {
  char name[16] = {};
  prctl(PR_GET_NAME, name);
  prctl(PR_SET_NAME, "disk\xff");
  RawClient client(daemon_.fd_path());
  client.Hello();
  prctl(PR_SET_NAME, name);
  client_.Await("InterfacesAdded", SessionPath(client), kSessionInterface);
  EXPECT_EQ(client_.ManagedObjects().size(), 5u);
  EXPECT_EQ(client_.Get(SessionPath(client), kSessionInterface, "Command"), "disk\\xff");
}

// The file that is installed for others to read, held to what p2pd answers.
TEST_F(BusObjectsTest, TheIntrospectionFileSaysWhatIntrospectionSays) {
  RawClient client(daemon_.fd_path());
  client.Hello();
  client_.Await("InterfacesAdded", SessionPath(client), kSessionInterface);
  std::ifstream file("deploy/org.p2pd.Broker1.xml");
  const std::string shipped(std::istreambuf_iterator<char>(file), {});
  std::string live;
  for (const std::string& path : {std::string(kBusPath), std::string(kDiskPath), SessionPath(client)}) {
    const std::string xml = client_.CallPlain(path, "org.freedesktop.DBus.Introspectable", "Introspect").text;
    const size_t begin = xml.find(absl::StrCat(" <interface name=\"", kBusName));
    ASSERT_NE(begin, std::string::npos) << xml;
    live += xml.substr(begin, xml.find("</interface>\n", begin) + sizeof("</interface>\n") - 1 - begin);
  }
  EXPECT_THAT(shipped, HasSubstr(live)) << live;
}

TEST_F(BusObjectsTest, WithoutAStoreP2pdSaysThatARestartLosesEverything) {
  EXPECT_EQ(client_.Get(kBusPath, kManagerInterface, "SurvivesRestart"), "false");
  EXPECT_EQ(client_.Get(kBusPath, kManagerInterface, "SurvivesRestartReason"),
            "no service manager keeps its descriptors");
}

class KeptBusObjectsTest : public BusFixture {
 protected:
  KeptBusObjectsTest() : BusFixture(TestDaemonOptions().policy, /*keeps=*/true) { client_.Listen(); }
};

TEST_F(KeptBusObjectsTest, AJournalThatFailsIsToldAsALossOfContinuity) {
  auto client = std::make_unique<RawClient>(daemon_.fd_path());
  client->Hello();
  client_.Await("InterfacesAdded", SessionPath(*client), kSessionInterface);
  EXPECT_EQ(client_.Get(kBusPath, kManagerInterface, "SurvivesRestart"), "true");
  daemon_.journal().FailNext(absl::ResourceExhaustedError("it is full"));
  client.reset();
  client_.Await("PropertiesChanged", kBusPath, "SurvivesRestart");
  EXPECT_EQ(client_.Get(kBusPath, kManagerInterface, "SurvivesRestart"), "false");
  EXPECT_EQ(client_.Get(kBusPath, kManagerInterface, "SurvivesRestartReason"),
            "the journal could not be written: it is full");
}

}  // namespace
}  // namespace p2pd
