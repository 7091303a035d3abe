// A process that ends at a point that a test chooses: before or after one of its kernel calls, journal writes or
// calls of the fd store. From then on nothing that it does has an effect. What it held is closed when its core is
// destroyed, as the kernel closes a process' descriptors; nothing else that a destructor does counts.
#ifndef P2PD_TESTS_CRASH_MORTAL_H_
#define P2PD_TESTS_CRASH_MORTAL_H_

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "daemon/core/fd_store.h"
#include "daemon/core/state_journal.h"
#include "daemon/kernel/kernel.h"

namespace p2pd {

class Life {
 public:
  // The point at which it ends, counted from 1; 0: never.
  explicit Life(int ends_at) : ends_at_(ends_at) {}

  bool alive() const { return ends_at_ == 0 || points_ < ends_at_; }
  int points() const { return points_; }
  // The call before or after which it ended.
  const std::string& last() const { return last_; }
  const std::map<std::string, int>& calls() const { return calls_; }

  // Makes the call between two points, if it still lives; `dead` is what the call says where it does not.
  template <typename Call>
  auto Make(const std::string& name, Call call) -> decltype(call()) {
    const absl::Status dead = absl::CancelledError("p2pd has ended");
    if (!alive()) return dead;
    ++calls_[name];
    if (!Pass("before " + name)) return dead;
    auto result = call();
    if (!Pass("after " + name)) return dead;
    return result;
  }

 private:
  bool Pass(std::string where) {
    ++points_;
    if (alive()) return true;
    last_ = std::move(where);
    return false;
  }

  const int ends_at_;
  int points_ = 0;
  std::string last_;
  std::map<std::string, int> calls_;  // how often each was made
};

class MortalKernel final : public Kernel {
 public:
  MortalKernel(Life& life, Kernel& kernel) : life_(life), kernel_(kernel) {}

