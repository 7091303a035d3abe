// Where nobody thought of a case: a random walk through the kernel seam. Prints one line a step, with what
// was asked and how it ended; the same seed on SimKernel and on LinuxKernel must print the same lines
// (tests/contract/same_walk.sh compares them).
//
// Invariant: what is asked depends on the seed and on earlier outcomes only, so that the first line that
// differs is a difference between the kernels.
//
// usage: random_walk FIRST_SEED LAST_SEED STEPS
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "daemon/base/errors.h"
#include "tests/contract/markers.h"
#include "tests/contract/world.h"

namespace p2pd::contract {
namespace {

constexpr uint64_t kBase = 0x2000000;
constexpr uint64_t kScratchIova = 0x8000000;
constexpr int kMemoryBar = 2;

struct Context {
  UniqueFd fd;
  std::vector<IoasId> spaces;
};

struct OpenDevice {
  Role role = Role::kPlainMemory;
  UniqueFd fd;
  std::shared_ptr<Context> context;  // while bound
  std::optional<IoasId> space;       // while attached
};

struct MappedAt {
  const Context* context = nullptr;
  IoasId space;
  uint64_t iova = 0;
};

std::string Outcome(const absl::Status& status) {
  if (status.ok()) return "OK";
  const int error = GetErrorInfo(status).error;
  return error != 0 ? ErrnoName(error) : absl::StatusCodeToString(status.code());
}

class Walk {
 public:
  Walk(World& world, uint32_t seed) : world_(world), kernel_(world.kernel()), random_(seed) {
    for (auto& context : contexts_) context = std::make_shared<Context>();
  }

  void Run(int steps) {
    static constexpr Role kFirst[] = {Role::kExporter, Role::kDmaEngine, Role::kPlainMemory, Role::kSecondNvme};
    for (auto& slot : contexts_) Say(OpenContext(slot));
    for (int i = 0; i < 4; ++i) Say(AllocIoas());
    for (size_t i = 0; i < opens_.size(); ++i) {
      Say(Open(opens_[i], kFirst[i]));
      Say(Bind(opens_[i], contexts_[OneIn(4) ? 1 : 0]));
    }
    for (int i = 0; i < steps; ++i) Say(Step());
  }

 private:
  uint64_t Pick(uint64_t count) { return random_() % count; }
  bool OneIn(uint64_t count) { return Pick(count) == 0; }

  void Say(const std::string& line) {
    printf("%4d %s\n", ++line_, line.c_str());
    fflush(stdout);
  }

  std::string Step() {
    switch (Pick(32)) {
      case 0:
        return OneIn(2) ? OpenSome() : Bind(AnyOpen(), AnyContext());
      case 1:
        return OneIn(6) ? Close() : Layout();
      case 2:
        return OneIn(12) ? OpenContext(contexts_[Pick(contexts_.size())]) : Attach();
      case 3:
      case 4:
        return Bind(AnyOpen(), AnyContext());
      case 5:
      case 6:
        return CloseFile();
      case 7:
      case 8:
        return AllocIoas();
      case 9:
        return OneIn(3) ? DestroyIoas() : Map();
      case 10:
      case 11:
      case 12:
        return Attach();
      case 13:
        return Detach();
      case 14:
      case 15:
      case 16:
      case 17:
        return Export();
      case 18:
        return Reset();
      case 19:
        return SetCommand();
      case 20:
        return Layout();
      case 21:
        return Describe();
      case 22:
      case 23:
        return Fetch();
      case 24:
      case 25:
      case 26:
        return Unmap();
      default:
        return Map();
    }
  }

  std::string NameOf(const OpenDevice& open) {
    return absl::StrCat(AddressOf(open.role).ToString(), " (open ", &open - opens_.data(), ")");
  }
  std::shared_ptr<Context> AnyContext() { return contexts_[Pick(contexts_.size())]; }
  OpenDevice& AnyOpen() { return opens_[Pick(opens_.size())]; }
  UniqueFd& AnyFile() { return files_[Pick(files_.size())]; }
  IoasId AnySpace(const Context* context) {
    if (context == nullptr || context->spaces.empty() || OneIn(20)) return IoasId(100000);
    return context->spaces[Pick(context->spaces.size())];
  }
  std::string NameOf(const Context* context, IoasId ioas) {
    for (size_t i = 0; context != nullptr && i < context->spaces.size(); ++i) {
      if (context->spaces[i] == ioas) return absl::StrCat("ioas ", i);
    }
    return "ioas ?";
  }

