#include "deploy/demo/dma_memory.h"

#include <algorithm>

#include "daemon/base/errors.h"

namespace demo {

absl::StatusOr<DmaMemory> DmaMemory::Create(p2p::Session& session, const p2p::AddressSpace& space,
                                            const std::string& name, size_t size, const p2p::MapOptions& options) {
  P2PD_ASSIGN_OR_RETURN(p2p::SealedMemory memory, p2p::SealedMemory::Create(name, size));
  P2PD_ASSIGN_OR_RETURN(p2p::Mapping mapping, session.MapMemory(memory, space, options));
  return DmaMemory(std::move(memory), std::move(mapping));
}

void DmaMemory::Clear() {
  const absl::Span<char> all = memory_.bytes();
  std::fill(all.begin(), all.end(), 0);
}

}  // namespace demo
