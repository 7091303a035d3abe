// Who gets a session and what proves it: Hello on the fd channel, its token on the gRPC socket.
#include <map>
#include <string>

#include "grpcpp/create_channel.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/security/credentials.h"
#include "gtest/gtest.h"
#include "tests/component/raw_client.h"
#include "tests/component/test_daemon.h"

namespace p2pd {
namespace {

TEST(HandshakeTest, HelloIsAnsweredWithASessionAndASecret) {
  TestDaemon daemon;
  RawClient first(daemon.fd_path());
  RawClient second(daemon.fd_path());
  const v1::Welcome welcome = first.Hello("spdk");
  EXPECT_EQ(welcome.session().substr(0, 9), "sessions/");
  EXPECT_EQ(welcome.token().size(), 64u);
  EXPECT_EQ(welcome.version(), "test");
  EXPECT_NE(second.Hello().token(), welcome.token());
}

TEST(HandshakeTest, TheTokenOpensTheApi) {
  TestDaemon daemon;
  RawClient client(daemon.fd_path());
  const auto stub = daemon.NewStub();
  v1::ListSessionsResponse sessions;
  const grpc::Status status =
      stub->ListSessions(CallAs(client.Hello("spdk").token()).get(), v1::ListSessionsRequest(), &sessions);
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_EQ(sessions.sessions_size(), 1);
  EXPECT_EQ(sessions.sessions(0).name(), client.welcome().session());
  EXPECT_EQ(sessions.sessions(0).pid(), getpid());
  EXPECT_EQ(sessions.sessions(0).uid(), getuid());
  EXPECT_EQ(sessions.sessions(0).client(), "spdk");
}

TEST(HandshakeTest, StatusSaysWhatItServes) {
  TestDaemon daemon;
  RawClient client(daemon.fd_path());
  v1::Status answer;
  const grpc::Status status =
      daemon.NewStub()->GetStatus(CallAs(client.Hello().token()).get(), v1::GetStatusRequest(), &answer);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(answer.kernel(), "simulation");
  EXPECT_EQ(answer.version(), "test");
  EXPECT_EQ(answer.devices(), 4u);
  EXPECT_EQ(answer.sessions(), 1u);
  EXPECT_EQ(answer.policy_rules(), 2u);
  EXPECT_GE(answer.page_size(), 4096u);
  for (const v1::Capability& capability : answer.capabilities())
    EXPECT_TRUE(capability.available()) << capability.name();
  EXPECT_GE(answer.capabilities_size(), 2);
  std::map<std::string, uint64_t> used;
  for (const v1::Usage& usage : answer.usage()) {
    used[usage.resource()] = usage.used();
    EXPECT_GT(usage.per_user(), 0u) << usage.resource();
    EXPECT_GE(usage.total(), usage.per_user()) << usage.resource();
  }
  EXPECT_EQ(used["sessions"], 1u);
  EXPECT_EQ(used["connections"], 2u) << "both sockets";
  EXPECT_TRUE(used.contains("unread fds") && used.contains("mapped bytes"));
}

TEST(HandshakeTest, NoCallIsAnsweredWithoutAToken) {
  TestDaemon daemon;
  const auto stub = daemon.NewStub();
  v1::ListDevicesResponse devices;
  const grpc::Status looking = stub->ListDevices(CallAs("").get(), v1::ListDevicesRequest(), &devices);
  EXPECT_EQ(looking.error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(DetailOf(looking).reason(), v1::ErrorDetail::SESSION_ENDED);
  EXPECT_NE(DetailOf(looking).hint(), "");
  v1::Device device;
  EXPECT_EQ(stub->OpenDevice(CallAs("").get(), v1::OpenDeviceRequest(), &device).error_code(),
            grpc::StatusCode::UNAUTHENTICATED);
  const auto context = CallAs("");
  const auto watch = stub->WatchEvents(context.get(), v1::WatchEventsRequest());
  v1::Event event;
  EXPECT_FALSE(watch->Read(&event));
  EXPECT_EQ(watch->Finish().error_code(), grpc::StatusCode::UNAUTHENTICATED);
}

TEST(HandshakeTest, ATokenThatP2pdDidNotGiveOutIsRefused) {
  TestDaemon daemon;
  RawClient client(daemon.fd_path());
  std::string token = client.Hello().token();
  token.back() = token.back() == '0' ? '1' : '0';
  v1::ListDevicesResponse devices;
  for (const std::string& forged : {token, std::string(64, '0'), std::string("x"), token + "0"}) {
    const grpc::Status status = daemon.NewStub()->ListDevices(CallAs(forged).get(), v1::ListDevicesRequest(), &devices);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAUTHENTICATED);
    EXPECT_EQ(DetailOf(status).reason(), v1::ErrorDetail::SESSION_ENDED);
  }
}

TEST(HandshakeTest, ATokenEndsWithItsSession) {
  TestDaemon daemon;
  RawClient ended(daemon.fd_path());
  RawClient other(daemon.fd_path());
  const std::string token = ended.Hello().token();
  const auto context = CallAs(other.Hello().token());
  const auto stub = daemon.NewStub();
  const auto watch = stub->WatchEvents(context.get(), v1::WatchEventsRequest());
  v1::Event event;
  while (watch->Read(&event) && event.type() != v1::Event::IN_SYNC) continue;
  ended.HangUp();
  while (watch->Read(&event)) {
    if (event.type() == v1::Event::DELETED && event.session().name() == ended.welcome().session()) break;
  }
  v1::ListDevicesResponse devices;
  EXPECT_EQ(stub->ListDevices(CallAs(token).get(), v1::ListDevicesRequest(), &devices).error_code(),
            grpc::StatusCode::UNAUTHENTICATED);
  context->TryCancel();
}

TEST(HandshakeTest, WhoSaysNothingIsHungUpOn) {
  TestDaemon daemon({.hello_deadline = absl::Milliseconds(20)});
  RawClient silent(daemon.fd_path());
  const auto frame = silent.Read();
  ASSERT_TRUE(frame.has_value());
  EXPECT_TRUE(frame->has_ended());
  EXPECT_FALSE(silent.Read().has_value());
}

// One call of a service whose proto is not at hand, as bytes.
class RawCall {
 public:
  explicit RawCall(const std::string& grpc_path)
      : stub_(grpc::CreateChannel("unix:" + grpc_path, grpc::InsecureChannelCredentials())) {}