  uint64_t SomePages(uint64_t count) { return Pick(count) * kPage + (OneIn(15) ? 512 : 0); }
  Range SomeIova() {
    static constexpr uint64_t kOddPlaces[] = {
        0,          0xfee00000, 0xfedff000, 0xfeefffff, 1ull << 48, (1ull << 48) - kPage, UINT64_MAX - kPage + 1,
        UINT64_MAX, 1ull << 47};
    const uint64_t start = OneIn(12) ? kOddPlaces[Pick(std::size(kOddPlaces))] : kBase + SomePages(24);
    return {.start = start, .length = OneIn(40) ? UINT64_MAX - Pick(2) : SomePages(7)};
  }

  std::string OpenSome() {
    static constexpr Role kRoles[] = {Role::kExporter, Role::kDmaEngine, Role::kPlainMemory, Role::kDmaEngine};
    return Open(AnyOpen(), kRoles[Pick(std::size(kRoles))]);
  }

  std::string Open(OpenDevice& open, Role role) {
    open = OpenDevice();
    open.role = role;
    absl::StatusOr<UniqueFd> fd = kernel_.OpenDevice(world_.CdevOf(open.role));
    if (fd.ok()) open.fd = *std::move(fd);
    return absl::StrCat("open ", NameOf(open), ": ", Outcome(fd.status()));
  }

  std::string Bind(OpenDevice& open, const std::shared_ptr<Context>& context) {
    const absl::Status status = kernel_.BindDevice(open.fd, context->fd);
    if (status.ok()) {
      open.context = context;
      MarkBar(open);
    }
    return absl::StrCat("bind ", NameOf(open), ": ", Outcome(status));
  }

  // Contents are nobody's promise after a reset: they are written anew.
  void MarkBar(const OpenDevice& open) {
    if (open.role != Role::kExporter && open.role != Role::kPlainMemory) return;
    if (open.role == Role::kExporter) {
      const absl::StatusOr<RegionInfo> registers = kernel_.GetRegionInfo(open.fd, 0);
      const uint64_t enable = uint64_t{1} << 40 | 3;  // CMBMSC
      if (registers.ok() && pwrite(open.fd.get(), &enable, 8, static_cast<off_t>(registers->offset + 0x50)) < 0) return;
    }
    const absl::StatusOr<RegionInfo> memory = kernel_.GetRegionInfo(open.fd, kMemoryBar);
    if (memory.ok()) MarkPages(open.fd, memory->offset, static_cast<uint64_t>(open.role) + 1);
  }

  std::string Close() {
    OpenDevice& open = AnyOpen();
    const std::string name = NameOf(open);
    open = OpenDevice();
    return absl::StrCat("close ", name);
  }

  std::string CloseFile() {
    UniqueFd& file = AnyFile();
    file.Reset();
    return absl::StrCat("close dma-buf ", &file - files_.data());
  }

  std::string OpenContext(std::shared_ptr<Context>& slot) {
    std::erase_if(mapped_, [&](const MappedAt& mapped) { return mapped.context == slot.get(); });
    slot->fd.Reset();  // Devices that are bound to it keep it, and nobody can reach it any more.
    slot = std::make_shared<Context>();
    absl::StatusOr<UniqueFd> fd = kernel_.OpenContext();
    if (fd.ok()) slot->fd = *std::move(fd);
    return absl::StrCat("open context ", &slot - contexts_.data(), ": ", Outcome(fd.status()));
  }

  std::string AllocIoas() {
    const std::shared_ptr<Context> context = AnyContext();
    if (context->spaces.size() >= 3) return "enough address spaces";
    const absl::StatusOr<IoasId> ioas = kernel_.AllocIoas(context->fd);
    if (ioas.ok()) context->spaces.push_back(*ioas);
    return absl::StrCat("alloc: ", Outcome(ioas.status()));
  }

  std::string DestroyIoas() {
    const std::shared_ptr<Context> context = AnyContext();
    const IoasId ioas = AnySpace(context.get());
    const std::string name = NameOf(context.get(), ioas);
    const absl::Status status = kernel_.DestroyIoas(context->fd, ioas);
    if (status.ok()) Forget(*context, ioas);
    return absl::StrCat("destroy ", name, ": ", Outcome(status));
  }

