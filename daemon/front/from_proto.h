// Requests of the API as core's arguments. Pure: refuses what is malformed, decides nothing.
#ifndef P2PD_DAEMON_FRONT_FROM_PROTO_H_
#define P2PD_DAEMON_FRONT_FROM_PROTO_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "daemon/core/topology_view.h"
#include "daemon/core/types.h"
#include "proto/p2pd/v1/broker.pb.h"

namespace p2pd {

// All errors: InvalidArgument, naming the field.
absl::Status CheckRequestId(const std::string& request_id);
absl::StatusOr<Window> FromProto(const v1::Window& window);
absl::StatusOr<std::vector<PciAddress>> FromProto(const v1::CreateAddressSpaceRequest& request);
absl::StatusOr<MapArgs> FromProto(const v1::MapRequest& request);
absl::StatusOr<AcquireArgs> FromProto(const v1::AcquireRequest& request);
// RAW or, by default, MAPPED.
absl::StatusOr<Grade> GradeFromProto(v1::Grade grade);
// FUNCTION by default, or BUS.
absl::StatusOr<ResetScope> ScopeFromProto(v1::ResetDeviceRequest::Scope scope);
// Of a request for an export: infinite where it says none.
template <typename Request>
absl::Duration TimeToLiveOf(const Request& request) {
  if (!request.has_time_to_live()) return absl::InfiniteDuration();
  return absl::Seconds(request.time_to_live().seconds()) + absl::Nanoseconds(request.time_to_live().nanos());
}
// Why the administrator revokes something.
absl::Status CheckReason(const std::string& reason);
// The page that a list request asks for.
absl::StatusOr<Page> PageFromProto(uint32_t page_size, const std::string& page_token);
absl::StatusOr<TopologyQuery> FromProto(const v1::GetTopologyRequest& request);
absl::StatusOr<MapMemoryArgs> FromProto(const v1::MapMemoryRequest& request);

}  // namespace p2pd

#endif  // P2PD_DAEMON_FRONT_FROM_PROTO_H_
