// Drives an NVMe controller and lends its memory buffer (CMB) to others. It knows nothing of them: who may have
// which window is p2pd's to decide. Its duty is to say when the device works, at first and after every reset,
// whoever asked for that reset.
//
// Commands on stdin:
//   reset                              resets the device
//   fill seed=N length=N               fills the buffer's first bytes with a pattern, now
//   fill-at-set-up seed=N length=N     the same whenever the device is set up, before others may use it; seed 0: no
//                                      more
//   check seed=N length=N              counts the words there that are not the pattern's
//   crc length=N                       computes the CRC-32 of the buffer's first bytes
//   queue-identify                     queues an admin command, tells nobody, and reports when it has completed
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "client/session.h"
#include "daemon/base/errors.h"
#include "deploy/demo/bar.h"
#include "deploy/demo/inbox.h"
#include "deploy/demo/nvme.h"
#include "deploy/demo/program.h"
#include "deploy/demo/report.h"
#include "deploy/demo/window_content.h"

namespace demo {
namespace {

// Tells the inbox of every change of a device.
class DeviceWatch {
 public:
  DeviceWatch(p2p::Session& session, std::string device, Inbox& inbox)
      : events_(session.Watch()), thread_([this, device = std::move(device), &inbox] {
          for (auto event = events_->Next(); event.ok(); event = events_->Next()) {
            if (event->device().name() == device) inbox.Push(event->device());
          }
        }) {}
  ~DeviceWatch() {
    events_->Cancel();
    thread_.join();
  }

 private:
  const std::unique_ptr<p2p::EventStream> events_;
  std::thread thread_;
};

class CmbExporter {
 public:
  CmbExporter(p2p::Session& session, std::unique_ptr<NvmeController> controller)
      : session_(session), controller_(std::move(controller)) {}

  // Makes the device work and says so. It may have been reset again meanwhile: then there is nothing to say, for
  // the next change of the device is on its way.
  absl::Status SetUp(uint64_t generation) {
    P2PD_RETURN_IF_ERROR(controller_->Start());
    P2PD_ASSIGN_OR_RETURN(buffer_, controller_->EnableBuffer());
    if (memory_ == nullptr) {
      P2PD_ASSIGN_OR_RETURN(Bar bar, Bar::Map(controller_->device(), buffer_.bar));
      memory_ = std::make_unique<Bar>(std::move(bar));
    }
    if (set_up_seed_ != 0) FillWindow(*memory_, set_up_window_, set_up_seed_);
    const absl::Status ready = controller_->device().Ready(generation);
    if (absl::IsFailedPrecondition(ready)) return absl::OkStatus();
    P2PD_RETURN_IF_ERROR(ready);
    ready_generation_ = generation;
    Report("ready")
        .With("session", session_.name())
        .With("generation", generation)
        .With("bar", buffer_.bar)
        .With("buffer_bytes", buffer_.size)
        .Say();
    return absl::OkStatus();
  }

  absl::Status Serve(Inbox& inbox) {
    while (true) {
      std::optional<Item> item = inbox.Take(identifying_ ? absl::Milliseconds(1) : absl::InfiniteDuration());
      if (identifying_) P2PD_RETURN_IF_ERROR(LookForIdentity());
      if (!item.has_value()) continue;
      if (std::holds_alternative<EndOfCommands>(*item)) return absl::OkStatus();
      P2PD_RETURN_IF_ERROR(std::visit([this](auto& it) { return Handle(it); }, *item));
    }
  }

 private:
  // The buffer's first bytes, as many as the command says; all of them if it does not.
  absl::StatusOr<Window> WindowOf(const Command& command) const {
    P2PD_ASSIGN_OR_RETURN(const uint64_t length, command.Number("length", buffer_.size));
    if (length <= buffer_.size && length % sizeof(uint64_t) == 0) {
      return Window{.offset = buffer_.offset, .length = length};
    }
    return absl::InvalidArgumentError("more than the buffer, or not whole words");
  }

  // The device is about to be reset by somebody else. This program uses none of its windows: it has nothing to
  // stop but itself, and does.
  absl::Status Handle(p2p::QuiesceRequest& request) {
    identifying_ = false;
    Report("quiesced").With("operation", request.operation()).With("generation", request.generation()).Say();
    return request.Ack();
  }