  // The first message that comes back; "" on an error.
  std::string Ask(const std::string& method, const std::string& request) {
    context_.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    const auto call = stub_.PrepareCall(&context_, method, &queue_);
    call->StartCall(Tag());
    if (!Next()) return "";
    const grpc::Slice slice(request);
    call->WriteLast(grpc::ByteBuffer(&slice, 1), grpc::WriteOptions(), Tag());
    if (!Next()) return "";
    grpc::ByteBuffer buffer;
    call->Read(&buffer, Tag());
    const bool read = Next();
    grpc::Status status;
    call->Finish(&status, Tag());
    Next();
    grpc::Slice answer;
    if (!read || !buffer.DumpToSingleSlice(&answer).ok()) return "";
    return std::string(reinterpret_cast<const char*>(answer.begin()), answer.size());
  }

 private:
  static void* Tag() { return nullptr; }
  bool Next() {
    void* tag = nullptr;
    bool ok = false;
    return queue_.Next(&tag, &ok) && ok;
  }

  grpc::GenericStub stub_;
  grpc::CompletionQueue queue_;
  grpc::ClientContext context_;
};

TEST(HandshakeTest, HealthAnswersWithoutAToken) {
  TestDaemon daemon;
  const std::string serving = "\x08\x01";  // HealthCheckResponse{status: SERVING}
  EXPECT_EQ(RawCall(daemon.grpc_path()).Ask("/grpc.health.v1.Health/Check", ""), serving);
  const std::string service = "p2pd.v1.Broker";
  EXPECT_EQ(
      RawCall(daemon.grpc_path())
          .Ask("/grpc.health.v1.Health/Check", "\x0a" + std::string(1, static_cast<char>(service.size())) + service),
      serving);
}

TEST(HandshakeTest, ReflectionAnswersWithoutAToken) {
  TestDaemon daemon;
  const std::string list_services = "\x3a\x01*";  // ServerReflectionRequest{list_services: "*"}
  const std::string answer =
      RawCall(daemon.grpc_path()).Ask("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", list_services);
  EXPECT_NE(answer.find("p2pd.v1.Broker"), std::string::npos);
}

}  // namespace
}  // namespace p2pd
