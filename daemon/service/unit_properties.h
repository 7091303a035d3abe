// What systemd says about the unit that this process runs in. Asked over the manager's own socket, so that it
// works without a D-Bus daemon too, or before there is one.
#ifndef P2PD_DAEMON_SERVICE_UNIT_PROPERTIES_H_
#define P2PD_DAEMON_SERVICE_UNIT_PROPERTIES_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "daemon/base/mutex.h"

struct sd_bus;

namespace p2pd {

class UnitProperties {
 public:
  struct Options {
    std::string address = "unix:path=/run/systemd/private";  // root's
    std::string unit;                                        // "p2pd.service"; "": this process's
    absl::Duration timeout = absl::Seconds(5);               // of one question
  };

  // Errors: Unavailable (there is no such manager, or this process is in no unit of its).
  static absl::StatusOr<std::unique_ptr<UnitProperties>> Connect(Options options);
  ~UnitProperties();
  UnitProperties(const UnitProperties&) = delete;
  UnitProperties& operator=(const UnitProperties&) = delete;

  // A number among the properties of a service ("NFileDescriptorStore", "FileDescriptorStoreMax"). Thread-safe;
  // blocks until the manager answers, or for the timeout.
  absl::StatusOr<uint32_t> Get(const std::string& property) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  UnitProperties(sd_bus* bus, std::string path);

  Mutex mutex_;
  sd_bus* const bus_ ABSL_PT_GUARDED_BY(mutex_);
  const std::string path_;
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_SERVICE_UNIT_PROPERTIES_H_
