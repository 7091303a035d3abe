// What it costs that p2pd outlives its process, and what that saves: a Map and an OpenDevice with the journal and a
// store beside the same without; taking 10,000 mappings back beside mapping them anew, kernel calls alone; and the
// start of the daemon beside that of a program which only tells its version. `store` has the OpenDevice with the store
// of the systemd that this process is a unit of.
#include <sys/socket.h>

#include <algorithm>
#include <filesystem>

#include "daemon/base/errors.h"
#include "daemon/core/memory_fd_store.h"
#include "daemon/core/testing/core_world.h"
#include "daemon/journal/memfd_journal.h"
#include "daemon/service/systemd_fd_store.h"
#include "daemon/service/unit_properties.h"
#include "tests/bench/rounds.h"
#include "tests/bench/scene.h"
#include "tests/bench/sim_part.h"

namespace p2pd::bench {
namespace {

constexpr uint64_t kStanding = 10000;  // mappings
constexpr size_t kHalf = 16 << 20;
constexpr int kFewer = 20;  // what takes so much longer than a call

class QuietChannel final : public SessionChannel {
 public:
  absl::Status Grant(const Granted&, const std::string&, UniqueFd fd) override {
    granted = std::move(fd);
    return absl::OkStatus();
  }
  void RequestQuiesce(const QuiesceNotice&) override {}
  void Resume(const ResumeNotice&) override {}
  void RevokeDevice(const PciAddress&, const std::string&) override {}
  UniqueFd Lifeline() override { return Duplicate(lifeline).value_or(UniqueFd()); }
  void End(const std::string&) override {}

  UniqueFd lifeline;
  UniqueFd granted;
};

// A broker on a simulated machine, and one client of it; with a store in which things outlive it, or with none.
class Life {
 public:
  explicit Life(FdStore* store) : store_(store), kernel_(MakeTestMachine(sysfs_)) {
    int ends[2] = {-1, -1};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0) {
      channel_->lifeline.Reset(ends[0]);
      other_end_.Reset(ends[1]);
    }
  }
  ~Life() {
    broker_.reset();
    std::filesystem::remove_all(sysfs_);
  }

  absl::Status Begin() {
    if (store_ != nullptr) {
      P2PD_ASSIGN_OR_RETURN(journal_, MemfdJournal::Create(kHalf));
      P2PD_RETURN_IF_ERROR(store_->Put(kJournalFdName, journal_->fd()));
    }
    P2PD_RETURN_IF_ERROR(Start());
    P2PD_ASSIGN_OR_RETURN(const Broker::NewSession session, broker_->OpenSession({}, channel_));
    session_ = session.id;
    P2PD_ASSIGN_OR_RETURN(
        source_, Call<ExportView>(&Broker::CreateExport,
                                  Window{.device = CoreWorld::kExporter, .bar = 2, .range = {0, 1 << 20}}, Terms()));
    P2PD_RETURN_IF_ERROR(Open(CoreWorld::kEngine));
    P2PD_ASSIGN_OR_RETURN(
        space_, Call<AddressSpaceView>(&Broker::CreateAddressSpace, std::vector<PciAddress>{CoreWorld::kEngine}));
    return absl::OkStatus();
  }

  // What a successor does before it serves.
  absl::Status Recover() {
    P2PD_ASSIGN_OR_RETURN(journal_, MemfdJournal::Open(store_->Take(kJournalFdName)));
    P2PD_RETURN_IF_ERROR(Start());
    for (const Broker::RecoveredSession& session : broker_->TakeRecovered()) broker_->Reattach(session.id, channel_);
    broker_->CarryOn();
    scheduler_->RunReady();
    if (broker_->GetStatus().mappings == kStanding) return absl::OkStatus();
    return absl::InternalError(broker_->Continuity().detail);
  }
  // Without a word to anybody, as when it is killed.
  void End() {
    broker_.reset();
    journal_.reset();
  }

  absl::Status Open(const PciAddress& device) { return Call<DeviceView>(&Broker::OpenDevice, device).status(); }
  absl::Status Close(const PciAddress& device) {
    channel_->granted.Reset();
    return Call<DeviceView>(&Broker::CloseDevice, device).status();
  }
  absl::Status Map() {
    const MapArgs args = {.source = source_.id, .address_space = space_.id, .length = 4096};
    P2PD_ASSIGN_OR_RETURN(last_, Call<MappingView>(&Broker::Map, args));
    return absl::OkStatus();
  }
  absl::Status Unmap() { return Call<MappingView>(&Broker::Unmap, last_.id).status(); }

 private:
  absl::Status Start() {
    BrokerOptions options = {.sysfs_root = sysfs_, .cpuinfo = sysfs_ + "/proc/cpuinfo"};
    options.store = store_;
    scheduler_ = std::make_unique<ManualScheduler>();
    StateJournal& journal = store_ != nullptr ? static_cast<StateJournal&>(*journal_) : nothing_;
    broker_ = std::make_unique<Broker>(options, *kernel_, *scheduler_, journal, policy_);
    return broker_->Start();
  }

  template <typename T, typename... Params, typename... Args>
  absl::StatusOr<T> Call(void (Broker::*call)(Params...), const Args&... args) {
    absl::StatusOr<T> outcome = absl::DeadlineExceededError("it has not returned");
    (broker_.get()->*call)(session_, std::to_string(++requests_), args...,
                           [&outcome](absl::StatusOr<T> got) { outcome = std::move(got); });
    scheduler_->RunReady();
    return outcome;
  }

