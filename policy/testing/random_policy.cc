#include "policy/testing/random_policy.h"

#include <string>
#include <vector>

namespace p2pd {
namespace {

const std::vector<const char*> kUsers = {"alice", "bob", "0", "1000", "2001"};
const std::vector<const char*> kGroups = {"storage", "gpu", "44", "7"};
const std::vector<const char*> kUnits = {"spdk.service", "spdk*", "*.scope", "*", "user@?000.service"};
const std::vector<const char*> kLabels = {"*:spdk_t:*", "u:r:spdk_t:s0", "?:*"};
const std::vector<const char*> kAddresses = {"0000:01:00.0", "0000:02:00.0", "10000:ff:1f.7",
                                             "0000:0?:00.0", "*.7",          "0000:01:*"};
const std::vector<const char*> kIds = {"*:*", "8086:*", "*:0b25", "8086:0B25", "1234:11e8"};
const std::vector<const char*> kClasses = {"0108*", "010802", "02????", "*"};
const std::vector<const char*> kSets = {"set 0", "set 1"};
const std::vector<const char*> kContexts = {"0000:01:00.0", "0000:02:*", "*"};
constexpr uint64_t kPage = 4096;

class Maker {
 public:
  explicit Maker(const Choose& choose) : choose_(choose) {}

  v1::Rule MakeRule(const std::string& name) {
    v1::Rule rule;
    rule.set_name(name);
    rule.set_effect(Rarely() ? v1::Rule::DENY : v1::Rule::ALLOW);
    const std::vector<std::vector<v1::Action>> alike = {
        {v1::MAP},   {v1::MAP_MEMORY}, {v1::EXPORT, v1::RECEIVE_FD}, {v1::EXPORT_CONTROL, v1::RECEIVE_FD},
        {v1::DRIVE}, {v1::RESET},      {v1::OBSERVE, v1::ADMIN}};
    const std::vector<v1::Action>& actions = alike[choose_(static_cast<int>(alike.size()))];
    for (v1::Action action : actions) rule.add_action(action);
    const v1::Action action = actions[0];
    const bool window = action == v1::MAP || action == v1::EXPORT || action == v1::EXPORT_CONTROL;
    const bool importer = action == v1::MAP || action == v1::MAP_MEMORY;
    if (Often()) MakeSubject(rule.effect() == v1::Rule::ALLOW, rule.mutable_subject());
    if (Often() && action != v1::MAP_MEMORY) MakeExporter(window, action, rule.mutable_exporter());
    if (Often() && importer) MakeDevice(true, rule.mutable_importer());
    MakeConditions(action, window, importer, rule);
    if (rule.effect() == v1::Rule::ALLOW && Often()) MakeLimits(action, rule.mutable_limits());
    if (rule.effect() == v1::Rule::ALLOW && action == v1::MAP) rule.set_unsupported_path(Rarely());
    return rule;
  }

  v1::DeviceSet MakeSet(const char* name) {
    v1::DeviceSet set;
    set.set_name(name);
    for (int n = 1 + choose_(2); n > 0; --n) MakeDevice(false, set.add_device());
    return set;
  }

  std::optional<DeviceFacts> SomeDevice() {
    if (Rarely()) return std::nullopt;
    const DeviceFacts devices[] = {{.address = {.bus = 1}, .vendor = 0x8086, .device = 0x0b25},
                                   {.address = {.bus = 2}, .vendor = 0x8086, .device = 0x0b26},
                                   {.address = {.domain = 0x10000, .bus = 0xff, .device = 0x1f, .function = 7},
                                    .vendor = 0x1234,
                                    .device = 0x11e8}};
    DeviceFacts device = devices[choose_(3)];
    const uint32_t classes[] = {0x010802, 0x020000, 0x120000};
    if (!Rarely()) device.class_code = classes[choose_(3)];
    if (!Rarely()) device.numa_node = choose_(2);
    if (!Rarely()) device.ats = choose_(2) == 1;
    return device;
  }

  PolicyRequest MakeRequest() {
    PolicyRequest request;
    const uint32_t users[] = {0, 1000, 1001, 2001, 4000};
    const uint32_t groups[] = {0, 7, 30, 44};
    request.subject.uid = users[choose_(5)];
    request.subject.gid = groups[choose_(4)];
    for (int n = choose_(3); n > 0; --n) request.subject.groups.push_back(groups[choose_(4)]);
    const char* units[] = {"", "spdk.service", "user@1000.service", "session-1.scope"};
    request.subject.unit = units[choose_(4)];
    if (!Rarely()) request.subject.user_unit = units[choose_(4)];
    const char* labels[] = {"", "u:r:spdk_t:s0", "u:r:cron_t:s0"};
    request.subject.label = labels[choose_(3)];
    request.action = static_cast<Action>(Rarely() ? choose_(12) : 1 + choose_(kLastAction));
    request.exporter = SomeDevice();
    request.importer = SomeDevice();
    if (!Rarely()) {
      request.window = WindowFacts{.bar = choose_(6) / 2,
                                   .offset = choose_(4) * kPage,
                                   .length = (1 + choose_(3)) * kPage,
                                   .control = choose_(3) == 0};
    }
    if (!Rarely()) request.access = static_cast<AskedAccess>(1 + choose_(3));
    if (Often()) {
      request.path = PathFacts{.relation = static_cast<PathRelation>(choose_(5)), .supported = !Rarely()};
      if (Rarely()) request.path->relation.reset();
    }
    if (!Rarely()) request.offered = choose_(2) == 1;
    const char* contexts[] = {"0000:01:00.0", "0000:02:00.0", "10000:ff:1f.7"};
    if (!Rarely()) request.context = contexts[choose_(3)];
    return request;
  }

