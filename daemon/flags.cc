#include "daemon/flags.h"

#include <iostream>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"

namespace p2pd {
namespace {

constexpr int kUsageError = 2;

// CLI11 reads text; these are the texts that mean something else.
struct Texts {
  std::vector<std::string> manage;
  std::optional<std::string> quiesce_deadline;
  std::optional<std::string> log_level;
};

absl::Status Read(const Texts& texts, Flags& flags) {
  for (const std::string& text : texts.manage) {
    P2PD_ASSIGN_OR_RETURN(const PciAddress address, PciAddress::Parse(text));
    flags.manage.push_back(address);
  }
  if (texts.quiesce_deadline.has_value()) {
    const auto deadline = ParseQuiesceDeadline(*texts.quiesce_deadline);
    if (!deadline.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("--quiesce-deadline: ", deadline.status().message()));
    }
    flags.quiesce_deadline = *deadline;
  }
  if (texts.log_level.has_value()) {
    P2PD_ASSIGN_OR_RETURN(flags.log_level, ParseLogLevel(*texts.log_level));
  }
  return absl::OkStatus();
}

void Describe(CLI::App& app, Flags& flags, Texts& texts) {
  app.add_option("--config", flags.config, "The configuration; FILE.d/*.conf is read after it")
      ->type_name("FILE")
      ->default_str(kDefaultConfigFile);
  app.add_flag("--check-config", flags.check_config,
               "Read the configuration and the policy, show what is wrong or what would be in force, and stop");
  app.add_option("--simulate", flags.simulate, "Serve the simulated machine of this file; touches no hardware")
      ->type_name("FILE");
  app.add_option("--sysfs-root", flags.sysfs_root)->group("");
  const std::string instead = "Instead of what the configuration says";
  app.add_option("--fd-socket", flags.fd_socket, "Where clients get their session and their fds")
      ->type_name("PATH")
      ->group(instead);
  app.add_option("--grpc-socket", flags.grpc_socket, "Where clients make their requests")
      ->type_name("PATH")
      ->group(instead);
  app.add_option("--config-socket", flags.config_socket, "Where p2pd-config reads what p2pd may not")
      ->type_name("PATH")
      ->group(instead);
  app.add_option("--policy", flags.policy, "Who may do what, a file or a folder; without a rule nothing is allowed")
      ->type_name("PATH")
      ->group(instead);
  app.add_option("--manage", texts.manage, "Only these devices")->type_name("BDF,...")->delimiter(',')->group(instead);
  app.add_option("--quiesce-deadline", texts.quiesce_deadline, "How long users of a window get to stop their DMA")
      ->type_name("TIME")
      ->group(instead);
  app.add_option("--log-level", texts.log_level, "error, warning, notice, info or debug")
      ->type_name("LEVEL")
      ->group(instead);
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
      "(stream). See p2pd(8) for what is guaranteed, p2pd.conf(5) for the configuration.");
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

void Override(const Flags& flags, Settings& settings) {
  settings.fd_socket = flags.fd_socket.value_or(settings.fd_socket);
  settings.grpc_socket = flags.grpc_socket.value_or(settings.grpc_socket);
  settings.config_socket = flags.config_socket.value_or(settings.config_socket);
  settings.policy = flags.policy.value_or(settings.policy);
  if (!flags.manage.empty()) settings.managed = flags.manage;
  settings.quiesce_deadline = flags.quiesce_deadline.value_or(settings.quiesce_deadline);
  settings.log_level = flags.log_level.value_or(settings.log_level);
}

}  // namespace p2pd
