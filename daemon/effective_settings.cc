#include "daemon/effective_settings.h"

#include "daemon/base/errors.h"
#include "daemon/config/config_file.h"

namespace p2pd {
namespace {

struct LimitOfResource {
  Resource resource;
  LimitSetting LimitSettings::*setting;
};

constexpr LimitOfResource kLimits[] = {
    {Resource::kSessions, &LimitSettings::sessions},
    {Resource::kExports, &LimitSettings::exports},
    {Resource::kAddressSpaces, &LimitSettings::address_spaces},
    {Resource::kMappings, &LimitSettings::mappings},
    {Resource::kMappedBytes, &LimitSettings::mapped_bytes},
    {Resource::kMemories, &LimitSettings::memories},
    {Resource::kMemoryBytes, &LimitSettings::memory_bytes},
    {Resource::kWatchers, &LimitSettings::watchers},
};
static_assert(std::size(kLimits) == kNumResources);

LimitSettings Defaults() {
  LimitSettings settings;
  const QuotaLimits quota;
  for (const LimitOfResource& limit : kLimits) {
    const ResourceLimit& value = quota[limit.resource];
    settings.*limit.setting = {.per_user = value.per_user, .total = value.total};
  }
  const ConnectionLimits connections;
  settings.connections = {.per_user = connections.per_user, .total = connections.total};
  const UnreadFdLimits unread_fds;
  settings.unread_fds = {.per_user = unread_fds.per_user, .total = unread_fds.total};
  return settings;
}

}  // namespace

absl::StatusOr<Settings> EffectiveSettings(const Flags& flags) {
  Settings settings;
  if (flags.config.has_value() || flags.simulate.empty()) {
    P2PD_ASSIGN_OR_RETURN(settings, LoadConfig(flags.config.value_or(kDefaultConfigFile), !flags.config.has_value()));
  }
  Override(flags, settings);
  P2PD_RETURN_IF_ERROR(CompleteSettings(Defaults(), settings));
  return settings;
}

QuotaLimits QuotaLimitsOf(const Settings& settings) {
  QuotaLimits limits;
  for (const LimitOfResource& limit : kLimits) {
    const LimitSetting& setting = settings.limits.*limit.setting;
    limits[limit.resource] = {.per_user = *setting.per_user, .total = *setting.total};
  }
  return limits;
}

ConnectionLimits ConnectionLimitsOf(const Settings& settings) {
  const LimitSetting& setting = settings.limits.connections;  // an int holds them: see limit_fields.h
  return {.per_user = static_cast<int>(*setting.per_user), .total = static_cast<int>(*setting.total)};
}

UnreadFdLimits UnreadFdLimitsOf(const Settings& settings) {
  const LimitSetting& setting = settings.limits.unread_fds;
  return {.per_user = *setting.per_user, .total = *setting.total};
}

}  // namespace p2pd
