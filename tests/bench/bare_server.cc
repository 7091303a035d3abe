// A gRPC server as p2pd builds its own, and nothing of p2pd: the floor of what idles, and of events to many streams.
// Every CreateExport and DeleteExport is told to all WatchEvents streams, and answered. Says READY=1 as sd_notify does,
// and serves until it is killed.
//
// usage: bare_server [SOCKET]      SOCKET: where it listens; without it, nowhere
#include <signal.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>

#include <chrono>
#include <set>
#include <string>

#include "absl/base/thread_annotations.h"
#include "daemon/base/mutex.h"
#include "daemon/front/grpc_setup.h"
#include "grpcpp/security/server_credentials.h"
#include "proto/p2pd/v1/broker.grpc.pb.h"

namespace p2pd::bench {
namespace {

class FanOut final : public v1::Broker::CallbackService {
 public:
  grpc::ServerUnaryReactor* Ping(grpc::CallbackServerContext* context, const v1::PingRequest*,
                                 v1::PingResponse*) override {
    return Answer(context);
  }
  grpc::ServerUnaryReactor* CreateExport(grpc::CallbackServerContext* context, const v1::CreateExportRequest* request,
                                         v1::Export* response) override {
    response->set_name("exports/1");
    *response->mutable_window() = request->window();
    Tell(v1::Event::CREATED, *response);
    return Answer(context);
  }
  grpc::ServerUnaryReactor* DeleteExport(grpc::CallbackServerContext* context, const v1::DeleteExportRequest* request,
                                         v1::DeleteExportResponse*) override {
    v1::Export gone;
    gone.set_name(request->name());
    Tell(v1::Event::DELETED, gone);
    return Answer(context);
  }
  grpc::ServerWriteReactor<v1::Event>* WatchEvents(grpc::CallbackServerContext*,
                                                   const v1::WatchEventsRequest*) override {
    return new Stream(*this);
  }

 private:
  // Whoever asks waits for each event before it makes the next: one is under way at most.
  class Stream final : public grpc::ServerWriteReactor<v1::Event> {
   public:
    explicit Stream(FanOut& fan_out) : fan_out_(fan_out) {
      event_.set_type(v1::Event::IN_SYNC);
      StartWrite(&event_);
    }
    void OnWriteDone(bool ok) override {
      if (!ok) return;
      MutexLock lock(fan_out_.mutex_);
      fan_out_.streams_.insert(this);
    }
    void OnCancel() override { Finish(grpc::Status::CANCELLED); }
    void OnDone() override {
      {
        MutexLock lock(fan_out_.mutex_);
        fan_out_.streams_.erase(this);
      }
      delete this;
    }
    void Write(const v1::Event& event) {
      event_ = event;
      StartWrite(&event_);
    }

   private:
    FanOut& fan_out_;
    v1::Event event_;
  };

  static grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context) {
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

  void Tell(v1::Event::Type type, const v1::Export& what) {
    v1::Event event;
    event.set_type(type);
    *event.mutable_export_() = what;
    MutexLock lock(mutex_);
    for (Stream* const stream : streams_) stream->Write(event);
  }

  Mutex mutex_;
  std::set<Stream*> streams_ ABSL_GUARDED_BY(mutex_);
};

int Serve(const char* socket) {
  using ConnectionType = grpc::ServerBuilder::experimental_type::ExternalConnectionType;
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigprocmask(SIG_BLOCK, &stop, nullptr);
  InitGrpcOnce();
  FanOut service;
  grpc::ServerBuilder builder;
  SetLimits(builder);
  builder.RegisterService(&service);
  const auto acceptor =
      builder.experimental().AddExternalConnectionAcceptor(ConnectionType::FROM_FD, grpc::InsecureServerCredentials());
  if (socket != nullptr) builder.AddListeningPort(std::string("unix:") + socket, grpc::InsecureServerCredentials());
  const auto server = builder.BuildAndStart();
  if (server == nullptr) return EXIT_FAILURE;
  sd_notify(0, "READY=1");
  int signal = 0;
  sigwait(&stop, &signal);
  server->Shutdown(std::chrono::system_clock::now());
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace p2pd::bench

int main(int argc, char** argv) { return p2pd::bench::Serve(argc > 1 ? argv[1] : nullptr); }
