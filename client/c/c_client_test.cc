// The C interface, used by a program in C11 that knows the header and the shared library only: c_client.c.
#include <string>
#include <thread>

#include "client/testing/program.h"
#include "client/testing/session_fixture.h"

namespace p2p::testing {
namespace {

std::string c_client;  // its path

class CClientTest : public SessionFixture {
 protected:
  int Play(const std::string& scenario) {
    return RunProgram({c_client, scenario, p2pd_.fd_socket(), p2pd_.grpc_socket()});
  }
};

TEST_F(CClientTest, OpensReadiesResetsAndClosesADevice) {
  EXPECT_EQ(Play("devices"), 0);
  EXPECT_EQ(p2pd_.calls().Of("CloseDevice").size(), 1u);
}

TEST_F(CClientTest, MapsWindowsAndMemoryAndGivesAllOfItBack) {
  EXPECT_EQ(Play("mappings"), 0);
  p2pd_.WaitForSessionEnds(1);
  EXPECT_EQ(p2pd_.calls().Of("BatchMap").size(), 1u);
  EXPECT_EQ(p2pd_.calls().Of("Acquire").size(), 1u);
  EXPECT_EQ(p2pd_.calls().Of("DeleteExport").size(), 2u);
  EXPECT_EQ(p2pd_.calls().Of("DeleteAddressSpace").size(), 1u);
}

TEST_F(CClientTest, IsToldWhatFailedAndWhy) { EXPECT_EQ(Play("errors"), 0); }

TEST_F(CClientTest, AcknowledgesResumesAndLearnsOfItsEnd) {
  v1::ServerFrame request;
  request.mutable_quiesce_requested()->set_operation("operations/1");
  request.mutable_quiesce_requested()->set_device(kExporter);
  for (const char* device : {kExporter, kImporter}) request.mutable_quiesce_requested()->add_devices(device);
  request.mutable_quiesce_requested()->set_generation(2);
  request.mutable_quiesce_requested()->add_mappings("mappings/3");
  request.mutable_quiesce_requested()->set_mapping_count(500);
  request.mutable_quiesce_requested()->set_deadline_monotonic_ns(123456789);
  p2pd_.calls().BeforeNextReply("Ping", [&] {
    p2pd_.calls().BeforeNextReply("Ping", [this] { p2pd_.HangUp(); });
    p2pd_.Send(request);
  });
  std::thread resumer([this] {
    EXPECT_EQ(p2pd_.WaitForAcks(1).front(), "operations/1");
    v1::ServerFrame resumed;
    resumed.mutable_resumed()->set_operation("operations/1");
    resumed.mutable_resumed()->set_generation(2);
    p2pd_.Send(resumed);
    v1::ServerFrame revoked;
    revoked.mutable_device_revoked()->set_device(kExporter);
    revoked.mutable_device_revoked()->set_reason("unplugged");
    p2pd_.Send(revoked);
  });
  EXPECT_EQ(Play("handshake"), 0);
  resumer.join();
}

TEST_F(CClientTest, WatchesEventsAndStopsWaiting) { EXPECT_EQ(Play("watch"), 0); }

}  // namespace
}  // namespace p2p::testing

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  p2p::testing::c_client = argv[1];
  return RUN_ALL_TESTS();
}