  // A kernel may give the number of a destroyed address space to a new one.
  void Forget(Context& context, IoasId ioas) {
    std::erase(context.spaces, ioas);
    std::erase_if(mapped_, [&](const MappedAt& mapped) { return mapped.context == &context && mapped.space == ioas; });
  }

  std::string Attach() {
    OpenDevice& open = AnyOpen();
    const IoasId ioas = AnySpace(open.context.get());
    const absl::Status status = kernel_.AttachDevice(open.fd, ioas);
    if (status.ok()) open.space = ioas;
    return absl::StrCat("attach ", NameOf(open), " to ", NameOf(open.context.get(), ioas), ": ", Outcome(status));
  }

  std::string Detach() {
    OpenDevice& open = AnyOpen();
    const absl::Status status = kernel_.DetachDevice(open.fd);
    if (status.ok()) open.space.reset();
    return absl::StrCat("detach ", NameOf(open), ": ", Outcome(status));
  }

  std::string Export() {
    static constexpr int kBars[] = {2, 2, 2, 2, 2, 2, 0, 0, 1, 5, 6, -1, 7};
    static constexpr uint64_t kOddPlaces[] = {(64 << 20) - kPage, 64 << 20, UINT64_MAX - kPage + 1, 1ull << 62};
    const OpenDevice& open = AnyOpen();
    const int bar = kBars[Pick(std::size(kBars))];
    const Range range = {.start = OneIn(12) ? kOddPlaces[Pick(std::size(kOddPlaces))] : SomePages(6),
                         .length = OneIn(30) ? kOddPlaces[Pick(std::size(kOddPlaces))] : SomePages(8)};
    UniqueFd& file = AnyFile();
    absl::StatusOr<UniqueFd> dma_buf = kernel_.ExportDmaBuf(open.fd, bar, range);
    if (dma_buf.ok()) file = *std::move(dma_buf);
    return absl::StrCat("export ", NameOf(open), " BAR ", bar, " ", range.ToString(), " as ", &file - files_.data(),
                        ": ", Outcome(dma_buf.status()));
  }

  std::string Reset() {
    const OpenDevice& open = AnyOpen();
    const bool resettable = !OneIn(6) || open.role != Role::kExporter;
    if (!resettable) world_.SetResettable(open.role, false);
    const absl::Status status = kernel_.ResetDevice(open.fd);
    if (!resettable) world_.SetResettable(open.role, true);
    if (open.context != nullptr && MemoryDecodes(open)) MarkBar(open);
    return absl::StrCat("reset ", NameOf(open), resettable ? "" : " in vain", ": ", Outcome(status));
  }

  bool MemoryDecodes(const OpenDevice& open) {
    uint8_t command[2] = {};
    return kernel_.ReadConfig(open.fd, 4, command).ok() && (command[0] & 2) != 0;
  }

  std::string SetCommand() {
    const OpenDevice& open = AnyOpen();
    const uint8_t command[2] = {static_cast<uint8_t>((OneIn(3) ? 0 : 2) | (OneIn(4) ? 0 : 4)), 0};
    const absl::Status status = kernel_.WriteConfig(open.fd, 4, command);
    if (status.ok() && (command[0] & 2) != 0) MarkBar(open);
    return absl::StrCat("command ", NameOf(open), " = ", command[0], ": ", Outcome(status));
  }

  std::string Layout() {
    const std::shared_ptr<Context> context = AnyContext();
    const IoasId ioas = AnySpace(context.get());
    const absl::StatusOr<IovaLayout> layout = kernel_.GetIovaLayout(context->fd, ioas);
    std::string line = absl::StrCat("layout of ", NameOf(context.get(), ioas), ": ", Outcome(layout.status()));
    if (!layout.ok()) return line;
    absl::StrAppend(&line, ", by ", layout->alignment);
    for (const Range& range : layout->usable) absl::StrAppend(&line, " ", range.ToString());
    return line;
  }

  std::string Describe() {
    const OpenDevice& open = AnyOpen();
    const absl::StatusOr<DeviceInfo> info = kernel_.GetDeviceInfo(open.fd);
    std::string line = absl::StrCat("describe ", NameOf(open), ": ", Outcome(info.status()), ", export ",
                                    Outcome(kernel_.ProbeExport(open.fd)), ", interrupts off ",
                                    Outcome(kernel_.DisableInterrupts(open.fd)));
    if (!info.ok()) return line;
    absl::StrAppend(&line, info->can_reset ? ", can be reset" : "");
    for (const int region : {-1, 0, 1, 2, 3, 4, 5, kConfigRegion, 100}) {
      const absl::StatusOr<RegionInfo> bar = kernel_.GetRegionInfo(open.fd, region);
      absl::StrAppend(&line, ", ", region, " ", Outcome(bar.status()));
      if (bar.ok())
        absl::StrAppendFormat(&line, " 0x%x %d%d%d", bar->size, bar->readable, bar->writable, bar->mappable);
    }
    return line;
  }

