// A long life of two clients, who ask for everything that p2pd grants, and go in the end. What they were told is
// checked against what is so after every step and whenever p2pd was started anew.
#ifndef P2PD_TESTS_CRASH_SCENARIO_H_
#define P2PD_TESTS_CRASH_SCENARIO_H_

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/crash/crash_world.h"

namespace p2pd {

class Scenario {
 public:
  // As CrashWorld has it.
  Scenario(int first_end, int second_end) : world_(first_end, second_end) {
    world_.on_reboot = [this] { Check(); };
  }

  void Run();
  // The first part of that: everything is granted.
  void Begin();
  // After Begin: so many mappings more.
  void MapMore(int count);
  CrashWorld& world() { return world_; }

  // What was answered is there and reached, and nothing else is.
  void Check();
  void CheckNothingReached();

 private:
  static constexpr uint64_t kSlot = 1 << 16;
  static constexpr int kSlots = 12;

  struct Known {
    int slot = 0;
    uint64_t iova = 0;
  };

  template <typename T>
  T Granted(const std::string& what, absl::StatusOr<T> outcome) {
    EXPECT_TRUE(outcome.ok()) << what << ": " << outcome.status();
    return outcome.value_or(T());
  }
  std::string Next() { return absl::StrCat("request-", ++requests_); }
  Window SlotOf(int slot, int slots = 1) {
    return {.device = CoreWorld::kExporter, .bar = 2, .range = {slot * kSlot, slots * kSlot}};
  }

  DeviceView Drive(CrashChannel& client, const PciAddress& device);
  MappingView Map(ExportId source, int slot);
  void Learn(const MappingView& view, int slot) {
    mappings_[view.id] = {.slot = slot, .iova = view.iova.start};
    EXPECT_NE(view.iova.start, 0u);
  }
  // From now on it may be gone, and after the call that follows it is.
  void WillGo(const std::vector<MappingId>& ids) { going_.insert(ids.begin(), ids.end()); }
  void HaveGone() {
    for (const MappingId id : going_) mappings_.erase(id);
    going_.clear();
    Check();
  }
  void CheckReach();
  void CheckRepeat();

  void Grants();
  void Batches();
  void Resets();
  void RawOnes();
  void Offers();
  void Ends();

  CrashWorld world_;
  int requests_ = 0;
  std::shared_ptr<CrashChannel> client_;
  std::shared_ptr<CrashChannel> driver_;
  AddressSpaceView space_;
  std::map<MappingId, Known> mappings_;  // that somebody was told of
  std::set<MappingId> going_;
  std::optional<int> making_;  // the slot of what is just being asked for
  std::optional<OfferId> offer_;
  std::optional<std::pair<std::string, MapArgs>> first_map_;
  MappingId first_mapping_;
};

}  // namespace p2pd

#endif  // P2PD_TESTS_CRASH_SCENARIO_H_
