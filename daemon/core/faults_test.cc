// Every failure once: each scenario runs once for each call that it makes of each kernel verb, and that call
// fails. Whatever fails, nothing may stay reachable without a right, and what p2pd shows must be what the kernel has.
#include <dirent.h>

#include <map>

#include "daemon/core/testing/core_world.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

constexpr uint64_t kMiB = 1 << 20;

int OpenFds() {
  int count = 0;
  DIR* dir = opendir("/proc/self/fd");
  while (readdir(dir) != nullptr) ++count;
  closedir(dir);
  return count;
}

// Clients of an exporter and an engine, and what must hold whatever fails.
class Scenario {
 public:
  explicit Scenario(CoreWorld& world) : world_(world) {}
  virtual ~Scenario() = default;
  virtual void Run() = 0;

  // The invariant: what p2pd says is gone is gone. `reachable` says whether any mapping may be left.
  void CheckBooks() {
    bool live = false;
    for (const MappingView& mapping : world_.broker->ListMappings(observer_.id)) {
      live = live || mapping.state == MappingState::kActive;
    }
    EXPECT_TRUE(live || !world_.Reaches(CoreWorld::kEngine, CoreWorld::kExporter, 0));
  }

  void CheckNothingLeft() {
    world_.scheduler.Advance(absl::Seconds(10));
    EXPECT_FALSE(world_.Reaches(CoreWorld::kEngine, CoreWorld::kExporter, 0));
    uint8_t byte = 0;
    for (uint64_t iova : {1ull << 32, (1ull << 32) + 2 * kMiB}) {
      EXPECT_FALSE(world_.kernel->DmaWrite(CoreWorld::kEngine, iova, absl::MakeSpan(&byte, 1)));
    }
    const StatusView status = world_.broker->GetStatus();
    EXPECT_EQ(status.sessions, 1u) << "the observer's";
    EXPECT_EQ(status.exports, 0u);
    // What could not be destroyed stays on the books, with its mappings; nothing else does.
    EXPECT_TRUE(status.address_spaces != 0 || status.mappings == 0);
  }

 protected:
  void Open(const Client& client, const PciAddress& device) {
    const auto opened = world_.Call(&Broker::OpenDevice, client, device);
    if (!opened.ok()) return;
    world_.Call(&Broker::DeviceReady, client, device, opened->generation).status().IgnoreError();
  }

  void Ack(const Client& client, size_t asked) {
    if (client.channel->quiesces.size() <= asked) return;
    world_.broker->AckQuiesce(client.id, client.channel->quiesces.back().operation);
    world_.scheduler.RunReady();
  }

  void Die(Client& client) {
    client.channel->grants.clear();
    world_.broker->EndSession(client.id, "killed");
    world_.scheduler.Advance(absl::Seconds(3));
  }

  CoreWorld& world_;
  Client observer_ = world_.Connect(0);
  Client exporter_ = world_.Connect(1000);
  Client importer_ = world_.Connect(1001);
};

// Drives, exports, maps, resets (once acked, once not), closes, and ends by two deaths. What a failure makes
// impossible is left out.
class LifeScenario final : public Scenario {
 public:
  using Scenario::Scenario;

  void Run() override {
    Open(exporter_, CoreWorld::kExporter);
    Open(importer_, CoreWorld::kEngine);
    const auto window =
        world_.Call(&Broker::CreateExport, importer_,
                    Window{.device = CoreWorld::kExporter, .bar = 2, .range = {0, kMiB}}, Grade::kMapped);
    const auto space = world_.Call(&Broker::CreateAddressSpace, importer_, std::vector<PciAddress>{CoreWorld::kEngine});
    if (window.ok() && space.ok()) {
      for (int i = 0; i < 2; ++i) {
        world_.Call(&Broker::Map, importer_, MapArgs{.source = window->id, .address_space = space->id})
            .status()
            .IgnoreError();
      }
      CheckBooks();
      Batch(window->id, space->id);
      Raw();
      Reset(/*ack=*/true);
      Reset(/*ack=*/false);
      for (const MappingView& mapping : world_.broker->ListMappings(importer_.id)) {
        world_.Call(&Broker::Unmap, importer_, mapping.id).status().IgnoreError();
        CheckBooks();
        break;
      }
    }
    Die(exporter_);
    CheckBooks();
    Die(importer_);
  }

