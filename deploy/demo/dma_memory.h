// Memory that this process and a device share: a sealed memfd, mapped into the device's address space by p2pd.
#ifndef P2PD_DEPLOY_DEMO_DMA_MEMORY_H_
#define P2PD_DEPLOY_DEMO_DMA_MEMORY_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "client/session.h"

namespace demo {

// Offsets are bytes from its start. Move-only.
class DmaMemory {
 public:
  // `name` is what /proc shows; `options` say where devices are to find it.
  static absl::StatusOr<DmaMemory> Create(p2p::Session& session, const p2p::AddressSpace& space,
                                          const std::string& name, size_t size, const p2p::MapOptions& options = {});

  const std::string& name() const { return mapping_.name(); }  // the mapping's, as "mappings/7"

  // Where devices of the address space find the byte at `offset`.
  uint64_t iova(uint64_t offset = 0) const { return mapping_.iova() + offset; }
  size_t size() const { return memory_.size(); }
  absl::Span<char> bytes(uint64_t offset, size_t length) const { return memory_.bytes().subspan(offset, length); }

  // `count` objects at `offset`, which is aligned for them.
  template <typename T>
  absl::Span<T> At(uint64_t offset, size_t count) const {
    return absl::MakeSpan(reinterpret_cast<T*>(bytes(offset, count * sizeof(T)).data()), count);
  }

  void Clear();  // to zeroes

 private:
  DmaMemory(p2p::SealedMemory memory, p2p::Mapping mapping)
      : memory_(std::move(memory)), mapping_(std::move(mapping)) {}

  p2p::SealedMemory memory_;
  p2p::Mapping mapping_;
};

}  // namespace demo

#endif  // P2PD_DEPLOY_DEMO_DMA_MEMORY_H_
