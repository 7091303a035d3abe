// `p2pctl policy check` and `p2pctl policy test`: what a policy says, without p2pd, and before it gets it.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/p2pctl/commands.h"
#include "client/p2pctl/exit_status.h"
#include "client/p2pctl/names.h"
#include "daemon/base/default_policy.h"
#include "daemon/base/errors.h"
#include "google/protobuf/struct.pb.h"
#include "policy/expectations.h"
#include "policy/lint.h"
#include "policy/policy_file.h"
#include "policy/policy_folder.h"
#include "policy/user_database.h"

namespace p2p::ctl {
namespace {

using google::protobuf::ListValue;
using google::protobuf::Struct;

void Set(Struct& object, const std::string& name, const std::string& text) {
  (*object.mutable_fields())[name].set_string_value(text);
}

ListValue& List(Struct& object, const std::string& name) {
  return *(*object.mutable_fields())[name].mutable_list_value();
}

// Folders as p2pd reads them; more than one stands for one policy all the same.
absl::StatusOr<std::vector<std::string>> PolicyFiles(std::vector<std::string> paths) {
  if (paths.empty()) paths = {p2pd::kDefaultPolicy};
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    P2PD_ASSIGN_OR_RETURN(const std::vector<std::string> some, p2pd::ListPolicyFiles(path));
    files.insert(files.end(), some.begin(), some.end());
  }
  return files;
}

void PrintChecked(Context& context, const std::vector<std::string>& files, const std::vector<p2pd::Reach>& lines,
                  const std::vector<std::string>& warnings) {
  for (const std::string& warning : warnings) context.Note(absl::StrCat("warning: ", warning));
  Table table = context.NewTable({{.header = "WHO"},
                                  {.header = "MAY"},
                                  {.header = "ACTION"},
                                  {.header = "EXPORTER"},
                                  {.header = "IMPORTER"},
                                  {.header = "IF"},
                                  {.header = "RULE"}});
  for (const p2pd::Reach& line : lines) {
    table.AddRow({{line.who},
                  {line.may ? "yes" : "never", line.may ? Color::kGood : Color::kBad},
                  {line.actions},
                  {line.exporter},
                  {line.importer},
                  {line.conditions},
                  {absl::StrCat(line.rule, " (", line.origin, ")")}});
  }
  context.Print(table);
  context.out() << files.size() << " files, " << lines.size() << " rules, " << warnings.size() << " warnings"
                << std::endl;
}

void PrintCheckedAsJson(Context& context, const std::vector<std::string>& files, const std::vector<p2pd::Reach>& lines,
                        const std::vector<std::string>& warnings) {
  Struct all;
  ListValue& names = List(all, "files");
  for (const std::string& file : files) names.add_values()->set_string_value(file);
  ListValue& told = List(all, "warnings");
  for (const std::string& warning : warnings) told.add_values()->set_string_value(warning);
  ListValue& rules = List(all, "rules");
  for (const p2pd::Reach& line : lines) {
    Struct& rule = *rules.add_values()->mutable_struct_value();
    Set(rule, "who", line.who);
    (*rule.mutable_fields())["may"].set_bool_value(line.may);
    Set(rule, "action", line.actions);
    Set(rule, "exporter", line.exporter);
    Set(rule, "importer", line.importer);
    Set(rule, "if", line.conditions);
    Set(rule, "rule", line.rule);
    Set(rule, "origin", line.origin);
  }
  context.PrintJson(all);
}

absl::Status Check(Context& context, const Arguments& arguments) {
  P2PD_ASSIGN_OR_RETURN(const std::vector<std::string> files, PolicyFiles(arguments.objects));
  std::vector<std::string> warnings;
  P2PD_ASSIGN_OR_RETURN(const p2pd::RuleChain policy,
                        p2pd::LoadPolicyFiles(files, p2pd::SystemUserDatabase(), &warnings));
  for (std::string& impossible : p2pd::FindImpossibleRules(policy.rules())) warnings.push_back(std::move(impossible));
  for (std::string& idle : p2pd::FindIdleRules(policy.rules())) warnings.push_back(std::move(idle));
  const std::vector<p2pd::Reach> lines = p2pd::WhoCanReachWhat(policy.rules());
  if (context.json()) {
    PrintCheckedAsJson(context, files, lines, warnings);
  } else {
    PrintChecked(context, files, lines, warnings);
  }
  return absl::OkStatus();
}

void PrintTested(Context& context, const p2pd::ExpectationReport& report) {
  for (const p2pd::FailedExpectation& failed : report.failed) {
    context.out() << failed.place << ": " << failed.request << "\n"
                  << context.Colored({absl::StrCat("- ", failed.expected), Color::kBad}) << "\n"
                  << context.Colored({absl::StrCat("+ ", failed.actual), Color::kGood}) << "\n"
                  << "  " << failed.reason << "\n";
  }
  context.out() << report.expectations - static_cast<int>(report.failed.size()) << " of " << report.expectations
                << " expectations are met" << std::endl;
}

void PrintTestedAsJson(Context& context, const p2pd::ExpectationReport& report) {
  Struct all;
  (*all.mutable_fields())["expectations"].set_number_value(report.expectations);
  ListValue& list = List(all, "failed");
  for (const p2pd::FailedExpectation& failed : report.failed) {
    Struct& one = *list.add_values()->mutable_struct_value();
    Set(one, "place", failed.place);
    Set(one, "request", failed.request);
    Set(one, "expected", failed.expected);
    Set(one, "actual", failed.actual);
    Set(one, "reason", failed.reason);
  }
  context.PrintJson(all);
}

absl::Status Test(Context& context, const Arguments& arguments) {
  P2PD_ASSIGN_OR_RETURN(const p2pd::ExpectationReport report,
                        p2pd::TryExpectations(arguments.object, p2pd::SystemUserDatabase()));
  if (context.json()) {
    PrintTestedAsJson(context, report);
  } else {
    PrintTested(context, report);
  }
  if (!report.failed.empty()) context.ExitWith(static_cast<int>(ExitStatus::kFailed));
  return absl::OkStatus();
}

}  // namespace

std::vector<Command> PolicyCommands() {
  return {{.name = "policy check",
           .help = "Read policies without p2pd: what is wrong with them, and who can reach what",
           .operand = Operand{.placeholder = "PATH",
                              .help = "Files or folders (default: what p2pd reads by default)",
                              .parse = AsTyped,
                              .any_number = true},
           .run = Check},
          {.name = "policy test",
           .help = "Try the expectations that are kept beside a policy",
           .operand = Operand{.placeholder = "FILE", .help = "As in p2pd-policy(5): NAME.expect", .parse = AsTyped},
           .run = Test}};
}

}  // namespace p2p::ctl
