#include "tests/component/test_daemon.h"

#include <stdlib.h>
#include <sys/socket.h>

#include <filesystem>
#include <utility>

#include "daemon/front/unix_socket.h"
#include "google/protobuf/text_format.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "gtest/gtest.h"
#include "policy/fake_user_database.h"
#include "policy/policy_file.h"

namespace p2pd {
namespace {

// Short, because a socket's path has at most 107 bytes.
std::string MakeFolder() {
  char name[] = "/tmp/p2pd-XXXXXX";
  return mkdtemp(name);
}

absl::StatusOr<std::unique_ptr<SimKernel>> MakeKernel(const std::string& machine) {
  if (machine.empty()) return SimKernel::CreateFromFile("deploy/simulation/two_nvme.textproto", {});
  v1::Simulation simulation;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(machine, &simulation));
  return SimKernel::Create(simulation);
}

template <typename T>
T Unwrap(absl::StatusOr<T> value) {
  EXPECT_TRUE(value.ok()) << value.status();
  return *std::move(value);
}

}  // namespace

TestDaemon::TestDaemon(TestDaemonOptions options)
    : folder_(MakeFolder()),
      fd_path_(folder_ + "/fds.sock"),
      grpc_path_(folder_ + "/p2pd.sock"),
      kernel_(Unwrap(MakeKernel(options.machine))),
      loop_(Unwrap(EventLoop::Create())) {
  const std::string sysfs = folder_ + "/sys";
  std::filesystem::create_directory(sysfs);
  EXPECT_TRUE(kernel_->WriteSysfs(sysfs).ok());
  auto policy =
      std::make_shared<const RuleChain>(Unwrap(ParsePolicy(options.policy, "test.textproto", FakeUserDatabase())));
  BrokerOptions broker_options;
  broker_options.sysfs_root = sysfs;
  broker_options.cpuinfo = sysfs + "/proc/cpuinfo";
  if (options.keeps) broker_options.store = &store_;
  broker_options.quiesce_deadline = absl::Milliseconds(200);
  broker_options.read_policy = [text = options.next_policy]() -> absl::StatusOr<std::shared_ptr<const Policy>> {
    auto rules = ParsePolicy(*text, "next.textproto", FakeUserDatabase());
    if (!rules.ok()) return rules.status();
    return std::make_shared<const RuleChain>(*std::move(rules));
  };
  broker_.emplace(broker_options, *kernel_, scheduler_, journal_, std::move(policy));
  EXPECT_TRUE(broker_->Start().ok());
  ServerOptions server_options;
  server_options.fd_socket = Unwrap(ListenAt(fd_path_, SOCK_SEQPACKET));
  server_options.grpc_socket = Unwrap(ListenAt(grpc_path_, SOCK_STREAM));
  server_options.connections = options.connections;
  server_options.hello_deadline = options.hello_deadline;
  server_options.grpc = {.version = "test", .kernel = "simulation", .max_unread_events = options.max_unread_events};
  if (!options.bus.empty()) {
    reporter_ = std::make_unique<Reporter>(*loop_, *broker_, workers_,
                                           ReporterOptions{.version = "test",
                                                           .kernel = "simulation",
                                                           .bus = {.address = options.bus,
                                                                   .first_retry = absl::Milliseconds(5),
                                                                   .last_retry = absl::Milliseconds(50)}});
    server_options.grpc.on_log_level = [this] { loop_->Post([this] { reporter_->TellSoon(); }); };
    server_options.grpc.capabilities = [this] { return std::vector<CapabilityView>{reporter_->BusConnection()}; };
  }
  server_ = Unwrap(Server::Start(*loop_, *broker_, workers_, std::move(server_options)));
  thread_ = std::thread([this] { EXPECT_TRUE(loop_->Run().ok()); });
}

TestDaemon::~TestDaemon() {
  loop_->Post([this] {
    server_->StopListening();
    broker_->Stop([this] { loop_->Quit(); });
  });
  thread_.join();
  server_.reset();
  reporter_.reset();
  std::filesystem::remove_all(folder_);
}

std::unique_ptr<v1::Broker::Stub> TestDaemon::NewStub() const {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  // gRPC's reading ahead does not grow: what a client leaves unread stays with p2pd.
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  return v1::Broker::NewStub(
      grpc::CreateCustomChannel("unix:" + grpc_path_, grpc::InsecureChannelCredentials(), arguments));
}

}  // namespace p2pd
