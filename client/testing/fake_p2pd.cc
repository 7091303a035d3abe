#include "client/testing/fake_p2pd.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <utility>

#include "client/packet.h"
#include "grpc/grpc.h"

namespace p2p::testing {
namespace {

using ::p2pd::FdRef;
using ::p2pd::MutexLock;
using ::p2pd::UniqueFd;

// Holds gRPC up to the process's end: one time in fifty, the shutdown of its last object takes 10 s.
const bool kGrpcStaysUp = (grpc_init(), true);

// A test's own fault ends the test.
void Require(bool condition, const char* what) {
  if (condition) return;
  perror(what);
  abort();
}

std::string MakeDirectory() {
  char name[] = "/tmp/p2p.XXXXXX";  // a socket's path may have 107 bytes only
  Require(mkdtemp(name) != nullptr, "mkdtemp");
  return name;
}

UniqueFd Listen(const std::string& path, int type) {
  sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = {}};
  std::copy(path.begin(), path.end(), address.sun_path);
  UniqueFd listener(socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
  Require(bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0, "bind");
  Require(listen(listener.get(), 16) == 0, "listen");
  return listener;
}

// A session of a process other than the test's own is that process's, as with p2pd.
void NamePeer(int socket, v1::Session& session) {
  ucred peer = {};
  socklen_t size = sizeof(peer);
  Require(getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0, "SO_PEERCRED");
  if (peer.pid == getpid()) return;
  session.set_pid(peer.pid);
  std::ifstream file("/proc/" + std::to_string(peer.pid) + "/comm");
  std::getline(file, *session.mutable_comm());
}

void Shutdown(const UniqueFd& fd) { shutdown(fd.get(), SHUT_RDWR); }

}  // namespace

FakeP2pd::FakeP2pd() : directory_(MakeDirectory()) {
  broker_ = std::make_unique<FakeBroker>(
      [this](const std::string& session, const v1::Grant& grant) { SendGrant(session, grant); },
      [this](const std::string& session, const std::string& reason) { EndSession(session, reason); });
  grpc::ServerBuilder builder;
  acceptor_ = builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD, grpc::InsecureServerCredentials());
  builder.RegisterService(broker_.get());
  server_ = builder.BuildAndStart();
  fd_listener_ = Listen(fd_socket(), SOCK_SEQPACKET);
  grpc_listener_ = Listen(grpc_socket(), SOCK_STREAM);
  fd_thread_ = std::thread([this] { AcceptSessions(); });
  grpc_thread_ = std::thread([this] { AcceptGrpc(); });
}

FakeP2pd::~FakeP2pd() {
  broker_->Stop();
  Shutdown(fd_listener_);
  Shutdown(grpc_listener_);
  fd_thread_.join();
  grpc_thread_.join();
  std::vector<std::thread> threads;
  {
    MutexLock lock(mutex_);
    std::for_each(sockets_.begin(), sockets_.end(), Shutdown);
    threads.swap(threads_);
  }
  for (std::thread& thread : threads) thread.join();
  server_->Shutdown(std::chrono::system_clock::now());
  unlink(fd_socket().c_str());
  unlink(grpc_socket().c_str());
  rmdir(directory_.c_str());
}

