// Core's views as messages of the API. Pure.
#ifndef P2PD_DAEMON_FRONT_TO_PROTO_H_
#define P2PD_DAEMON_FRONT_TO_PROTO_H_

#include <string>

#include "daemon/core/types.h"
#include "proto/p2pd/v1/broker.pb.h"

namespace p2pd {

v1::Device ToProto(const DeviceView& view);
v1::Session ToProto(const SessionView& view);
v1::Export ToProto(const ExportView& view);
v1::AddressSpace ToProto(const AddressSpaceView& view);
v1::Mapping ToProto(const MappingView& view);
v1::Operation ToProto(const OperationView& view);
v1::Event ToProto(const Event& event);
// Without what core does not know: version, kernel, page size.
v1::Status ToProto(const StatusView& view);

}  // namespace p2pd

#endif  // P2PD_DAEMON_FRONT_TO_PROTO_H_
