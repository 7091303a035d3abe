// One I/O address space, with devices that this session drives attached to it. Mappings are made in it.
#ifndef P2PD_CLIENT_ADDRESS_SPACE_H_
#define P2PD_CLIENT_ADDRESS_SPACE_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "client/types.h"

namespace p2p {

namespace internal {
class Connection;
}

// Is deleted, with every mapping in it, when it goes. Move-only; one thread at a time.
class AddressSpace {
 public:
  AddressSpace(AddressSpace&& other) noexcept = default;
  AddressSpace& operator=(AddressSpace&& other) noexcept;
  ~AddressSpace();

  const std::string& name() const { return info_.name(); }
  // As p2pd answered when it was made.
  const v1::AddressSpace& info() const { return info_; }

  // Returns the receipt, an empty one if the address space was gone already. Later calls return an empty
  // receipt. After an error the address space stands, and the call can be made again.
  absl::StatusOr<v1::Operation> Release();

 private:
  friend class Session;
  AddressSpace(std::shared_ptr<internal::Connection> connection, v1::AddressSpace info);

  std::shared_ptr<internal::Connection> connection_;  // null once released
  v1::AddressSpace info_;
};

}  // namespace p2p

#endif  // P2PD_CLIENT_ADDRESS_SPACE_H_
