#include "daemon/bus/bus_caller.h"

#include <sys/types.h>

#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "daemon/base/errors.h"

namespace p2pd {
namespace {

struct Credentials {
  std::optional<uint32_t> uid;
  std::optional<std::vector<uint32_t>> groups;
  uint32_t pid = 0;
  std::string label;
};

template <typename T>
int ReadOne(sd_bus_message* message, char type, T& value) {
  const char contents[] = {type, '\0'};
  int result = sd_bus_message_enter_container(message, SD_BUS_TYPE_VARIANT, contents);
  if (result >= 0) result = sd_bus_message_read_basic(message, type, &value);
  return result < 0 ? result : sd_bus_message_exit_container(message);
}

// Of numbers or bytes.
template <typename T>
int ReadArray(sd_bus_message* message, char type, std::vector<T>& values) {
  const char contents[] = {SD_BUS_TYPE_ARRAY, type, '\0'};
  const void* data = nullptr;
  size_t size = 0;
  int result = sd_bus_message_enter_container(message, SD_BUS_TYPE_VARIANT, contents);
  if (result >= 0) result = sd_bus_message_read_array(message, type, &data, &size);
  if (result < 0) return result;
  values.resize(size / sizeof(T));
  if (size > 0) std::memcpy(values.data(), data, size);
  return sd_bus_message_exit_container(message);
}

int ReadField(sd_bus_message* message, absl::string_view name, Credentials& credentials) {
  if (name == "UnixUserID") return ReadOne(message, SD_BUS_TYPE_UINT32, credentials.uid.emplace());
  if (name == "ProcessID") return ReadOne(message, SD_BUS_TYPE_UINT32, credentials.pid);
  if (name == "UnixGroupIDs") return ReadArray(message, SD_BUS_TYPE_UINT32, credentials.groups.emplace());
  if (name == "LinuxSecurityLabel") {
    std::vector<char> label;
    const int result = ReadArray(message, SD_BUS_TYPE_BYTE, label);
    credentials.label = std::string(label.begin(), label.end());
    credentials.label = credentials.label.substr(0, credentials.label.find('\0'));
    return result;
  }
  return sd_bus_message_skip(message, "v");
}

int ReadFields(sd_bus_message* message, Credentials& credentials) {
  int result = sd_bus_message_enter_container(message, SD_BUS_TYPE_ARRAY, "{sv}");
  while (result >= 0) {
    result = sd_bus_message_enter_container(message, SD_BUS_TYPE_DICT_ENTRY, "sv");
    if (result <= 0) return result;
    const char* name = nullptr;
    result = sd_bus_message_read_basic(message, SD_BUS_TYPE_STRING, &name);
    if (result >= 0) result = ReadField(message, name, credentials);
    if (result >= 0) result = sd_bus_message_exit_container(message);
  }
  return result;
}

struct Unref {
  void operator()(sd_bus_creds* creds) const { sd_bus_creds_unref(creds); }
};

absl::Status AddProcess(const Credentials& credentials, PeerIdentity& identity) {
  const absl::Status ended = absl::UnavailableError(absl::StrCat("process ", credentials.pid, " has ended"));
  sd_bus_creds* made = nullptr;
  const int result = sd_bus_creds_new_from_pid(&made, static_cast<pid_t>(credentials.pid),
                                               SD_BUS_CREDS_EUID | SD_BUS_CREDS_COMM | SD_BUS_CREDS_UNIT);
  const std::unique_ptr<sd_bus_creds, Unref> process(made);
  uid_t uid = 0;
  if (result < 0 || sd_bus_creds_get_euid(process.get(), &uid) < 0 || uid != *credentials.uid) return ended;
  identity.pid = static_cast<int32_t>(credentials.pid);
  const char* text = nullptr;
  if (sd_bus_creds_get_comm(process.get(), &text) >= 0) identity.comm = text;
  if (sd_bus_creds_get_unit(process.get(), &text) >= 0) identity.subject.unit = text;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<PeerIdentity> ReadCaller(sd_bus_message* message) {
  Credentials credentials;
  if (const int result = ReadFields(message, credentials); result < 0) {
    return ErrnoError("GetConnectionCredentials", "a D-Bus caller", -result);
  }
  if (!credentials.uid.has_value() || !credentials.groups.has_value() || credentials.groups->empty()) {
    return MakeError(absl::StatusCode::kPermissionDenied,
                     {.reason = Reason::kPolicy,
                      .step = "GetConnectionCredentials",
                      .object = "a D-Bus caller",
                      .hint = "use p2pctl, or a bus that tells UnixUserID and UnixGroupIDs"},
                     "the bus does not say who calls");
  }
  PeerIdentity identity;
  identity.subject.uid = *credentials.uid;
  // The bus does not say which of them is the first; to policy they are all the same.
  identity.subject.gid = credentials.groups->front();
  identity.subject.groups = *credentials.groups;
  identity.subject.label = credentials.label;
  if (credentials.pid != 0) P2PD_RETURN_IF_ERROR(AddProcess(credentials, identity));
  return identity;
}

}  // namespace p2pd
