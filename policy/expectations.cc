#include "policy/expectations.h"

#include <map>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "daemon/base/errors.h"
#include "daemon/textproto/text_parser.h"
#include "daemon/textproto/trusted_file.h"
#include "policy/expectation_reader.h"
#include "policy/explanation.h"
#include "policy/limits_reader.h"
#include "policy/policy_file.h"
#include "policy/policy_folder.h"

namespace p2pd {
namespace {

using Tree = google::protobuf::TextFormat::ParseInfoTree;

constexpr char kSuffix[] = ".expect";

// The users that the expectations bring along, before those of the machine.
class BroughtUsers final : public UserDatabase {
 public:
  BroughtUsers(const v1::PolicyTest& test, const UserDatabase& others) : others_(others) {
    for (const v1::PolicyTest::Identity& identity : test.identity()) {
      if (!identity.user().empty()) users_[identity.user()] = identity.id();
      if (!identity.group().empty()) groups_[identity.group()] = identity.id();
    }
  }
  absl::StatusOr<std::optional<uint32_t>> FindUser(const std::string& name) const override {
    const auto found = users_.find(name);
    return found != users_.end() ? std::optional(found->second) : others_.FindUser(name);
  }
  absl::StatusOr<std::optional<uint32_t>> FindGroup(const std::string& name) const override {
    const auto found = groups_.find(name);
    return found != groups_.end() ? std::optional(found->second) : others_.FindGroup(name);
  }

 private:
  const UserDatabase& others_;
  std::map<std::string, uint32_t> users_;
  std::map<std::string, uint32_t> groups_;
};

absl::StatusOr<std::vector<std::string>> PolicyFilesOf(const std::string& path, const v1::PolicyTest& test) {
  if (test.policy().empty()) {
    return std::vector<std::string>{absl::StrCat(absl::StripSuffix(path, kSuffix), ".textproto")};
  }
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "" : path.substr(0, slash + 1);
  std::vector<std::string> files;
  for (const std::string& policy : test.policy()) {
    P2PD_ASSIGN_OR_RETURN(const std::vector<std::string> some,
                          ListPolicyFiles(absl::StartsWith(policy, "/") ? policy : folder + policy));
    files.insert(files.end(), some.begin(), some.end());
  }
  return files;
}

std::string LimitsText(const GrantLimits& limits) {
  const auto number = [](const std::optional<uint64_t>& value) {
    return value.has_value() ? absl::StrCat(*value) : "-";
  };
  const auto time = [](const std::optional<absl::Duration>& value) {
    return value.has_value() ? absl::FormatDuration(*value) : "-";
  };
  constexpr const char* kScrubs[] = {"RESET", "NONE", "ZERO"};
  return absl::StrCat("scrub ", kScrubs[static_cast<int>(limits.scrub)], ", count ", number(limits.max_count),
                      ", bytes ", number(limits.max_bytes), ", time to live ", time(limits.time_to_live),
                      ", quiesce deadline ", time(limits.quiesce_deadline), limits.shared ? ", shared" : "",
                      limits.kill_holder ? ", kill holder" : "");
}

// What of a verdict an expectation is about; with the verdict's own values, or those expected.
std::string Told(const v1::Expectation& expected, bool allowed, const std::string& rule, const GrantLimits& limits) {
  std::string text = absl::StrCat("allowed: ", allowed ? "true" : "false");
  if (expected.has_rule()) absl::StrAppend(&text, " rule: \"", rule, "\"");
  if (expected.has_limits()) absl::StrAppend(&text, " limits: ", LimitsText(limits));
  return text;
}

void Try(const RuleChain& policy, const v1::Expectation& expected, const PolicyRequest& request, std::string place,
         ExpectationReport& report) {
  ++report.expectations;
  const Verdict verdict = policy.Judge(request);
  std::string wanted = Told(expected, expected.allowed(), expected.rule(), ToLimits(expected.limits()));
  std::string actual = Told(expected, verdict.allowed, verdict.rule, verdict.limits);
  if (wanted == actual) return;
  report.failed.push_back({.place = std::move(place),
                           .request = absl::StrCat("uid ", request.subject.uid, ": ", Describe(request)),
                           .expected = std::move(wanted),
                           .actual = std::move(actual),
                           .reason = verdict.reason});
}

}  // namespace

absl::StatusOr<ExpectationReport> TryExpectations(const std::string& path, const UserDatabase& users) {
  P2PD_ASSIGN_OR_RETURN(const std::string text, ReadTrustedFile(path, kMaxTextBytes));
  v1::PolicyTest test;
  Tree tree;
  P2PD_RETURN_IF_ERROR(ParseText(text, path, test, tree));
  const BroughtUsers all_users(test, users);
  P2PD_ASSIGN_OR_RETURN(const std::vector<std::string> files, PolicyFilesOf(path, test));
  P2PD_ASSIGN_OR_RETURN(const RuleChain policy, LoadPolicyFiles(files, all_users));
  Reading reading = {.users = all_users, .problems = ProblemList(path), .kind = "expectation"};
  const FieldPlaces places(v1::PolicyTest::descriptor(), &tree, TextPlace{.line = 1, .column = 1});
  ExpectationReport report;
  if (test.expect().empty()) reading.Problem(places.self(), "expected something to be expected: expect { ... }");
  for (int i = 0; i < test.expect_size(); ++i) {
    const FieldPlaces place = places.In(v1::PolicyTest::kExpectFieldNumber, i, test.expect_size());
    reading.name = absl::StrCat(i + 1);
    if (!test.expect(i).has_allowed()) reading.Problem(place.self(), "expected allowed: true or allowed: false");
    const PolicyRequest request = ReadRequest(reading, test.expect(i), place);
    Try(policy, test.expect(i), request, absl::StrCat(path, ":", place.self().line), report);
  }
  if (absl::Status problems = reading.problems.ToStatus(); !problems.ok()) return problems;
  return report;
}

}  // namespace p2pd
