// Descriptors: each reaches the call that asked for it, and none is left over.
#include <fcntl.h>
#include <sys/mman.h>

#include <future>
#include <utility>

#include "client/error.h"
#include "client/testing/open_fds.h"
#include "client/testing/session_fixture.h"
#include "daemon/base/unique_fd.h"

namespace p2p::testing {
namespace {

class GrantTest : public SessionFixture {
 protected:
  static int DeviceFds() { return CountOpenFds(FakeP2pd::kDeviceFd); }

  // A Grant that no call asked for. When the session has dealt with it, a later frame has been, too.
  void SendStrayGrant(Session& session, const std::string& request_id) {
    v1::ServerFrame frame;
    frame.mutable_grant()->set_request_id(request_id);
    {
      const p2pd::UniqueFd stray(memfd_create("fake-vfio-device", MFD_CLOEXEC));
      p2pd_.Send(frame, stray);
    }
    const auto memory = SealedMemory::Create("flush", 4096);
    ASSERT_TRUE(session.OfferMemory(memory->fd()).ok());
  }
};

TEST_F(GrantTest, OpenDeviceHandsOverTheDescriptor) {
  const auto session = Connect();
  auto device = session->OpenDevice(kExporter);
  ASSERT_TRUE(device.ok()) << device.status();
  EXPECT_EQ(device->name(), kExporter);
  EXPECT_EQ(device->info().state(), v1::Device::AWAITING_DRIVER);
  EXPECT_EQ(fcntl(device->fd(), F_GETFD), FD_CLOEXEC);
}

TEST_F(GrantTest, WaitsForAGrantThatIsReadAfterTheReply) {
  const auto session = Connect();
  p2pd_.WithholdGrants();
  p2pd_.calls().BeforeNextReply("OpenDevice", [this] { p2pd_.ReleaseGrants(); });
  EXPECT_TRUE(session->OpenDevice(kExporter).ok());

  p2pd_.WithholdGrants();
  auto opening = std::async(std::launch::async, [&] { return session->OpenDevice(kImporter).status(); });
  while (session->GetDevice(kImporter)->driver_session().empty()) std::this_thread::yield();
  p2pd_.ReleaseGrants();
  EXPECT_TRUE(opening.get().ok());
}

TEST_F(GrantTest, CloseClosesTheDescriptorAndEndsTheDriving) {
  const auto session = Connect();
  auto device = session->OpenDevice(kExporter);
  ASSERT_TRUE(device.ok()) << device.status();
  EXPECT_EQ(DeviceFds(), 1);
  EXPECT_TRUE(device->Close().ok());
  EXPECT_EQ(device->fd(), -1);
  EXPECT_EQ(DeviceFds(), 0);
  EXPECT_EQ(session->GetDevice(kExporter)->driver_session(), "");
  EXPECT_TRUE(device->Close().ok());
}

TEST_F(GrantTest, ADeviceThatGoesOutOfScopeIsClosed) {
  const auto session = Connect();
  { const auto device = session->OpenDevice(kExporter); }
  EXPECT_EQ(DeviceFds(), 0);
  EXPECT_EQ(p2pd_.calls().Of("CloseDevice").size(), 1u);
}

TEST_F(GrantTest, ARefusedOpenWaitsForNothing) {
  const auto session = Connect();
  const auto device = session->OpenDevice(kExporter);
  const auto other = Connect();
  const absl::Status refusal = other->OpenDevice(kExporter).status();
  EXPECT_EQ(GetErrorDetail(refusal).reason(), v1::ErrorDetail::DEVICE_BUSY);
  EXPECT_EQ(DeviceFds(), 1);
}

TEST_F(GrantTest, AnUnaskedGrantIsClosed) {
  const auto session = Connect();
  SendStrayGrant(*session, "nobody's");
  EXPECT_EQ(DeviceFds(), 0);
  EXPECT_TRUE(session->ended().ok());
}

TEST_F(GrantTest, ARepeatedGrantIsClosed) {
  const auto session = Connect();
  const auto device = session->OpenDevice(kExporter);
  ASSERT_TRUE(device.ok()) << device.status();
  SendStrayGrant(*session, p2pd_.calls().Of("OpenDevice").front().request_id);
  EXPECT_EQ(DeviceFds(), 1);
}

TEST_F(GrantTest, AGrantWithoutADescriptorEndsTheSession) {
  const auto session = Connect();
  v1::ServerFrame frame;
  frame.mutable_grant()->set_request_id("empty-handed");
  p2pd_.Send(frame);
  p2pd_.WaitForSessionEnds(1);
  EXPECT_TRUE(IsDisconnected(session->ended()));
}

TEST_F(GrantTest, AWithheldGrantFailsTheOpenWhenTheSessionEnds) {
  const auto session = Connect();
  p2pd_.WithholdGrants();
  p2pd_.calls().BeforeNextReply("OpenDevice", [this] { p2pd_.HangUp(); });
  EXPECT_TRUE(IsDisconnected(session->OpenDevice(kExporter).status()));
}

TEST_F(GrantTest, AGrantThatNeverComesTimesOutAndTheDeviceIsGivenBack) {
  SessionOptions options = Options();
  options.call_timeout = absl::Milliseconds(100);
  const auto session = Connect(options);
  p2pd_.WithholdGrants();
  EXPECT_EQ(session->OpenDevice(kExporter).status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(session->GetDevice(kExporter)->driver_session(), "");
}

TEST_F(GrantTest, NoDescriptorIsLeftHoweverASessionEnds) {
  for (int i = 0; i < 20; ++i) {
    auto session = Connect();
    auto device = session->OpenDevice(kExporter);
    ASSERT_TRUE(device.ok()) << device.status();
    EXPECT_EQ(DeviceFds(), 1);
    if (i % 2 == 0) session.reset();  // the device outlives its session
    if (i % 3 == 0) p2pd_.HangUp();
    device = absl::CancelledError();
    session.reset();
    p2pd_.WaitForSessionEnds(i + 1);
    EXPECT_EQ(DeviceFds(), 0);
  }
}

}  // namespace
}  // namespace p2p::testing
