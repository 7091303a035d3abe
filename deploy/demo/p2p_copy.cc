// Drives an NVMe controller and moves its disk's bytes through the memory of another device: it reads straight
// into a window of the other's buffer, and writes from there to another place of the disk. When p2pd takes the
// window away for a reset, it stops, acknowledges, waits and goes on: the window comes back at the same address.
//
// Commands on stdin (the disk's areas are given on the command line):
//   copy                         the source area through the window to the destination area, once
//   traffic                      piece after piece to the scratch area, comparing every byte, until stop
//   count                        how many of them came out right, and wrong
//   stop
//   ack                          acknowledges what was ignored (--ignore-quiesce)
//   probe iova=N length=N        lets the controller read from and write to an address, mapped or not
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client/session.h"
#include "daemon/base/errors.h"
#include "deploy/demo/copy_job.h"
#include "deploy/demo/inbox.h"
#include "deploy/demo/nvme.h"
#include "deploy/demo/nvme_disk.h"
#include "deploy/demo/program.h"
#include "deploy/demo/report.h"
#include "deploy/demo/window_content.h"

namespace demo {
namespace {

struct CopyOptions : Options {
  std::string exporter = "devices/0000:01:00.0";  // whose window
  uint16_t queue_depth = 16;
  bool no_window = false;
  bool ignore_quiesce = false;
};

constexpr uint32_t kBufferBar = 2;

// The window of the exporter's buffer, mapped for our controller.
struct MappedWindow {
  p2p::Export source;
  p2p::Mapping mapping;
};

class P2pCopy {
 public:
  static absl::StatusOr<std::unique_ptr<P2pCopy>> Open(p2p::Session& session, const CopyOptions& options) {
    P2PD_ASSIGN_OR_RETURN(auto controller, NvmeController::Open(session, options.device));
    P2PD_ASSIGN_OR_RETURN(auto disk, NvmeDisk::Open(session, *controller, options.queue_depth));
    P2PD_RETURN_IF_ERROR(controller->device().Ready(controller->device().info().generation()));
    P2PD_ASSIGN_OR_RETURN(DmaMemory memory,
                          DmaMemory::Create(session, controller->space(), "p2p_copy data", 2 * kTrafficPiece));
    std::unique_ptr<P2pCopy> copy(new P2pCopy(options, std::move(controller), std::move(disk), std::move(memory)));
    if (!options.no_window) P2PD_RETURN_IF_ERROR(copy->GetWindow(session));
    return copy;
  }

  void ReportReady(const p2p::Session& session) const {
    Report report("ready");
    report.With("session", session.name()).With("disk_bytes", disk_->size()).With("memory_iova", memory_.iova());
    if (window_.has_value()) {
      report.With("export", window_->source.name())
          .With("mapping", window_->mapping.name())
          .With("iova", window_->mapping.iova())
          .With("length", window_->mapping.length());
    }
    report.Say();
  }

  absl::Status Serve(Inbox& inbox) {
    while (true) {
      const bool busy = job_ != nullptr && !paused_;
      std::optional<Item> item = inbox.Take(busy ? absl::ZeroDuration() : absl::InfiniteDuration());
      if (!item.has_value()) {
        P2PD_RETURN_IF_ERROR(Work());
        continue;
      }
      if (std::holds_alternative<EndOfCommands>(*item)) return absl::OkStatus();
      P2PD_RETURN_IF_ERROR(std::visit([this](auto& it) { return Handle(it); }, *item));
    }
  }

 private:
  P2pCopy(const CopyOptions& options, std::unique_ptr<NvmeController> controller, std::unique_ptr<NvmeDisk> disk,
          DmaMemory memory)
      : options_(options), controller_(std::move(controller)), disk_(std::move(disk)), memory_(std::move(memory)) {}

  absl::Status GetWindow(p2p::Session& session) {
    P2PD_ASSIGN_OR_RETURN(
        p2p::Export source,
        session.CreateExport({.device = options_.exporter, .bar = kBufferBar, .offset = 0, .length = kAreaLength}));
    P2PD_ASSIGN_OR_RETURN(p2p::Mapping mapping, session.Map(source, controller_->space()));
    window_.emplace(MappedWindow{.source = std::move(source), .mapping = std::move(mapping)});
    return absl::OkStatus();
  }

  // One piece of the job. In between, the inbox is looked at.
  absl::Status Work() {
    const absl::StatusOr<bool> more = job_->Step();
    if (!more.ok() && !absl::IsDataLoss(more.status())) return more.status();
    if (!more.ok()) Report("failed").With("command", "copy").With(more.status()).Say();
    if (!more.value_or(false)) job_ = nullptr;
    return absl::OkStatus();
  }

