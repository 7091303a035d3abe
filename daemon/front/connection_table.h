// How many connections each user holds, over both sockets. It is asked before anything else is done for a
// newcomer, so that one user cannot keep the others out.
#ifndef P2PD_DAEMON_FRONT_CONNECTION_TABLE_H_
#define P2PD_DAEMON_FRONT_CONNECTION_TABLE_H_

#include <cstdint>
#include <memory>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "daemon/base/mutex.h"
#include "daemon/core/types.h"

namespace p2pd {

struct ConnectionLimits {
  int per_user = 128;
  int total = 1024;  // root may go past it: whoever repairs the machine gets in
};

class ConnectionTable {
  struct Book {
    Mutex mutex;
    int total ABSL_GUARDED_BY(mutex) = 0;
    absl::flat_hash_map<uint32_t, int> by_user ABSL_GUARDED_BY(mutex);
  };

 public:
  // One connection's place, given back when the Lease goes; may outlive the table. Move-only, any thread.
  class Lease {
   public:
    Lease() = default;
    Lease(Lease&& other) noexcept = default;
    Lease& operator=(Lease&& other) noexcept;
    ~Lease() { Return(); }

   private:
    friend class ConnectionTable;
    Lease(std::shared_ptr<Book> book, uint32_t uid) : book_(std::move(book)), uid_(uid) {}
    void Return();

    std::shared_ptr<Book> book_;
    uint32_t uid_ = 0;
  };

  explicit ConnectionTable(const ConnectionLimits& limits) : limits_(limits) {}

  // Errors: ResourceExhausted (QUOTA), naming the limit.
  absl::StatusOr<Lease> Take(uint32_t uid);
  UsageView Usage(uint32_t uid) const;

 private:
  const ConnectionLimits limits_;
  const std::shared_ptr<Book> book_ = std::make_shared<Book>();
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_FRONT_CONNECTION_TABLE_H_
