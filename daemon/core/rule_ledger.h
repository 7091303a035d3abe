// How much each user holds under each rule of the policy: what max_count and max_bytes of a rule are about. What is
// charged is returned when the Charge goes, wherever that happens.
#ifndef P2PD_DAEMON_CORE_RULE_LEDGER_H_
#define P2PD_DAEMON_CORE_RULE_LEDGER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "policy/policy.h"

namespace p2pd {

// Guarded by core's lock, as everything that holds a Charge is.
class RuleLedger {
  using Account = std::pair<uint32_t, std::string>;  // the user and the rule's name
  struct Used {
    uint64_t count = 0;
    uint64_t bytes = 0;
  };
  using Book = std::map<Account, Used>;

 public:
  // Returns what it stands for when it is destroyed; outlives the ledger safely. Move-only.
  class Charge {
   public:
    Charge() = default;
    Charge(Charge&& other) noexcept = default;
    Charge& operator=(Charge&& other) noexcept;
    ~Charge() { Return(); }

   private:
    friend class RuleLedger;
    void Return();

    std::weak_ptr<Book> book_;  // moved from: none
    Account account_;
    uint64_t bytes_ = 0;
  };

  // One more grant of so many bytes, which rests on the rule of this verdict. Errors: ResourceExhausted (QUOTA), with
  // the rule, its place and how much of the limit is used.
  absl::StatusOr<Charge> Take(uint32_t uid, const Verdict& verdict, uint64_t bytes);

 private:
  std::shared_ptr<Book> book_ = std::make_shared<Book>();
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_CORE_RULE_LEDGER_H_
