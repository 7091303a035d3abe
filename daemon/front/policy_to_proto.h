// What core says of its policy as messages of the API, and the questions about it. Pure.
#ifndef P2PD_DAEMON_FRONT_POLICY_TO_PROTO_H_
#define P2PD_DAEMON_FRONT_POLICY_TO_PROTO_H_

#include "absl/status/statusor.h"
#include "daemon/core/types.h"
#include "proto/p2pd/v1/broker.pb.h"

namespace p2pd {

v1::ReloadPolicyResponse ToProto(const ReloadView& view);
v1::ExplainPolicyResponse ToProto(const ExplanationView& view);
// Errors: InvalidArgument, naming the field.
absl::StatusOr<ExplainArgs> FromProto(const v1::ExplainPolicyRequest& request);

}  // namespace p2pd

#endif  // P2PD_DAEMON_FRONT_POLICY_TO_PROTO_H_
