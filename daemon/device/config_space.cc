#include "daemon/device/config_space.h"

#include <array>

#include "daemon/base/errors.h"

namespace p2pd {
namespace {

constexpr uint64_t kCommand = 0x04;
constexpr uint64_t kStatus = 0x06;
constexpr uint16_t kStatusCapabilities = 0x10;
constexpr uint64_t kCapabilityPointer = 0x34;
constexpr uint8_t kMsixCapability = 0x11;
constexpr int kMostCapabilities = 48;  // (256 - 64) / 4: more would be a loop

Range RoundOut(uint64_t offset, uint64_t length, uint64_t page) {
  const uint64_t start = offset / page * page;
  const uint64_t end = (offset + length + page - 1) / page * page;
  return {.start = start, .length = end - start};
}

}  // namespace

absl::StatusOr<uint16_t> ConfigSpace::Read16(uint64_t offset) const {
  std::array<uint8_t, 2> bytes = {};
  P2PD_RETURN_IF_ERROR(kernel_.ReadConfig(device_, offset, absl::MakeSpan(bytes)));
  return static_cast<uint16_t>(bytes[0] | bytes[1] << 8);
}

absl::StatusOr<uint32_t> ConfigSpace::Read32(uint64_t offset) const {
  std::array<uint8_t, 4> bytes = {};
  P2PD_RETURN_IF_ERROR(kernel_.ReadConfig(device_, offset, absl::MakeSpan(bytes)));
  return static_cast<uint32_t>(bytes[0]) | static_cast<uint32_t>(bytes[1]) << 8 |
         static_cast<uint32_t>(bytes[2]) << 16 | static_cast<uint32_t>(bytes[3]) << 24;
}

absl::Status ConfigSpace::SetCommandBits(uint16_t bits, bool on) const {
  P2PD_ASSIGN_OR_RETURN(const uint16_t before, Read16(kCommand));
  if (on && NobodyAnswers(before)) {
    return MakeError(absl::StatusCode::kFailedPrecondition,
                     {.reason = Reason::kDeviceUnusable,
                      .step = "pread",
                      .object = "COMMAND",
                      .hint = "it was unplugged, or a reset took it along and did not bring it back"},
                     "nothing but ones: the function is not on the bus");
  }
  const uint16_t after = on ? before | bits : before & ~bits;
  if (after == before) return absl::OkStatus();
  const std::array<uint8_t, 2> bytes = {static_cast<uint8_t>(after), static_cast<uint8_t>(after >> 8)};
  return kernel_.WriteConfig(device_, kCommand, bytes);
}

absl::StatusOr<bool> ConfigSpace::MemoryDecodeOn() const {
  P2PD_ASSIGN_OR_RETURN(const uint16_t command, Read16(kCommand));
  return !NobodyAnswers(command) && (command & kMemory) != 0;
}

absl::StatusOr<uint8_t> ConfigSpace::FindCapability(uint8_t id) const {
  P2PD_ASSIGN_OR_RETURN(const uint16_t status, Read16(kStatus));
  if ((status & kStatusCapabilities) == 0) return 0;
  P2PD_ASSIGN_OR_RETURN(const uint16_t first, Read16(kCapabilityPointer));
  uint8_t at = first & 0xfc;
  for (int i = 0; at != 0 && i < kMostCapabilities; ++i) {
    P2PD_ASSIGN_OR_RETURN(const uint16_t header, Read16(at));
    if ((header & 0xff) == id) return at;
    at = (header >> 8) & 0xfc;
  }
  return 0;
}

absl::StatusOr<std::map<int, std::vector<Range>>> ConfigSpace::MsixPages(uint64_t page) const {
  std::map<int, std::vector<Range>> pages;
  P2PD_ASSIGN_OR_RETURN(const uint8_t at, FindCapability(kMsixCapability));
  if (at == 0) return pages;
  P2PD_ASSIGN_OR_RETURN(const uint16_t control, Read16(at + 2));
  P2PD_ASSIGN_OR_RETURN(const uint32_t table, Read32(at + 4));
  P2PD_ASSIGN_OR_RETURN(const uint32_t pending, Read32(at + 8));
  const uint64_t vectors = (control & 0x7ff) + 1u;
  pages[table & 7].push_back(RoundOut(table & ~7u, vectors * 16, page));
  pages[pending & 7].push_back(RoundOut(pending & ~7u, (vectors + 63) / 64 * 8, page));
  return pages;
}

}  // namespace p2pd
