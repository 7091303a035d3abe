// One core after another on one simulated machine, one fd store and one journal; and clients that live through it.
#ifndef P2PD_TESTS_CRASH_CRASH_WORLD_H_
#define P2PD_TESTS_CRASH_CRASH_WORLD_H_

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "daemon/core/memory_fd_store.h"
#include "daemon/core/testing/core_world.h"
#include "daemon/journal/memfd_journal.h"
#include "tests/crash/mortal.h"

namespace p2pd {

class CrashWorld;

// The client's end of a session: what it was given outlives p2pd. It acks when it is asked to stop.
class CrashChannel final : public SessionChannel {
 public:
  CrashChannel(CrashWorld& world, UniqueFd lifeline) : world_(world), lifeline_(std::move(lifeline)) {}

  absl::Status Grant(const Granted& what, const std::string& request_id, UniqueFd fd) override;
  void RequestQuiesce(const QuiesceNotice& notice) override;
  void Resume(const ResumeNotice& notice) override;
  void RevokeDevice(const PciAddress& device, const std::string& reason) override;
  UniqueFd Lifeline() override { return std::move(*Duplicate(lifeline_)); }
  void End(const std::string&) override {}

  SessionId session;
  std::map<std::string, UniqueFd> grants;  // by the request that they are of
  std::set<OperationId> resumed;           // for which it was told to go on
  int revoked = 0;                         // devices that were taken from it, as it was told

 private:
  CrashWorld& world_;
  const UniqueFd lifeline_;
};

// The journal that the next core will find, to be damaged.
class LiveJournal {
 public:
  explicit LiveJournal(UniqueFd fd);
  LiveJournal(LiveJournal&&) = delete;
  ~LiveJournal();

  FdRef fd() const { return fd_; }
  // Where anything was ever written, and a little beyond.
  std::vector<size_t> Used() const;
  void Flip(size_t byte, int bit) const { bytes_[byte] ^= static_cast<uint8_t>(1u << bit); }

 private:
  const UniqueFd fd_;
  uint8_t* bytes_ = nullptr;
};

class CrashWorld {
 public:
  // The first core ends at that point of its life, the second at that of its own; 0: never.
  CrashWorld(int first_end, int second_end);
  ~CrashWorld();

  // A new core on what the last one has left.
  void Boot(int ends_at);

  // What the next core is started with.
  void UsePolicy(std::shared_ptr<const Policy> policy) { policy_ = std::move(policy); }

  LiveJournal Journal() { return LiveJournal(store_.Take(kJournalFdName)); }

  // Makes the call until somebody has answered it: p2pd may end in the middle of it.
  template <typename... Params, typename... Args>
  auto Ask(CrashChannel& client, const std::string& request, void (Broker::*call)(Params...), const Args&... args) {
    using Outcome = typename OutcomeOf<std::tuple_element_t<sizeof...(Params) - 1, std::tuple<Params...>>>::Type;
    for (int i = 0; i < 4; ++i) {
      const auto outcome = std::make_shared<std::optional<Outcome>>();
      (broker_.get()->*call)(client.session, request, args..., [outcome](Outcome got) { *outcome = std::move(got); });
      Settle();
      if (life_->alive()) {
        return outcome->has_value() ? *std::move(*outcome) : Outcome(absl::DeadlineExceededError("not answered"));
      }
      Reboot();
    }
    return Outcome(absl::AbortedError("p2pd ended again and again"));
  }

  std::shared_ptr<CrashChannel> Connect(uint32_t uid);
  void End(CrashChannel& client);
  // It is gone while p2pd is away.
  void Leave(CrashChannel& client);
  absl::Status Offer(CrashChannel& client, const std::string& name);
  // Lets everything happen that needs no time.
  void Settle();
  void Pass(absl::Duration time);

  bool alive() const { return life_->alive(); }
  Broker& broker() { return *broker_; }
  SimKernel& kernel() { return *kernel_; }
  MemoryFdStore& store() { return store_; }
  const Life& life() const { return *life_; }
  int boots() const { return boots_; }
  // At which calls p2pd has ended so far, and what its successor says.
  std::string Tell() const;
  std::function<void()> on_reboot;  // once it runs again

 private:
  friend class CrashChannel;
  void Reboot();
  void Bury();

  const int second_end_;
  int boots_ = 0;
  std::vector<std::string> ends_;
  std::string sysfs_;
  std::unique_ptr<SimKernel> kernel_;
  MemoryFdStore store_;
  std::map<SessionId, std::shared_ptr<CrashChannel>> clients_;
  std::shared_ptr<const Policy> policy_ = std::make_shared<OpenPolicy>();

  // A life's.
  std::unique_ptr<Life> life_;
  std::unique_ptr<MortalKernel> mortal_kernel_;
  std::unique_ptr<MortalStore> mortal_store_;
  std::unique_ptr<MemfdJournal> journal_;
  std::unique_ptr<MortalJournal> mortal_journal_;
  std::unique_ptr<PollingWaiter> signals_;
  std::unique_ptr<ManualScheduler> scheduler_;
  std::unique_ptr<Broker> broker_;
};

}  // namespace p2pd

#endif  // P2PD_TESTS_CRASH_CRASH_WORLD_H_
