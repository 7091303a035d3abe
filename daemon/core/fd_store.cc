#include "daemon/core/fd_store.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace p2pd {
namespace {

constexpr size_t kLongestName = 255;
constexpr absl::string_view kPrefixes[] = {"dev-", "ctx-", "sess-", "mem-", "raw-"};

// ':' separates the names in $LISTEN_FDNAMES.
std::string Spelled(const PciAddress& address) { return absl::StrReplaceAll(address.ToString(), {{":", "-"}}); }

}  // namespace

std::string DeviceFdName(const PciAddress& address) { return absl::StrCat("dev-", Spelled(address)); }
std::string ContextFdName(const PciAddress& first_device) { return absl::StrCat("ctx-", Spelled(first_device)); }
std::string SessionFdName(uint64_t session) { return absl::StrCat("sess-", session); }
std::string MemoryFdName(uint64_t number) { return absl::StrCat("mem-", number); }
std::string RawExportFdName(uint64_t export_id) { return absl::StrCat("raw-", export_id); }

bool IsStoredFdName(absl::string_view name) {
  if (name == kJournalFdName) return true;
  const bool known = std::any_of(std::begin(kPrefixes), std::end(kPrefixes), [&](absl::string_view prefix) {
    return absl::StartsWith(name, prefix) && name.size() > prefix.size();
  });
  return known && name.size() <= kLongestName && std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return absl::ascii_isalnum(c) || c == '-' || c == '_' || c == '.';
         });
}

}  // namespace p2pd