 private:
  // Two at once, and an export with its mapping; both are given back.
  void Batch(ExportId window, AddressSpaceId space) {
    const size_t before = world_.broker->GetStatus().mappings;
    const MapArgs one = {.source = window, .address_space = space, .length = 4096};
    const auto both = world_.Call(&Broker::BatchMap, importer_, std::vector<MapArgs>{one, one});
    CheckBooks();
    if (both.ok()) {
      const auto ids = std::vector<MappingId>{(*both)[0].id, (*both)[1].id};
      world_.Call(&Broker::BatchUnmap, importer_, ids).status().IgnoreError();
      CheckBooks();
    }
    const auto got =
        world_.Call(&Broker::Acquire, importer_,
                    AcquireArgs{.window = {.device = CoreWorld::kExporter, .bar = 2, .range = {kMiB, kMiB}},
                                .importers = {{.address_space = space}}});
    CheckBooks();
    if (got.ok()) world_.Call(&Broker::DeleteExport, importer_, got->source.id).status().IgnoreError();
    CheckBooks();
    EXPECT_LE(world_.broker->GetStatus().mappings, before + 1) << "one that could not be unmapped may stay";
  }

  // A dma-buf in a client's hands, which it closes.
  void Raw() {
    const Window window = {.device = CoreWorld::kExporter, .bar = 2, .range = {2 * kMiB, kMiB}};
    const auto raw = world_.Call(&Broker::CreateExport, importer_, window, Grade::kRaw);
    std::erase_if(importer_.channel->grants,
                  [](const auto& grant) { return std::holds_alternative<ExportId>(grant.first); });
    if (raw.ok()) world_.Call(&Broker::DeleteExport, importer_, raw->id).status().IgnoreError();
    world_.scheduler.Advance(absl::Seconds(30));
    for (const ExportView& view : world_.broker->ListExports(observer_.id)) EXPECT_NE(view.grade, Grade::kRaw);
  }

  void Reset(bool ack) {
    const size_t asked = importer_.channel->quiesces.size();
    world_.broker->ResetDevice(exporter_.id, world_.NextRequest(), CoreWorld::kExporter,
                               [](absl::StatusOr<OperationView>) {});
    world_.scheduler.RunReady();
    if (ack) Ack(importer_, asked);
    world_.scheduler.Advance(absl::Seconds(3));
    CheckBooks();
    const auto device = world_.broker->GetDevice(CoreWorld::kExporter);
    world_.Call(&Broker::DeviceReady, exporter_, CoreWorld::kExporter, device->generation).status().IgnoreError();
  }
};

// What comes from outside: errors that leave the exporter as it was or clear it, its unbinding and return, an export's
// time, and a reset of a bus with two functions.
class MishapScenario final : public Scenario {
 public:
  using Scenario::Scenario;

  void Run() override {
    Open(exporter_, CoreWorld::kExporter);
    Open(importer_, CoreWorld::kEngine);
    space_ = world_.Call(&Broker::CreateAddressSpace, importer_, std::vector<PciAddress>{CoreWorld::kEngine});
    Map(CoreWorld::kExporter, 2, absl::InfiniteDuration());
    Error(sim::ErrorSeverity::kNonFatal);
    exporter_.channel->grants.clear();
    Error(sim::ErrorSeverity::kFatal);
    Map(CoreWorld::kExporter, 2, absl::Seconds(1));
    world_.scheduler.Advance(absl::Seconds(4));
    CheckBooks();
    Map(CoreWorld::kExporter, 2, absl::InfiniteDuration());
    UnbindAndReturn();
    ResetBus();
    Die(exporter_);
    CheckBooks();
    Die(importer_);
  }

 private:
  void Map(const PciAddress& device, int bar, absl::Duration time_to_live) {
    if (!space_.ok()) return;
    const auto window =
        world_.Call(&Broker::CreateExport, importer_, Window{.device = device, .bar = bar, .range = {0, 4096}},
                    Terms(Grade::kMapped, time_to_live));
    if (!window.ok()) return;
    world_.Call(&Broker::Map, importer_, MapArgs{.source = window->id, .address_space = space_->id})
        .status()
        .IgnoreError();
    CheckBooks();
  }

