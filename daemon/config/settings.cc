#include "daemon/config/settings.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "daemon/base/errors.h"
#include "daemon/config/limit_fields.h"

namespace p2pd {
namespace {

constexpr absl::Duration kMaxQuiesceDeadline = absl::Minutes(10);
constexpr absl::Duration kMaxHelloDeadline = absl::Minutes(1);
constexpr absl::Duration kMinReadyDeadline = absl::Seconds(1);
constexpr absl::Duration kMaxReadyDeadline = absl::Hours(1);
constexpr uint64_t kMinBarSize = uint64_t{1} << 20;
constexpr uint64_t kMaxBarSize = uint64_t{1} << 47;

absl::Status Refuse(const std::string& origin, absl::string_view what) {
  return MakeError(absl::StatusCode::kInvalidArgument,
                   {.reason = Reason::kInvalidArgument, .step = "", .object = origin, .error = 0, .hint = ""}, what);
}

absl::Status Complete(absl::string_view name, const LimitSetting& defaults, LimitSetting& limit) {
  limit.total = limit.total.value_or(*defaults.total);
  limit.per_user = limit.per_user.value_or(std::min(*defaults.per_user, *limit.total));
  if (*limit.per_user <= *limit.total) return absl::OkStatus();
  return Refuse(limit.origin, absl::StrCat("limits.", name, ": per_user is ", *limit.per_user,
                                           ", expected at most the total, ", *limit.total));
}

// Only what is named is bound by p2pd-bind.service, and so resized.
absl::Status CheckBarSizes(const Settings& settings) {
  for (const BarSizeSetting& size : settings.bar_sizes) {
    const auto& managed = settings.managed;
    if (std::find(managed.begin(), managed.end(), size.device) != managed.end()) continue;
    return Refuse(size.origin, absl::StrCat("bar_sizes: p2pd does not manage ", size.device.ToString(),
                                            " by name, expected one of managed_devices or --manage"));
  }
  return absl::OkStatus();
}

absl::Status CheckManaged(const Settings& settings) {
  const std::vector<PciAddress>& managed = settings.managed;
  if (managed.empty()) return absl::OkStatus();
  for (const MergedContextSetting& context : settings.merged_contexts) {
    for (const PciAddress& device : context.devices) {
      if (std::find(managed.begin(), managed.end(), device) != managed.end()) continue;
      return Refuse(context.origin, absl::StrCat("merged_contexts: p2pd does not manage ", device.ToString(),
                                                 ", expected devices of managed_devices or --manage"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<absl::Duration> ParseQuiesceDeadline(absl::string_view text) {
  absl::Duration deadline;
  const bool parsed = absl::ParseDuration(text, &deadline);
  if (parsed && deadline >= absl::ZeroDuration() && deadline <= kMaxQuiesceDeadline) return deadline;
  return absl::InvalidArgumentError(
      absl::StrCat("\"", text, "\" is no deadline, expected a time from 0 to 10 minutes, as in \"500ms\" or \"2s\""));
}

absl::StatusOr<absl::Duration> ParseHelloDeadline(absl::string_view text) {
  absl::Duration deadline;
  const bool parsed = absl::ParseDuration(text, &deadline);
  if (parsed && deadline > absl::ZeroDuration() && deadline <= kMaxHelloDeadline) return deadline;
  return absl::InvalidArgumentError(absl::StrCat(
      "\"", text, "\" is no deadline, expected a time of more than 0 and up to a minute, as in \"500ms\" or \"5s\""));
}

absl::StatusOr<absl::Duration> ParseReadyDeadline(absl::string_view text) {
  absl::Duration deadline;
  const bool parsed = absl::ParseDuration(text, &deadline);
  if (parsed && deadline >= kMinReadyDeadline && deadline <= kMaxReadyDeadline) return deadline;
  return absl::InvalidArgumentError(
      absl::StrCat("\"", text, "\" is no deadline, expected a time from a second to an hour, as in \"30s\" or \"5m\""));
}

absl::StatusOr<uint64_t> ParseBarSize(absl::string_view text) {
  const std::pair<absl::string_view, int> units[] = {{"MiB", 20}, {"GiB", 30}, {"TiB", 40}};
  for (const auto& [unit, shift] : units) {
    absl::string_view number = text;
    uint32_t count = 0;
    if (!absl::ConsumeSuffix(&number, unit) || !absl::SimpleAtoi(number, &count)) continue;
    const bool plain = std::all_of(number.begin(), number.end(), [](char c) { return c >= '0' && c <= '9'; });
    const uint64_t size = uint64_t{count} << shift;
    if (plain && (size & (size - 1)) == 0 && size >= kMinBarSize && size <= kMaxBarSize) return size;
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "\"", text, "\" is no BAR's size, expected a power of two from 1MiB to 128TiB, as in \"256MiB\" or \"16GiB\""));
}

absl::Status CompleteSettings(const LimitSettings& defaults, Settings& settings) {
  for (const LimitField& field : kLimitFields) {
    P2PD_RETURN_IF_ERROR(Complete(field.name, defaults.*field.setting, settings.limits.*field.setting));
  }
  P2PD_RETURN_IF_ERROR(CheckBarSizes(settings));
  return CheckManaged(settings);
}

}  // namespace p2pd