 private:
  bool Rarely() { return choose_(8) == 7; }
  bool Often() { return choose_(4) > 0; }
  const char* Pick(const std::vector<const char*>& words) { return words[choose_(static_cast<int>(words.size()))]; }

  void MakeSubject(bool allow, v1::Subject* subject) {
    if (Often()) subject->add_user(Pick(kUsers));
    for (int n = choose_(3); n > 0; --n) subject->add_user(Pick(kUsers));
    for (int n = choose_(2); n > 0; --n) subject->add_group(Pick(kGroups));
    if (Rarely()) subject->add_unit(Pick(kUnits));
    if (Rarely()) subject->add_unit(Pick(kUnits));
    if (Rarely()) subject->add_label(Pick(kLabels));
    const bool people = subject->user_size() + subject->group_size() > 0;
    if (Rarely() && (people || !allow)) subject->add_user_unit(Pick(kUnits));
    if (!people && subject->unit().empty() && subject->label().empty()) subject->add_user(Pick(kUsers));
  }

  void MakeDevice(bool with_sets, v1::DeviceMatch* match) {
    for (int n = choose_(3); n > 0; --n) match->add_bdf(Pick(kAddresses));
    if (Rarely()) match->add_vendor_device(Pick(kIds));
    if (Rarely()) match->add_class_(Pick(kClasses));
    if (with_sets && Rarely()) match->add_set(Pick(kSets));
    if (Rarely()) match->add_numa_node(choose_(2));
    if (match->ByteSizeLong() == 0) match->add_vendor_device(Pick(kIds));
  }

  void MakeExporter(bool window, v1::Action action, v1::DeviceMatch* match) {
    MakeDevice(true, match);
    if (!window) return;
    if (Rarely()) match->add_bar(choose_(3));
    for (int n = Rarely() ? 2 : 0; n > 0; --n) {
      v1::WindowRange* range = match->add_window();
      range->set_offset(choose_(4) * kPage);
      range->set_length((1 + choose_(4)) * kPage);
    }
    if (!Rarely()) return;
    if (action == v1::EXPORT) return match->set_kind(v1::DeviceMatch::MEMORY);
    if (action == v1::EXPORT_CONTROL) return match->set_kind(v1::DeviceMatch::CONTROL);
    match->set_kind(static_cast<v1::DeviceMatch::Kind>(1 + choose_(2)));
  }

  void MakeConditions(v1::Action action, bool window, bool importer, v1::Rule& rule) {
    if (importer && Rarely()) rule.mutable_when()->set_access(static_cast<v1::Conditions::Access>(1 + choose_(3)));
    if (action == v1::MAP && Rarely()) rule.mutable_when()->set_path(static_cast<v1::Conditions::Path>(1 + choose_(4)));
    if (importer && Rarely()) rule.mutable_when()->set_ats(choose_(2) == 1);
    if (window && Rarely()) rule.mutable_when()->set_offered(choose_(2) == 1);
    if (action != v1::OBSERVE && Rarely()) rule.mutable_when()->add_context(Pick(kContexts));
  }

  void MakeLimits(v1::Action action, v1::Limits* limits) {
    if (action == v1::RESET || action == v1::OBSERVE) return;
    if (action == v1::DRIVE) limits->set_scrub(static_cast<v1::Limits::Scrub>(choose_(4)));
    if (action == v1::DRIVE && Rarely()) limits->set_kill_holder(true);
    if (Rarely()) limits->set_max_count(1 + choose_(9));
    if (action != v1::DRIVE && Rarely()) limits->set_max_bytes(1 + choose_(9));
    if (Rarely()) limits->set_time_to_live_seconds(1 + choose_(9));
    if (Rarely()) limits->set_quiesce_deadline_ms(1 + choose_(9));
    if ((action == v1::EXPORT || action == v1::EXPORT_CONTROL) && Rarely()) limits->set_shared(true);
  }

  const Choose& choose_;
};

}  // namespace

v1::PolicyFile RandomPolicy(const Choose& choose, int rules, const std::string& name, bool with_sets) {
  Maker maker(choose);
  v1::PolicyFile file;
  if (with_sets) {
    for (const char* set : kSets) *file.add_device_set() = maker.MakeSet(set);
  }
  for (int i = 0; i < rules; ++i) *file.add_rule() = maker.MakeRule(name + std::to_string(i));
  return file;
}

PolicyRequest RandomRequest(const Choose& choose) { return Maker(choose).MakeRequest(); }

}  // namespace p2pd
