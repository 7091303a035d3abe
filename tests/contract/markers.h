// Pages that say what they are: a random walk's memory and BARs carry a marker in every page, so that what a
// DMA engine finds at an IOVA tells which page of whose is mapped there.
#ifndef P2PD_TESTS_CONTRACT_MARKERS_H_
#define P2PD_TESTS_CONTRACT_MARKERS_H_

#include <cstdint>
#include <string>

#include "daemon/base/unique_fd.h"
#include "tests/contract/world.h"

namespace p2pd::contract {

inline constexpr uint64_t kPage = 4096;
inline constexpr uint64_t kMarkedPages = 16;

// Who the marks of a memfd name; a device's are its role.
inline constexpr uint64_t kMemoryMark = 0xff;

// A memfd of kMarkedPages, marked.
UniqueFd NewMarkedMemory(uint64_t whose);

// Marks kMarkedPages of a file from `offset` on; stops where it cannot be written.
void MarkPages(FdRef fd, uint64_t offset, uint64_t whose);

// What `engine`, a bound and attached edu, finds at `iova`: "page 3 of 255", or "nothing". `scratch` is memory
// that is mapped for it at `scratch_iova`.
std::string FetchMarker(World& world, FdRef engine, uint64_t iova, uint64_t scratch_iova, FdRef scratch);

}  // namespace p2pd::contract

#endif  // P2PD_TESTS_CONTRACT_MARKERS_H_
