#include "daemon/base/pci_address.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "daemon/base/errors.h"

namespace p2pd {
namespace {

// Takes `digits` hexadecimal digits off the front of `text`.
bool TakeHex(absl::string_view& text, size_t digits, uint32_t max, uint32_t& value) {
  if (text.size() < digits) return false;
  uint64_t result = 0;
  for (size_t i = 0; i < digits; ++i) {
    const char c = text[i];
    if (!absl::ascii_isxdigit(c)) return false;
    result = result * 16 + (absl::ascii_isdigit(c) ? c - '0' : absl::ascii_tolower(c) - 'a' + 10);
  }
  text.remove_prefix(digits);
  value = static_cast<uint32_t>(result);
  return result <= max;
}

bool TakeChar(absl::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

absl::StatusOr<PciAddress> PciAddress::Parse(absl::string_view text) {
  const size_t colon = text.find(':');
  absl::string_view rest = text;
  uint32_t domain = 0;
  uint32_t bus = 0;
  uint32_t device = 0;
  uint32_t function = 0;
  const bool ok = colon != absl::string_view::npos && colon >= 4 && colon <= 8 &&
                  TakeHex(rest, colon, 0xffffffff, domain) && TakeChar(rest, ':') && TakeHex(rest, 2, 0xff, bus) &&
                  TakeChar(rest, ':') && TakeHex(rest, 2, 31, device) && TakeChar(rest, '.') &&
                  TakeHex(rest, 1, 7, function) && rest.empty();
  if (!ok) {
    return MakeError(absl::StatusCode::kInvalidArgument,
                     {.reason = Reason::kInvalidArgument,
                      .step = "PCI address",
                      .object = absl::StrCat("\"", text, "\""),
                      .hint = "lspci -D prints addresses in this form"},
                     "is not of the form DDDD:BB:DD.F, as in 0000:3a:00.0");
  }
  return PciAddress{.domain = domain,
                    .bus = static_cast<uint8_t>(bus),
                    .device = static_cast<uint8_t>(device),
                    .function = static_cast<uint8_t>(function)};
}

std::string PciAddress::ToString() const { return absl::StrFormat("%04x:%02x:%02x.%x", domain, bus, device, function); }

}  // namespace p2pd
