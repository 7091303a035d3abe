// Reads who and what a rule is about, and refuses what could not mean what it says: names that nobody has, patterns
// that match nothing.
#ifndef P2PD_POLICY_MATCH_READER_H_
#define P2PD_POLICY_MATCH_READER_H_

#include <map>
#include <string>
#include <vector>

#include "daemon/textproto/field_places.h"
#include "policy/device_match.h"
#include "policy/reading.h"
#include "policy/rule.h"
#include "policy/subject_match.h"
#include "proto/p2pd/v1/policy.pb.h"

namespace p2pd {

using DeviceSets = std::map<std::string, DeviceSet>;

SubjectMatch ReadSubject(Reading& reading, const v1::Subject& proto, const FieldPlaces& places);

// Which devices; the windows of an exporter are read by ReadWindowMatch.
DeviceMatch ReadDevice(Reading& reading, const v1::DeviceMatch& proto, const FieldPlaces& places,
                       const DeviceSets& sets);
// Refuses `bar`, `window` and `kind` where there is no window: "windows are the exporter's".
void RefuseWindowMatch(Reading& reading, const v1::DeviceMatch& proto, const FieldPlaces& places,
                       absl::string_view where);
// Into the rule's conditions on the window.
void ReadWindowMatch(Reading& reading, const v1::DeviceMatch& proto, const FieldPlaces& places, Rule& rule);

DeviceSet ReadDeviceSet(Reading& reading, const v1::DeviceSet& proto, const FieldPlaces& places);

}  // namespace p2pd

#endif  // P2PD_POLICY_MATCH_READER_H_
