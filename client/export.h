// A session's right to a window of a device's BAR. Mappings are cut from it; one of grade RAW has a dma-buf, too.
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
  Export(Export&& other) noexcept;
  Export& operator=(Export&& other) noexcept;
  ~Export();

  const std::string& name() const;
  const v1::Window& window() const;
  // As p2pd answered when it was made.
  const v1::Export& info() const;
  // The dma-buf of an export of grade RAW: exactly its window. Borrowed; -1 for any other, and once released.
  int dma_buf() const;

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
