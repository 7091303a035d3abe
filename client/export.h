// A session's right to a window of a device's BAR. Mappings are cut from it.
#ifndef P2PD_CLIENT_EXPORT_H_
#define P2PD_CLIENT_EXPORT_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "client/types.h"

namespace p2p {

namespace internal {
class Connection;
}

// Gives the right back, and with it every mapping cut from it, when it goes. Move-only; one thread at a time.
class Export {
 public:
  Export(Export&& other) noexcept = default;
  Export& operator=(Export&& other) noexcept;
  ~Export();

  const std::string& name() const { return info_.name(); }
  const v1::Window& window() const { return info_.window(); }
  // As p2pd answered when it was made.
  const v1::Export& info() const { return info_; }

  // Returns the receipt of the revocation, an empty one if the export was gone already. Later calls return an
  // empty receipt. After an error the export stands, and the call can be made again.
  absl::StatusOr<v1::Operation> Release();

 private:
  friend class Session;
  Export(std::shared_ptr<internal::Connection> connection, v1::Export info);

  std::shared_ptr<internal::Connection> connection_;  // null once released
  v1::Export info_;
};

}  // namespace p2p

#endif  // P2PD_CLIENT_EXPORT_H_
