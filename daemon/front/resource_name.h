// The names of objects in the API, "exports/12", and the plain ids behind them.
#ifndef P2PD_DAEMON_FRONT_RESOURCE_NAME_H_
#define P2PD_DAEMON_FRONT_RESOURCE_NAME_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "daemon/core/types.h"

namespace p2pd {

std::string NameOf(const PciAddress& device);
std::string NameOf(SessionId id);
std::string NameOf(ExportId id);
std::string NameOf(OfferId id);
std::string NameOf(AddressSpaceId id);
std::string NameOf(MappingId id);
std::string NameOf(OperationId id);

// Errors: InvalidArgument, saying what a name of that kind looks like.
absl::StatusOr<PciAddress> ParseDeviceName(absl::string_view name);
absl::StatusOr<SessionId> ParseSessionName(absl::string_view name);
absl::StatusOr<ExportId> ParseExportName(absl::string_view name);
absl::StatusOr<OfferId> ParseOfferName(absl::string_view name);
absl::StatusOr<AddressSpaceId> ParseAddressSpaceName(absl::string_view name);
absl::StatusOr<MappingId> ParseMappingName(absl::string_view name);
absl::StatusOr<OperationId> ParseOperationName(absl::string_view name);

}  // namespace p2pd

#endif  // P2PD_DAEMON_FRONT_RESOURCE_NAME_H_
