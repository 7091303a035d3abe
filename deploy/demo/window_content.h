// What is in a window of a BAR, as its owner sees it through a mapping of its own: the demonstration's way to
// know whether anybody else has written there.
#ifndef P2PD_DEPLOY_DEMO_WINDOW_CONTENT_H_
#define P2PD_DEPLOY_DEMO_WINDOW_CONTENT_H_

#include <cstddef>
#include <cstdint>

#include "deploy/demo/bar.h"

namespace demo {

// Offsets and lengths are bytes, multiples of 8.
struct Window {
  uint64_t offset = 0;
  uint64_t length = 0;
};

// Fills the window with words that are told by `seed` and by where they are.
void FillWindow(Bar& bar, Window window, uint64_t seed);

// The words that are not as FillWindow left them.
uint64_t CountForeignWords(const Bar& bar, Window window, uint64_t seed);

// The CRC-32 of the window, as zlib and `python3 -c 'import zlib'` compute it.
uint32_t WindowCrc32(const Bar& bar, Window window);

// The same of ordinary memory; `crc` is that of what comes before.
uint32_t Crc32(const void* data, size_t length, uint32_t crc = 0);

}  // namespace demo

#endif  // P2PD_DEPLOY_DEMO_WINDOW_CONTENT_H_
