// Steps, hearing, and giving back.
#include "tests/chaos/wanderer.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace p2pd::chaos {
namespace {

constexpr absl::Duration kLatest = absl::Seconds(4);
constexpr absl::Duration kBetweenSteps = absl::Milliseconds(40);
constexpr size_t kMostMappings = 64;

}  // namespace

Wanderer::~Wanderer() {
  session_.reset();
  DropEngine();
}

bool Wanderer::Step() {
  // More often what leads to DMA, and DMA itself.
  static constexpr Action kActions[] = {
      &Wanderer::OpenEngine,   &Wanderer::OpenEngine,  &Wanderer::OpenEngine,   &Wanderer::OpenDevice,
      &Wanderer::OpenDevice,   &Wanderer::CreateSpace, &Wanderer::CreateSpace,  &Wanderer::CreateExport,
      &Wanderer::CreateExport, &Wanderer::Acquire,     &Wanderer::Acquire,      &Wanderer::Acquire,
      &Wanderer::Acquire,      &Wanderer::RenewExport, &Wanderer::Map,          &Wanderer::Map,
      &Wanderer::Map,          &Wanderer::MapMemory,   &Wanderer::BatchMap,     &Wanderer::BatchMap,
      &Wanderer::Unmap,        &Wanderer::BatchUnmap,  &Wanderer::DeleteExport, &Wanderer::DeleteSpace,
      &Wanderer::CloseDevice,  &Wanderer::ResetDevice, &Wanderer::MoveBytes,    &Wanderer::MoveBytes,
      &Wanderer::MoveBytes,    &Wanderer::MoveBytes,   &Wanderer::MoveBytes,    &Wanderer::MoveBytes,
      &Wanderer::MoveBytes,    &Wanderer::MoveBytes,   &Wanderer::MoveBytes,    &Wanderer::MoveBytes,
  };
  if (mappings_.size() >= kMostMappings) {
    BatchUnmap();
  } else {
    (this->*kActions[random_.Below(std::size(kActions))])();
  }
  HearFor(random_.Upto(kBetweenSteps));
  return !over_;
}

// ---- Hearing -----------------------------------------------------------------------------------------------

void Wanderer::HearFor(absl::Duration patience) {
  while (std::optional<Item> item = news_.Take(patience)) {
    std::visit([this](auto& it) { Hear(it); }, *item);
    patience = absl::ZeroDuration();
  }
  PayWhatIsDue();
}

void Wanderer::Hear(p2p::QuiesceRequest& request) {
  tally_.Count("asked to stop");
  const auto& names = request.info().mappings();
  stopped_[request.operation()] = std::set<std::string>(names.begin(), names.end());
  const bool lies = manner_ == Manner::kGoesOn && random_.Chance(50);
  if (manner_ == Manner::kAtOnce || lies) {
    tally_.Count(lies ? "acked and went on" : "acked at once");
    request.Ack().IgnoreError();
  } else {
    owed_.push_back({.request = std::move(request), .due = Due()});
  }
}

void Wanderer::Hear(const p2p::v1::Resumed& resumed) {
  tally_.Count("resumed");
  stopped_.erase(resumed.operation());
}

void Wanderer::Hear(const p2p::v1::DeviceRevoked& revoked) {
  tally_.Count("device revoked");
  owed_.push_back({.request = std::nullopt, .revoked_device = revoked.device(), .due = Due()});
}

void Wanderer::Hear(const absl::Status& why) {
  tally_.Count(absl::StrCat("session over: ", Tally::Outcome(why)));
  over_ = true;
}

absl::Time Wanderer::Due() {
  if (manner_ == Manner::kAtOnce) return absl::InfinitePast();
  if (manner_ == Manner::kLate) return absl::Now() + random_.Upto(kLatest);
  return absl::InfiniteFuture();
}

void Wanderer::PayWhatIsDue() {
  for (size_t i = 0; i < owed_.size();) {
    if (owed_[i].due > absl::Now()) {
      ++i;
      continue;
    }
    Owed owed = std::move(owed_[i]);
    owed_.erase(owed_.begin() + static_cast<std::ptrdiff_t>(i));
    if (owed.request.has_value()) {
      tally_.Count("acked late");
      owed.request->Ack().IgnoreError();
    } else {
      LetGoOf(owed.revoked_device);
    }
  }
}

