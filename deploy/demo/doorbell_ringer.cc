// Lets one device ring another's doorbell: it drives a DMA engine ("edu"), gets the page of an NVMe controller's
// registers that holds the doorbells, and has the engine write the tail of the admin queue there. Neither the
// controller's driver nor any CPU tells the controller.
//
// Commands on stdin:
//   ring value=N                 rings the admin queue's doorbell
#include <memory>
#include <string>

#include "client/session.h"
#include "daemon/base/errors.h"
#include "deploy/demo/edu.h"
#include "deploy/demo/inbox.h"
#include "deploy/demo/nvme_format.h"
#include "deploy/demo/program.h"
#include "deploy/demo/report.h"

namespace demo {
namespace {

struct RingerOptions : Options {
  std::string exporter = "devices/0000:01:00.0";  // whose doorbells
};

// The right to the doorbells is held for as long as it takes to ring one.
absl::Status Ring(p2p::Session& session, Edu& edu, const std::string& exporter, uint32_t value) {
  P2PD_ASSIGN_OR_RETURN(
      const p2p::Export doorbells,
      session.CreateExport({.device = exporter, .bar = 0, .offset = nvme::kDoorbells, .length = nvme::kPageSize}));
  P2PD_ASSIGN_OR_RETURN(p2p::Mapping mapping,
                        session.Map(doorbells, edu.space(), {.access = p2p::v1::WRITE, .iova_max = Edu::kIovaMax}));
  P2PD_RETURN_IF_ERROR(edu.Write32(mapping.iova(), value));
  Report("rung").With("export", doorbells.name()).With("iova", mapping.iova()).With("value", value).Say();
  return mapping.Release();
}

absl::Status Main(const RingerOptions& options, Inbox& inbox) {
  P2PD_ASSIGN_OR_RETURN(const std::unique_ptr<p2p::Session> session, Connect(options, "doorbell_ringer", inbox));
  P2PD_ASSIGN_OR_RETURN(const std::unique_ptr<Edu> edu, Edu::Open(*session, options.device));
  P2PD_RETURN_IF_ERROR(edu->device().Ready(edu->device().info().generation()));
  Report("ready").With("session", session->name()).Say();
  while (std::optional<Item> item = inbox.Take(absl::InfiniteDuration())) {
    if (std::holds_alternative<EndOfCommands>(*item)) break;
    if (const auto* why = std::get_if<absl::Status>(&*item)) return *why;
    // Between two commands nothing uses the doorbells: a quiesce request is acknowledged by dropping it.
    const auto* command = std::get_if<Command>(&*item);
    if (command == nullptr) continue;
    const absl::StatusOr<uint64_t> value = command->Number("value", 0);
    absl::Status done = value.status();
    if (command->verb != "ring") done = absl::InvalidArgumentError("no such command");
    if (done.ok()) done = Ring(*session, *edu, options.exporter, static_cast<uint32_t>(*value));
    if (!done.ok()) ReportFailure(*command, done);
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace demo

int main(int argc, char** argv) {
  CLI::App app("Has a DMA engine ring the doorbell of an NVMe controller.");
  demo::RingerOptions options;
  demo::Describe(app, "devices/0000:00:10.0", options);
  app.add_option("--exporter", options.exporter, "The controller whose doorbell is rung")->capture_default_str();
  return demo::Run(app, argc, argv, [&](demo::Inbox& inbox) { return demo::Main(options, inbox); });
}
