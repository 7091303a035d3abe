// Feeds the policy reader with whatever comes: some inputs are text as it is, some are turned into policies whose
// parts are mostly well formed. What is accepted is judged for a set of requests,
// and each verdict is held against a second, naive reading of the same file, which works on the messages and
// shares no code with policy/. A request that no rule matches must be denied.
#include <fuzzer/FuzzedDataProvider.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "google/protobuf/text_format.h"
#include "policy/fake_user_database.h"
#include "policy/policy_file.h"
#include "proto/p2pd/v1/policy.pb.h"

namespace p2pd {
namespace {

// What a policy is made of: what is right, and what is not.
struct Words {
  std::vector<const char*> right;
  std::vector<const char*> wrong;
};
const Words kUsers = {{"alice", "bob", "0", "1000", "2001"}, {"zoe", "00", "4294967295"}};
const Words kGroups = {{"storage", "gpu", "44", "7"}, {"alice", ""}};
const Words kAddresses = {{"0000:01:00.0", "0000:02:00.0", "10000:ff:1f.7"}, {"0000:01:00.8", "01:00.0"}};
const Words kIds = {{"*:*", "8086:*", "*:0b25", "8086:0B25", "1234:11e8"}, {"8086:b25", "*"}};
const Words kNames = {{"a", "b", "c", "d"}, {"", "a\nb", "a"}};

// Turns an input's bytes into a policy file. Now and then it strays from what a policy may say.
class Maker {
 public:
  Maker(const uint8_t* data, size_t size) : bytes_(data, size) {}

  std::string Make() {
    v1::PolicyFile file;
    const int rules = bytes_.ConsumeIntegralInRange(0, 4);
    for (int i = 0; i < rules; ++i) MakeRule(i, file.add_rule());
    return file.DebugString();
  }

 private:
  bool Strays() { return bytes_.ConsumeIntegralInRange(0, 63) == 63; }
  int Some() { return bytes_.ConsumeIntegralInRange(0, 2); }

  const char* Pick(const Words& words) {
    const std::vector<const char*>& choices = Strays() ? words.wrong : words.right;
    return choices[bytes_.ConsumeIntegralInRange<size_t>(0, choices.size() - 1)];
  }

  void MakeRule(int index, v1::Rule* rule) {
    rule->set_name(Strays() ? Pick(kNames) : kNames.right[index % kNames.right.size()]);
    rule->set_effect(static_cast<v1::Rule::Effect>(Strays() ? 3 : bytes_.ConsumeIntegralInRange(1, 2)));
    const std::vector<std::vector<int>> alike = {{v1::MAP},
                                                 {v1::MAP_MEMORY},
                                                 {v1::EXPORT, v1::EXPORT_CONTROL, v1::RECEIVE_FD},
                                                 {v1::DRIVE},
                                                 {v1::OBSERVE, v1::RESET, v1::ADMIN}};
    const size_t kind = bytes_.ConsumeIntegralInRange<size_t>(0, alike.size() - 1);
    for (int action : alike[kind]) {
      if (action == alike[kind][0] || bytes_.ConsumeBool()) rule->add_action(static_cast<v1::Action>(action));
    }
    if (Strays()) rule->add_action(static_cast<v1::Action>(bytes_.ConsumeIntegralInRange(0, 10)));
    if (bytes_.ConsumeBool()) MakeSubject(rule->mutable_subject());
    if (bytes_.ConsumeBool() && (kind != 1 || Strays())) MakeDevice(kind == 0 || kind == 2, rule->mutable_exporter());
    if (bytes_.ConsumeBool() && (kind <= 1 || Strays())) MakeDevice(false, rule->mutable_importer());
    if ((kind == 3 && bytes_.ConsumeBool()) || Strays()) {
      rule->mutable_limits()->set_scrub(static_cast<v1::Limits::Scrub>(bytes_.ConsumeIntegralInRange(0, 2)));
    }
  }

