#include "daemon/bus/polkit.h"

#include <errno.h>

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "daemon/base/errors.h"

namespace p2pd {
namespace {

constexpr char kAuthority[] = "org.freedesktop.PolicyKit1";
constexpr uint32_t kAllowUserInteraction = 1;  // CheckAuthorizationFlags
// Long enough to type a password.
constexpr uint64_t kAnswerMicroseconds = 120 * 1000 * 1000;

absl::Status Refused(const std::string& action, absl::string_view why, absl::string_view hint) {
  return MakeError(
      absl::StatusCode::kPermissionDenied,
      {.reason = Reason::kPolicy, .step = "CheckAuthorization", .object = action, .hint = std::string(hint)}, why);
}

}  // namespace

int AskPolkit(sd_bus_message* call, const std::string& action, sd_bus_message_handler_t on_answer, void* data,
              sd_bus_slot** slot) {
  sd_bus* const bus = sd_bus_message_get_bus(call);
  sd_bus_message* question = nullptr;
  int result = sd_bus_message_new_method_call(bus, &question, kAuthority, "/org/freedesktop/PolicyKit1/Authority",
                                              "org.freedesktop.PolicyKit1.Authority", "CheckAuthorization");
  if (result >= 0) {
    const bool may_ask = sd_bus_message_get_allow_interactive_authorization(call) > 0;
    // The subject, the action, no details, flags, no cancellation id. A bus name is never given to another connection.
    result = sd_bus_message_append(question, "(sa{sv})sa{ss}us", "system-bus-name", 1, "name", "s",
                                   sd_bus_message_get_sender(call), action.c_str(), 0,
                                   may_ask ? kAllowUserInteraction : 0, "");
  }
  if (result >= 0) result = sd_bus_call_async(bus, slot, question, on_answer, data, kAnswerMicroseconds);
  sd_bus_message_unref(question);
  return result;
}

absl::Status ReadPolkitAnswer(sd_bus_message* answer, const std::string& action) {
  if (const sd_bus_error* const error = sd_bus_message_get_error(answer); error != nullptr) {
    const bool is_absent = sd_bus_error_has_name(error, SD_BUS_ERROR_SERVICE_UNKNOWN) > 0 ||
                           sd_bus_error_has_name(error, SD_BUS_ERROR_NAME_HAS_NO_OWNER) > 0;
    if (is_absent) return absl::OkStatus();
    return Refused(action, absl::StrCat("polkit gives no answer: ", error->message == nullptr ? "" : error->message),
                   "is org.p2pd.Broker1.policy in /usr/share/polkit-1/actions?");
  }
  int is_authorized = 0;
  int is_challenge = 0;
  if (sd_bus_message_enter_container(answer, SD_BUS_TYPE_STRUCT, "bba{ss}") <= 0 ||
      sd_bus_message_read(answer, "bb", &is_authorized, &is_challenge) < 0) {
    return Refused(action, "polkit's answer cannot be read", "see journalctl -u polkit");
  }
  if (is_authorized != 0) return absl::OkStatus();
  if (is_challenge != 0) {
    return Refused(action, "polkit wants a password first",
                   "call interactively, as busctl does without --no-ask-password");
  }
  return Refused(action, "polkit refuses", "see /etc/polkit-1/rules.d");
}

}  // namespace p2pd