  // No command is in flight here, so the ack can go out at once.
  absl::Status Handle(p2p::QuiesceRequest& request) {
    if (request.device() == options_.device) {
      return absl::AbortedError("the controller is being reset, and this program does not start over");
    }
    if (options_.ignore_quiesce) {
      Report("ignored").With("operation", request.operation()).Say();
      ignored_.push_back(std::move(request));
      return absl::OkStatus();
    }
    paused_ = true;
    Report("quiesced").With("operation", request.operation()).With("generation", request.generation()).Say();
    return request.Ack();
  }

  absl::Status Handle(const p2p::v1::Resumed& resumed) {
    P2PD_ASSIGN_OR_RETURN(const p2p::v1::Mapping::State state, window_->mapping.Refresh());
    if (state == p2p::v1::Mapping::ACTIVE) paused_ = false;
    Report("resumed")
        .With("operation", resumed.operation())
        .With("generation", resumed.generation())
        .With("mapping_state", p2p::v1::Mapping::State_Name(state))
        .With("iova", window_->mapping.iova())
        .Say();
    return absl::OkStatus();
  }

  absl::Status Handle(const p2p::v1::Device&) { return absl::OkStatus(); }
  absl::Status Handle(const absl::Status& why) { return why; }
  absl::Status Handle(const EndOfCommands&) { return absl::OkStatus(); }

  absl::Status Handle(const Command& command) {
    if (const absl::Status status = Obey(command); !status.ok()) ReportFailure(command, status);
    return absl::OkStatus();
  }

  absl::Status Obey(const Command& command) {
    if (command.verb == "probe") return Probe(command);
    if (command.verb == "stop") {
      job_ = nullptr;
      Report("stopped").Say();
    } else if (command.verb == "count" && job_ != nullptr) {
      job_->Say();
    } else if (command.verb == "ack") {
      ignored_.clear();  // a request that goes is acknowledged
    } else if (command.verb == "copy" || command.verb == "traffic") {
      if (!window_.has_value()) return absl::FailedPreconditionError("there is no window");
      const uint64_t iova = window_->mapping.iova();
      job_ = command.verb == "copy" ? MakeCopyJob(*disk_, iova) : MakeTrafficJob(*disk_, iova, memory_);
    } else {
      return absl::InvalidArgumentError("no such command, or not now");
    }
    return absl::OkStatus();
  }

  // Both ways: from the disk to the address, and from the address through the disk to memory, where its CRC is
  // computed.
  absl::Status Probe(const Command& command) {
    P2PD_ASSIGN_OR_RETURN(const uint64_t iova, command.Number("iova", 0));
    P2PD_ASSIGN_OR_RETURN(const uint64_t length, command.Number("length", nvme::kPageSize));
    if (length > kTrafficPiece) return absl::InvalidArgumentError("too long");
    const absl::Status stored = disk_->Read(kSourceArea, iova, length);
    const absl::Status fetched = disk_->Write(kScratchArea, iova, length);
    P2PD_RETURN_IF_ERROR(disk_->Read(kScratchArea, memory_.iova(), length));
    Report("probed")
        .With("iova", iova)
        .With("stored", stored.ToString())
        .With("fetched", fetched.ToString())
        .With("crc32", Crc32(memory_.bytes(0, length).data(), length))
        .Say();
    return absl::OkStatus();
  }

  const CopyOptions options_;
  std::unique_ptr<NvmeController> controller_;
  std::unique_ptr<NvmeDisk> disk_;
  DmaMemory memory_;
  std::optional<MappedWindow> window_;
  std::unique_ptr<CopyJob> job_;
  bool paused_ = false;  // between the ack and the resumption
  std::vector<p2p::QuiesceRequest> ignored_;
};

absl::Status Main(const CopyOptions& options, Inbox& inbox) {
  P2PD_ASSIGN_OR_RETURN(const std::unique_ptr<p2p::Session> session, Connect(options, "p2p_copy", inbox));
  P2PD_ASSIGN_OR_RETURN(const std::unique_ptr<P2pCopy> copy, P2pCopy::Open(*session, options));
  copy->ReportReady(*session);
  return copy->Serve(inbox);
}

}  // namespace
}  // namespace demo

int main(int argc, char** argv) {
  CLI::App app("Copies a part of an NVMe disk through the memory of another device.");
  demo::CopyOptions options;
  demo::Describe(app, "devices/0000:02:00.0", options);
  app.add_option("--exporter", options.exporter, "The device whose memory is used")->capture_default_str();
  app.add_option("--queue-depth", options.queue_depth, "How many NVMe commands may be in flight")
      ->capture_default_str();
  app.add_flag("--no-window", options.no_window, "Drive the controller, and use nobody's memory");
  app.add_flag("--ignore-quiesce", options.ignore_quiesce, "Go on when p2pd asks to stop, as no client should");
  return demo::Run(app, argc, argv, [&](demo::Inbox& inbox) { return demo::Main(options, inbox); });
}
