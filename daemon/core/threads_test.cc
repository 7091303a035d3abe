// Core with real threads: clients that map, reset, look and die at the same time. What it checks besides its
// own expectations is what ThreadSanitizer sees.
#include <atomic>
#include <filesystem>
#include <latch>
#include <memory>
#include <thread>
#include <tuple>
#include <utility>

#include "daemon/base/thread_scheduler.h"
#include "daemon/core/testing/core_world.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

constexpr uint64_t kMiB = 1 << 20;
constexpr int kRounds = 30;

// A client that always stops its DMA when it is asked to, and keeps no descriptor.
class AckingChannel final : public SessionChannel {
 public:
  explicit AckingChannel(Broker& broker) : broker_(broker) {}
  absl::Status Grant(const Granted&, const std::string&, UniqueFd) override { return absl::OkStatus(); }
  void RequestQuiesce(const QuiesceNotice& notice) override {
    broker_.AckQuiesce(SessionId(session), notice.operation);
  }
  void Resume(const ResumeNotice&) override {}
  void RevokeDevice(const PciAddress&, const std::string&) override {}
  void End(const std::string&) override {}

  std::atomic<uint64_t> session = 0;

 private:
  Broker& broker_;
};

class OrderedWatcher final : public Watcher {
 public:
  void OnEvent(const std::shared_ptr<const Event>& event) override {
    EXPECT_GE(event->sequence, last_);
    last_ = event->sequence;
  }

 private:
  uint64_t last_ = 0;
};

class ThreadsTest : public ::testing::Test {
 protected:
  ThreadsTest() : kernel_(MakeTestMachine(sysfs_)) {
    BrokerOptions options;
    options.sysfs_root = sysfs_;
    // Sessions may begin faster than others are taken apart.
    options.quota[Resource::kSessions] = {.per_user = 1 << 20, .total = 1 << 20};
    broker_ = std::make_unique<Broker>(options, *kernel_, scheduler_, journal_, std::make_shared<OpenPolicy>());
    EXPECT_TRUE(broker_->Start().ok());
  }
  ~ThreadsTest() override { std::filesystem::remove_all(sysfs_); }

  SessionId Connect() {
    const auto channel = std::make_shared<AckingChannel>(*broker_);
    const auto session = broker_->OpenSession({.subject = {.uid = 1000}}, channel);
    EXPECT_TRUE(session.ok());
    channel->session = session->id.value();
    return session->id;
  }

  template <typename... Params, typename... Args>
  auto Call(void (Broker::*call)(Params...), SessionId session, Args&&... args) {
    using Outcome = typename OutcomeOf<std::tuple_element_t<sizeof...(Params) - 1, std::tuple<Params...>>>::Type;
    Outcome outcome;
    std::latch done(1);
    (broker_.get()->*call)(session, std::to_string(++last_request_), std::forward<Args>(args)..., [&](Outcome got) {
      outcome = std::move(got);
      done.count_down();
    });
    done.wait();
    return outcome;
  }

  bool Drive(SessionId session, const PciAddress& device) {
    const auto opened = Call(&Broker::OpenDevice, session, device);
    return opened.ok() && Call(&Broker::DeviceReady, session, device, opened->generation).ok();
  }

  // Maps windows of `exporter` for `importer`, one by one and in batches, while whatever else happens happens.
  void MapAgainAndAgain(const PciAddress& importer, uint64_t offset) {
    const SessionId session = Connect();
    ASSERT_TRUE(Drive(session, importer));
    const auto space = Call(&Broker::CreateAddressSpace, session, std::vector<PciAddress>{importer});
    ASSERT_TRUE(space.ok()) << space.status();
    for (int round = 0; round < kRounds;) {
      const AcquireArgs args = {.window = {.device = CoreWorld::kExporter, .bar = 2, .range = {offset, kMiB}},
                                .importers = {{.address_space = space->id}}};
      const auto got = Call(&Broker::Acquire, session, args);
      if (!got.ok()) continue;  // the exporter is being reset, or waits for its driver
      const MapArgs page = {.source = got->source.id, .address_space = space->id, .length = 4096};
      const auto batch = Call(&Broker::BatchMap, session, std::vector<MapArgs>{page, page, page});
      if (batch.ok()) Call(&Broker::Unmap, session, batch->front().id).status().IgnoreError();
      EXPECT_TRUE(Call(&Broker::DeleteExport, session, got->source.id).ok());
      ++round;
      ++mapped_;
      mapped_.notify_all();
    }
    broker_->EndSession(session, "done");
  }

  std::string sysfs_;
  std::unique_ptr<SimKernel> kernel_;
  ThreadScheduler scheduler_;
  MemoryJournal journal_;
  std::unique_ptr<Broker> broker_;
  std::atomic<int> last_request_ = 0;
  std::atomic<int> mapped_ = 0;
};

TEST_F(ThreadsTest, NothingIsLeftAfterManyClientsAtOnce) {
  std::atomic<bool> mapping = true;
  std::thread first([&] { MapAgainAndAgain(CoreWorld::kEngine, 0); });
  std::thread second([&] { MapAgainAndAgain(CoreWorld::kEngine2, 4 * kMiB); });
  std::thread driver([&] {
    const SessionId session = Connect();
    EXPECT_TRUE(Drive(session, CoreWorld::kExporter));
    while (true) {
      const int before = mapped_;
      if (!mapping) break;
      const auto reset = Call(&Broker::ResetDevice, session, CoreWorld::kExporter);
      EXPECT_TRUE(reset.ok()) << reset.status();
      EXPECT_TRUE(Call(&Broker::DeviceReady, session, CoreWorld::kExporter, reset->generation).ok());
      mapped_.wait(before);  // Resets without pause would leave nobody the time to map anything.
    }
    broker_->EndSession(session, "done");
  });
  std::thread onlooker([&] {
    while (mapping) {
      const SessionId session = Connect();
      const auto watcher = std::make_shared<OrderedWatcher>();
      EXPECT_TRUE(broker_->Watch(session, watcher).ok());
      broker_->ListMappings(session);
      broker_->ListOperations(session);
      broker_->GetStatus(session);
      broker_->EndSession(session, "done");
    }
  });
  first.join();
  second.join();
  mapping = false;
  ++mapped_;
  mapped_.notify_all();
  driver.join();
  onlooker.join();
  std::latch stopped(1);
  broker_->Stop([&] { stopped.count_down(); });
  stopped.wait();
  const StatusView left = broker_->GetStatus();
  EXPECT_EQ(left.sessions + left.exports + left.mappings + left.address_spaces + left.mapped_bytes, 0u);
}

}  // namespace
}  // namespace p2pd
