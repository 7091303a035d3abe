// Resets of one device or of its whole bus, recovery, and devices that are taken away for good.
#include <future>

#include "client/error.h"
#include "client/testing/session_fixture.h"

namespace p2p::testing {
namespace {

using ::testing::ElementsAre;

class ResetTest : public SessionFixture {
 protected:
  uint64_t GenerationOf(Session& session, const char* device) { return session.GetDevice(device)->generation(); }
  void Fault(const char* device) {
    p2pd_.broker().WithState([device](FakeState& state) { state.devices[device].set_state(v1::Device::FAULTED); });
  }
};

TEST_F(ResetTest, ResetsTheOneDeviceUnlessTheBusIsAskedFor) {
  const auto session = Connect();
  const auto receipt = session->ResetDevice(kExporter);
  ASSERT_TRUE(receipt.ok()) << receipt.status();
  EXPECT_THAT(receipt->devices(), ElementsAre(kExporter));
  EXPECT_EQ(GenerationOf(*session, kImporter), 1u);
}

TEST_F(ResetTest, AResetOfTheBusTakesItsNeighboursAlong) {
  const auto session = Connect();
  const auto receipt = session->ResetDevice(kExporter, v1::ResetDeviceRequest::BUS);
  ASSERT_TRUE(receipt.ok()) << receipt.status();
  EXPECT_EQ(receipt->device(), kExporter);
  EXPECT_THAT(receipt->devices(), ElementsAre(kExporter, kImporter));
  EXPECT_EQ(GenerationOf(*session, kImporter), 2u);
}

TEST_F(ResetTest, ADriverResetsTheBusThroughItsDevice) {
  const auto session = Connect();
  auto device = session->OpenDevice(kImporter);
  ASSERT_TRUE(device.ok()) << device.status();
  EXPECT_THAT(device->Reset()->devices(), ElementsAre(kImporter));
  EXPECT_THAT(device->Reset(v1::ResetDeviceRequest::BUS)->devices(), ElementsAre(kExporter, kImporter));
}

TEST_F(ResetTest, RecoverMakesAFaultedDeviceWorkAgain) {
  const auto session = Connect();
  Fault(kExporter);
  const auto receipt = session->RecoverDevice(kExporter);
  ASSERT_TRUE(receipt.ok()) << receipt.status();
  EXPECT_EQ(receipt->kind(), v1::Operation::RECOVERY);
  EXPECT_EQ(session->GetDevice(kExporter)->state(), v1::Device::READY);
  EXPECT_EQ(session->RecoverDevice(kExporter).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(ResetTest, ARecoveryWhoseReplyWasLostIsDoneOnce) {
  const auto session = Connect();
  Fault(kExporter);
  p2pd_.calls().BeforeNextReply("RecoverDevice", [this] { p2pd_.CutGrpcConnections(); });
  ASSERT_TRUE(session->RecoverDevice(kExporter).ok());
  const auto calls = p2pd_.calls().Of("RecoverDevice");
  ASSERT_EQ(calls.size(), 2u);
  EXPECT_EQ(calls[0].request_id, calls[1].request_id);
  EXPECT_NE(calls[0].request_id, "");
  EXPECT_EQ(session->ListOperations()->size(), 1u);
}

TEST_F(ResetTest, ADeviceThatIsRevokedIsToldOfAndStaysItsOwnersToClose) {
  std::promise<v1::DeviceRevoked> revoked;
  SessionOptions options = Options();
  options.on_device_revoked = [&revoked](const v1::DeviceRevoked& what) { revoked.set_value(what); };
  const auto session = Connect(options);
  auto device = session->OpenDevice(kExporter);
  ASSERT_TRUE(device.ok()) << device.status();
  v1::ServerFrame frame;
  frame.mutable_device_revoked()->set_device(kExporter);
  frame.mutable_device_revoked()->set_reason("it is unplugged");
  p2pd_.Send(frame);
  const v1::DeviceRevoked told = revoked.get_future().get();
  EXPECT_EQ(told.device(), kExporter);
  EXPECT_EQ(told.reason(), "it is unplugged");
  EXPECT_GE(device->fd(), 0);
  EXPECT_TRUE(session->ended().ok());
  EXPECT_TRUE(device->Close().ok());
  EXPECT_EQ(device->fd(), -1);
}

TEST_F(ResetTest, WithoutACallbackARevokedDeviceEndsNothing) {
  const auto session = Connect();
  v1::ServerFrame frame;
  frame.mutable_device_revoked()->set_device(kExporter);
  p2pd_.Send(frame);
  const auto memory = SealedMemory::Create("flush", 4096);
  EXPECT_TRUE(session->OfferMemory(memory->fd()).ok());
  EXPECT_TRUE(session->ended().ok());
}

}  // namespace
}  // namespace p2p::testing
