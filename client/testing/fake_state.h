// What the fake p2pd remembers: devices, sessions and what they hold. It answers as p2pd does where a client
// can tell the difference (names, owners, generations, receipts); it judges no policy and maps nothing.
#ifndef P2PD_CLIENT_TESTING_FAKE_STATE_H_
#define P2PD_CLIENT_TESTING_FAKE_STATE_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "client/types.h"
#include "grpcpp/support/status.h"

namespace p2p::testing {

inline constexpr int64_t kStarted = 1767225600;  // 2026-01-01

// Not thread-safe: FakeBroker's lock guards it.
class FakeState {
 public:
  // Two NVMe controllers, 0000:01:00.0 with a controller memory buffer in BAR 2, and 0000:02:00.0.
  FakeState();

  v1::Welcome BeginSession(const std::string& client);
  void EndSession(const std::string& name);
  // The session's name, "" for an unknown token.
  std::string SessionOf(const std::string& token) const;

  grpc::Status OpenDevice(const std::string& session, const std::string& name, v1::Device* device);
  grpc::Status CloseDevice(const std::string& session, const std::string& name, v1::Device* device);
  grpc::Status DeviceReady(const std::string& session, const v1::DeviceReadyRequest& request, v1::Device* device);
  // One of scope BUS resets every device of the context.
  grpc::Status ResetDevice(const v1::ResetDeviceRequest& request, v1::Operation* operation);
  grpc::Status RecoverDevice(const std::string& name, v1::Operation* operation);
  grpc::Status RevokeSession(const std::string& name, v1::Operation* operation);
  grpc::Status RevokeExport(const std::string& name, v1::Operation* operation);
  grpc::Status CreateExport(const std::string& session, const v1::CreateExportRequest& request, v1::Export* result);
  // Nothing expires here: time stands still, but for a second that passes with each renewal.
  grpc::Status RenewExport(const std::string& session, const v1::RenewExportRequest& request, v1::Export* result);
  grpc::Status DeleteExport(const std::string& name, v1::Operation* operation);
  grpc::Status CreateAddressSpace(const std::string& session, const v1::CreateAddressSpaceRequest& request,
                                  v1::AddressSpace* result);
  grpc::Status DeleteAddressSpace(const std::string& name, v1::Operation* operation);
  grpc::Status Map(const std::string& session, const v1::MapRequest& request, v1::Mapping* result);
  grpc::Status MapMemory(const std::string& session, const v1::MapMemoryRequest& request, v1::Mapping* result);
  grpc::Status Unmap(const std::string& name, v1::Mapping* result);
  // All or nothing (fake_batches.cc).
  grpc::Status Acquire(const std::string& session, const v1::AcquireRequest& request, v1::AcquireResponse* response);
  grpc::Status BatchMap(const std::string& session, const v1::BatchMapRequest& request, v1::BatchMapResponse* response);
  grpc::Status BatchUnmap(const v1::BatchUnmapRequest& request, v1::BatchUnmapResponse* response);

  std::map<std::string, v1::Device> devices;
  v1::Topology topology;  // what a test says
  std::map<std::string, v1::Session> sessions;
  std::map<std::string, v1::Export> exports;
  std::map<std::string, v1::AddressSpace> address_spaces;
  std::map<std::string, v1::Mapping> mappings;
  std::map<std::string, v1::Operation> operations;
  std::set<std::pair<std::string, std::string>> memories;  // session, name
  std::vector<v1::Event> events;                           // every change so far

  // What a test can set: the most that a page of a list holds, a token that every page names as the next, the log
  // level, and mappings that the kernel fails to unmap.
  uint32_t page_size = 1000;
  std::string stuck_page_token;
  std::string log_level = "info";
  std::set<std::string> stuck_mappings;

 private:
  std::string NewName(const char* kind) { return kind + std::to_string(++last_id_); }
  v1::Event& AddEvent(v1::Event::Type type);
  void ChangeDevice(v1::Device& device, v1::Device::State state);
  // fake_operations.cc, with ResetDevice, RecoverDevice, RevokeSession and RevokeExport.
  v1::Operation NewOperation(v1::Operation::Kind kind, const std::string& device);
  // It is done: watchers see it grow step by step, and its receipt is kept.
  void Record(const v1::Operation& operation);
  void ResetOne(v1::Device& device, v1::Operation& operation);
  void RevokeMapping(const std::string& name, v1::Operation& operation);
  void EndExport(const std::string& name, v1::Operation& operation);
  void EndExportsOf(const std::string& device, v1::Operation& operation);

  uint64_t last_id_ = 0;
  int64_t now_ = kStarted;
  uint64_t next_iova_ = 0x100000000;
  std::map<std::string, std::string> tokens_;  // to the session's name
};

// As p2pd says it.
grpc::Status Failure(grpc::StatusCode code, v1::ErrorDetail::Reason reason, const std::string& step,
                     const std::string& object, const std::string& what, const std::string& hint = "");
grpc::Status NotFound(const std::string& step, const std::string& name);

}  // namespace p2p::testing

#endif  // P2PD_CLIENT_TESTING_FAKE_STATE_H_
