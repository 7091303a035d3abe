#include "daemon/flags.h"

#include <iostream>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "daemon/base/errors.h"

namespace p2pd {
namespace {

constexpr int kUsageError = 2;

// CLI11 reads text; these are the texts that mean something else.
struct Texts {
  std::vector<std::string> manage;
  std::string quiesce_deadline = "2s";
  std::string log_level = "info";
};

absl::StatusOr<absl::Duration> ParseDeadline(const std::string& text) {
  absl::Duration deadline;
  if (absl::ParseDuration(text, &deadline) && deadline >= absl::ZeroDuration() && deadline <= absl::Minutes(10)) {
    return deadline;
  }
  return MakeError(absl::StatusCode::kInvalidArgument,
                   {.reason = Reason::kInvalidArgument,
                    .step = "--quiesce-deadline",
                    .object = text,
                    .hint = "say \"500ms\", \"2s\""},
                   "is no time between 0 and 10 minutes");
}

absl::Status Read(const Texts& texts, Flags& flags) {
  for (const std::string& text : texts.manage) {
    P2PD_ASSIGN_OR_RETURN(const PciAddress address, PciAddress::Parse(text));
    flags.manage.push_back(address);
  }
  P2PD_ASSIGN_OR_RETURN(flags.quiesce_deadline, ParseDeadline(texts.quiesce_deadline));
  P2PD_ASSIGN_OR_RETURN(flags.log_level, ParseLogLevel(texts.log_level));
  return absl::OkStatus();
}

void Describe(CLI::App& app, Flags& flags, Texts& texts) {
  app.add_option("--fd-socket", flags.fd_socket, "Where clients get their session and their fds")
      ->type_name("PATH")
      ->capture_default_str();
  app.add_option("--grpc-socket", flags.grpc_socket, "Where clients make their requests")
      ->type_name("PATH")
      ->capture_default_str();
  app.add_option("--policy", flags.policy, "Who may do what; without a rule nothing is allowed")
      ->type_name("FILE")
      ->capture_default_str();
  app.add_option("--manage", texts.manage, "Only these devices (default: every device bound to vfio-pci)")
      ->type_name("BDF,...")
      ->delimiter(',');
  app.add_option("--quiesce-deadline", texts.quiesce_deadline, "How long users of a window get to stop their DMA")
      ->type_name("TIME")
      ->capture_default_str();
  app.add_option("--simulate", flags.simulate, "Serve the simulated machine of this file; touches no hardware")
      ->type_name("FILE");
  app.add_option("--log-level", texts.log_level, "error, warning, notice, info or debug")
      ->type_name("LEVEL")
      ->capture_default_str();
  app.add_option("--sysfs-root", flags.sysfs_root)->group("");
}

}  // namespace

std::variant<Flags, int> ParseFlags(int argc, const char* const* argv, const std::string& version) {
  Flags flags;
  Texts texts;
  CLI::App app("Brokers peer-to-peer DMA between PCI devices: windows of BARs, mapped for other devices.", "p2pd");
  app.set_version_flag("--version", "p2pd " + version);
  Describe(app, flags, texts);
  app.footer(
      "The sockets may also come from a socket unit, named \"fds\" (sequential packets) and \"grpc\"\n"
      "(stream). See p2pd(8) for what is guaranteed.");
  try {  // CLI11 speaks in exceptions; they end here.
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : kUsageError;
  }
  if (const absl::Status status = Read(texts, flags); !status.ok()) {
    std::cerr << "p2pd: " << status.message() << "\n";
    return kUsageError;
  }
  return flags;
}

}  // namespace p2pd
