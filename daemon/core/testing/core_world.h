// A core on a simulated machine, for tests: time stands still, nothing runs by itself, and every call can
// be made to return its outcome. The machine has two exporters, two DMA engines and a device without reset.
#ifndef P2PD_DAEMON_CORE_TESTING_CORE_WORLD_H_
#define P2PD_DAEMON_CORE_TESTING_CORE_WORLD_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "daemon/base/manual_scheduler.h"
#include "daemon/core/broker.h"
#include "daemon/core/memory_journal.h"
#include "daemon/kernel/sim_kernel.h"

namespace p2pd {

// What a session was told; the fds it was given.
class RecordingChannel final : public SessionChannel {
 public:
  absl::Status Grant(const Granted& what, const std::string& request_id, UniqueFd fd) override;
  void RequestQuiesce(const QuiesceNotice& notice) override {
    quiesces.push_back(notice);
    if (on_quiesce != nullptr) on_quiesce(notice);
  }
  void Resume(const ResumeNotice& notice) override { resumes.push_back(notice); }
  void RevokeDevice(const PciAddress& device, const std::string&) override { revoked.push_back(device); }
  void End(const std::string& reason) override { ended = reason; }

  absl::Status refuse_grants;
  std::function<void()> on_grant;  // called after each
  std::function<void(const QuiesceNotice&)> on_quiesce;
  std::vector<std::pair<Granted, UniqueFd>> grants;
  std::vector<QuiesceNotice> quiesces;
  std::vector<ResumeNotice> resumes;
  std::vector<PciAddress> revoked;
  std::optional<std::string> ended;
};

// Allows everything but what a test denies.
class OpenPolicy final : public Policy {
 public:
  Verdict Judge(const PolicyRequest& request) const override;
  int rule_count() const override { return 1; }

  std::vector<Action> denied;
  Scrub scrub = Scrub::kZero;
  bool kill_holder = false;
};

class RecordingWatcher final : public Watcher {
 public:
  void OnEvent(const std::shared_ptr<const Event>& event) override { events.push_back(event); }
  std::vector<std::shared_ptr<const Event>> events;
};

// Looks whether something was signalled when it is told to.
class PollingWaiter final : public SignalWaiter {
 public:
  std::unique_ptr<Watch> Wait(UniqueFd eventfd, absl::AnyInvocable<void()> on_signal) override;
  void Poll();

 private:
  struct Entry;
  std::vector<std::weak_ptr<Entry>> entries_;
};

struct Client {
  SessionId id;
  std::string token;
  std::shared_ptr<RecordingChannel> channel;
};

template <typename T>
struct OutcomeOf;
template <typename T>
struct OutcomeOf<Done<T>> {
  using Type = absl::StatusOr<T>;
};

// The machine of these tests, with more devices (simulation.proto) if need be, and a directory with its sysfs, which
// the caller removes.
std::unique_ptr<SimKernel> MakeTestMachine(std::string& sysfs_root, const std::string& more = "");

class CoreWorld {
 public:
  explicit CoreWorld(BrokerOptions options = {}, const std::string& more_devices = "");
  ~CoreWorld();

  // Who is said to hold what is not let go of.
  std::vector<FileHolder> holders;
  // The units that were to be killed, and what came of it.
  std::vector<std::string> killed;
  absl::Status kill_outcome;

  // Whatever devices have signalled takes effect.
  void RunSignals() {
    signals.Poll();
    scheduler.RunReady();
  }

  // The kernel's recovery from the error of a device is over, and it tells of that.
  void EndRecovery(const PciAddress& device) {
    for (const PciAddress& recovered : kernel->EndRecovery(device)) broker->Recovered(recovered);
    scheduler.RunReady();
  }

  // A new session of this user.
  Client Connect(uint32_t uid = 1000);

  // Starts a call, runs what is ready, and gives its outcome; absent where it still waits.
  template <typename... Params, typename... Args>
  auto Try(void (Broker::*call)(Params...), const Client& client, Args&&... args) {
    using Outcome = typename OutcomeOf<std::tuple_element_t<sizeof...(Params) - 1, std::tuple<Params...>>>::Type;
    auto outcome = std::make_shared<std::optional<Outcome>>();
    (broker.get()->*call)(client.id, NextRequest(), std::forward<Args>(args)...,
                          [outcome](Outcome got) { *outcome = std::move(got); });
    scheduler.RunReady();
    return *outcome;
  }

  // The same, for calls that must not wait.
  template <typename... Params, typename... Args>
  auto Call(void (Broker::*call)(Params...), const Client& client, Args&&... args) {
    auto outcome = Try(call, client, std::forward<Args>(args)...);
    using Outcome = typename decltype(outcome)::value_type;
    return outcome.has_value() ? *std::move(outcome) : Outcome(absl::DeadlineExceededError("it has not returned"));
  }

  // A device driven by this client, and ready.
  DeviceView Drive(const Client& client, const PciAddress& device);
  ExportView Export(const Client& client, const PciAddress& device, Range range, int bar = 2,
                    Grade grade = Grade::kMapped);
  AddressSpaceView Space(const Client& client, const PciAddress& device);
  // A mapping of a new export, for a device that the client drives already.
  MappingView Map(const Client& client, ExportId source, AddressSpaceId space);

  const std::string& sysfs() const { return sysfs_; }
  std::string NextRequest() { return "request-" + std::to_string(++last_request_); }

  // Can `engine` still reach the first byte of that window of `exporter`?
  bool Reaches(const PciAddress& engine, const PciAddress& exporter, uint64_t offset) {
    return kernel->CanReach(engine, exporter, 2, offset);
  }

  static const PciAddress kExporter;   // 0000:01:00.0: 16 MiB of memory in BAR 2, MSI-X in BAR 0
  static const PciAddress kExporter2;  // 0000:03:00.0: likewise
  static const PciAddress kEngine;     // 0000:02:00.0: can reset
  static const PciAddress kEngine2;    // 0000:04:00.0: likewise
  static const PciAddress kNoReset;    // 0000:00:10.0

  static const PciAddress kTwin;  // 0000:05:00.0 and .1: of one context
  static const PciAddress kOtherTwin;

  std::unique_ptr<SimKernel> kernel;
  ManualScheduler scheduler;
  PollingWaiter signals;
  MemoryJournal journal;
  std::shared_ptr<OpenPolicy> policy = std::make_shared<OpenPolicy>();
  std::unique_ptr<Broker> broker;

 private:
  std::string sysfs_;
  int last_request_ = 0;
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_CORE_TESTING_CORE_WORLD_H_