  void Error(sim::ErrorSeverity severity) {
    const size_t asked = importer_.channel->quiesces.size();
    world_.kernel->InjectError(CoreWorld::kExporter, severity);
    world_.RunSignals();
    CheckBooks();
    world_.EndRecovery(CoreWorld::kExporter);
    CheckBooks();
    Ack(importer_, asked);
    CheckBooks();
    const auto device = world_.broker->GetDevice(CoreWorld::kExporter);
    world_.Call(&Broker::DeviceReady, exporter_, CoreWorld::kExporter, device->generation).status().IgnoreError();
  }

  void UnbindAndReturn() {
    world_.kernel->Unbind(CoreWorld::kExporter);
    world_.RunSignals();
    world_.broker->Rescan();  // a failure may have left it without a signal
    world_.scheduler.Advance(absl::Seconds(3));
    CheckBooks();
    EXPECT_FALSE(world_.Reaches(CoreWorld::kEngine, CoreWorld::kExporter, 0));
    world_.kernel->Step();
    EXPECT_TRUE(world_.kernel->Return(CoreWorld::kExporter)) << "p2pd has not let go of it";
    world_.broker->Rescan();
    world_.scheduler.RunReady();
  }

  void ResetBus() {
    Open(exporter_, CoreWorld::kTwin);
    Open(exporter_, CoreWorld::kOtherTwin);
    Map(CoreWorld::kTwin, 0, absl::InfiniteDuration());
    Map(CoreWorld::kOtherTwin, 0, absl::InfiniteDuration());
    const size_t asked = importer_.channel->quiesces.size();
    world_.broker->ResetDevice(exporter_.id, world_.NextRequest(), ResetArgs(CoreWorld::kTwin, ResetScope::kBus),
                               [](absl::StatusOr<OperationView>) {});
    world_.scheduler.RunReady();
    Ack(importer_, asked);
    world_.scheduler.Advance(absl::Seconds(3));
    CheckBooks();
  }

  absl::StatusOr<AddressSpaceView> space_ = absl::UnavailableError("there is none yet");
};

// The system sleeps, once after everybody has stopped and once not; in between the exporter's driver turns memory
// decode off by itself.
class SleepScenario final : public Scenario {
 public:
  using Scenario::Scenario;

  void Run() override {
    Open(exporter_, CoreWorld::kExporter);
    Open(importer_, CoreWorld::kEngine);
    const auto space = world_.Call(&Broker::CreateAddressSpace, importer_, std::vector<PciAddress>{CoreWorld::kEngine});
    const Window window = {.device = CoreWorld::kExporter, .bar = 2, .range = {0, kMiB}};
    const auto source = world_.Call(&Broker::CreateExport, importer_, window, Grade::kMapped);
    if (space.ok() && source.ok()) {
      const MapArgs map = {.source = source->id, .address_space = space->id};
      world_.Call(&Broker::Map, importer_, map).status().IgnoreError();
      Sleep(/*ack=*/true);
      TurnDecodeOff();
      world_.Call(&Broker::Map, importer_, map).status().IgnoreError();
      AckAll();
      CheckBooks();
      Sleep(/*ack=*/false);
    }
    Die(exporter_);
    CheckBooks();
    Die(importer_);
  }

 private:
  void Sleep(bool ack) {
    bool asleep = false;
    world_.broker->Sleep([&] { asleep = true; });
    world_.scheduler.RunReady();
    if (ack) AckAll();
    world_.scheduler.Advance(absl::Seconds(3));
    EXPECT_TRUE(asleep);
    CheckBooks();
    world_.broker->Wake();
    world_.scheduler.RunReady();
    CheckBooks();
    AckAll();
    for (const auto& [client, device] :
         {std::pair(&exporter_, CoreWorld::kExporter), std::pair(&importer_, CoreWorld::kEngine)}) {
      const uint64_t generation = world_.broker->GetDevice(device)->generation;
      world_.Call(&Broker::DeviceReady, *client, device, generation).status().IgnoreError();
    }
    CheckBooks();
  }