void Wanderer::LetGoOf(const std::string& device) {
  if (engine_ != nullptr && device == world_.engine) DropEngine();
  devices_.erase(device);
}

// ---- Giving back -------------------------------------------------------------------------------------------

void Wanderer::GiveBack() {
  HearFor(absl::ZeroDuration());
  owed_.clear();
  for (Held& held : mappings_) tally_.Count("unmap", held.mapping.Release());
  mappings_.clear();
  for (p2p::Export& window : exports_) tally_.Count("delete export", window.Release().status());
  exports_.clear();
  for (p2p::AddressSpace& space : spaces_) tally_.Count("delete space", space.Release().status());
  spaces_.clear();
  DropEngine();
  for (auto& [name, device] : devices_) tally_.Count("close", device.Close());
  devices_.clear();
}

void Wanderer::DropEngine() {
  std::erase_if(mappings_, [](const Held& held) { return held.by_engine; });
  old_iovas_.clear();
  engine_memory_.reset();
  engine_.reset();
}

Wanderer::Held Wanderer::TakeOut(size_t index) {
  Held held = std::move(mappings_[index]);
  mappings_.erase(mappings_.begin() + static_cast<std::ptrdiff_t>(index));
  if (held.by_engine && !held.exporter.empty()) old_iovas_.push_back(held.mapping.iova());
  return held;
}

void Wanderer::Unmap() {
  if (mappings_.empty()) return;
  Held held = TakeOut(random_.Below(mappings_.size()));
  tally_.Count("unmap", held.mapping.Release());
  if (held.by_engine) WriteInSpite({held.mapping.iova()});
}

void Wanderer::BatchUnmap() {
  if (mappings_.empty()) return;
  std::vector<p2p::Mapping> batch;
  for (size_t left = 1 + random_.Below(mappings_.size()); left > 0; --left) {
    batch.push_back(TakeOut(random_.Below(mappings_.size())).mapping);
  }
  tally_.Count("batch unmap", session_->BatchUnmap(std::move(batch)));
}

void Wanderer::DeleteExport() {
  if (exports_.empty()) return;
  const size_t index = random_.Below(exports_.size());
  std::vector<uint64_t> iovas;
  for (const Held& held : mappings_) {
    const bool its = held.mapping.info().export_() == exports_[index].name();
    if (its && held.by_engine) iovas.push_back(held.mapping.iova());
  }
  tally_.Count("delete export", exports_[index].Release().status());
  exports_.erase(exports_.begin() + static_cast<std::ptrdiff_t>(index));
  WriteInSpite(iovas);
}

void Wanderer::DeleteSpace() {
  if (spaces_.empty()) return;
  const size_t index = random_.Below(spaces_.size());
  tally_.Count("delete space", spaces_[index].Release().status());
  spaces_.erase(spaces_.begin() + static_cast<std::ptrdiff_t>(index));
}

void Wanderer::CloseDevice() {
  if (engine_ != nullptr && random_.Chance(50)) {
    DropEngine();
    return tally_.Count("close: the engine");
  }
  if (devices_.empty()) return;
  const auto device = std::next(devices_.begin(), static_cast<std::ptrdiff_t>(random_.Below(devices_.size())));
  tally_.Count("close", device->second.Close());
  devices_.erase(device);
}

void Wanderer::ResetDevice() {
  if (devices_.empty()) return;
  const auto device = std::next(devices_.begin(), static_cast<std::ptrdiff_t>(random_.Below(devices_.size())));
  const bool bus = random_.Chance(50);
  const auto receipt =
      device->second.Reset(bus ? p2p::v1::ResetDeviceRequest::BUS : p2p::v1::ResetDeviceRequest::FUNCTION);
  if (tally_.Count(bus ? "bus reset" : "reset", receipt.status())) {
    tally_.Count("ready", device->second.Ready(receipt->generation()));
  }
}

}  // namespace p2pd::chaos