void FakeP2pd::AcceptGrpc() {
  for (;;) {
    UniqueFd connection(accept4(grpc_listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!connection.valid()) return;
    {
      MutexLock lock(mutex_);
      grpc_connections_.push_back(*p2pd::Duplicate(connection));
    }
    grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters parameters;
    parameters.listener_fd = grpc_listener_.get();
    parameters.fd = connection.Release();
    acceptor_->HandleNewConnection(&parameters);
  }
}

void FakeP2pd::AcceptSessions() {
  for (;;) {
    UniqueFd connection(accept4(fd_listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!connection.valid()) return;
    MutexLock lock(mutex_);
    const int socket = connection.get();
    sockets_.push_back(std::move(connection));
    threads_.emplace_back([this, socket] { Serve(socket); });
  }
}

void FakeP2pd::Serve(int socket) {
  std::string session;
  for (;;) {
    const auto packet = internal::ReceivePacket(FdRef(socket));
    if (!packet.ok()) break;
    v1::ClientFrame frame;
    if (!frame.ParseFromString(packet->bytes)) break;
    if (!frame.has_hello()) {
      Handle(session, socket, frame, packet->fds.size() == 1);
      continue;
    }
    v1::ServerFrame welcome;
    broker_->WithState([&](FakeState& state) {
      *welcome.mutable_welcome() = state.BeginSession(frame.hello().client());
      NamePeer(socket, state.sessions[welcome.welcome().session()]);
    });
    session = welcome.welcome().session();
    MutexLock lock(mutex_);
    session_sockets_[session] = socket;
    const std::string answer = hello_answer_.value_or(welcome.SerializeAsString());
    if (!answer.empty()) internal::SendPacket(FdRef(socket), answer).IgnoreError();
  }
  broker_->WithState([&](FakeState& state) { state.EndSession(session); });
  shutdown(socket, SHUT_RDWR);
  MutexLock lock(mutex_);
  session_sockets_.erase(session);
  ++ended_;
  changed_.notify_all();
}

void FakeP2pd::Handle(const std::string& session, int socket, const v1::ClientFrame& frame, bool has_fd) {
  if (frame.has_offer_memory()) {
    v1::ServerFrame answer;
    MutexLock lock(mutex_);
    if (std::exchange(restart_, false)) {
      answer.mutable_taken_over();
      internal::SendPacket(FdRef(socket), answer.SerializeAsString()).IgnoreError();
      return;
    }
    if (refusal_.has_value()) *answer.mutable_memory_accepted() = *std::exchange(refusal_, std::nullopt);
    answer.mutable_memory_accepted()->set_name(frame.offer_memory().name());
    if (!has_fd) return;
    broker_->WithState([&](FakeState& state) { state.memories.insert({session, frame.offer_memory().name()}); });
    internal::SendPacket(FdRef(socket), answer.SerializeAsString()).IgnoreError();
  } else if (frame.has_withdraw_memory()) {
    broker_->WithState([&](FakeState& state) { state.memories.erase({session, frame.withdraw_memory().name()}); });
  } else if (frame.has_ack_quiesce()) {
    MutexLock lock(mutex_);
    acks_.push_back(frame.ack_quiesce().operation());
    changed_.notify_all();
  }
}

void FakeP2pd::SendGrant(const std::string& session, const v1::Grant& grant) {
  Grant pending = {.session = session, .frame = {}};
  *pending.frame.mutable_grant() = grant;
  MutexLock lock(mutex_);
  if (withhold_grants_) {
    withheld_.push_back(pending);
  } else {
    SendGrantNow(pending);
  }
}

void FakeP2pd::SendGrantNow(const Grant& grant) {
  const bool dma_buf = grant.frame.grant().kind() == v1::Grant::DMA_BUF;
  const UniqueFd granted(memfd_create(dma_buf ? "fake-dma-buf" : "fake-vfio-device", MFD_CLOEXEC));
  const auto socket = session_sockets_.find(grant.session);
  if (socket == session_sockets_.end()) return;
  internal::SendPacket(FdRef(socket->second), grant.frame.SerializeAsString(), FdRef(granted)).IgnoreError();
}

void FakeP2pd::EndSession(const std::string& session, const std::string& reason) {
  v1::ServerFrame frame;
  frame.mutable_ended()->set_reason(reason);
  MutexLock lock(mutex_);
  const auto socket = session_sockets_.find(session);
  if (socket == session_sockets_.end()) return;
  internal::SendPacket(FdRef(socket->second), frame.SerializeAsString()).IgnoreError();
  shutdown(socket->second, SHUT_RDWR);
}

void FakeP2pd::CutGrpcConnections() {
  MutexLock lock(mutex_);
  std::for_each(grpc_connections_.begin(), grpc_connections_.end(), Shutdown);
  grpc_connections_.clear();
}

void FakeP2pd::CloseGrpcSocket() { unlink(grpc_socket().c_str()); }

void FakeP2pd::AnswerHelloWith(const std::string& bytes) {
  MutexLock lock(mutex_);
  hello_answer_ = bytes;
}

void FakeP2pd::WithholdGrants() {
  MutexLock lock(mutex_);
  withhold_grants_ = true;
}

void FakeP2pd::ReleaseGrants() {
  MutexLock lock(mutex_);
  withhold_grants_ = false;
  for (const Grant& grant : withheld_) SendGrantNow(grant);
  withheld_.clear();
}

void FakeP2pd::RefuseNextMemory(v1::MemoryAccepted refusal) {
  MutexLock lock(mutex_);
  refusal_ = std::move(refusal);
}

void FakeP2pd::RestartAtNextMemory() {
  MutexLock lock(mutex_);
  restart_ = true;
}

int FakeP2pd::LastSocket() {
  Require(!sockets_.empty(), "no session");
  return sockets_.back().get();
}

void FakeP2pd::Send(const v1::ServerFrame& frame, std::optional<FdRef> fd) {
  MutexLock lock(mutex_);
  internal::SendPacket(FdRef(LastSocket()), frame.SerializeAsString(), fd).IgnoreError();
}

void FakeP2pd::SendBytes(absl::string_view bytes) {
  MutexLock lock(mutex_);
  internal::SendPacket(FdRef(LastSocket()), bytes).IgnoreError();
}

void FakeP2pd::HangUp() {
  MutexLock lock(mutex_);
  shutdown(LastSocket(), SHUT_RDWR);
}

std::vector<std::string> FakeP2pd::WaitForAcks(size_t count) {
  MutexLock lock(mutex_);
  while (acks_.size() < count) changed_.wait(mutex_);
  return acks_;
}

std::vector<std::string> FakeP2pd::acks() {
  MutexLock lock(mutex_);
  return acks_;
}

void FakeP2pd::WaitForSessionEnds(int count) {
  MutexLock lock(mutex_);
  while (ended_ < count) changed_.wait(mutex_);
}

}  // namespace p2p::testing
