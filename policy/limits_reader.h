// Reads what a rule holds its grants to, and refuses limits that none of its actions knows.
#ifndef P2PD_POLICY_LIMITS_READER_H_
#define P2PD_POLICY_LIMITS_READER_H_

#include "daemon/textproto/field_places.h"
#include "policy/policy.h"
#include "policy/reading.h"
#include "policy/rule.h"
#include "proto/p2pd/v1/policy.pb.h"

namespace p2pd {

// `rule` has its effect and its actions.
GrantLimits ReadLimits(Reading& reading, const v1::Limits& proto, const FieldPlaces& places, const Rule& rule);

// Of limits that were read without a problem, or of an expectation's.
GrantLimits ToLimits(const v1::Limits& proto);

}  // namespace p2pd

#endif  // P2PD_POLICY_LIMITS_READER_H_
