// What a decision costs with 10, 1,000 and 10,000 rules about 1,000 devices, beside the naive evaluator and beside the
// way there and back with nothing done: Ping. Half of the requests are allowed; a refusal includes its explanation.
// Last, as many different patterns.
#include <algorithm>
#include <deque>
#include <random>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "daemon/base/errors.h"
#include "policy/fake_user_database.h"
#include "policy/policy_file.h"
#include "policy/testing/naive_policy.h"
#include "tests/bench/rounds.h"
#include "tests/bench/scene.h"

namespace p2pd::bench {
namespace {

constexpr int kDevices = 1000;
constexpr int kUsers = 200;
constexpr int kFileRules = 1000;  // a file has at most a megabyte
constexpr int kNaiveShare = 100;  // it takes milliseconds

DeviceFacts DeviceOf(int index) {
  return {.address = {.bus = static_cast<uint8_t>(index / 32 % 256), .device = static_cast<uint8_t>(index % 32)},
          .vendor = static_cast<uint16_t>(0x8086 + index % 4),
          .device = static_cast<uint16_t>(0x1000 + index % 16),
          .class_code = index % 2 == 0 ? 0x010802 : 0x020000,
          .numa_node = index % 4,
          .ats = false};
}

// As administrators write them: one device for one user; a vendor's for a group; a few denials.
v1::Rule RuleOf(int index) {
  v1::Rule rule;
  rule.set_name(absl::StrCat("rule ", index));
  rule.set_effect(index % 20 == 19 ? v1::Rule::DENY : v1::Rule::ALLOW);
  rule.add_action(index % 3 == 0 ? v1::MAP : v1::EXPORT);
  if (index % 10 == 7) {
    rule.mutable_subject()->add_group(absl::StrCat(100 + index % kUsers));
  } else {
    rule.mutable_subject()->add_user(absl::StrCat(1000 + index % kUsers));
  }
  rule.mutable_exporter()->add_bdf(DeviceOf(index % kDevices).address.ToString());
  rule.mutable_exporter()->add_bar(2);
  if (index % 3 != 0) return rule;
  if (index % 2 == 0) {
    rule.mutable_importer()->add_vendor_device(absl::StrFormat("%04x:*", 0x8086 + index % 4));
  } else {
    rule.mutable_importer()->add_class_("02*");
  }
  rule.mutable_when()->set_path(v1::Conditions::SAME_HOST_BRIDGE);
  return rule;
}

v1::Rule PatternRuleOf(int index) {
  v1::Rule rule = RuleOf(index);
  rule.mutable_subject()->Clear();
  rule.mutable_subject()->add_unit(absl::StrFormat("worker-%d*", index));
  return rule;
}

// Of a rule, so that it may be allowed, or of anybody for anything.
PolicyRequest RequestOf(int rules, std::mt19937& random) {
  const auto choose = [&random](int below) { return static_cast<int>(random() % static_cast<unsigned>(below)); };
  const int rule = choose(rules);
  const bool random_device = choose(2) == 0;
  PolicyRequest request;
  request.subject.uid = 1000 + rule % kUsers;
  request.subject.gid = 100 + rule % kUsers;
  request.subject.unit = absl::StrFormat("worker-%d.service", rule);
  request.action = rule % 3 == 0 ? Action::kMap : Action::kExport;
  request.exporter = DeviceOf(random_device ? choose(kDevices) : rule % kDevices);
  request.window = WindowFacts{.bar = 2, .offset = 0, .length = 4096, .control = false};
  if (request.action == Action::kMap) {
    request.importer = DeviceOf(choose(kDevices));
    request.path = PathFacts{.relation = PathRelation::kSwitch, .supported = true};
  }
  return request;
}

struct Judges {
  RuleChain policy;
  NaivePolicy naive;
};

absl::StatusOr<Judges> MakeJudges(int rules, v1::Rule (*rule_of)(int)) {
  P2PD_ASSIGN_OR_RETURN(const Folder folder, Folder::Create());
  std::vector<v1::PolicyFile> files;
  std::vector<std::string> paths;
  for (int i = 0; i < rules; ++i) {
    if (i % kFileRules == 0) files.emplace_back();
    *files.back().add_rule() = rule_of(i);
  }
  for (const v1::PolicyFile& file : files) {
    const std::string name = absl::StrFormat("%02d.textproto", paths.size());
    P2PD_RETURN_IF_ERROR(folder.Write(name, file.DebugString()));
    paths.push_back(folder.At(name));
  }
  P2PD_ASSIGN_OR_RETURN(RuleChain policy, LoadPolicyFiles(paths, FakeUserDatabase()));
  return Judges{.policy = std::move(policy), .naive = NaivePolicy(std::move(files))};
}

struct Decisions {
  std::string what;
  Aim aim;
  int rules;
  Judges judges;
  Samples& took;
  Samples& naive_took;
  std::mt19937 random;

  absl::Status Judge() {
    const PolicyRequest request = RequestOf(rules, random);
    return took.Time([&]() -> absl::StatusOr<Verdict> { return judges.policy.Judge(request); }).status();
  }
  absl::Status JudgeNaively() {
    const PolicyRequest request = RequestOf(rules, random);
    return naive_took.Time([&]() -> absl::StatusOr<const v1::Rule*> { return judges.naive.Decide(request); }).status();
  }
};

}  // namespace

absl::Status BenchPolicy(const Setup& setup, Figures& figures) {
  P2PD_ASSIGN_OR_RETURN(const Daemon daemon, Daemon::Simulated(setup.p2pd, 1));
  P2PD_ASSIGN_OR_RETURN(const auto client, BenchClient::Connect(daemon.sockets()));
  Rounds rounds;
  Samples& ping = rounds.NewSamples();
  rounds.Add(setup.calls, [&] { return ping.Time([&] { return client->Ping(); }); });
  std::deque<Decisions> all;
  const auto add = [&](const std::string& what, int rules, v1::Rule (*rule_of)(int), Aim aim) -> absl::Status {
    P2PD_ASSIGN_OR_RETURN(Judges judges, MakeJudges(rules, rule_of));
    Decisions& decisions =
        all.emplace_back(Decisions{absl::StrCat("policy, ", rules, what), aim, rules, std::move(judges),
                                   rounds.NewSamples(), rounds.NewSamples(), std::mt19937(1)});
    rounds.Add(setup.calls, [&decisions] { return decisions.Judge(); });
    rounds.Add(std::max(setup.calls / kNaiveShare, 1), [&decisions] { return decisions.JudgeNaively(); });
    return absl::OkStatus();
  };
  for (int rules : {10, 1000, 10000}) P2PD_RETURN_IF_ERROR(add(" rules", rules, RuleOf, RatioAtMost(0.25)));
  for (int rules : {1000, 10000}) P2PD_RETURN_IF_ERROR(add(" patterns", rules, PatternRuleOf, {}));
  P2PD_RETURN_IF_ERROR(rounds.Run(setup.rounds));
  for (const Decisions& decisions : all) {
    figures.push_back(MakeTime(decisions.what, decisions.took,
                               Floor{.name = "naive evaluator", .value = decisions.naive_took.Percentile(50)}));
    figures.push_back(MakeFigure(absl::StrCat(decisions.what, ", 99th percentile"), decisions.took.Percentile(99), "us",
                                 Floor{.name = "Ping", .value = ping.Percentile(50)}, decisions.aim));
  }
  return absl::OkStatus();
}

}  // namespace p2pd::bench
