// One rule of a policy, in numbers: names are resolved, patterns are parsed. Matching is pure and total, and
// can say which of the rule's conditions a request misses. A condition that a rule lacks holds for every
// request; one on something that the request lacks cannot be told, and then an ALLOW does not match, a DENY does.
#ifndef P2PD_POLICY_RULE_H_
#define P2PD_POLICY_RULE_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "policy/device_match.h"
#include "policy/glob.h"
#include "policy/policy.h"
#include "policy/subject_match.h"
#include "policy/truth.h"

namespace p2pd {

enum class Effect { kAllow, kDeny };

// A part of a BAR; not empty.
struct WindowRange {
  uint64_t offset = 0;
  uint64_t length = 0;

  auto operator<=>(const WindowRange&) const = default;
};

struct Rule {
  std::string name;
  std::string origin;  // "policy.textproto:12"
  Effect effect = Effect::kDeny;
  std::vector<Action> actions;
  std::optional<SubjectMatch> subject;
  std::optional<DeviceMatch> exporter;
  std::vector<uint32_t> bars;  // of the exporter; empty: any, and requests without a window too
  std::vector<WindowRange> windows;
  std::optional<bool> control;  // the window's kind
  std::optional<DeviceMatch> importer;
  std::optional<AskedAccess> access;
  std::optional<PathRelation> path;  // at most this far
  bool unsupported_path = false;
  std::optional<bool> ats;
  std::optional<bool> offered;
  std::vector<Glob> contexts;
  GrantLimits limits;
};

// The conditions of a rule, in the order in which they are told to people.
enum class Matcher {
  kAction,
  kSubject,
  kExporter,
  kBar,
  kWindow,
  kKind,
  kImporter,
  kAccess,
  kPath,
  kPathSupport,
  kAts,
  kOffered,
  kContext,
};
inline constexpr std::array kMatchers = {
    Matcher::kAction, Matcher::kSubject,  Matcher::kExporter, Matcher::kBar,  Matcher::kWindow,
    Matcher::kKind,   Matcher::kImporter, Matcher::kAccess,   Matcher::kPath, Matcher::kPathSupport,
    Matcher::kAts,    Matcher::kOffered,  Matcher::kContext,
};

// What a request really asks for: an EXPORT of registers is judged as EXPORT_CONTROL, whatever its asker says.
Action EffectiveAction(const PolicyRequest& request);

// A request with what its judging needs over and over. Borrows the request.
struct RequestView {
  explicit RequestView(const PolicyRequest& asked);

  const PolicyRequest& request;
  Action action;
  std::optional<JudgedDevice> exporter;
  std::optional<JudgedDevice> importer;
};

// Whether the rule says anything about this; a condition that it does not have holds.
bool Has(const Rule& rule, Matcher matcher);
Truth Holds(const Rule& rule, Matcher matcher, const RequestView& view);
// Whether a condition counts as held by a rule of this effect.
constexpr bool Counts(Effect effect, Truth truth) {
  return effect == Effect::kAllow ? truth == Truth::kYes : truth != Truth::kNo;
}

bool Matches(const Rule& rule, const PolicyRequest& request);
// The conditions that are missed; empty exactly if the rule matches.
std::vector<Matcher> FailedMatchers(const Rule& rule, const PolicyRequest& request);

}  // namespace p2pd

#endif  // P2PD_POLICY_RULE_H_
