// How much each user may hold. What is charged is returned when the Charge goes, wherever that happens.
#ifndef P2PD_DAEMON_CORE_QUOTA_H_
#define P2PD_DAEMON_CORE_QUOTA_H_

#include <array>
#include <cstdint>
#include <map>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace p2pd {

enum class Resource { kSessions, kExports, kAddressSpaces, kMappings, kMemories, kMemoryBytes };
constexpr int kNumResources = 6;

struct QuotaLimits {
  uint64_t sessions = 64;
  uint64_t exports = 1024;
  uint64_t address_spaces = 64;
  uint64_t mappings = 16384;
  uint64_t memories = 256;              // memfds offered: each holds a descriptor of p2pd
  uint64_t memory_bytes = 16ull << 30;  // of memfds mapped: pinned, each time they are
};

// Guarded by core's lock, as everything that holds a Charge is.
class Quota {
 public:
  // Returns its amount when it is destroyed; outlives the Quota safely. Move-only.
  class Charge {
   public:
    Charge() = default;
    Charge(Charge&& other) noexcept;
    Charge& operator=(Charge&& other) noexcept;
    ~Charge();

   private:
    friend class Quota;
    using Book = std::map<uint32_t, std::array<uint64_t, kNumResources>>;
    void Return();

    std::weak_ptr<Book> book_;
    uint32_t uid_ = 0;
    Resource resource_ = Resource::kSessions;
    uint64_t amount_ = 0;
  };

  explicit Quota(const QuotaLimits& limits);

  // Errors: ResourceExhausted (QUOTA), naming the limit and how much of it is used.
  absl::StatusOr<Charge> Take(uint32_t uid, Resource resource, uint64_t amount = 1);
  uint64_t Used(uint32_t uid, Resource resource) const;

 private:
  uint64_t Limit(Resource resource) const;

  const QuotaLimits limits_;
  std::shared_ptr<Charge::Book> book_ = std::make_shared<Charge::Book>();
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_CORE_QUOTA_H_
