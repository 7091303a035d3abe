// Turns an expectation's words into the request that they describe.
#ifndef P2PD_POLICY_EXPECTATION_READER_H_
#define P2PD_POLICY_EXPECTATION_READER_H_

#include "daemon/textproto/field_places.h"
#include "policy/policy.h"
#include "policy/reading.h"
#include "proto/p2pd/v1/policy.pb.h"

namespace p2pd {

// `places`: of the expectation.
PolicyRequest ReadRequest(Reading& reading, const v1::Expectation& proto, const FieldPlaces& places);

}  // namespace p2pd

#endif  // P2PD_POLICY_EXPECTATION_READER_H_
