// p2pd's core on a simulated machine beside the reference model: what random clients can do to both, and what must
// hold after each step. See model_test.cc.
#ifndef P2PD_TESTS_MODEL_MODEL_WORLD_H_
#define P2PD_TESTS_MODEL_MODEL_WORLD_H_

#include <dirent.h>
#include <stdlib.h>

#include <cstdio>
#include <deque>
#include <filesystem>
#include <functional>
#include <optional>
#include <random>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "daemon/core/testing/core_world.h"
#include "gtest/gtest.h"
#include "tests/model/reference.h"

namespace p2pd {

using model::Expect;
using model::Id;

inline constexpr uint64_t kSlotSize = 1 << 20;
inline constexpr size_t kMostSessions = 6;
inline constexpr int kUsers = 3;

inline const PciAddress& Address(int device) {
  static const PciAddress* const addresses[model::kDevices] = {&CoreWorld::kExporter, &CoreWorld::kExporter2,
                                                               &CoreWorld::kEngine, &CoreWorld::kEngine2};
  return *addresses[device];
}

inline uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = getenv(name);
  return text != nullptr ? strtoull(text, nullptr, 0) : otherwise;
}

inline int OpenFds() {
  int count = 0;
  DIR* dir = opendir("/proc/self/fd");
  while (readdir(dir) != nullptr) ++count;
  closedir(dir);
  return count;
}

class ModelTest : public ::testing::Test {
 protected:
  ModelTest() : seed_(FromEnvironment("P2PD_MODEL_SEED", 1)), random_(seed_) {
    std::printf("P2PD_MODEL_SEED=%llu\n", static_cast<unsigned long long>(seed_));
  }

  int Random(int below) { return std::uniform_int_distribution<int>(0, below - 1)(random_); }
  bool OneIn(int n) { return Random(n) == 0; }
  template <typename Map>
  Id Any(const Map& map) {
    if (map.empty() || OneIn(40)) return 999999;
    auto entry = map.begin();
    std::advance(entry, Random(static_cast<int>(map.size())));
    return entry->first;
  }
  // One of the session's own, mostly.
  template <typename Map>
  Id AnyOf(const Map& map, Id session) {
    Map own;
    for (const auto& entry : map) {
      if (entry.second.session == session) own.insert(entry);
    }
    return own.empty() || OneIn(20) ? Any(map) : Any(own);
  }

  // Makes a call, and compares its outcome with what the model expects. `granted` tells the model, at once or,
  // for a call that waits for somebody, when it is over.
  template <typename... Params, typename Granted, typename... Args>
  void Ask(const std::string& what, Expect expect, Granted granted, void (Broker::*call)(Params...), Id session,
           Args&&... args) {
    using Outcome = typename OutcomeOf<std::tuple_element_t<sizeof...(Params) - 1, std::tuple<Params...>>>::Type;
    Trace(absl::StrCat("sessions/", session, " ", what));
    const auto outcome = std::make_shared<std::optional<Outcome>>();
    (world_.broker.get()->*call)(SessionId(session), world_.NextRequest(), std::forward<Args>(args)...,
                                 [outcome](Outcome got) { *outcome = std::move(got); });
    world_.scheduler.RunReady();
    if (!outcome->has_value()) {
      EXPECT_NE(expect, Expect::kRefused) << "it waits instead of refusing";
      at_settle_.push_back([outcome, granted, what] {
        ASSERT_TRUE(outcome->has_value()) << what << " never returned";
        if ((**outcome).ok()) granted(***outcome);
      });
      return;
    }
    const absl::Status status = (**outcome).status();
    if (expect != Expect::kEither) {
      EXPECT_EQ(status.ok(), expect == Expect::kGranted) << what << ": " << status;
    }
    ++(status.ok() ? granted_ : refused_);
    if (status.ok() && expect != Expect::kRefused) granted(***outcome);
  }

  void Step();
  void Connect();
  void End(Id session);
  void Open(Id session);
  void Close(Id session);
  void Ready(Id session);
  void Reset(Id session);
  void MakeExport(Id session);
  void MakeSpace(Id session);
  void MakeMapping(Id session);
  void MakeBatch(Id session);
  void Acquire(Id session);
  void Release(Id session);
  void Revoke();
  void Error();
  void ComeOrGo();
  void AckLate(Id session);
  void Settle();
  void CloseFds(Id session);

  void SeeWhatIsOver();
  void CheckReach();
  void CheckBooks();
  void Trace(const std::string& what) {
    trace_.push_back(what);
    if (trace_.size() > 40) trace_.pop_front();
  }

  const uint64_t seed_;
  std::mt19937_64 random_;
  const int fds_ = OpenFds();
  // A driver that is late to be ready is a story of its own (reset_test).
  std::optional<CoreWorld> a_world_{std::in_place, BrokerOptions{.ready_deadline = absl::InfiniteDuration()}};
  CoreWorld& world_ = *a_world_;
  const Client observer_ = world_.Connect(0);
  model::Reference model_;
  std::map<Id, Client> clients_;  // also of ended sessions that keep descriptors
  std::vector<std::function<void()>> at_settle_;
  std::deque<std::string> trace_;
  int granted_ = 0;
  int refused_ = 0;
};

}  // namespace p2pd

#endif  // P2PD_TESTS_MODEL_MODEL_WORLD_H_
