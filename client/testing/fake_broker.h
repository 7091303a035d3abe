// The fake p2pd's gRPC service over FakeState: tokens, request ids and events as the API promises them.
#ifndef P2PD_CLIENT_TESTING_FAKE_BROKER_H_
#define P2PD_CLIENT_TESTING_FAKE_BROKER_H_

#include <condition_variable>
#include <functional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "client/testing/fake_calls.h"
#include "client/testing/fake_state.h"
#include "client/types.h"
#include "daemon/base/mutex.h"
#include "grpcpp/grpcpp.h"
#include "proto/p2pd/v1/broker.grpc.pb.h"

namespace p2p::testing {

class FakeBroker final : public v1::Broker::Service {
 public:
  // Sends a Grant, with a descriptor, to a session.
  using SendGrant = std::function<void(const std::string& session, const v1::Grant& grant)>;
  // Ends a session's channel, for this reason.
  using EndSession = std::function<void(const std::string& session, const std::string& reason)>;
  FakeBroker(SendGrant send_grant, EndSession end_session)
      : send_grant_(std::move(send_grant)), end_session_(std::move(end_session)) {}

  FakeCalls& calls() { return calls_; }
  // Works on the state under its lock; the changes are seen by watchers.
  void WithState(const std::function<void(FakeState&)>& work) ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends all watches.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

#define P2P_FAKE_METHOD(method, Request, Response) \
  grpc::Status method(grpc::ServerContext* context, const v1::Request* request, v1::Response* response) override
  P2P_FAKE_METHOD(Ping, PingRequest, PingResponse);
  P2P_FAKE_METHOD(GetStatus, GetStatusRequest, Status);
  P2P_FAKE_METHOD(ListDevices, ListDevicesRequest, ListDevicesResponse);
  P2P_FAKE_METHOD(GetDevice, GetDeviceRequest, Device);
  P2P_FAKE_METHOD(GetTopology, GetTopologyRequest, Topology);
  P2P_FAKE_METHOD(OpenDevice, OpenDeviceRequest, Device);
  P2P_FAKE_METHOD(CloseDevice, CloseDeviceRequest, Device);
  P2P_FAKE_METHOD(DeviceReady, DeviceReadyRequest, Device);
  P2P_FAKE_METHOD(ResetDevice, ResetDeviceRequest, Operation);
  P2P_FAKE_METHOD(RecoverDevice, RecoverDeviceRequest, Operation);
  P2P_FAKE_METHOD(ListOffers, ListOffersRequest, ListOffersResponse);
  P2P_FAKE_METHOD(ReloadPolicy, ReloadPolicyRequest, ReloadPolicyResponse);
  P2P_FAKE_METHOD(ExplainPolicy, ExplainPolicyRequest, ExplainPolicyResponse);
  P2P_FAKE_METHOD(SetLogLevel, SetLogLevelRequest, SetLogLevelResponse);
  P2P_FAKE_METHOD(ListSessions, ListSessionsRequest, ListSessionsResponse);
  P2P_FAKE_METHOD(GetSession, GetSessionRequest, Session);
  P2P_FAKE_METHOD(RevokeSession, RevokeSessionRequest, Operation);
  P2P_FAKE_METHOD(CreateExport, CreateExportRequest, Export);
  P2P_FAKE_METHOD(ListExports, ListExportsRequest, ListExportsResponse);
  P2P_FAKE_METHOD(GetExport, GetExportRequest, Export);
  P2P_FAKE_METHOD(RenewExport, RenewExportRequest, Export);
  P2P_FAKE_METHOD(DeleteExport, DeleteExportRequest, DeleteExportResponse);
  P2P_FAKE_METHOD(RevokeExport, RevokeExportRequest, Operation);
  P2P_FAKE_METHOD(Acquire, AcquireRequest, AcquireResponse);
  P2P_FAKE_METHOD(CreateAddressSpace, CreateAddressSpaceRequest, AddressSpace);
  P2P_FAKE_METHOD(ListAddressSpaces, ListAddressSpacesRequest, ListAddressSpacesResponse);
  P2P_FAKE_METHOD(GetAddressSpace, GetAddressSpaceRequest, AddressSpace);
  P2P_FAKE_METHOD(DeleteAddressSpace, DeleteAddressSpaceRequest, DeleteAddressSpaceResponse);
  P2P_FAKE_METHOD(Map, MapRequest, Mapping);
  P2P_FAKE_METHOD(MapMemory, MapMemoryRequest, Mapping);
  P2P_FAKE_METHOD(Unmap, UnmapRequest, Mapping);
  P2P_FAKE_METHOD(BatchMap, BatchMapRequest, BatchMapResponse);
  P2P_FAKE_METHOD(BatchUnmap, BatchUnmapRequest, BatchUnmapResponse);
  P2P_FAKE_METHOD(ListMappings, ListMappingsRequest, ListMappingsResponse);
  P2P_FAKE_METHOD(GetMapping, GetMappingRequest, Mapping);
  P2P_FAKE_METHOD(ListOperations, ListOperationsRequest, ListOperationsResponse);
  P2P_FAKE_METHOD(GetOperation, GetOperationRequest, Operation);
#undef P2P_FAKE_METHOD
  grpc::Status WatchEvents(grpc::ServerContext* context, const v1::WatchEventsRequest* request,
                           grpc::ServerWriter<v1::Event>* writer) override;

 private:
  // Checks the token, logs the call, plays what the test scripted, and runs `work` under the lock.
  template <typename Response>
  grpc::Status Answer(const std::string& method, grpc::ServerContext* context, const std::string& request_id,
                      Response* response,
                      const std::function<grpc::Status(const std::string& session, FakeState& state)>& work)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Sends the descriptor that this answer of `method` grants, if any.
  template <typename Response>
  void Grant(const std::string& method, const std::string& session, const std::string& request_id,
             const Response& response);
  std::string SessionOf(grpc::ServerContext* context) ABSL_LOCKS_EXCLUDED(mutex_);

  const SendGrant send_grant_;
  const EndSession end_session_;
  FakeCalls calls_;
  p2pd::Mutex mutex_;
  std::condition_variable_any changed_;
  FakeState state_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace p2p::testing

#endif  // P2PD_CLIENT_TESTING_FAKE_BROKER_H_
