// Memory for DMA, as p2pd wants it: a memfd that can neither shrink nor grow, every page of it allocated, and
// mapped in this process. Session::MapMemory lets devices reach it.
#ifndef P2PD_CLIENT_SEALED_MEMORY_H_
#define P2PD_CLIENT_SEALED_MEMORY_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace p2p {

// Move-only. A mapping that p2pd made of it keeps the pages alive on its own.
class SealedMemory {
 public:
  // `name` is what /proc shows, at most 249 bytes; `size` in bytes, not 0, is rounded up to whole pages. The
  // memory is zeroed. Errors: ResourceExhausted (no memory, no descriptors), InvalidArgument.
  static absl::StatusOr<SealedMemory> Create(absl::string_view name, size_t size);

  SealedMemory(SealedMemory&& other) noexcept;
  SealedMemory& operator=(SealedMemory&& other) noexcept;
  ~SealedMemory();

  // Borrowed: valid as long as this object.
  int fd() const { return fd_; }
  char* data() const { return data_; }
  size_t size() const { return size_; }
  absl::Span<char> bytes() const { return absl::MakeSpan(data_, size_); }
  // Of this memory alone in this process's life, unlike its descriptor or its inode.
  uint64_t id() const { return id_; }

 private:
  SealedMemory(int fd, char* data, size_t size, uint64_t id) : fd_(fd), data_(data), size_(size), id_(id) {}
  void Free();

  int fd_ = -1;
  char* data_ = nullptr;
  size_t size_ = 0;
  uint64_t id_ = 0;
};

}  // namespace p2p

#endif  // P2PD_CLIENT_SEALED_MEMORY_H_
