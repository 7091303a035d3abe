// A CoreWorld whose policy is text, as an administrator writes it, and can be written anew.
#ifndef P2PD_DAEMON_CORE_TESTING_POLICY_WORLD_H_
#define P2PD_DAEMON_CORE_TESTING_POLICY_WORLD_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "daemon/core/testing/core_world.h"

namespace p2pd {

// A rule that allows `actions` to everybody; `more` is whatever else it says.
std::string AllowRule(const std::string& name, const std::string& actions, const std::string& more = "");
inline constexpr char kEveryAction[] =
    "OBSERVE, EXPORT, EXPORT_CONTROL, RECEIVE_FD, MAP, MAP_MEMORY, DRIVE, RESET, ADMIN";

class PolicyWorld {
 public:
  explicit PolicyWorld(const std::string& rules) : PolicyWorld(std::make_shared<std::string>(rules)) {}

  // The next reload reads this.
  void Write(const std::string& rules) { *text_ = rules; }
  // What came of p2pd's own reload, if it is over.
  std::optional<absl::StatusOr<ReloadView>> TryReload();
  // Of one that must not wait.
  absl::StatusOr<ReloadView> Reload(const std::string& rules);

  // The machine's host bridge turns into one that is not known to pass peer-to-peer requests.
  void DistrustHostBridges();

 private:
  explicit PolicyWorld(std::shared_ptr<std::string> text);
  std::shared_ptr<std::string> text_;

 public:
  CoreWorld world;
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_CORE_TESTING_POLICY_WORLD_H_