  void MakeSubject(v1::Subject* subject) {
    if (!Strays()) subject->add_user(Pick(kUsers));
    for (int n = Some(); n > 0; --n) subject->add_user(Pick(kUsers));
    for (int n = Some(); n > 0; --n) subject->add_group(Pick(kGroups));
  }

  void MakeDevice(bool with_bars, v1::DeviceMatch* match) {
    if (!with_bars && !Strays()) match->add_bdf(Pick(kAddresses));
    for (int n = Some(); n > 0; --n) match->add_bdf(Pick(kAddresses));
    for (int n = Some(); n > 0; --n) match->add_vendor_device(Pick(kIds));
    for (int n = with_bars || Strays() ? Some() : 0; n > 0; --n) match->add_bar(Strays() ? 6 : 2 * Some());
  }

  FuzzedDataProvider bytes_;
};

// ---- The naive reading ----------------------------------------------------------------------------------------------

// The number of a name or number that the reader accepted.
uint32_t Number(const std::map<std::string, uint32_t>& names, const std::string& text) {
  const auto found = names.find(text);
  return found != names.end() ? found->second : static_cast<uint32_t>(strtoul(text.c_str(), nullptr, 10));
}

bool SubjectFits(const v1::Subject& match, const Subject& subject) {
  const FakeUserDatabase users;
  for (const std::string& user : match.user()) {
    if (Number(users.users, user) == subject.uid) return true;
  }
  for (const std::string& group : match.group()) {
    const uint32_t number = Number(users.groups, group);
    if (number == subject.gid) return true;
    for (uint32_t supplementary : subject.groups) {
      if (number == supplementary) return true;
    }
  }
  return false;
}

bool IdFits(const std::string& pattern, uint16_t id) {
  return pattern == "*" || strtoul(pattern.c_str(), nullptr, 16) == id;
}

bool DeviceFits(const v1::DeviceMatch& match, const std::optional<DeviceFacts>& device) {
  if (!device.has_value()) return false;
  for (const std::string& bdf : match.bdf()) {
    unsigned domain = 0, bus = 0, slot = 0, function = 0;
    sscanf(bdf.c_str(), "%x:%x:%x.%x", &domain, &bus, &slot, &function);
    const PciAddress& address = device->address;
    if (domain == address.domain && bus == address.bus && slot == address.device && function == address.function) {
      return true;
    }
  }
  for (const std::string& ids : match.vendor_device()) {
    const size_t colon = ids.find(':');
    if (IdFits(ids.substr(0, colon), device->vendor) && IdFits(ids.substr(colon + 1), device->device)) return true;
  }
  return match.bdf_size() + match.vendor_device_size() == 0;
}

bool RuleFits(const v1::Rule& rule, const PolicyRequest& request) {
  int action = static_cast<int>(request.action);
  if (action == v1::EXPORT && request.window.has_value() && request.window->control) action = v1::EXPORT_CONTROL;
  bool fits = false;
  for (int allowed : rule.action()) fits = fits || allowed == action;
  if (rule.has_subject()) fits = fits && SubjectFits(rule.subject(), request.subject);
  if (rule.has_exporter()) fits = fits && DeviceFits(rule.exporter(), request.exporter);
  if (rule.has_importer()) fits = fits && DeviceFits(rule.importer(), request.importer);
  if (rule.exporter().bar_size() > 0) {
    bool bar_fits = false;
    for (uint32_t bar : rule.exporter().bar()) {
      bar_fits = bar_fits || (request.window.has_value() && static_cast<int>(bar) == request.window->bar);
    }
    fits = fits && bar_fits;
  }
  return fits;
}

// The rule that decides, nullptr if none does.
const v1::Rule* Decider(const v1::PolicyFile& file, const PolicyRequest& request) {
  for (v1::Rule::Effect effect : {v1::Rule::DENY, v1::Rule::ALLOW}) {
    for (const v1::Rule& rule : file.rule()) {
      if (rule.effect() == effect && RuleFits(rule, request)) return &rule;
    }
  }
  return nullptr;
}

// ---- Requests and the comparison ------------------------------------------------------------------------------------

std::vector<PolicyRequest> Requests() {
  const DeviceFacts accelerator = {.address = {.domain = 0, .bus = 1, .device = 0, .function = 0},
                                   .vendor = 0x8086,
                                   .device = 0x0b25,
                                   .class_code = 0};
  const DeviceFacts edu = {.address = {.domain = 0x10000, .bus = 0xff, .device = 0x1f, .function = 7},
                           .vendor = 0x1234,
                           .device = 0x11e8,
                           .class_code = 0};
  const std::vector<Subject> subjects = {
      {.uid = 0, .gid = 0, .groups = {}, .unit = "", .label = ""},
      {.uid = 1000, .gid = 7, .groups = {30}, .unit = "", .label = ""},
      {.uid = 2001, .gid = 44, .groups = {}, .unit = "", .label = ""},
  };
  const std::vector<std::optional<DeviceFacts>> devices = {std::nullopt, accelerator, edu};
  const std::vector<std::optional<WindowFacts>> windows = {
      std::nullopt, WindowFacts{.bar = 0, .offset = 0, .length = 4096, .control = true},
      WindowFacts{.bar = 2, .offset = 0, .length = 4096, .control = false}};
  std::vector<PolicyRequest> requests;
  for (int action = 0; action <= v1::Action_MAX + 1; ++action) {
    for (const Subject& subject : subjects) {
      for (const auto& exporter : devices) {
        for (const auto& importer : devices) {
          for (const auto& window : windows) {
            requests.push_back({.subject = subject,
                                .action = static_cast<Action>(action),
                                .exporter = exporter,
                                .importer = importer,
                                .window = window});
          }
        }
      }
    }
  }
  return requests;
}

void Require(bool holds, const char* what, const Verdict& verdict) {
  if (holds) return;
  fprintf(stderr, "%s: allowed %d, rule \"%s\", reason \"%s\"\n", what, verdict.allowed, verdict.rule.c_str(),
          verdict.reason.c_str());
  abort();
}

void Compare(const v1::PolicyFile& file, const RuleChain& policy, const PolicyRequest& request) {
  const Verdict verdict = policy.Judge(request);
  const v1::Rule* decider = Decider(file, request);
  Require(!verdict.reason.empty(), "a verdict without a reason", verdict);
  if (decider == nullptr) {
    Require(!verdict.allowed, "no rule matches, yet it is allowed", verdict);
    Require(verdict.rule.empty() && verdict.origin.empty(), "no rule matches, yet one is named", verdict);
    Require(verdict.scrub == Scrub::kReset, "denied, yet with a looser scrub", verdict);
    return;
  }
  const bool allowed = decider->effect() == v1::Rule::ALLOW;
  const bool unscrubbed = allowed && decider->limits().scrub() == v1::Limits::NONE;
  Require(verdict.allowed == allowed, "the other verdict was expected", verdict);
  Require(verdict.rule == decider->name(), "another rule was expected", verdict);
  Require(verdict.scrub == (unscrubbed ? Scrub::kNone : Scrub::kReset), "another scrub was expected", verdict);
}

constexpr size_t kStride = 13;

void Run(const std::string& text) {
  const auto policy = ParsePolicy(text, "fuzz", FakeUserDatabase());
  if (!policy.ok()) {
    if (policy.status().message().empty()) abort();
    return;
  }
  v1::PolicyFile file;
  if (!google::protobuf::TextFormat::ParseFromString(text, &file)) abort();
  if (policy->rule_count() != file.rule_size()) abort();
  static const std::vector<PolicyRequest> requests = Requests();
  // A part of them each time, for speed; a prime stride meets every request in the course of a run.
  for (size_t i = text.size() % kStride; i < requests.size(); i += kStride) Compare(file, *policy, requests[i]);
}

}  // namespace
}  // namespace p2pd

// An input that begins with 'G' makes a policy; any other is one, so that policy files can be seeds as they are.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const bool makes = size > 0 && data[0] == 'G';
  p2pd::Run(makes ? p2pd::Maker(data + 1, size - 1).Make() : std::string(reinterpret_cast<const char*>(data), size));
  return 0;
}
