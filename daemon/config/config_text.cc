#include "daemon/config/config_text.h"

#include "daemon/config/limit_fields.h"
#include "google/protobuf/text_format.h"
#include "proto/p2pd/v1/config.pb.h"

namespace p2pd {
namespace {

void SetLimit(const LimitField& field, const LimitSetting& setting, v1::Config::Limits& limits) {
  if (!setting.per_user.has_value() && !setting.total.has_value()) return;
  const auto* descriptor = v1::Config::Limits::descriptor()->FindFieldByName(field.name);
  auto& limit = static_cast<v1::Config::Limit&>(*limits.GetReflection()->MutableMessage(&limits, descriptor));
  if (setting.per_user.has_value()) limit.set_per_user(*setting.per_user);
  if (setting.total.has_value()) limit.set_total(*setting.total);
}

v1::Config ToConfig(const Settings& settings) {
  v1::Config config;
  for (const PciAddress& device : settings.managed) config.add_managed_devices(device.ToString());
  for (const MergedContextSetting& context : settings.merged_contexts) {
    v1::Config::MergedContext& merged = *config.add_merged_contexts();
    for (const PciAddress& device : context.devices) merged.add_devices(device.ToString());
  }
  for (const BarSizeSetting& setting : settings.bar_sizes) {
    v1::Config::BarSize& size = *config.add_bar_sizes();
    size.set_device(setting.device.ToString());
    size.set_bar(static_cast<uint32_t>(setting.bar));
    size.set_size(setting.size);
  }
  config.mutable_sockets()->set_fd(settings.fd_socket);
  config.mutable_sockets()->set_grpc(settings.grpc_socket);
  config.mutable_sockets()->set_config(settings.config_socket);
  config.set_policy(settings.policy);
  config.mutable_deadlines()->set_quiesce(absl::FormatDuration(settings.quiesce_deadline));
  config.mutable_deadlines()->set_hello(absl::FormatDuration(settings.hello_deadline));
  config.mutable_deadlines()->set_ready(absl::FormatDuration(settings.ready_deadline));
  for (const LimitField& field : kLimitFields) {
    SetLimit(field, settings.limits.*field.setting, *config.mutable_limits());
  }
  config.set_log_level(std::string(LogLevelName(settings.log_level)));
  return config;
}

}  // namespace

std::string ConfigText(const Settings& settings) {
  std::string text;
  google::protobuf::TextFormat::PrintToString(ToConfig(settings), &text);
  return text;
}

}  // namespace p2pd