  std::string Map() {
    const std::shared_ptr<Context> context = AnyContext();
    const IoasId ioas = AnySpace(context.get());
    const bool memory = OneIn(5);
    const UniqueFd& file = memory ? memory_ : AnyFile();
    const std::string what = memory ? "memory" : absl::StrCat("dma-buf ", &file - files_.data());
    const MapRequest map = {.ioas = ioas,
                            .file = file,
                            .offset = OneIn(30) ? UINT64_MAX - Pick(2 * kPage) : SomePages(6),
                            .iova = SomeIova(),
                            .access = OneIn(4) ? Access::kRead : Access::kReadWrite};
    const absl::Status status = kernel_.MapFile(context->fd, map);
    if (status.ok() && map.iova.start % kPage == 0) mapped_.push_back({context.get(), ioas, map.iova.start});
    return absl::StrCat("map ", what, " from ", map.offset, " into ", NameOf(context.get(), ioas), " ",
                        map.iova.ToString(), ": ", Outcome(status));
  }

  std::string Unmap() {
    const std::shared_ptr<Context> context = AnyContext();
    const IoasId ioas = AnySpace(context.get());
    Range iova = SomeIova();
    if (OneIn(3)) iova.length = SomePages(30);
    if (OneIn(40)) iova = {.start = 0, .length = UINT64_MAX};
    return absl::StrCat("unmap ", NameOf(context.get(), ioas), " ", iova.ToString(), ": ",
                        Outcome(kernel_.Unmap(context->fd, ioas, iova)));
  }

  // What an attached DMA engine finds at an IOVA.
  std::string Fetch() {
    for (const OpenDevice& open : opens_) {
      if (open.role != Role::kDmaEngine || !open.space.has_value() || !open.context->fd.valid()) continue;
      const uint64_t iova = SomeMapped(open.context.get(), *open.space);
      return absl::StrCat("fetch ", absl::Hex(iova), " with ", NameOf(open), ": ", FetchWith(open, iova));
    }
    return "no engine";
  }

  uint64_t SomeMapped(const Context* context, IoasId ioas) {
    std::vector<uint64_t> candidates = {kBase + Pick(24) * kPage};
    for (const MappedAt& mapped : mapped_) {
      const bool there = mapped.context == context && mapped.space == ioas;
      if (there && mapped.iova < kScratchIova) candidates.push_back(mapped.iova);
    }
    return candidates[Pick(candidates.size())];
  }

  std::string FetchWith(const OpenDevice& open, uint64_t iova) {
    const UniqueFd scratch = NewMarkedMemory(0);
    const Range range = {.start = kScratchIova, .length = kPage};
    const absl::Status mapped =
        kernel_.MapFile(open.context->fd, {.ioas = *open.space, .file = scratch, .iova = range});
    if (!mapped.ok()) return Outcome(mapped);
    const std::string found = FetchMarker(world_, open.fd, iova, kScratchIova, scratch);
    return absl::StrCat(found, ", ", Outcome(kernel_.Unmap(open.context->fd, *open.space, range)));
  }

  World& world_;
  Kernel& kernel_;
  std::mt19937 random_;
  int line_ = 0;
  UniqueFd memory_ = NewMarkedMemory(kMemoryMark);
  std::array<std::shared_ptr<Context>, 2> contexts_;
  std::array<OpenDevice, 4> opens_;
  std::array<UniqueFd, 4> files_;
  std::vector<MappedAt> mapped_;  // where something once was
};

}  // namespace
}  // namespace p2pd::contract

int main(int argc, char** argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: random_walk FIRST_SEED LAST_SEED STEPS\n");
    return 2;
  }
  const auto world = p2pd::contract::MakeWorld();
  for (int seed = atoi(argv[1]); seed <= atoi(argv[2]); ++seed) {
    printf("seed %d\n", seed);
    p2pd::contract::Walk(*world, static_cast<uint32_t>(seed)).Run(atoi(argv[3]));
  }
}
