// What an administrator sets, as plain values with their defaults; limits have theirs in core, and are absent
// until CompleteSettings fills them in. Meaning and ranges: p2pd.conf(5).
#ifndef P2PD_DAEMON_CONFIG_SETTINGS_H_
#define P2PD_DAEMON_CONFIG_SETTINGS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "daemon/base/default_policy.h"
#include "daemon/base/pci_address.h"
#include "daemon/service/log.h"

namespace p2pd {

constexpr char kDefaultConfigFile[] = "/etc/p2pd/p2pd.conf";

struct LimitSetting {
  std::optional<uint64_t> per_user;
  std::optional<uint64_t> total;
  std::string origin;  // where the last of them was set, "file:line:column"
};

struct LimitSettings {
  LimitSetting connections;
  LimitSetting sessions;
  LimitSetting exports;
  LimitSetting address_spaces;
  LimitSetting mappings;
  LimitSetting mapped_bytes;
  LimitSetting memories;
  LimitSetting memory_bytes;
  LimitSetting unread_fds;
  LimitSetting watchers;
};

// Devices that are to share one iommufd, and where that was said.
struct MergedContextSetting {
  std::vector<PciAddress> devices;
  std::string origin;
};

// What a resizable BAR is to be before its device is bound, for deploy/bind-devices, and where that was said.
struct BarSizeSetting {
  PciAddress device;
  int bar = 0;
  std::string size;  // as ParseBarSize takes it
  std::string origin;
};

struct Settings {
  std::vector<PciAddress> managed;  // empty: every device bound to vfio-pci
  std::vector<MergedContextSetting> merged_contexts;
  std::vector<BarSizeSetting> bar_sizes;
  std::string fd_socket = "/run/p2pd/fds.sock";
  std::string grpc_socket = "/run/p2pd/p2pd.sock";
  std::string config_socket = "/run/p2pd/config.sock";  // p2pd-config's
  std::string policy = kDefaultPolicy;                  // a file or a folder: policy/policy_folder.h
  absl::Duration quiesce_deadline = absl::Seconds(2);
  absl::Duration hello_deadline = absl::Seconds(5);
  absl::Duration ready_deadline = absl::Minutes(1);
  LimitSettings limits;
  LogLevel log_level = LogLevel::kInfo;
};

// "500ms", "2s": a time from zero to ten minutes. Errors: InvalidArgument, what was expected.
absl::StatusOr<absl::Duration> ParseQuiesceDeadline(absl::string_view text);
// Likewise, longer than zero and up to a minute.
absl::StatusOr<absl::Duration> ParseHelloDeadline(absl::string_view text);
// Likewise, from a second to an hour; after a reset.
absl::StatusOr<absl::Duration> ParseReadyDeadline(absl::string_view text);

// "256MiB", "16GiB", "1TiB": in bytes, a power of two from 1 MiB to 128 TiB, as PCI has them. Errors: InvalidArgument,
// what was expected.
absl::StatusOr<uint64_t> ParseBarSize(absl::string_view text);

// To be called when every source of settings has had its say: fills in the limits that nobody set, and refuses
// what does not go together. (A default that is more than a total that was set shrinks to it.) Errors:
// InvalidArgument, with the place of what is wrong.
absl::Status CompleteSettings(const LimitSettings& defaults, Settings& settings);

}  // namespace p2pd

#endif  // P2PD_DAEMON_CONFIG_SETTINGS_H_
