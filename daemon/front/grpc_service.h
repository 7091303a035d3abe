// The API's calls, over core. Each is three steps: whose session it is (the token), what is asked (plain
// values), core's answer as a message. Nothing is decided here, and no call blocks.
//
// grpc_looking.cc has the calls that only look, grpc_devices.cc those that change a device, grpc_grants.cc
// those that change a grant, grpc_offers.cc a driver's offers, grpc_revoke.cc and grpc_policy.cc the administrator's.
#ifndef P2PD_DAEMON_FRONT_GRPC_SERVICE_H_
#define P2PD_DAEMON_FRONT_GRPC_SERVICE_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "daemon/base/mutex.h"
#include "daemon/core/broker.h"
#include "daemon/service/event_loop.h"
#include "proto/p2pd/v1/broker.grpc.pb.h"

namespace p2pd {

class GrpcService final : public v1::Broker::CallbackService {
 public:
  struct Options {
    std::string version;
    std::string kernel;               // "linux" or "simulation"
    size_t max_unread_events = 4096;  // of one WatchEvents call, its snapshot aside
    // What the front limits, besides core: what this user holds of it.
    std::function<std::vector<UsageView>(uint32_t uid)> usage = nullptr;
    // What stands beside the kernel's capabilities.
    std::function<std::vector<CapabilityView>()> capabilities = nullptr;
    // Is told of a new log level, on any thread.
    std::function<void()> on_log_level = nullptr;
  };
  static constexpr int kMaxWatchesASession = 8;

  // The broker and the loop outlive the service.
  GrpcService(Broker& broker, EventLoop& loop, Options options);

  using Context = grpc::CallbackServerContext;
  using Reactor = grpc::ServerUnaryReactor;

  Reactor* Ping(Context*, const v1::PingRequest*, v1::PingResponse*) override;
  Reactor* GetStatus(Context*, const v1::GetStatusRequest*, v1::Status*) override;
  Reactor* ListDevices(Context*, const v1::ListDevicesRequest*, v1::ListDevicesResponse*) override;
  Reactor* GetDevice(Context*, const v1::GetDeviceRequest*, v1::Device*) override;
  Reactor* GetTopology(Context*, const v1::GetTopologyRequest*, v1::Topology*) override;
  Reactor* ListSessions(Context*, const v1::ListSessionsRequest*, v1::ListSessionsResponse*) override;
  Reactor* GetSession(Context*, const v1::GetSessionRequest*, v1::Session*) override;
  Reactor* ListExports(Context*, const v1::ListExportsRequest*, v1::ListExportsResponse*) override;
  Reactor* GetExport(Context*, const v1::GetExportRequest*, v1::Export*) override;
  Reactor* ListAddressSpaces(Context*, const v1::ListAddressSpacesRequest*, v1::ListAddressSpacesResponse*) override;
  Reactor* GetAddressSpace(Context*, const v1::GetAddressSpaceRequest*, v1::AddressSpace*) override;
  Reactor* ListMappings(Context*, const v1::ListMappingsRequest*, v1::ListMappingsResponse*) override;
  Reactor* GetMapping(Context*, const v1::GetMappingRequest*, v1::Mapping*) override;
  Reactor* ListOperations(Context*, const v1::ListOperationsRequest*, v1::ListOperationsResponse*) override;
  Reactor* GetOperation(Context*, const v1::GetOperationRequest*, v1::Operation*) override;
  grpc::ServerWriteReactor<v1::Event>* WatchEvents(Context*, const v1::WatchEventsRequest*) override;

  Reactor* OpenDevice(Context*, const v1::OpenDeviceRequest*, v1::Device*) override;
  Reactor* CloseDevice(Context*, const v1::CloseDeviceRequest*, v1::Device*) override;
  Reactor* DeviceReady(Context*, const v1::DeviceReadyRequest*, v1::Device*) override;
  Reactor* ResetDevice(Context*, const v1::ResetDeviceRequest*, v1::Operation*) override;
  Reactor* RecoverDevice(Context*, const v1::RecoverDeviceRequest*, v1::Operation*) override;

  Reactor* CreateExport(Context*, const v1::CreateExportRequest*, v1::Export*) override;
  Reactor* Acquire(Context*, const v1::AcquireRequest*, v1::AcquireResponse*) override;
  Reactor* RenewExport(Context*, const v1::RenewExportRequest*, v1::Export*) override;
  Reactor* DeleteExport(Context*, const v1::DeleteExportRequest*, v1::DeleteExportResponse*) override;
  Reactor* CreateAddressSpace(Context*, const v1::CreateAddressSpaceRequest*, v1::AddressSpace*) override;
  Reactor* DeleteAddressSpace(Context*, const v1::DeleteAddressSpaceRequest*, v1::DeleteAddressSpaceResponse*) override;
  Reactor* Map(Context*, const v1::MapRequest*, v1::Mapping*) override;
  Reactor* MapMemory(Context*, const v1::MapMemoryRequest*, v1::Mapping*) override;
  Reactor* Unmap(Context*, const v1::UnmapRequest*, v1::Mapping*) override;
  Reactor* BatchMap(Context*, const v1::BatchMapRequest*, v1::BatchMapResponse*) override;
  Reactor* BatchUnmap(Context*, const v1::BatchUnmapRequest*, v1::BatchUnmapResponse*) override;

  Reactor* RevokeSession(Context*, const v1::RevokeSessionRequest*, v1::Operation*) override;
  Reactor* RevokeExport(Context*, const v1::RevokeExportRequest*, v1::Operation*) override;
  Reactor* OfferWindow(Context*, const v1::OfferWindowRequest*, v1::Offer*) override;
  Reactor* WithdrawOffer(Context*, const v1::WithdrawOfferRequest*, v1::WithdrawOfferResponse*) override;
  Reactor* ListOffers(Context*, const v1::ListOffersRequest*, v1::ListOffersResponse*) override;
  Reactor* ReloadPolicy(Context*, const v1::ReloadPolicyRequest*, v1::ReloadPolicyResponse*) override;
  Reactor* ExplainPolicy(Context*, const v1::ExplainPolicyRequest*, v1::ExplainPolicyResponse*) override;
  Reactor* SetLogLevel(Context*, const v1::SetLogLevelRequest*, v1::SetLogLevelResponse*) override;

 private:
  // Fills the response at once.
  Reactor* Look(Context* context, absl::FunctionRef<absl::Status(SessionId viewer)> look);
  // `start` gives core a Reply that finishes the reactor; or it returns an error, and core knows nothing.
  Reactor* Change(Context* context, const std::string& request_id,
                  absl::FunctionRef<absl::Status(SessionId session, Reactor* reactor)> start);
  StatusView StatusFor(SessionId viewer) const;
  absl::StatusOr<SessionId> Authenticate(const Context& context) const;
  absl::Status BeginWatch(SessionId session) ABSL_LOCKS_EXCLUDED(mutex_);
  void EndWatch(SessionId session) ABSL_LOCKS_EXCLUDED(mutex_);

  Broker& broker_;
  EventLoop& loop_;
  const Options options_;
  Mutex mutex_;
  absl::flat_hash_map<SessionId, int> watches_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_FRONT_GRPC_SERVICE_H_
