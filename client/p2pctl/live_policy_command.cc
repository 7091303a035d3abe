// `p2pctl policy reload` and `p2pctl policy explain`: the policy that the running p2pd has.
#include <grp.h>
#include <pwd.h>

#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/p2pctl/commands.h"
#include "client/p2pctl/exit_status.h"
#include "client/p2pctl/names.h"
#include "client/p2pctl/window.h"
#include "daemon/base/errors.h"
#include "policy/policy.h"

namespace p2p::ctl {
namespace {

using Request = v1::ExplainPolicyRequest;

absl::Status Wrong(absl::string_view what, absl::string_view hint) {
  return p2pd::MakeError(absl::StatusCode::kInvalidArgument,
                         {.reason = p2pd::Reason::kInvalidArgument, .hint = std::string(hint)}, what);
}

absl::StatusOr<std::string> ActionText(absl::string_view typed) {
  for (int action = 1; action <= p2pd::kLastAction; ++action) {
    if (typed == p2pd::ActionName(static_cast<p2pd::Action>(action))) return std::string(typed);
  }
  return Wrong(absl::StrCat("there is no action '", typed, "'"), "p2pd-policy(5) lists them: EXPORT, MAP, DRIVE, ...");
}

absl::StatusOr<std::string> AccessText(absl::string_view typed) {
  v1::Access access = v1::ACCESS_UNSPECIFIED;
  if (v1::Access_Parse(std::string(typed), &access) && access != v1::ACCESS_UNSPECIFIED) return std::string(typed);
  return Wrong(absl::StrCat("--access: there is no '", typed, "'"), "write READ, WRITE or READ_WRITE");
}

// Of an option that counts once, the last.
std::optional<std::string> LastOf(const Arguments& arguments, const std::string& option) {
  const std::vector<std::string> values = arguments.Values(option);
  return values.empty() ? std::nullopt : std::optional<std::string>(values.back());
}

// ---- reload ----------------------------------------------------------------------------------------------

void PrintReload(Context& context, const v1::ReloadPolicyResponse& response, bool dry_run) {
  Table table = context.NewTable({{.header = "OBJECT"}, {.header = "SESSION"}, {.header = "REASON"}});
  for (const auto& fallen : response.fallen()) table.AddRow({{fallen.object()}, {fallen.session()}, {fallen.reason()}});
  if (response.fallen_size() != 0) context.Print(table);
  context.out() << response.policy_rules() << " rules, " << response.fallen_count() << " grants "
                << (dry_run ? "would be revoked" : "revoked");
  if (!dry_run) context.out() << ", generation " << response.policy_generation();
  if (!response.operation().empty()) context.out() << ", " << response.operation();
  context.out() << std::endl;
}

absl::Status Reload(Context& context, const Arguments& arguments) {
  const bool dry_run = arguments.Has("--dry-run");
  P2PD_ASSIGN_OR_RETURN(const auto session, context.Connect({.retry = !arguments.Has("--once")}));
  P2PD_ASSIGN_OR_RETURN(const v1::ReloadPolicyResponse response, session->ReloadPolicy(dry_run));
  if (context.json()) {
    context.PrintJson(response);
  } else {
    PrintReload(context, response, dry_run);
  }
  return absl::OkStatus();
}

// ---- explain ---------------------------------------------------------------------------------------------

// The user's groups, as a session of it would have them.
void AddGroups(const passwd& user, Request::Subject& subject) {
  subject.set_gid(user.pw_gid);
  int count = 0;
  getgrouplist(user.pw_name, user.pw_gid, nullptr, &count);
  std::vector<gid_t> groups(static_cast<size_t>(count));
  if (getgrouplist(user.pw_name, user.pw_gid, groups.data(), &count) < 0) return;
  for (const gid_t group : groups) {
    if (group != user.pw_gid) subject.add_groups(group);
  }
}

absl::Status AddUser(const std::string& name, Request::Subject& subject) {
  uint32_t uid = 0;
  const bool is_number = absl::SimpleAtoi(name, &uid);
  const passwd* user = is_number ? getpwuid(uid) : getpwnam(name.c_str());
  if (user == nullptr && !is_number) return Wrong(absl::StrCat("there is no user '", name, "'"), "");
  subject.set_uid(user == nullptr ? uid : user->pw_uid);
  if (user == nullptr) {
    subject.set_gid(uid);
  } else {
    AddGroups(*user, subject);
  }
  return absl::OkStatus();
}

absl::Status AddSubject(const Arguments& arguments, Request& request) {
  const auto user = LastOf(arguments, "--user");
  const auto unit = LastOf(arguments, "--unit");
  const auto label = LastOf(arguments, "--label");
  const auto session = LastOf(arguments, "--session");
  if (session.has_value()) request.set_session(*session);
  if (!user.has_value()) {
    if (unit.has_value() || label.has_value()) return Wrong("--unit and --label are of a user", "say --user too");
    return absl::OkStatus();
  }
  if (session.has_value()) return Wrong("--user and --session exclude each other", "a session has its user");
  request.mutable_subject()->set_unit(unit.value_or(""));
  request.mutable_subject()->set_label(label.value_or(""));
  return AddUser(*user, *request.mutable_subject());
}

absl::Status AddObjects(const Arguments& arguments, Request& request) {
  request.set_exporter(LastOf(arguments, "--exporter").value_or(""));
  request.set_importer(LastOf(arguments, "--importer").value_or(""));
  if (const auto window = LastOf(arguments, "--window"); window.has_value()) {
    if (!request.exporter().empty()) return Wrong("--window and --exporter exclude each other", "a window has its BDF");
    P2PD_ASSIGN_OR_RETURN(const WindowOptions parsed, ParseWindow(*window));
    request.mutable_window()->set_device(parsed.device);
    request.mutable_window()->set_bar(parsed.bar);
    request.mutable_window()->set_offset(parsed.offset);
    request.mutable_window()->set_length(parsed.length);
  }
  if (const auto access = LastOf(arguments, "--access"); access.has_value()) {
    v1::Access value = v1::ACCESS_UNSPECIFIED;
    v1::Access_Parse(*access, &value);
    request.set_access(value);
  }
  return absl::OkStatus();
}

void PrintExplained(Context& context, const v1::ExplainPolicyResponse& response) {
  context.out() << context.Colored(
                       {response.allowed() ? "allowed" : "denied", response.allowed() ? Color::kGood : Color::kBad})
                << ": " << response.reason() << "\n\n";
  Table list = context.NewPropertyList();
  for (const auto& fact : response.facts()) list.AddRow({{absl::StrCat(fact.name(), ":")}, {fact.value()}});
  for (const auto& limit : response.limits())
    list.AddRow({{absl::StrCat("limit ", limit.name(), ":")}, {limit.value()}});
  list.AddRow({{"policy generation:"}, {absl::StrCat(response.policy_generation())}});
  context.Print(list);
}

absl::Status Explain(Context& context, const Arguments& arguments) {
  Request request;
  request.set_action(arguments.object);
  absl::Status built = AddSubject(arguments, request);
  if (built.ok()) built = AddObjects(arguments, request);
  if (!built.ok()) {
    context.ExitWith(static_cast<int>(ExitStatus::kUsage));
    return built;
  }
  P2PD_ASSIGN_OR_RETURN(const auto session, context.Connect());
  P2PD_ASSIGN_OR_RETURN(const v1::ExplainPolicyResponse response, session->ExplainPolicy(request));
  if (context.json()) {
    context.PrintJson(response);
  } else {
    PrintExplained(context, response);
  }
  if (!response.allowed()) context.ExitWith(static_cast<int>(ExitStatus::kDenied));
  return absl::OkStatus();
}

}  // namespace

std::vector<Command> LivePolicyCommands() {
  return {
      {.name = "policy reload",
       .help = "Have p2pd read its policy again; what that does not allow any more is revoked",
       .options = {{.name = "--dry-run", .help = "Only tell what would be revoked"},
                   {.name = "--once", .help = "If p2pd ends meanwhile, fail: the next one reads the policy anyway"}},
       .run = Reload},
      {.name = "policy explain",
       .help = "What p2pd's policy says to a request, and by which rule",
       .operand =
           Operand{.placeholder = "ACTION", .help = "As in p2pd-policy(5): EXPORT, MAP, ...", .parse = ActionText},
       .options =
           {{.name = "--user",
             .placeholder = "USER",
             .help = "Who asks, a name or a number (default: this user)",
             .parse = AsTyped},
            {.name = "--unit", .placeholder = "UNIT", .help = "in this systemd unit", .parse = AsTyped},
            {.name = "--label", .placeholder = "LABEL", .help = "with this security label", .parse = AsTyped},
            {.name = "--session", .placeholder = "N", .help = "Who asks is this session", .parse = SessionName},
            {.name = "--exporter",
             .placeholder = "BDF",
             .help = "The device whose window it is, or that is driven or reset",
             .parse = DeviceName},
            {.name = "--window", .placeholder = "WINDOW", .help = "The window, of its BDF", .parse = WindowText},
            {.name = "--importer", .placeholder = "BDF", .help = "The device that is to reach it", .parse = DeviceName},
            {.name = "--access", .placeholder = "ACCESS", .help = "READ, WRITE or READ_WRITE", .parse = AccessText}},
       .run = Explain}};
}

}  // namespace p2p::ctl
