#include "client/p2pctl/window.h"

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/p2pctl/names.h"
#include "daemon/base/errors.h"

namespace p2p::ctl {
namespace {

constexpr char kSizes[] = "write 4096, 0x1000, 64K, 2M, 1G or 1T";
constexpr char kWindows[] = "write BDF/BAR+LENGTH or BDF/BAR/OFFSET+LENGTH, as in 01:00.0/2/64K+2M";

absl::Status Refuse(absl::string_view typed, absl::string_view what, absl::string_view hint) {
  return p2pd::MakeError(absl::StatusCode::kInvalidArgument,
                         {.reason = p2pd::Reason::kInvalidArgument, .hint = std::string(hint)},
                         absl::StrCat("'", typed, "' is not ", what));
}

bool ParseNumber(absl::string_view text, uint64_t* number) {
  if (absl::ConsumePrefix(&text, "0x")) return absl::SimpleHexAtoi(text, number) && !absl::StrContains(text, "x");
  return absl::SimpleAtoi(text, number);
}

}  // namespace

absl::StatusOr<uint64_t> ParseSize(absl::string_view typed) {
  static constexpr absl::string_view kUnits = "KMGT";
  absl::string_view digits = typed;
  int shift = 0;
  if (!digits.empty()) {
    const size_t unit = kUnits.find(absl::ascii_toupper(digits.back()));
    if (unit != absl::string_view::npos) {
      shift = 10 * (static_cast<int>(unit) + 1);
      digits.remove_suffix(1);
    }
  }
  uint64_t number = 0;
  // No sign, no blank: SimpleAtoi would take both.
  const bool plain = !digits.empty() && absl::ascii_isdigit(digits.front()) && absl::ascii_isalnum(digits.back());
  if (!plain || !ParseNumber(digits, &number) || number > UINT64_MAX >> shift) {
    return Refuse(typed, "a number of bytes", kSizes);
  }
  return number << shift;
}

absl::StatusOr<WindowOptions> ParseWindow(absl::string_view typed) {
  absl::string_view text = typed;
  absl::ConsumePrefix(&text, "devices/");
  const std::vector<absl::string_view> halves = absl::StrSplit(text, '+');
  const std::vector<absl::string_view> place = absl::StrSplit(halves[0], '/');
  if (halves.size() != 2 || place.size() < 2 || place.size() > 3) return Refuse(typed, "a window", kWindows);
  WindowOptions window;
  P2PD_ASSIGN_OR_RETURN(window.device, DeviceName(place[0]));
  if (!absl::SimpleAtoi(place[1], &window.bar) || window.bar > 5) {
    return Refuse(place[1], "a BAR's number, 0 to 5", kWindows);
  }
  if (place.size() == 3) {
    P2PD_ASSIGN_OR_RETURN(window.offset, ParseSize(place[2]));
  }
  P2PD_ASSIGN_OR_RETURN(window.length, ParseSize(halves[1]));
  if (window.length == 0) return Refuse(typed, "a window: its length is 0", kWindows);
  return window;
}

absl::StatusOr<std::string> WindowText(absl::string_view typed) {
  P2PD_RETURN_IF_ERROR(ParseWindow(typed).status());
  return std::string(typed);
}

}  // namespace p2p::ctl