  FdStore* const store_;
  std::string sysfs_;
  std::unique_ptr<SimKernel> kernel_;
  MemoryJournal nothing_;
  std::unique_ptr<MemfdJournal> journal_;
  std::shared_ptr<OpenPolicy> policy_ = std::make_shared<OpenPolicy>();
  std::shared_ptr<QuietChannel> channel_ = std::make_shared<QuietChannel>();
  UniqueFd other_end_;
  std::unique_ptr<ManualScheduler> scheduler_;
  std::unique_ptr<Broker> broker_;
  SessionId session_;
  ExportView source_;
  AddressSpaceView space_;
  MappingView last_;
  uint64_t requests_ = 0;
};

// One call of a life, which is timed, and what undoes it.
using Call = absl::Status (*)(Life& life, Samples& samples);

absl::Status Map(Life& life, Samples& samples) {
  P2PD_RETURN_IF_ERROR(samples.Time([&] { return life.Map(); }));
  return life.Unmap();
}

absl::Status Open(Life& life, Samples& samples) {
  P2PD_RETURN_IF_ERROR(samples.Time([&] { return life.Open(CoreWorld::kEngine2); }));
  return life.Close(CoreWorld::kEngine2);
}

// With the store, beside the same without.
absl::Status BenchCall(const Setup& setup, const std::string& what, Call call, int calls, FdStore& store,
                       Figures& figures) {
  Life kept(&store);
  Life bare(nullptr);
  P2PD_RETURN_IF_ERROR(kept.Begin());
  P2PD_RETURN_IF_ERROR(bare.Begin());
  Rounds rounds;
  Samples& with = rounds.NewSamples();
  Samples& without = rounds.NewSamples();
  rounds.Add(calls, [&] { return call(kept, with); });
  rounds.Add(calls, [&] { return call(bare, without); });
  P2PD_RETURN_IF_ERROR(rounds.Run(setup.rounds));
  figures.push_back(MakeTime(what, with, Floor{.name = "without", .value = without.Percentile(50)}));
  return absl::OkStatus();
}

int Fewer(const Setup& setup) { return std::max(setup.calls / kFewer, 1); }

absl::Status BenchTakingBack(const Setup& setup, Figures& figures) {
  MemoryFdStore store;
  Life life(&store);
  P2PD_RETURN_IF_ERROR(life.Begin());
  for (uint64_t i = 0; i < kStanding; ++i) P2PD_RETURN_IF_ERROR(life.Map());
  Rounds rounds;
  Samples& recover = rounds.NewSamples();
  Samples& anew = rounds.NewSamples();
  rounds.Add(1, [&] {
    life.End();
    return recover.Time([&] { return life.Recover(); });
  });
  rounds.Add(1, [&]() -> absl::Status {
    P2PD_ASSIGN_OR_RETURN(SimPart raw, SimPart::Create(MachineText(1)));
    return anew.Time([&]() -> absl::Status {
      for (uint64_t i = 0; i < kStanding; ++i) P2PD_RETURN_IF_ERROR(raw.Map());
      return absl::OkStatus();
    });
  });
  P2PD_RETURN_IF_ERROR(rounds.Run(std::max(setup.rounds / kFewer, 3)));
  figures.push_back(
      MakeTime("Taking 10000 mappings back", recover, Floor{.name = "simulated MAPs", .value = anew.Percentile(50)}));
  return absl::OkStatus();
}

absl::Status BenchStart(const Setup& setup, Figures& figures) {
  Rounds rounds;
  Samples& ready = rounds.NewSamples();
  Samples& version = rounds.NewSamples();
  rounds.Add(1, [&] { return ready.Time([&] { return Daemon::Simulated(setup.p2pd, 1); }).status(); });
  rounds.Add(1, [&] { return version.Time([&] { return RunToEnd({setup.p2pd, "--version"}); }); });
  P2PD_RETURN_IF_ERROR(rounds.Run(std::max(setup.rounds / 2, 3)));
  figures.push_back(MakeTime("Exec to READY", ready, Floor{.name = "p2pd --version", .value = version.Percentile(50)}));
  return absl::OkStatus();
}

}  // namespace

absl::Status BenchContinuity(const Setup& setup, Figures& figures) {
  MemoryFdStore for_map;
  MemoryFdStore for_open;
  P2PD_RETURN_IF_ERROR(BenchCall(setup, "Core's Map with the journal", Map, setup.calls, for_map, figures));
  P2PD_RETURN_IF_ERROR(
      BenchCall(setup, "Core's OpenDevice with journal, store in memory", Open, Fewer(setup), for_open, figures));
  P2PD_RETURN_IF_ERROR(BenchTakingBack(setup, figures));
  return BenchStart(setup, figures);
}

absl::Status BenchStore(const Setup& setup, Figures& figures) {
  P2PD_ASSIGN_OR_RETURN(const std::unique_ptr<UnitProperties> unit, UnitProperties::Connect({}));
  std::vector<NamedFd> inherited;
  SystemdFdStore store({.count = [&] { return unit->Get("NFileDescriptorStore"); }}, inherited);
  return BenchCall(setup, "Core's OpenDevice with journal, systemd's store", Open, Fewer(setup), store, figures);
}

}  // namespace p2pd::bench
