#include "deploy/demo/window_content.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

#include "absl/functional/function_ref.h"

namespace demo {
namespace {

constexpr uint64_t kChunk = 64 << 10;

// A word that no neighbour, and no other seed, has (splitmix64).
uint64_t WordAt(uint64_t seed, uint64_t offset) {
  uint64_t word = (seed << 40) + offset + 0x9e3779b97f4a7c15;
  word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9;
  word = (word ^ (word >> 27)) * 0x94d049bb133111eb;
  return word ^ (word >> 31);
}

constexpr std::array<uint32_t, 256> MakeCrcTable() {
  std::array<uint32_t, 256> table = {};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value & 1) != 0 ? value >> 1 ^ 0xedb88320 : value >> 1;
    table[i] = value;
  }
  return table;
}

// Shows the window piece by piece, each with the offset where it starts.
void ForEachChunk(const Bar& bar, Window window, absl::FunctionRef<void(uint64_t, absl::Span<const uint64_t>)> show) {
  std::vector<uint64_t> words;
  for (uint64_t done = 0; done < window.length; done += words.size() * sizeof(uint64_t)) {
    words.resize(std::min(kChunk, window.length - done) / sizeof(uint64_t));
    bar.Load(window.offset + done, absl::MakeSpan(words));
    show(window.offset + done, words);
  }
}

}  // namespace

void FillWindow(Bar& bar, Window window, uint64_t seed) {
  std::vector<uint64_t> words;
  for (uint64_t done = 0; done < window.length; done += words.size() * sizeof(uint64_t)) {
    words.resize(std::min(kChunk, window.length - done) / sizeof(uint64_t));
    for (size_t i = 0; i < words.size(); ++i) words[i] = WordAt(seed, window.offset + done + i * sizeof(uint64_t));
    bar.Store(window.offset + done, words);
  }
}

uint64_t CountForeignWords(const Bar& bar, Window window, uint64_t seed) {
  uint64_t foreign = 0;
  ForEachChunk(bar, window, [&](uint64_t offset, absl::Span<const uint64_t> words) {
    for (size_t i = 0; i < words.size(); ++i) foreign += words[i] != WordAt(seed, offset + i * sizeof(uint64_t));
  });
  return foreign;
}

uint32_t WindowCrc32(const Bar& bar, Window window) {
  uint32_t crc = 0;
  ForEachChunk(bar, window, [&](uint64_t, absl::Span<const uint64_t> words) {
    crc = Crc32(words.data(), words.size() * sizeof(uint64_t), crc);
  });
  return crc;
}

uint32_t Crc32(const void* data, size_t length, uint32_t crc) {
  static constexpr std::array<uint32_t, 256> kTable = MakeCrcTable();
  const auto* byte = static_cast<const uint8_t*>(data);
  crc = ~crc;
  for (size_t i = 0; i < length; ++i) crc = kTable[(crc ^ byte[i]) & 0xff] ^ crc >> 8;
  return ~crc;
}

}  // namespace demo
