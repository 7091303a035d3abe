#include "tests/chaos/guards.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace p2pd::chaos {

using p2p::v1::Event;
using p2p::v1::Mapping;
using p2p::v1::Operation;

std::optional<Guards::Dead> Guards::Hear(const Event& event) {
  if (event.has_operation()) {
    const Operation& operation = event.operation();
    if (operation.state() == Operation::RUNNING && event.type() != Event::DELETED) {
      running_.insert(operation.name());
    } else {
      running_.erase(operation.name());
    }
  }
  if (event.has_export_()) {
    const p2p::v1::Window& window = event.export_().window();
    if (event.type() == Event::DELETED) {
      exports_.erase(event.export_().name());
    } else if (window.device() == device_ && window.bar() == bar_) {
      exports_.emplace(event.export_().name(), window.offset());
    }
  }
  if (event.has_mapping()) return HearMapping(event);
  return std::nullopt;
}

std::optional<Guards::Dead> Guards::HearMapping(const Event& event) {
  const Mapping& mapping = event.mapping();
  if (event.type() != Event::DELETED && mapping.state() == Mapping::ACTIVE) {
    const auto window = exports_.find(mapping.export_());
    if (window == exports_.end()) return std::nullopt;
    const Range range = {.offset = window->second + mapping.offset(), .length = mapping.length()};
    live_[mapping.name()] = range;
    Forget(range);
    return std::nullopt;
  }
  const auto ended = live_.find(mapping.name());
  if (ended == live_.end()) return std::nullopt;
  const Dead dead = {.range = ended->second,
                     .suspended = event.type() != Event::DELETED && mapping.state() == Mapping::SUSPENDED,
                     .mapping = mapping.name()};
  live_.erase(ended);
  const bool reached =
      std::any_of(live_.begin(), live_.end(), [&](const auto& other) { return other.second.Overlaps(dead.range); });
  if (reached) return std::nullopt;
  return dead;
}

void Guards::Set(const Dead& dead, std::vector<uint64_t> expected) {
  Forget(dead.range);
  guards_.push_back({.dead = dead, .expected = std::move(expected)});
}

void Guards::Forget(const Range& range) {
  guards_.remove_if([&](const Guard& guard) { return guard.dead.range.Overlaps(range); });
}

size_t Guards::Look(Reader read) {
  size_t suspects = 0;
  std::vector<uint64_t> seen;
  for (Guard& guard : guards_) {
    if (!guard.suspicion.empty()) continue;
    seen.resize(guard.expected.size());
    if (!read(guard.dead.range, absl::MakeSpan(seen))) continue;
    const auto [was, is] = std::mismatch(guard.expected.begin(), guard.expected.end(), seen.begin());
    if (was == guard.expected.end()) continue;
    guard.suspicion =
        absl::StrCat("the word at 0x", absl::Hex(guard.dead.range.offset + 8 * (was - guard.expected.begin())), " of ",
                     device_, " BAR ", bar_, " changed from 0x", absl::Hex(*was), " to 0x", absl::Hex(*is), " after ",
                     guard.dead.mapping, " was ", guard.dead.suspended ? "SUSPENDED" : "gone");
    ++suspects;
  }
  return suspects;
}

void Guards::HearMarker() {
  for (Guard& guard : guards_) {
    if (guard.suspicion.empty() || std::exchange(guard.marked, true)) continue;
    guard.running = running_;
  }
}

std::vector<std::string> Guards::Verdicts() {
  std::vector<std::string> verdicts;
  guards_.remove_if([&](Guard& guard) {
    if (!guard.marked) return false;
    std::erase_if(guard.running, [this](const std::string& operation) { return !running_.contains(operation); });
    if (!guard.running.empty()) return false;
    verdicts.push_back(guard.suspicion);
    return true;
  });
  return verdicts;
}

}  // namespace p2pd::chaos
