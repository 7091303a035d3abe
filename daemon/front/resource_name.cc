#include "daemon/front/resource_name.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "daemon/base/errors.h"

namespace p2pd {
namespace {

constexpr char kDevices[] = "devices/";
constexpr char kSessions[] = "sessions/";
constexpr char kExports[] = "exports/";
constexpr char kOffers[] = "offers/";
constexpr char kAddressSpaces[] = "address-spaces/";
constexpr char kMappings[] = "mappings/";
constexpr char kOperations[] = "operations/";

absl::Status NotAName(absl::string_view name, absl::string_view example) {
  constexpr size_t kQuoted = 64;  // an error must fit into the answer's headers
  return MakeError(
      absl::StatusCode::kInvalidArgument,
      {.reason = Reason::kInvalidArgument, .step = "name", .object = std::string(name.substr(0, kQuoted)), .hint = ""},
      absl::StrCat("is no name of the form \"", example, "\""));
}

// Digits only and without a leading zero: every object has one spelling.
template <typename Id>
absl::StatusOr<Id> ParseNumbered(absl::string_view name, absl::string_view prefix) {
  absl::string_view digits = name;
  uint64_t number = 0;
  const bool valid = absl::ConsumePrefix(&digits, prefix) && !digits.empty() && digits[0] != '0' &&
                     std::all_of(digits.begin(), digits.end(), absl::ascii_isdigit) &&
                     absl::SimpleAtoi(digits, &number);
  if (!valid) return NotAName(name, absl::StrCat(prefix, "12"));
  return Id(number);
}

}  // namespace

std::string NameOf(const PciAddress& device) { return absl::StrCat(kDevices, device.ToString()); }
std::string NameOf(SessionId id) { return absl::StrCat(kSessions, id.value()); }
std::string NameOf(OfferId id) { return absl::StrCat(kOffers, id.value()); }
std::string NameOf(ExportId id) { return absl::StrCat(kExports, id.value()); }
std::string NameOf(AddressSpaceId id) { return absl::StrCat(kAddressSpaces, id.value()); }
std::string NameOf(MappingId id) { return absl::StrCat(kMappings, id.value()); }
std::string NameOf(OperationId id) { return absl::StrCat(kOperations, id.value()); }

absl::StatusOr<PciAddress> ParseDeviceName(absl::string_view name) {
  absl::string_view rest = name;
  if (absl::ConsumePrefix(&rest, kDevices)) {
    if (const auto address = PciAddress::Parse(rest); address.ok()) return *address;
  }
  return NotAName(name, "devices/0000:3a:00.0");
}

absl::StatusOr<SessionId> ParseSessionName(absl::string_view name) { return ParseNumbered<SessionId>(name, kSessions); }

absl::StatusOr<OfferId> ParseOfferName(absl::string_view name) { return ParseNumbered<OfferId>(name, kOffers); }
absl::StatusOr<ExportId> ParseExportName(absl::string_view name) { return ParseNumbered<ExportId>(name, kExports); }

absl::StatusOr<AddressSpaceId> ParseAddressSpaceName(absl::string_view name) {
  return ParseNumbered<AddressSpaceId>(name, kAddressSpaces);
}

absl::StatusOr<MappingId> ParseMappingName(absl::string_view name) { return ParseNumbered<MappingId>(name, kMappings); }

absl::StatusOr<OperationId> ParseOperationName(absl::string_view name) {
  return ParseNumbered<OperationId>(name, kOperations);
}

}  // namespace p2pd
