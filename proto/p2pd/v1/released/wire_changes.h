// What would break a client that was built against released .proto files: it may be added to, never taken from.
#ifndef P2PD_PROTO_P2PD_V1_RELEASED_WIRE_CHANGES_H_
#define P2PD_PROTO_P2PD_V1_RELEASED_WIRE_CHANGES_H_

#include <string>
#include <vector>

#include "google/protobuf/descriptor.pb.h"

namespace p2pd {

// One line for each message, field, enum value or method of `released` that `current` lacks or has otherwise: a
// field's number, name, type, label and oneof stay as they are, a value's number and name, a method's messages
// and whether they stream. What is new in `current` is no change, unless it takes the place of what was there.
std::vector<std::string> WireChanges(const google::protobuf::FileDescriptorSet& released,
                                     const google::protobuf::FileDescriptorSet& current);

}  // namespace p2pd

#endif  // P2PD_PROTO_P2PD_V1_RELEASED_WIRE_CHANGES_H_
