// How p2pd's gRPC server is set up, whatever it serves.
#ifndef P2PD_DAEMON_FRONT_GRPC_SETUP_H_
#define P2PD_DAEMON_FRONT_GRPC_SETUP_H_

#include "grpcpp/server_builder.h"

namespace p2pd {

// Once a process: a server that comes and goes would stop and start gRPC's own threads each time.
void InitGrpcOnce();

// What a client may take of the server: message sizes, streams, threads, time.
void SetLimits(grpc::ServerBuilder& builder);

}  // namespace p2pd

#endif  // P2PD_DAEMON_FRONT_GRPC_SETUP_H_
