// A session's right to a window of a device's BAR. Mappings are cut from it; one of grade RAW has a dma-buf, too.
#ifndef P2PD_CLIENT_EXPORT_H_
#define P2PD_CLIENT_EXPORT_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/types.h"

namespace p2p {

namespace internal {
class Connection;
}

// Gives the right back, and with it every mapping cut from it, when it goes. Move-only; one thread at a time.
class Export {
 public:
  Export(Export&& other) noexcept;
  Export& operator=(Export&& other) noexcept;
  ~Export();

  const std::string& name() const;
  const v1::Window& window() const;
  // As p2pd answered when it was made, or last renewed: expire_time is when it will be revoked.
  const v1::Export& info() const;
  // The dma-buf of an export of grade RAW: exactly its window. Borrowed; -1 for any other, and once released.
  int dma_buf() const;

  // Gives the export a new time to live, from now on, whether it had one or not: after it p2pd revokes the export,
  // mappings and all. 1 ms to 10 years; infinite: as long as the session lives. Errors: NotFound, the old one is over.
  absl::Status Renew(absl::Duration time_to_live);

  // Closes the dma-buf, then tells p2pd. Returns the receipt of the revocation, an empty one if the export was
  // gone already. Later calls return an empty receipt. After an error the export stands, without its dma-buf,
  // and the call can be made again. While anybody holds a copy of the dma-buf, devices may go on reaching the
  // window, and it stays taken (LINGERING).
  absl::StatusOr<v1::Operation> Release();

 private:
  friend class Session;
  struct Impl;
  // Owns `dma_buf`; -1 is none.
  Export(std::shared_ptr<internal::Connection> connection, int dma_buf, v1::Export info);

  std::unique_ptr<Impl> impl_;
};

}  // namespace p2p

#endif  // P2PD_CLIENT_EXPORT_H_
