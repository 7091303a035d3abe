// The driver of an NVMe controller whose memory buffer (CMB) the chaos's clients use. It says DeviceReady after each
// reset, and is the judge of the buffer: where p2pd says that no device reaches a part of it any more, it looks again
// and again whether a byte changes there. A part that is suspended by a reset it fills with words of its own, for until
// it says DeviceReady nobody else has any business there; one whose export is gone, too, it takes for itself and fills;
// any other it only remembers. It reads and writes by the device's fd: where memory decode is off, that is an error.
#include <unistd.h>

#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "daemon/base/errors.h"
#include "deploy/demo/nvme.h"
#include "deploy/demo/report.h"
#include "tests/chaos/guards.h"
#include "tests/chaos/news.h"
#include "tests/chaos/player.h"
#include "tests/chaos/random.h"
#include "tests/chaos/tally.h"

namespace p2pd::chaos {
namespace {

constexpr absl::Duration kBetweenLooks = absl::Milliseconds(50);
constexpr absl::Duration kBetweenReports = absl::Seconds(1);
constexpr absl::Duration kBeforeNextTry = absl::Milliseconds(200);
constexpr uint64_t kMarkerOffset = 48 << 20;  // beyond what clients ask for
constexpr uint64_t kPage = 4096;
constexpr size_t kMostGuards = 64;
constexpr size_t kMostHeld = 8;

struct KeeperOptions : PlayerOptions {
  std::string device = "devices/0000:01:00.0";
};

// Pushes what happens in p2pd to `news`.
class Watcher {
 public:
  Watcher(p2p::Session& session, News& news)
      : events_(session.Watch()), thread_([this, &news] {
          for (auto event = events_->Next();; event = events_->Next()) {
            if (!event.ok()) return news.Push(event.status());
            news.Push(*std::move(event));
          }
        }) {}
  ~Watcher() {
    events_->Cancel();
    thread_.join();
  }

 private:
  const std::unique_ptr<p2p::EventStream> events_;
  std::thread thread_;
};

// The driver's life as long as its session and its right to the device last.
class Keeper {
 public:
  Keeper(p2p::Session& session, std::unique_ptr<demo::NvmeController> controller, News& news, Random& random,
         Tally& tally)
      : session_(session), controller_(std::move(controller)), news_(news), random_(random), tally_(tally) {}

  // Makes the device work and says so. FailedPrecondition, it was reset again since: that is on its way.
  absl::Status SetUp(uint64_t generation) {
    P2PD_RETURN_IF_ERROR(controller_->Start());
    P2PD_ASSIGN_OR_RETURN(const demo::NvmeController::Buffer buffer, controller_->EnableBuffer());
    if (!guards_.has_value()) guards_.emplace(controller_->device().name(), buffer.bar);
    for (const auto& bar : controller_->device().info().bars()) {
      if (bar.index() == buffer.bar) fd_offset_ = bar.fd_offset();
    }
    LookAtGuards();
    const absl::Status ready = controller_->device().Ready(generation);
    tally_.Count("ready", ready);
    if (ready.ok()) ready_generation_ = generation;
    return absl::IsFailedPrecondition(ready) ? absl::OkStatus() : ready;
  }

  // Until it is asked to end (OK), or something ends its right.
  absl::Status Keep() {
    absl::Time next_look = absl::Now();
    absl::Time next_report = absl::Now();
    while (!AskedToEnd()) {
      if (std::optional<Item> item = news_.Take(kBetweenLooks); item.has_value()) {
        P2PD_RETURN_IF_ERROR(std::visit([this](auto& it) { return Hear(it); }, *item));
      }
      if (absl::Now() >= next_look) {
        LookAtGuards();
        ReleaseOneHeld();
        if (random_.Chance(1)) Reset();
        next_look = absl::Now() + kBetweenLooks;
      }
      if (absl::Now() >= next_report) {
        tally_.Say();
        next_report = absl::Now() + kBetweenReports;
      }
    }
    return absl::OkStatus();
  }

 private:
  struct Held {
    p2p::Export window;
    Range range;
  };

  absl::Status Hear(p2p::QuiesceRequest& request) {
    tally_.Count("quiesced");
    return request.Ack();
  }
  absl::Status Hear(const p2p::v1::Resumed&) { return absl::OkStatus(); }
  absl::Status Hear(const p2p::v1::DeviceRevoked& revoked) {
    tally_.Count("device revoked");
    return absl::UnavailableError(absl::StrCat(revoked.device(), " is revoked: ", revoked.reason()));
  }
  absl::Status Hear(const absl::Status& why) { return why; }

  absl::Status Hear(const p2p::v1::Event& event) {
    if (const auto dead = guards_->Hear(event); dead.has_value()) Guard(*dead);
    if (marker_asked_ && event.export_().name() == marker_->name()) {
      marker_asked_ = false;
      guards_->HearMarker();
    }
    for (const std::string& verdict : guards_->Verdicts()) SayViolation(verdict);
    if (event.device().name() == controller_->device().name()) return HearDevice(event.device());
    return absl::OkStatus();
  }

  absl::Status HearDevice(const p2p::v1::Device& device) {
    generation_ = device.generation();
    if (device.driver_session() != session_.name()) return absl::UnavailableError("the device has another driver");
    if (device.state() != p2p::v1::Device::AWAITING_DRIVER || generation_ <= ready_generation_) return absl::OkStatus();
    return SetUp(generation_);
  }

