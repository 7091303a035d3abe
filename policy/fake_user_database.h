// A UserDatabase for tests: whoever is in its maps exists, and it can be out of order.
#ifndef P2PD_POLICY_FAKE_USER_DATABASE_H_
#define P2PD_POLICY_FAKE_USER_DATABASE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "policy/user_database.h"

namespace p2pd {

struct FakeUserDatabase final : UserDatabase {
  std::map<std::string, uint32_t> users = {{"root", 0}, {"alice", 1000}, {"bob", 1001}};
  std::map<std::string, uint32_t> groups = {{"root", 0}, {"storage", 30}, {"gpu", 44}};
  absl::Status down;  // unless OK, the answer to everything

  absl::StatusOr<std::optional<uint32_t>> FindUser(const std::string& name) const override { return Find(users, name); }
  absl::StatusOr<std::optional<uint32_t>> FindGroup(const std::string& name) const override {
    return Find(groups, name);
  }

 private:
  absl::StatusOr<std::optional<uint32_t>> Find(const std::map<std::string, uint32_t>& names,
                                               const std::string& name) const {
    if (!down.ok()) return down;
    const auto found = names.find(name);
    return found == names.end() ? std::nullopt : std::optional<uint32_t>(found->second);
  }
};

}  // namespace p2pd

#endif  // P2PD_POLICY_FAKE_USER_DATABASE_H_
