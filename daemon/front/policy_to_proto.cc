#include "daemon/front/policy_to_proto.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "daemon/base/errors.h"
#include "daemon/front/from_proto.h"
#include "daemon/front/resource_name.h"

namespace p2pd {
namespace {

using Facts = google::protobuf::RepeatedPtrField<v1::ExplainPolicyResponse::Fact>;

void Add(Facts* facts, const std::string& name, std::string value) {
  auto& fact = *facts->Add();
  fact.set_name(name);
  fact.set_value(std::move(value));
}

std::string Text(bool value) { return value ? "yes" : "no"; }

std::string TextOf(Scrub scrub) {
  switch (scrub) {
    case Scrub::kReset:
      return "RESET";
    case Scrub::kNone:
      return "NONE";
    case Scrub::kZero:
      return "ZERO";
  }
  return "";
}

std::string TextOf(const PathFacts& path) {
  const char* known = path.supported ? "known good" : "not known good";
  if (!path.relation.has_value()) return absl::StrCat("unknown, ", known);
  switch (*path.relation) {
    case PathRelation::kSelf:
      return absl::StrCat("the same device, ", known);
    case PathRelation::kSwitch:
      return absl::StrCat("below one switch, ", known);
    case PathRelation::kRootPort:
      return absl::StrCat("below one root port, ", known);
    case PathRelation::kHostBridge:
      return absl::StrCat("below one host bridge, ", known);
    case PathRelation::kNothing:
      return absl::StrCat("by two host bridges, ", known);
  }
  return known;
}

void AddDevice(Facts* facts, const std::string& name, const std::optional<DeviceFacts>& device) {
  if (!device.has_value()) return;
  std::string text = absl::StrFormat("%s, %04x:%04x", device->address.ToString(), device->vendor, device->device);
  if (device->class_code.has_value()) absl::StrAppendFormat(&text, ", class %06x", *device->class_code);
  if (device->numa_node.has_value()) absl::StrAppend(&text, ", node ", *device->numa_node);
  if (device->ats.has_value()) absl::StrAppend(&text, ", ATS ", *device->ats ? "on" : "off");
  Add(facts, name, std::move(text));
}

void AddSubject(Facts* facts, const Subject& subject) {
  Add(facts, "uid", absl::StrCat(subject.uid));
  Add(facts, "gid", absl::StrCat(subject.gid));
  if (!subject.groups.empty()) Add(facts, "groups", absl::StrJoin(subject.groups, " "));
  if (!subject.unit.empty()) Add(facts, "unit", subject.unit);
  if (subject.user_unit.has_value()) Add(facts, "user unit", *subject.user_unit);
  if (!subject.label.empty()) Add(facts, "label", subject.label);
}

void AddFacts(Facts* facts, const PolicyRequest& request) {
  AddSubject(facts, request.subject);
  Add(facts, "action", std::string(ActionName(request.action)));
  AddDevice(facts, "exporter", request.exporter);
  AddDevice(facts, "importer", request.importer);
  if (request.window.has_value()) {
    const WindowFacts& window = *request.window;
    Add(facts, "window",
        absl::StrFormat("BAR %d [%#x, +%#x], %s", window.bar, window.offset, window.length,
                        window.control ? "CONTROL" : "MEMORY"));
  }
  if (request.access.has_value()) Add(facts, "access", std::string(AccessName(*request.access)));
  if (request.path.has_value()) Add(facts, "path", TextOf(*request.path));
  if (request.offered.has_value()) Add(facts, "offered", Text(*request.offered));
  if (request.context.has_value()) Add(facts, "context", *request.context);
}

void AddLimits(Facts* limits, const GrantLimits& of) {
  if (of.scrub != GrantLimits().scrub) Add(limits, "scrub", TextOf(of.scrub));
  if (of.max_count.has_value()) Add(limits, "max_count", absl::StrCat(*of.max_count));
  if (of.max_bytes.has_value()) Add(limits, "max_bytes", absl::StrCat(*of.max_bytes));
  if (of.time_to_live.has_value()) Add(limits, "time_to_live", absl::FormatDuration(*of.time_to_live));
  if (of.quiesce_deadline.has_value()) Add(limits, "quiesce_deadline", absl::FormatDuration(*of.quiesce_deadline));
  if (of.shared) Add(limits, "shared", Text(true));
  if (of.kill_holder) Add(limits, "kill_holder", Text(true));
}

absl::StatusOr<Action> ActionFromText(const std::string& text) {
  for (int i = 1; i <= kLastAction; ++i) {
    const auto action = static_cast<Action>(i);
    if (ActionName(action) == text) return action;
  }
  return MakeError(absl::StatusCode::kInvalidArgument,
                   {.reason = Reason::kInvalidArgument,
                    .step = "action",
                    .object = text,
                    .hint = "as in p2pd-policy(5): OBSERVE, EXPORT, MAP, ..."},
                   "there is no such action");
}

Subject FromProto(const v1::ExplainPolicyRequest::Subject& message) {
  Subject subject = {.uid = message.uid(), .gid = message.gid(), .unit = message.unit(), .label = message.label()};
  subject.groups.assign(message.groups().begin(), message.groups().end());
  if (message.has_user_unit()) subject.user_unit = message.user_unit();
  return subject;
}

}  // namespace

v1::ReloadPolicyResponse ToProto(const ReloadView& view) {
  v1::ReloadPolicyResponse response;
  response.set_policy_generation(view.generation);
  response.set_policy_rules(static_cast<uint32_t>(view.rules));
  for (const FallenGrant& fallen : view.fallen) {
    auto& one = *response.add_fallen();
    one.set_object(fallen.object);
    one.set_session(NameOf(fallen.session));
    one.set_reason(fallen.reason);
  }
  response.set_fallen_count(view.fallen_count);
  if (view.operation.has_value()) response.set_operation(NameOf(*view.operation));
  return response;
}

v1::ExplainPolicyResponse ToProto(const ExplanationView& view) {
  v1::ExplainPolicyResponse response;
  response.set_allowed(view.verdict.allowed);
  response.set_rule(view.verdict.rule);
  response.set_rule_origin(view.verdict.origin);
  response.set_reason(view.verdict.reason);
  AddFacts(response.mutable_facts(), view.request);
  AddLimits(response.mutable_limits(), view.verdict.limits);
  response.set_policy_generation(view.policy_generation);
  return response;
}

absl::StatusOr<ExplainArgs> FromProto(const v1::ExplainPolicyRequest& request) {
  ExplainArgs args;
  P2PD_ASSIGN_OR_RETURN(args.action, ActionFromText(request.action()));
  if (request.has_subject()) args.subject = FromProto(request.subject());
  if (!request.session().empty()) {
    P2PD_ASSIGN_OR_RETURN(args.session, ParseSessionName(request.session()));
  }
  if (!request.exporter().empty()) {
    P2PD_ASSIGN_OR_RETURN(args.exporter, ParseDeviceName(request.exporter()));
  }
  if (!request.importer().empty()) {
    P2PD_ASSIGN_OR_RETURN(args.importer, ParseDeviceName(request.importer()));
  }
  if (request.has_window()) {
    P2PD_ASSIGN_OR_RETURN(args.window, FromProto(request.window()));
    args.exporter = args.window->device;
  }
  if (request.access() != v1::ACCESS_UNSPECIFIED) args.access = static_cast<Access>(request.access());
  return args;
}

}  // namespace p2pd