  absl::StatusOr<UniqueFd> OpenDevice(absl::string_view cdev) override {
    return life_.Make("OpenDevice", [&] { return kernel_.OpenDevice(cdev); });
  }
  absl::Status BindDevice(FdRef device, FdRef context, const std::optional<VfToken>& token) override {
    return life_.Make("BindDevice", [&] { return kernel_.BindDevice(device, context, token); });
  }
  absl::Status SetVfToken(FdRef device, const VfToken& token) override {
    return life_.Make("SetVfToken", [&] { return kernel_.SetVfToken(device, token); });
  }
  absl::StatusOr<DeviceInfo> GetDeviceInfo(FdRef device) override { return kernel_.GetDeviceInfo(device); }
  absl::StatusOr<RegionInfo> GetRegionInfo(FdRef device, int region) override {
    return kernel_.GetRegionInfo(device, region);
  }
  absl::Status ProbeExport(FdRef device) override { return kernel_.ProbeExport(device); }
  absl::StatusOr<UniqueFd> ExportDmaBuf(FdRef device, int bar, Range range) override {
    return life_.Make("ExportDmaBuf", [&] { return kernel_.ExportDmaBuf(device, bar, range); });
  }
  absl::StatusOr<UniqueFd> ShareDmaBuf(FdRef dma_buf) override {
    return life_.Make("ShareDmaBuf", [&] { return kernel_.ShareDmaBuf(dma_buf); });
  }
  absl::StatusOr<bool> IsShared(FdRef dma_buf) override {
    return life_.Make("IsShared", [&] { return kernel_.IsShared(dma_buf); });
  }
  absl::Status ResetDevice(FdRef device) override {
    return life_.Make("ResetDevice", [&] { return kernel_.ResetDevice(device); });
  }
  absl::StatusOr<HotResetInfo> GetHotResetInfo(FdRef device) override { return kernel_.GetHotResetInfo(device); }
  absl::Status HotReset(FdRef device) override {
    return life_.Make("HotReset", [&] { return kernel_.HotReset(device); });
  }
  absl::Status SetEventFd(FdRef device, DeviceSignal signal, std::optional<FdRef> eventfd) override {
    return life_.Make("SetEventFd", [&] { return kernel_.SetEventFd(device, signal, eventfd); });
  }
  absl::Status ReadConfig(FdRef device, uint64_t offset, absl::Span<uint8_t> bytes) override {
    return kernel_.ReadConfig(device, offset, bytes);
  }
  absl::Status WriteConfig(FdRef device, uint64_t offset, absl::Span<const uint8_t> bytes) override {
    return life_.Make("WriteConfig", [&] { return kernel_.WriteConfig(device, offset, bytes); });
  }
  absl::Status ClearBar(FdRef device, int bar, Range range) override {
    return life_.Make("ClearBar", [&] { return kernel_.ClearBar(device, bar, range); });
  }
  absl::Status DisableInterrupts(FdRef device) override {
    return life_.Make("DisableInterrupts", [&] { return kernel_.DisableInterrupts(device); });
  }
  absl::StatusOr<UniqueFd> OpenContext() override {
    return life_.Make("OpenContext", [&] { return kernel_.OpenContext(); });
  }
  absl::StatusOr<IoasId> AllocIoas(FdRef context) override {
    return life_.Make("AllocIoas", [&] { return kernel_.AllocIoas(context); });
  }
  absl::Status DestroyIoas(FdRef context, IoasId ioas) override {
    return life_.Make("DestroyIoas", [&] { return kernel_.DestroyIoas(context, ioas); });
  }
  absl::Status AttachDevice(FdRef device, IoasId ioas) override {
    return life_.Make("AttachDevice", [&] { return kernel_.AttachDevice(device, ioas); });
  }
  absl::Status DetachDevice(FdRef device) override {
    return life_.Make("DetachDevice", [&] { return kernel_.DetachDevice(device); });
  }
  absl::StatusOr<IovaLayout> GetIovaLayout(FdRef context, IoasId ioas) override {
    return kernel_.GetIovaLayout(context, ioas);
  }
  absl::Status MapFile(FdRef context, const MapRequest& map) override {
    return life_.Make("MapFile", [&] { return kernel_.MapFile(context, map); });
  }
  absl::Status Unmap(FdRef context, IoasId ioas, Range iova) override {
    return life_.Make("Unmap", [&] { return kernel_.Unmap(context, ioas, iova); });
  }
  absl::StatusOr<MemoryInfo> InspectMemory(FdRef file) override { return kernel_.InspectMemory(file); }
  absl::Status PrepareMemory(FdRef file, Range range) override {
    return life_.Make("PrepareMemory", [&] { return kernel_.PrepareMemory(file, range); });
  }

 private:
  Life& life_;
  Kernel& kernel_;
};

class MortalJournal final : public StateJournal {
 public:
  MortalJournal(Life& life, StateJournal& journal) : life_(life), journal_(journal) {}

  using StateJournal::Append;
  absl::Status Append(absl::Span<const JournalEntry> entries) override {
    return life_.Make("journal", [&] { return journal_.Append(entries); });
  }
  const JournalState& state() const override { return journal_.state(); }

 private:
  Life& life_;
  StateJournal& journal_;
};

class MortalStore final : public FdStore {
 public:
  MortalStore(Life& life, FdStore& store) : life_(life), store_(store) {}

  bool keeps() const override { return true; }
  absl::Status Put(const std::string& name, FdRef fd) override {
    return life_.Make("store", [&] { return store_.Put(name, fd); });
  }
  absl::Status Remove(const std::string& name) override {
    return life_.Make("let go", [&] { return store_.Remove(name); });
  }
  std::vector<StoredFd> TakeAll() override { return store_.TakeAll(); }
  UniqueFd Take(const std::string& name) override { return store_.Take(name); }

 private:
  Life& life_;
  FdStore& store_;
};

}  // namespace p2pd

#endif  // P2PD_TESTS_CRASH_MORTAL_H_
