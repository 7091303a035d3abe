// Judges a request against very many rules at once. Rules share most of their conditions, so each different condition
// is tried once, and only if the request could meet it: by uid, gid, address, ids, and what patterns begin with. A
// count for each rule says how many of its conditions are missed; what reaches zero matches, and what comes nearest is
// known in passing. Says exactly what trying every rule would say (tests/policy).
#ifndef P2PD_POLICY_RULE_INDEX_H_
#define P2PD_POLICY_RULE_INDEX_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "policy/rule.h"

namespace p2pd {

class RuleIndex {
 public:
  // Of the rules with this effect.
  RuleIndex(const std::vector<Rule>& rules, Effect effect);

  struct Nearest {
    size_t rule = 0;  // its place among all rules
    bool matches = false;
  };
  // The first rule that matches; else the one that misses the fewest conditions, of equals the one that is for this
  // action, then for this subject, then the first. nullopt for no rules. `rules` as given to the constructor.
  std::optional<Nearest> Find(const std::vector<Rule>& rules, const RequestView& view) const;

 private:
  // A byte for each rule, in words: no byte of a sum or difference here reaches over into the next.
  using Bytes = std::vector<uint64_t>;

  // One condition, and the rules that have it: a list, or where there are many, their weights.
  struct Condition {
    size_t representative = 0;     // a rule that has it
    std::vector<uint32_t> listed;  // indices into rules_
    Bytes weights;                 // empty: see listed
  };

  // What patterns are about.
  enum class Text { kUnit, kUserUnit, kLabel, kAddress, kClass };
  using Prefixes = std::set<std::pair<Text, size_t>>;  // how long the beginnings of patterns are
  class RuleKeys;
  class RequestKeys;
  static uint64_t UnknownKey(Text text);  // of texts that are not known
  static uint64_t PrefixKey(Text text, absl::string_view beginning);

  // The different conditions of one kind. Those that only certain requests can meet are found by the keys that those
  // have; what is found is tried.
  struct Kind {
    Matcher matcher = Matcher::kAction;
    std::vector<Condition> conditions;
    std::vector<uint32_t> unkeyed;
    std::unordered_map<uint64_t, std::vector<uint32_t>> keyed;
    Prefixes prefixes;
  };

  void AddKind(const std::vector<Rule>& rules, Matcher matcher);
  void AddKeys(const Rule& rule, uint32_t condition, Kind& kind) const;
  void Compress(Condition& condition, Matcher matcher) const;
  void Count(const std::vector<Rule>& rules, const Kind& kind, const RequestView& view, Bytes& missed) const;
  void Try(const std::vector<Rule>& rules, const Kind& kind, uint32_t condition, const RequestView& view,
           Bytes& missed) const;

  Effect effect_;
  std::vector<size_t> rules_;  // places among all rules
  Bytes all_missed_;           // what each rule's count starts from
  std::vector<Kind> kinds_;
};

}  // namespace p2pd

#endif  // P2PD_POLICY_RULE_INDEX_H_
