#include "daemon/core/testing/policy_world.h"

#include <fstream>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "policy/fake_user_database.h"
#include "policy/policy_file.h"

namespace p2pd {
namespace {

BrokerOptions Reading(std::shared_ptr<std::string> text) {
  BrokerOptions options;
  options.read_policy = [text]() -> absl::StatusOr<std::shared_ptr<const Policy>> {
    auto rules = ParsePolicy(*text, "policy", FakeUserDatabase());
    if (!rules.ok()) return rules.status();
    return std::make_shared<const RuleChain>(*std::move(rules));
  };
  return options;
}

}  // namespace

std::string AllowRule(const std::string& name, const std::string& actions, const std::string& more) {
  return absl::StrCat("rule { name: \"", name, "\" effect: ALLOW action: [", actions, "] ", more, " }\n");
}

PolicyWorld::PolicyWorld(std::shared_ptr<std::string> text) : text_(text), world(Reading(text)) {
  const auto loaded = Reload(*text);
  EXPECT_TRUE(loaded.ok()) << loaded.status();
}

std::optional<absl::StatusOr<ReloadView>> PolicyWorld::TryReload() {
  auto outcome = std::make_shared<std::optional<absl::StatusOr<ReloadView>>>();
  world.broker->Reload([outcome](absl::StatusOr<ReloadView> view) { *outcome = std::move(view); });
  world.scheduler.RunReady();
  return *outcome;
}

absl::StatusOr<ReloadView> PolicyWorld::Reload(const std::string& rules) {
  Write(rules);
  const auto outcome = TryReload();
  if (!outcome.has_value()) return absl::DeadlineExceededError("the reload has not returned");
  return *outcome;
}

void PolicyWorld::DistrustHostBridges() {
  const std::string host_bridge = world.sysfs() + "/bus/pci/devices/0000:00:00.0/";
  std::ofstream(host_bridge + "vendor") << "0x8086\n";
  std::ofstream(host_bridge + "device") << "0x29c0\n";  // a q35's
  world.broker->Rescan();
  world.scheduler.RunReady();
}

}  // namespace p2pd