  // The reset is over, and the device as good as new: an NVMe forgets its queues and its memory buffer.
  absl::Status Handle(const p2p::v1::Device& device) {
    const bool mine = device.driver_session() == session_.name();
    if (!mine || device.state() != p2p::v1::Device::AWAITING_DRIVER || device.generation() <= ready_generation_) {
      return absl::OkStatus();
    }
    return SetUp(device.generation());
  }

  absl::Status Handle(const p2p::v1::Resumed&) { return absl::OkStatus(); }
  absl::Status Handle(const absl::Status& why) { return why; }
  absl::Status Handle(const EndOfCommands&) { return absl::OkStatus(); }

  absl::Status Handle(const Command& command) {
    if (const absl::Status status = Obey(command); !status.ok()) ReportFailure(command, status);
    return absl::OkStatus();
  }

  absl::Status Obey(const Command& command) {
    if (command.verb == "reset") return Reset();
    if (command.verb == "queue-identify") return QueueIdentify();
    P2PD_ASSIGN_OR_RETURN(const uint64_t seed, command.Number("seed", 0));
    P2PD_ASSIGN_OR_RETURN(const Window window, WindowOf(command));
    if (command.verb == "fill") {
      FillWindow(*memory_, window, seed);
      Report("filled").With("seed", seed).With("bytes", window.length).Say();
    } else if (command.verb == "fill-at-set-up") {
      set_up_seed_ = seed;
      set_up_window_ = window;
    } else if (command.verb == "check") {
      const uint64_t foreign = CountForeignWords(*memory_, window, seed);
      Report("checked").With("seed", seed).With("bytes", window.length).With("foreign_words", foreign).Say();
    } else if (command.verb == "crc") {
      Report("crc").With("bytes", window.length).With("crc32", WindowCrc32(*memory_, window)).Say();
    } else {
      return absl::InvalidArgumentError("no such command");
    }
    return absl::OkStatus();
  }

  absl::Status Reset() {
    P2PD_ASSIGN_OR_RETURN(const p2p::v1::Operation receipt, controller_->device().Reset());
    Report("reset").With("operation", receipt.name()).With("generation", receipt.generation()).Say();
    return absl::OkStatus();
  }

  absl::Status QueueIdentify() {
    P2PD_ASSIGN_OR_RETURN(const uint32_t tail, controller_->QueueIdentify());
    identifying_ = true;
    Report("queued").With("tail", tail).Say();
    return absl::OkStatus();
  }

  absl::Status LookForIdentity() {
    P2PD_ASSIGN_OR_RETURN(const auto identity, controller_->PollIdentify());
    if (!identity.has_value()) return absl::OkStatus();
    identifying_ = false;
    Report("identified").With("serial", identity->serial).Say();
    return absl::OkStatus();
  }

  p2p::Session& session_;
  std::unique_ptr<NvmeController> controller_;
  NvmeController::Buffer buffer_;
  std::unique_ptr<Bar> memory_;  // the BAR that holds the buffer
  uint64_t ready_generation_ = 0;
  uint64_t set_up_seed_ = 0;  // 0: the buffer is not filled
  Window set_up_window_;
  bool identifying_ = false;
};

absl::Status Main(const Options& options, Inbox& inbox) {
  P2PD_ASSIGN_OR_RETURN(const std::unique_ptr<p2p::Session> session, Connect(options, "cmb_exporter", inbox));
  P2PD_ASSIGN_OR_RETURN(auto controller, NvmeController::Open(*session, options.device));
  const uint64_t generation = controller->device().info().generation();
  CmbExporter exporter(*session, std::move(controller));
  P2PD_RETURN_IF_ERROR(exporter.SetUp(generation));
  const DeviceWatch watch(*session, options.device, inbox);
  return exporter.Serve(inbox);
}

}  // namespace
}  // namespace demo

int main(int argc, char** argv) {
  CLI::App app("Drives an NVMe controller and lets others use its memory buffer.");
  demo::Options options;
  demo::Describe(app, "devices/0000:01:00.0", options);
  return demo::Run(app, argc, argv, [&](demo::Inbox& inbox) { return demo::Main(options, inbox); });
}
