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
// Why the administrator revokes something.
absl::Status CheckReason(const std::string& reason);
// The page that a list request asks for.
absl::StatusOr<Page> PageFromProto(uint32_t page_size, const std::string& page_token);
absl::StatusOr<TopologyQuery> FromProto(const v1::GetTopologyRequest& request);
absl::StatusOr<MapMemoryArgs> FromProto(const v1::MapMemoryRequest& request);

}  // namespace p2pd

#endif  // P2PD_DAEMON_FRONT_FROM_PROTO_H_
