// What requests of each action are about, and whether a rule asks for something else: such a condition would make an
// ALLOW match nothing, and a DENY everything.
#ifndef P2PD_POLICY_REACH_H_
#define P2PD_POLICY_REACH_H_

#include "daemon/textproto/field_places.h"
#include "policy/reading.h"
#include "policy/rule.h"

namespace p2pd {

// `places`: of the rule.
void CheckReach(Reading& reading, const Rule& rule, const FieldPlaces& places);

}  // namespace p2pd

#endif  // P2PD_POLICY_REACH_H_
