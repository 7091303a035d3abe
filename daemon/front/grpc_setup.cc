#include "daemon/front/grpc_setup.h"

#include <grpc/grpc.h>
#include <grpc/support/log.h>

#include "absl/strings/str_cat.h"
#include "daemon/service/log.h"
#include "grpcpp/ext/proto_server_reflection_plugin.h"
#include "grpcpp/health_check_service_interface.h"
#include "grpcpp/resource_quota.h"

namespace p2pd {
namespace {

constexpr int kMaxMessageSize = 256 * 1024;  // room for the largest batch
constexpr int kMaxStreamsAConnection = 100;
constexpr int kHandshakeTimeoutMs = 10000;
// Reflection is synchronous in this gRPC: each stream of it holds a thread.
constexpr int kMaxSyncThreads = 8;

void LogGrpc(gpr_log_func_args* entry) {
  Log(entry->severity == GPR_LOG_SEVERITY_ERROR ? LogLevel::kWarning : LogLevel::kDebug,
      absl::StrCat("gRPC: ", entry->message));
}

}  // namespace

void InitGrpcOnce() {
  static const bool done = [] {
    gpr_set_log_function(LogGrpc);
    grpc_init();
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    return true;
  }();
  static_cast<void>(done);
}

void SetLimits(grpc::ServerBuilder& builder) {
  grpc::ResourceQuota quota("p2pd");
  quota.SetMaxThreads(kMaxSyncThreads);
  builder.SetResourceQuota(quota);
  builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MIN_POLLERS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 1);
  builder.SetMaxReceiveMessageSize(kMaxMessageSize);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxStreamsAConnection);
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, kHandshakeTimeoutMs);
}

}  // namespace p2pd
