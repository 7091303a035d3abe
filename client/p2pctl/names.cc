#include "client/p2pctl/names.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "daemon/base/errors.h"
#include "daemon/base/pci_address.h"

namespace p2p::ctl {
namespace {

// Insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b`.
size_t Slips(absl::string_view a, absl::string_view b) {
  std::vector<std::vector<size_t>> slips(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) {
    for (size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        slips[i][j] = i + j;
        continue;
      }
      const size_t substitution = slips[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      slips[i][j] = std::min({slips[i - 1][j] + 1, slips[i][j - 1] + 1, substitution});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        slips[i][j] = std::min(slips[i][j], slips[i - 2][j - 2] + 1);
      }
    }
  }
  return slips[a.size()][b.size()];
}

absl::Status BadName(absl::string_view typed, absl::string_view what, absl::string_view hint) {
  return p2pd::MakeError(absl::StatusCode::kInvalidArgument,
                         {.reason = p2pd::Reason::kInvalidArgument, .hint = std::string(hint)},
                         absl::StrCat("'", typed, "' is not ", what));
}

absl::StatusOr<std::string> NumberedName(absl::string_view typed, absl::string_view kind, absl::string_view what) {
  uint64_t number = 0;
  if (!absl::SimpleAtoi(absl::StripPrefix(typed, absl::StrCat(kind, "/")), &number)) {
    return BadName(typed, what, absl::StrCat("write 5 or ", kind, "/5; p2pctl ", kind, " lists them"));
  }
  return absl::StrCat(kind, "/", number);
}

}  // namespace

absl::StatusOr<std::string> DeviceName(absl::string_view typed) {
  const absl::string_view address = absl::StripPrefix(typed, "devices/");
  auto parsed = p2pd::PciAddress::Parse(address);
  if (!parsed.ok()) parsed = p2pd::PciAddress::Parse(absl::StrCat("0000:", address));
  if (!parsed.ok()) {
    return BadName(typed, "a device's address", "write 0000:01:00.0 or 01:00.0; p2pctl devices lists them");
  }
  return absl::StrCat("devices/", parsed->ToString());
}

absl::StatusOr<std::string> OperationName(absl::string_view typed) {
  return NumberedName(typed, "operations", "an operation's number");
}

absl::StatusOr<std::string> SessionName(absl::string_view typed) {
  return NumberedName(typed, "sessions", "a session's number");
}

absl::StatusOr<std::string> ExportName(absl::string_view typed) {
  return NumberedName(typed, "exports", "an export's number");
}

absl::StatusOr<std::string> AsTyped(absl::string_view typed) { return std::string(typed); }

absl::StatusOr<std::string> RevocableName(absl::string_view typed) {
  if (absl::StartsWith(typed, "sessions/")) return SessionName(typed);
  if (absl::StartsWith(typed, "exports/")) return ExportName(typed);
  return BadName(typed, "the name of a session or an export", "write sessions/7 or exports/12, with the kind");
}

std::string Nearest(absl::string_view typed, const std::vector<std::string>& candidates) {
  std::string nearest;
  size_t fewest = 3;
  for (const std::string& candidate : candidates) {
    const size_t slips = Slips(typed, candidate);
    if (slips >= fewest || slips >= candidate.size()) continue;
    fewest = slips;
    nearest = candidate;
  }
  return nearest;
}

}  // namespace p2p::ctl
