// Bytes that a wanderer moves. A round trip goes from its memory through the engine's buffer to the window and back,
// with the buffer overwritten between, and each byte must come back while it holds the right: the mapping is ACTIVE,
// and neither exporter nor engine was taken or reset.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "daemon/base/errors.h"
#include "tests/chaos/wanderer.h"

namespace p2pd::chaos {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kBytes = demo::Edu::kMostBytes;  // of each page
constexpr size_t kWords = kBytes / sizeof(uint64_t);
constexpr uint64_t kUntouched = 0x7e57ed;
constexpr int kSpite = 3;  // writes, which last long enough for the keeper to guard the window
constexpr absl::Duration kPatience = absl::Seconds(3);  // until what ends a right is told
constexpr absl::Duration kBetweenLooks = absl::Milliseconds(50);

}  // namespace

void Wanderer::MoveBytes() {
  if (!engine_memory_.has_value()) return;
  if (manner_ == Manner::kGoesOn && !old_iovas_.empty() && random_.Chance(50)) {
    return WriteBlindly(random_.Of(old_iovas_));
  }
  std::vector<const Held*> windows;
  for (const Held& held : mappings_) {
    if (held.by_engine && !held.exporter.empty()) windows.push_back(&held);
  }
  if (windows.empty()) return;
  const Held& held = *random_.Of(windows);
  const bool stopped = std::any_of(stopped_.begin(), stopped_.end(),
                                   [&](const auto& it) { return it.second.contains(held.mapping.name()); });
  if (!stopped) return RoundTrip(held);
  if (manner_ == Manner::kGoesOn) WriteBlindly(held.mapping.iova());
}

void Wanderer::WriteBlindly(uint64_t iova) {
  const auto words = random_.Words(kWords);
  std::copy(words.begin(), words.end(), engine_memory_->At<uint64_t>(0, kWords).begin());
  absl::Status status = engine_->Fetch(engine_memory_->iova(), kBytes);
  if (status.ok()) status = engine_->Store(iova, kBytes);
  tally_.Count(absl::StrCat("DMA without a right: ", Tally::Outcome(status)));
}

void Wanderer::WriteInSpite(const std::vector<uint64_t>& iovas) {
  if (manner_ != Manner::kGoesOn || !engine_memory_.has_value()) return;
  for (const uint64_t iova : iovas) {
    for (int i = 0; i < kSpite; ++i) WriteBlindly(iova);
  }
}

absl::StatusOr<Wanderer::Right> Wanderer::RightTo(const Held& held) {
  P2PD_ASSIGN_OR_RETURN(const p2p::v1::Mapping mapping, session_->GetMapping(held.mapping.name()));
  if (mapping.state() != p2p::v1::Mapping::ACTIVE) return absl::FailedPreconditionError("the mapping is not ACTIVE");
  P2PD_ASSIGN_OR_RETURN(const p2p::v1::Device exporter, session_->GetDevice(held.exporter));
  P2PD_ASSIGN_OR_RETURN(const p2p::v1::Device engine, session_->GetDevice(world_.engine));
  if (exporter.state() != p2p::v1::Device::READY || engine.driver_session() != session_->name()) {
    return absl::FailedPreconditionError("a device is not READY, or another's");
  }
  return Right{.exporter_generation = exporter.generation(), .engine_generation = engine.generation()};
}

bool Wanderer::KeepsRight(const Held& held, const Right& right) {
  const absl::Time deadline = absl::Now() + kPatience;
  while (absl::Now() < deadline) {
    const auto now = RightTo(held);
    if (!now.ok() || !(*now == right)) return false;
    absl::SleepFor(kBetweenLooks);
  }
  return true;
}

absl::Status Wanderer::Pass(uint64_t iova) {
  P2PD_RETURN_IF_ERROR(engine_->Fetch(engine_memory_->iova(), kBytes));
  P2PD_RETURN_IF_ERROR(engine_->Store(iova, kBytes));
  P2PD_RETURN_IF_ERROR(engine_->Fetch(engine_memory_->iova(kPage), kBytes));
  P2PD_RETURN_IF_ERROR(engine_->Fetch(iova, kBytes));
  return engine_->Store(engine_memory_->iova(2 * kPage), kBytes);
}

std::string Wanderer::SecondLook(uint64_t iova) {
  const auto memory = session_->GetMapping(engine_memory_->name());
  std::string text = absl::StrCat(
      "its own memory is ", memory.ok() ? p2p::v1::Mapping::State_Name(memory->state()) : memory.status().ToString());
  const auto sent = engine_memory_->At<uint64_t>(0, kWords);
  const auto came_back = engine_memory_->At<uint64_t>(2 * kPage, kWords);
  const auto read = [&](uint64_t from) {
    std::fill(came_back.begin(), came_back.end(), kUntouched);
    absl::Status status = engine_->Fetch(from, kBytes);
    if (status.ok()) status = engine_->Store(engine_memory_->iova(2 * kPage), kBytes);
    return absl::StrCat("0x", absl::Hex(came_back[0]), " (", status.ToString(), ")");
  };
  absl::StrAppend(&text, ", through the engine alone 0x", absl::Hex(sent[0]), " comes back as ",
                  read(engine_memory_->iova()));
  absl::StrAppend(&text, ", the window reads ", read(iova));
  return text;
}

void Wanderer::RoundTrip(const Held& held) {
  const auto right = RightTo(held);
  if (!right.ok()) {
    if (manner_ == Manner::kGoesOn) return WriteBlindly(held.mapping.iova());
    return tally_.Count("round trip: no right");
  }
  const auto words = random_.Words(kWords);
  const auto sent = engine_memory_->At<uint64_t>(0, kWords);
  const auto other = engine_memory_->At<uint64_t>(kPage, kWords);
  const auto came_back = engine_memory_->At<uint64_t>(2 * kPage, kWords);
  std::copy(words.begin(), words.end(), sent.begin());
  std::transform(words.begin(), words.end(), other.begin(), [](uint64_t word) { return ~word; });
  std::fill(came_back.begin(), came_back.end(), 0);
  const uint64_t iova = held.mapping.iova() + random_.Below(held.mapping.length() / kPage) * kPage;
  const absl::Status passed = Pass(iova);
  const auto [is, was] = std::mismatch(came_back.begin(), came_back.end(), words.begin());
  if (passed.ok() && is == came_back.end()) return tally_.Count("round trip: every byte came back");
  const ptrdiff_t at = is - came_back.begin();
  const uint64_t seen = is == came_back.end() ? 0 : *is;
  if (!KeepsRight(held, *right)) return tally_.Count("round trip: the right ended meanwhile");
  tally_.Count("round trip: WRONG");
  const std::string second = SecondLook(iova);
  SayViolation(absl::StrCat(session_->name(), " holds ", held.mapping.name(), " of ", held.exporter, " at IOVA 0x",
                            absl::Hex(iova), ", but word ", at, " came back as 0x", absl::Hex(seen), ", generation ",
                            right->exporter_generation, ", ", passed.ToString(), "; ", second));
}

}  // namespace p2pd::chaos
