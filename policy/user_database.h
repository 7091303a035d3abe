// Users and groups by name. Asked only while a policy is read: rules hold numbers.
#ifndef P2PD_POLICY_USER_DATABASE_H_
#define P2PD_POLICY_USER_DATABASE_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"

namespace p2pd {

class UserDatabase {
 public:
  virtual ~UserDatabase() = default;

  // The number of a user or group; nullopt if there is none of that name. An error means that the database
  // could not answer, which is not the same.
  virtual absl::StatusOr<std::optional<uint32_t>> FindUser(const std::string& name) const = 0;
  virtual absl::StatusOr<std::optional<uint32_t>> FindGroup(const std::string& name) const = 0;
};

// The system's own (nsswitch.conf), which may block on the network.
class SystemUserDatabase final : public UserDatabase {
 public:
  absl::StatusOr<std::optional<uint32_t>> FindUser(const std::string& name) const override;
  absl::StatusOr<std::optional<uint32_t>> FindGroup(const std::string& name) const override;
};

}  // namespace p2pd

#endif  // P2PD_POLICY_USER_DATABASE_H_
