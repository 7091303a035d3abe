// How much each user may hold, and all of them together. What is charged is returned when the Charge goes,
// wherever that happens.
#ifndef P2PD_DAEMON_CORE_QUOTA_H_
#define P2PD_DAEMON_CORE_QUOTA_H_

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace p2pd {

enum class Resource {
  kSessions,
  kExports,
  kAddressSpaces,
  kMappings,
  kMappedBytes,  // of exports
  kMemories,     // memfds offered: each holds a descriptor of p2pd
  kMemoryBytes,  // of memfds mapped: pinned, each time they are
  kWatchers,
};
constexpr int kNumResources = 8;

absl::string_view Name(Resource resource);  // "exports"

struct ResourceLimit {
  uint64_t per_user = 0;
  uint64_t total = 0;  // root may go past it: whoever repairs the machine gets in
};

class QuotaLimits {
 public:
  // The defaults.
  QuotaLimits();
  ResourceLimit& operator[](Resource resource) { return limits_[static_cast<int>(resource)]; }
  const ResourceLimit& operator[](Resource resource) const { return limits_[static_cast<int>(resource)]; }

 private:
  std::array<ResourceLimit, kNumResources> limits_;
};

// Whose a charge is: the user it counts against, and the session that holds it (0: none yet).
struct Holder {
  uint32_t uid = 0;
  uint64_t session = 0;
};

// Guarded by core's lock, as everything that holds a Charge is.
class Quota {
  using Amounts = std::array<uint64_t, kNumResources>;
  struct User {
    Amounts used = {};
    std::map<uint64_t, Amounts> sessions;
  };
  struct Book {
    Amounts used = {};
    std::map<uint32_t, User> users;
  };

 public:
  // Returns its amount when it is destroyed; outlives the Quota safely. Move-only.
  class Charge {
   public:
    Charge() = default;
    Charge(Charge&& other) noexcept;
    Charge& operator=(Charge&& other) noexcept;
    ~Charge() { Return(); }

   private:
    friend class Quota;
    void Return();

    std::weak_ptr<Book> book_;
    Holder holder_;
    Resource resource_ = Resource::kSessions;
    uint64_t amount_ = 0;
  };

  explicit Quota(const QuotaLimits& limits) : limits_(limits) {}

  // Errors: ResourceExhausted (QUOTA), naming the limit, how much of it is used, and which sessions use it.
  absl::StatusOr<Charge> Take(const Holder& holder, Resource resource, uint64_t amount = 1);

  uint64_t Used(uint32_t uid, Resource resource) const;
  uint64_t UsedInTotal(Resource resource) const { return book_->used[static_cast<int>(resource)]; }
  const QuotaLimits& limits() const { return limits_; }

 private:
  absl::Status CheckUser(const Holder& holder, Resource resource, uint64_t amount) const;
  absl::Status CheckTotal(const Holder& holder, Resource resource, uint64_t amount) const;

  const QuotaLimits limits_;
  const std::shared_ptr<Book> book_ = std::make_shared<Book>();
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_CORE_QUOTA_H_