  // An event that comes after all that p2pd has told until then. It takes two calls the first time, and p2pd refuses
  // the first while the device is being reset: then it is asked for again.
  void AskForMarker() {
    if (!marker_.has_value()) {
      auto made = session_.CreateExport(
          {.device = controller_->device().name(), .bar = 2, .offset = kMarkerOffset, .length = kPage});
      if (tally_.Count("make marker", made.status())) marker_.emplace(*std::move(made));
    }
    marker_asked_ = marker_.has_value() && tally_.Count("ask for marker", marker_->Renew(absl::Hours(1)));
    marker_due_ = !marker_asked_;
  }

  void Guard(const Guards::Dead& dead) {
    if (guards_->size() >= kMostGuards) return tally_.Count("guard: too many");
    const bool mine = dead.suspended && generation_ > ready_generation_;
    std::vector<uint64_t> words(dead.range.length / sizeof(uint64_t));
    if (mine || Take(dead.range)) {
      words = random_.Words(words.size());
      if (!Write(dead.range, words)) return tally_.Count("guard: the device does not answer");
      tally_.Count(mine ? "guard: suspended, filled" : "guard: gone, taken and filled");
    } else {
      if (!Read(dead.range, absl::MakeSpan(words))) return tally_.Count("guard: the device does not answer");
      tally_.Count(dead.suspended ? "guard: suspended, remembered" : "guard: gone, remembered");
    }
    guards_->Set(dead, std::move(words));
  }

  // Gets the range for this session, so that nobody else can.
  bool Take(const Range& range) {
    if (held_.size() >= kMostHeld) return false;
    auto window = session_.CreateExport(
        {.device = controller_->device().name(), .bar = 2, .offset = range.offset, .length = range.length});
    if (!tally_.Count("take", window.status())) return false;
    held_.push_back({.window = *std::move(window), .range = range});
    return true;
  }

  void Reset() {
    const bool bus = random_.Chance(50);
    const auto receipt =
        controller_->device().Reset(bus ? p2p::v1::ResetDeviceRequest::BUS : p2p::v1::ResetDeviceRequest::FUNCTION);
    tally_.Count(bus ? "bus reset by the driver" : "reset by the driver", receipt.status());
  }

  // Others want to have it, too.
  void ReleaseOneHeld() {
    if (held_.empty() || !random_.Chance(3)) return;
    guards_->Forget(held_.front().range);
    tally_.Count("give back", held_.front().window.Release().status());
    held_.erase(held_.begin());
  }

  void LookAtGuards() {
    if (marker_due_) AskForMarker();
    // A marker judges what was suspected before it was asked for.
    if (marker_due_ || marker_asked_) return;
    const size_t suspects = guards_->Look([this](const Range& range, absl::Span<uint64_t> words) {
      const bool read = Read(range, words);
      tally_.Count(read ? "look" : "look: the device does not answer");
      return read;
    });
    if (suspects == 0) return;
    tally_.Count("suspicion");
    AskForMarker();
  }

  bool Read(const Range& range, absl::Span<uint64_t> words) const {
    return pread(controller_->device().fd(), words.data(), range.length, At(range)) ==
           static_cast<ssize_t>(range.length);
  }
  bool Write(const Range& range, const std::vector<uint64_t>& words) const {
    return pwrite(controller_->device().fd(), words.data(), range.length, At(range)) ==
           static_cast<ssize_t>(range.length);
  }
  off_t At(const Range& range) const { return static_cast<off_t>(fd_offset_ + range.offset); }

  p2p::Session& session_;
  const std::unique_ptr<demo::NvmeController> controller_;
  News& news_;
  Random& random_;
  Tally& tally_;
  std::optional<Guards> guards_;
  uint64_t fd_offset_ = 0;
  uint64_t generation_ = 0;
  uint64_t ready_generation_ = 0;
  std::optional<p2p::Export> marker_;
  bool marker_due_ = false;    // there are suspects
  bool marker_asked_ = false;  // and it is on its way
  std::vector<Held> held_;
};

absl::Status KeepOnce(const KeeperOptions& options, Random& random, Tally& tally) {
  News news;
  P2PD_ASSIGN_OR_RETURN(const std::unique_ptr<p2p::Session> session, Connect(options, "chaos keeper", news));
  auto controller = demo::NvmeController::Open(*session, options.device);
  tally.Count(absl::StrCat("open: ", Tally::Outcome(controller.status())));
  if (!controller.ok()) return controller.status();
  const uint64_t generation = (*controller)->device().info().generation();
  Keeper keeper(*session, *std::move(controller), news, random, tally);
  P2PD_RETURN_IF_ERROR(keeper.SetUp(generation));
  demo::Report("keeping").With("session", session->name()).With("generation", generation).Say();
  const Watcher watcher(*session, news);
  return keeper.Keep();
}

int Run(const KeeperOptions& options) {
  EndOnSigbus();
  Random random(options.seed);
  Tally tally;
  while (!AskedToEnd()) {
    const absl::Status status = KeepOnce(options, random, tally);
    tally.Count(absl::StrCat("life: ", Tally::Outcome(status)));
    tally.Say();
    if (!status.ok()) absl::SleepFor(kBeforeNextTry);
  }
  return 0;
}

}  // namespace
}  // namespace p2pd::chaos

int main(int argc, char** argv) {
  CLI::App app("Drives the NVMe controller whose memory the chaos uses, and judges what becomes of that memory.");
  p2pd::chaos::KeeperOptions options;
  p2pd::chaos::Describe(app, options);
  app.add_option("--device", options.device, "the controller")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  return p2pd::chaos::Run(options);
}
