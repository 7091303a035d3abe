// An event to 1,000 watchers: from the call that makes it until the last of them has it, beside a bare gRPC server that
// writes the same message to 1,000 streams from inside the same call (bare_server).
#include <condition_variable>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"
#include "daemon/base/mutex.h"
#include "tests/bench/rounds.h"
#include "tests/bench/scene.h"

namespace p2pd::bench {
namespace {

constexpr int kSessions = 125;
constexpr int kWatchersEach = 8;  // as many as a session may have
constexpr int kWatchers = kSessions * kWatchersEach;
constexpr int kRounds = 20;
constexpr char kConfig[] =
    "limits { watchers { per_user: 2000 total: 2000 } sessions { per_user: 500 total: 500 } "
    "connections { per_user: 2000 total: 2000 } }";

// How many watchers have heard of an export.
class Count {
 public:
  void Hear() {
    MutexLock lock(mutex_);
    if (++heard_ % kWatchers == 0) all_.notify_all();
  }
  // Until all of them have, `times` over.
  void Await(int times) {
    MutexLock lock(mutex_);
    while (heard_ < times * kWatchers) all_.wait(mutex_);
  }
  int rounds() {
    MutexLock lock(mutex_);
    return heard_ / kWatchers;
  }

 private:
  Mutex mutex_;
  std::condition_variable_any all_;
  int heard_ ABSL_GUARDED_BY(mutex_) = 0;
};

// Counts the exports that come and go, and that it is in sync.
class Watcher final : public grpc::ClientReadReactor<v1::Event> {
 public:
  Watcher(BenchClient& client, Count& exports, Count& in_sync) : exports_(exports), in_sync_(in_sync) {
    client.Watch(context_, *this);
    StartRead(&event_);
    StartCall();
  }
  ~Watcher() override {
    context_.TryCancel();
    MutexLock lock(mutex_);
    while (!done_) ended_.wait(mutex_);
  }

  void OnReadDone(bool ok) override {
    if (!ok) return;
    const bool change = event_.type() == v1::Event::CREATED || event_.type() == v1::Event::DELETED;
    if (change && event_.has_export_()) exports_.Hear();
    if (event_.type() == v1::Event::IN_SYNC) in_sync_.Hear();
    StartRead(&event_);
  }
  void OnDone(const grpc::Status&) override {
    MutexLock lock(mutex_);
    done_ = true;
    ended_.notify_all();
  }

 private:
  Count& exports_;
  Count& in_sync_;
  grpc::ClientContext context_;
  v1::Event event_;
  Mutex mutex_;
  std::condition_variable_any ended_;
  bool done_ ABSL_GUARDED_BY(mutex_) = false;
};

// A server with its watchers, and who makes the events.
struct Audience {
  absl::Status Gather(const std::function<absl::StatusOr<std::unique_ptr<BenchClient>>()>& connect) {
    P2PD_ASSIGN_OR_RETURN(speaker, connect());
    for (int i = 0; i < kSessions; ++i) {
      P2PD_ASSIGN_OR_RETURN(auto client, connect());
      for (int j = 0; j < kWatchersEach; ++j) {
        watchers.push_back(std::make_unique<Watcher>(*client, *exports, *in_sync));
      }
      clients.push_back(std::move(client));
    }
    in_sync->Await(1);
    return absl::OkStatus();
  }

  absl::Status Tell(Samples& samples) {
    const int before = exports->rounds();
    absl::StatusOr<std::string> made;
    P2PD_RETURN_IF_ERROR(samples.Time([&] {
      made = speaker->CreateExport(WindowOf(kExporter, 0, kPage));
      if (made.ok()) exports->Await(before + 1);
      return made.status();
    }));
    P2PD_RETURN_IF_ERROR(speaker->DeleteExport(*made));
    exports->Await(before + 2);
    return absl::OkStatus();
  }

  std::unique_ptr<Count> exports = std::make_unique<Count>();
  std::unique_ptr<Count> in_sync = std::make_unique<Count>();
  std::unique_ptr<BenchClient> speaker;
  std::vector<std::unique_ptr<BenchClient>> clients;
  std::vector<std::unique_ptr<Watcher>> watchers;  // go before the clients
};

}  // namespace

absl::Status BenchWatchers(const Setup& setup, Figures& figures) {
  P2PD_ASSIGN_OR_RETURN(const Daemon daemon, Daemon::Simulated(setup.p2pd, 1, kConfig));
  P2PD_ASSIGN_OR_RETURN(const Folder folder, Folder::Create());
  const std::string bare_socket = folder.At("bare.sock");
  P2PD_ASSIGN_OR_RETURN(const Process bare, Process::Start({setup.bare_server, bare_socket}, folder));
  Audience of_p2pd;
  P2PD_RETURN_IF_ERROR(of_p2pd.Gather([&] { return BenchClient::Connect(daemon.sockets()); }));
  Audience of_bare;
  P2PD_RETURN_IF_ERROR(of_bare.Gather([&] { return BenchClient::ConnectBare(bare_socket); }));
  Rounds rounds;
  Samples& told = rounds.NewSamples();
  Samples& floor = rounds.NewSamples();
  rounds.Add(5, [&] { return of_p2pd.Tell(told); });
  rounds.Add(5, [&] { return of_bare.Tell(floor); });
  P2PD_RETURN_IF_ERROR(rounds.Run(kRounds));
  figures.push_back(MakeTime(absl::StrCat("CreateExport until ", kWatchers, " watchers know"), told,
                             Floor{.name = "a bare gRPC fan-out", .value = floor.Percentile(50)}));
  return absl::OkStatus();
}

}  // namespace p2pd::bench