  void TurnDecodeOff() {
    if (exporter_.channel->grants.empty()) return;
    const std::vector<uint8_t> off = {0, 0};
    world_.kernel->WriteConfig(exporter_.channel->grants[0].second, 4, off).IgnoreError();
  }

  void AckAll() {
    Ack(exporter_, 0);
    Ack(importer_, 0);
  }
};

// Runs the scenario with each call of each verb failing in turn; which calls it makes.
template <typename AScenario>
std::map<sim::Verb, int> RunMatrix(const char* name) {
  std::map<sim::Verb, int> calls;
  {
    CoreWorld world;
    std::map<sim::Verb, int> before;
    for (sim::Verb verb : sim::kAllVerbs) before[verb] = world.kernel->CallCount(verb);
    AScenario scenario(world);
    scenario.Run();
    scenario.CheckNothingLeft();
    EXPECT_EQ(world.broker->GetStatus().address_spaces, 0u);
    for (sim::Verb verb : sim::kAllVerbs) calls[verb] = world.kernel->CallCount(verb) - before[verb];
  }
  int cases = 0;
  int verbs = 0;
  int failing = 0;
  for (const auto& [verb, count] : calls) {
    if (count == 0) continue;
    std::printf("  %-20s %4d calls\n", std::string(sim::VerbName(verb)).c_str(), count);
    ++verbs;
    failing += count;
    for (int nth = 1; nth <= count; ++nth) {
      for (const int error : {EIO, EBUSY}) {
        SCOPED_TRACE(std::string(sim::VerbName(verb)) + " call " + std::to_string(nth) + " errno " +
                     std::to_string(error));
        const int fds = OpenFds();
        {
          CoreWorld world;
          AScenario scenario(world);
          world.kernel->FailNth(verb, nth, error);
          scenario.Run();
          scenario.CheckNothingLeft();
          ++cases;
        }
        EXPECT_EQ(OpenFds(), fds) << "a descriptor leaked";
      }
    }
  }
  std::printf("fault matrix, %s: %d verbs, %d calls, each failing with EIO and with EBUSY: %d cases\n", name, verbs,
              failing, cases);
  return calls;
}

TEST(FaultsTest, WhicheverCallOfALifeFailsNothingStaysReachableWithoutARight) {
  std::map<sim::Verb, int> calls = RunMatrix<LifeScenario>("a life");
  for (sim::Verb verb : {sim::Verb::kMapFile, sim::Verb::kUnmap, sim::Verb::kResetDevice, sim::Verb::kBindDevice,
                         sim::Verb::kExportDmaBuf, sim::Verb::kAttachDevice, sim::Verb::kDestroyIoas,
                         sim::Verb::kShareDmaBuf, sim::Verb::kIsShared, sim::Verb::kSetEventFd}) {
    EXPECT_GT(calls[verb], 0) << sim::VerbName(verb) << " is not part of the scenario";
  }
}

TEST(FaultsTest, WhicheverCallAroundASleepFailsNothingStaysReachableWithoutARight) {
  std::map<sim::Verb, int> calls = RunMatrix<SleepScenario>("sleep");
  for (sim::Verb verb : {sim::Verb::kReadConfig, sim::Verb::kWriteConfig, sim::Verb::kMapFile, sim::Verb::kUnmap}) {
    EXPECT_GT(calls[verb], 0) << sim::VerbName(verb) << " is not part of the scenario";
  }
}

TEST(FaultsTest, WhicheverCallOfAMishapFailsNothingStaysReachableWithoutARight) {
  std::map<sim::Verb, int> calls = RunMatrix<MishapScenario>("mishaps");
  for (sim::Verb verb : {sim::Verb::kGetHotResetInfo, sim::Verb::kHotReset, sim::Verb::kOpenDevice,
                         sim::Verb::kReadConfig, sim::Verb::kMapFile, sim::Verb::kUnmap}) {
    EXPECT_GT(calls[verb], 0) << sim::VerbName(verb) << " is not part of the scenario";
  }
}

}  // namespace
}  // namespace p2pd
