// What a wanderer takes: devices, address spaces, windows, mappings.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/chaos/wanderer.h"

namespace p2pd::chaos {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kMostPages = 16;
constexpr size_t kMostInBatch = 8;
constexpr absl::Duration kLongestLife = absl::Seconds(3);
constexpr uint64_t kPagesOfEngine = 3;  // what is sent, what it is overwritten with, what came back

}  // namespace

void Wanderer::OpenEngine() {
  if (world_.engine.empty() || engine_ != nullptr) return;
  auto engine = demo::Edu::Open(*session_, world_.engine);
  // It may also be that the device did not answer, of which p2pd knows nothing.
  tally_.Count(absl::StrCat("open the engine: ", Tally::Outcome(engine.status())));
  if (!engine.ok()) return;
  engine_ = *std::move(engine);
  auto memory = demo::DmaMemory::Create(*session_, engine_->space(), "chaos", kPagesOfEngine * kPage,
                                        {.iova_max = demo::Edu::kIovaMax});
  p2p::Device& device = engine_->device();
  if (!tally_.Count("map memory", memory.status()) ||
      !tally_.Count("ready", device.Ready(device.info().generation()))) {
    return DropEngine();
  }
  engine_memory_.emplace(*std::move(memory));
}

void Wanderer::OpenDevice() {
  if (world_.devices.empty()) return;
  const std::string& name = world_.devices[random_.Below(world_.devices.size())];
  if (devices_.contains(name)) return;
  auto device = session_->OpenDevice(name);
  if (!tally_.Count("open", device.status())) return;
  tally_.Count("ready", device->Ready(device->info().generation()));
  devices_.emplace(name, *std::move(device));
}

void Wanderer::CreateSpace() {
  if (devices_.empty()) return;
  std::vector<std::string> names;
  for (const auto& [name, device] : devices_) {
    if (names.empty() || random_.Chance(20)) names.push_back(name);
  }
  auto space = session_->CreateAddressSpace(names);
  if (tally_.Count("create space", space.status())) spaces_.push_back(*std::move(space));
}

p2p::WindowOptions Wanderer::SomeWindow() {
  const Place& place = world_.places[random_.Below(world_.places.size())];
  const uint64_t pages = place.length / kPage;
  const uint64_t first = random_.Below(pages);
  p2p::WindowOptions window = {.device = place.device,
                               .bar = place.bar,
                               .offset = place.offset + first * kPage,
                               .length = (1 + random_.Below(std::min(kMostPages, pages - first))) * kPage};
  if (random_.Chance(30)) window.time_to_live = absl::Milliseconds(1) + random_.Upto(kLongestLife);
  return window;
}

void Wanderer::CreateExport() {
  auto window = session_->CreateExport(SomeWindow());
  if (tally_.Count("create export", window.status())) exports_.push_back(*std::move(window));
}

void Wanderer::RenewExport() {
  if (exports_.empty()) return;
  tally_.Count("renew", random_.Of(exports_).Renew(absl::Milliseconds(1) + random_.Upto(kLongestLife)));
}

const p2p::AddressSpace* Wanderer::SomeSpace(bool& by_engine) {
  by_engine = engine_ != nullptr && (spaces_.empty() || random_.Chance(70));
  if (by_engine) return &engine_->space();
  return spaces_.empty() ? nullptr : &random_.Of(spaces_);
}

p2p::MapOptions Wanderer::SomeSlice(const p2p::Export& source, bool by_engine) {
  const uint64_t pages = source.window().length() / kPage;
  const uint64_t first = random_.Below(pages);
  p2p::MapOptions slice = {.offset = first * kPage, .length = (1 + random_.Below(pages - first)) * kPage};
  if (by_engine) slice.iova_max = demo::Edu::kIovaMax;
  return slice;
}

void Wanderer::Acquire() {
  bool by_engine = false;
  const p2p::AddressSpace* const space = SomeSpace(by_engine);
  if (space == nullptr) return;
  p2p::Importer importer = {.space = space};
  if (by_engine) importer.iova_max = demo::Edu::kIovaMax;
  const p2p::WindowOptions window = SomeWindow();
  auto acquired = session_->Acquire(window, {importer});
  if (!tally_.Count("acquire", acquired.status())) return;
  exports_.push_back(std::move(acquired->window));
  for (p2p::Mapping& mapping : acquired->mappings) {
    mappings_.push_back({.mapping = std::move(mapping), .exporter = window.device, .by_engine = by_engine});
  }
}

void Wanderer::Map() {
  bool by_engine = false;
  const p2p::AddressSpace* const space = SomeSpace(by_engine);
  if (space == nullptr || exports_.empty()) return;
  const p2p::Export& source = random_.Of(exports_);
  auto mapping = session_->Map(source, *space, SomeSlice(source, by_engine));
  if (!tally_.Count("map", mapping.status())) return;
  mappings_.push_back({.mapping = *std::move(mapping), .exporter = source.window().device(), .by_engine = by_engine});
}

void Wanderer::MapMemory() {
  bool by_engine = false;
  const p2p::AddressSpace* const space = SomeSpace(by_engine);
  if (space == nullptr) return;
  auto memory = p2p::SealedMemory::Create("chaos", (1 + random_.Below(kMostPages)) * kPage);
  if (!memory.ok()) return tally_.Count("no memory");
  p2p::MapOptions options;
  if (by_engine) options.iova_max = demo::Edu::kIovaMax;
  auto mapping = session_->MapMemory(*memory, *space, options);
  if (!tally_.Count("map memory", mapping.status())) return;
  mappings_.push_back({.mapping = *std::move(mapping), .exporter = "", .by_engine = by_engine});
  tally_.Count("withdraw memory", session_->WithdrawMemory(*memory));
}

void Wanderer::BatchMap() {
  bool by_engine = false;
  const p2p::AddressSpace* const space = SomeSpace(by_engine);
  if (space == nullptr || exports_.empty()) return;
  std::vector<p2p::MapItem> items(1 + random_.Below(kMostInBatch));
  for (p2p::MapItem& item : items) {
    item.source = &random_.Of(exports_);
    item.space = space;
    item.options = SomeSlice(*item.source, by_engine);
  }
  auto mappings = session_->BatchMap(items);
  if (!tally_.Count("batch map", mappings.status())) return;
  for (size_t i = 0; i < items.size(); ++i) {
    mappings_.push_back(
        {.mapping = std::move((*mappings)[i]), .exporter = items[i].source->window().device(), .by_engine = by_engine});
  }
}

}  // namespace p2pd::chaos
