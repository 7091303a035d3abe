// p2pd's client library. A Session is a connection to p2pd, identified by the kernel; what it grants is held
// by objects that give it back when they go, and all of it ends with the session.
//
//   auto session = p2p::Session::Connect({.client_name = "copier", .on_quiesce = Stop});
//   auto nvme = (*session)->OpenDevice("devices/0000:01:00.0");
//   ... set the device up through nvme->fd() ...
//   nvme->Ready(nvme->info().generation());
//   auto cmb = (*session)->CreateExport({.device = "devices/0000:02:00.0", .bar = 2, .length = 65536});
//   auto space = (*session)->CreateAddressSpace({nvme->name()});
//   auto window = (*session)->Map(*cmb, *space);   // window->iova() is where the NVMe reaches it
//
// Errors are absl::Status with a message fit for people; error.h has the facts for programs. Where p2pd cannot
// be reached they are Unavailable (IsDisconnected()); a call whose gRPC connection broke has been tried again
// by then, and was done at most once.
//
// A session is that of the process which connected. In a child of fork() its objects can only be destroyed, or left
// alone, which changes nothing for the parent; every call fails as after the session's end. To connect anew, such a
// child must exec first (else FailedPrecondition): gRPC does not survive a fork. Forking before the first session is
// fine.
#ifndef P2PD_CLIENT_SESSION_H_
#define P2PD_CLIENT_SESSION_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "client/address_space.h"
#include "client/device.h"
#include "client/event_stream.h"
#include "client/export.h"
#include "client/mapping.h"
#include "client/quiesce.h"
#include "client/sealed_memory.h"
#include "client/types.h"

namespace p2p {

struct SessionOptions {
  std::string fd_socket = "/run/p2pd/fds.sock";
  std::string grpc_socket = "/run/p2pd/p2pd.sock";
  std::string client_name;                            // for p2pd's logs, at most 64 bytes
  absl::Duration connect_timeout = absl::Seconds(5);  // of each of the two sockets
  absl::Duration call_timeout = absl::Minutes(2);     // of a call, retries included; a reset can take a minute
  bool retry = true;  // a call whose connection breaks is made again, of the p2pd that comes next

  // The callbacks run on the session's own thread, one at a time, in the order in which p2pd sent what they
  // tell; they should be short. They may make calls, but none that wait for that thread: OpenDevice, CreateExport
  // and Acquire of grade RAW, OfferMemory, and MapMemory of memory not yet offered (FailedPrecondition).

  // Stop the DMA that uses the mappings, then ack: by request.Ack(), or by letting the request go. It can be
  // moved to another thread. Without this callback nothing is ever acknowledged: p2pd cuts the mappings off
  // at the deadline and does not put them back.
  std::function<void(QuiesceRequest request)> on_quiesce;
  // The device works again; mappings of it that are ACTIVE may be used. Where a request to quiesce named several
  // devices, each is told of alone.
  std::function<void(const v1::Resumed& resumed)> on_resumed;
  // A device that this session drives, or of which it has a dma-buf, is taken away for good: it is unplugged, or an
  // error has cleared it. Close every copy of the fd and every mmap of it: an unplug waits for that. The Device or
  // Export stays, with its own copy, until its owner closes it.
  std::function<void(const v1::DeviceRevoked& revoked)> on_device_revoked;
  // p2pd ended the session or went away; why. Not called when this process ends it.
  std::function<void(const absl::Status& why)> on_ended;
};

// Where a mapping goes, and what part of its source it shows. Units are bytes.
struct MapOptions {
  uint64_t offset = 0;  // into the export or the memory
  uint64_t length = 0;  // 0: to the end
  v1::Access access = v1::READ_WRITE;
  std::optional<uint64_t> iova;      // exactly here
  std::optional<uint64_t> iova_max;  // or: with its last byte at or below this; ignored where iova is set
  uint64_t alignment = 0;            // of an IOVA that p2pd chooses, a power of two; 0: what helps the IOMMU
};

struct WindowOptions {
  std::string device;   // "devices/0000:3a:00.0"
  uint32_t bar = 0;     // 0 to 5
  uint64_t offset = 0;  // a multiple of the page size
  uint64_t length = 0;  // likewise, not 0
  // RAW also gives Export::dma_buf(), where policy allows it: p2pd can take that back only with the whole device.
  v1::Grade grade = v1::MAPPED;
  // After which p2pd revokes the export, mappings and all, unless it is renewed (Export::Renew); 1 ms to 10 years.
  // Infinite: it lives as long as its session.
  absl::Duration time_to_live = absl::InfiniteDuration();
};

// Who is to reach a window that is acquired, and where. Units are bytes, as in MapOptions.
struct Importer {
  const AddressSpace* space = nullptr;
  v1::Access access = v1::READ_WRITE;
  std::optional<uint64_t> iova;
  std::optional<uint64_t> iova_max;
  uint64_t alignment = 0;
};

struct Acquired {
  Export window;
  std::vector<Mapping> mappings;  // of the whole window, in the order of the importers
};

// One mapping of a batch.
struct MapItem {
  const Export* source = nullptr;
  const AddressSpace* space = nullptr;
  MapOptions options;
};

// Thread-safe. The objects that it returns may outlive it, but what they stand for does not.
class Session {
 public:
  using Options = SessionOptions;

  // Both sockets are connected when it returns. Errors: Unavailable, with the errno and a hint.
  static absl::StatusOr<std::unique_ptr<Session>> Connect(Options options);
  // Hangs up, and with that gives everything back. Waits for a callback that runs, unless it is called there.
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  const std::string& name() const;            // "sessions/7"
  const std::string& server_version() const;  // of p2pd
  absl::Status ended() const;                 // OK while the session lives; after that, why it ended

  absl::StatusOr<v1::Status> GetStatus();
  // How long p2pd took to answer a call that does nothing.
  absl::StatusOr<absl::Duration> Ping();
  // A list is complete, however many pages p2pd sends it in; what is made or ends meanwhile may be missed.
  absl::StatusOr<std::vector<v1::Device>> ListDevices();
  absl::StatusOr<v1::Device> GetDevice(absl::string_view name);
  // Where the devices are in the machine, and the ways between them; of one exporter or importer alone if it is
  // named. All pages in one.
  absl::StatusOr<v1::Topology> GetTopology(absl::string_view exporter = "", absl::string_view importer = "");
  absl::StatusOr<std::vector<v1::Session>> ListSessions();
  absl::StatusOr<v1::Session> GetSession(absl::string_view name);
  absl::StatusOr<std::vector<v1::Export>> ListExports();
  absl::StatusOr<v1::Export> GetExport(absl::string_view name);
  absl::StatusOr<std::vector<v1::AddressSpace>> ListAddressSpaces();
  absl::StatusOr<v1::AddressSpace> GetAddressSpace(absl::string_view name);
  absl::StatusOr<std::vector<v1::Mapping>> ListMappings();
  absl::StatusOr<v1::Mapping> GetMapping(absl::string_view name);
  absl::StatusOr<std::vector<v1::Operation>> ListOperations();
  absl::StatusOr<v1::Operation> GetOperation(absl::string_view name);
  std::unique_ptr<EventStream> Watch();

  // Makes this session the device's driver. The device waits for Device::Ready() after that.
  absl::StatusOr<Device> OpenDevice(absl::string_view name);
  // Resets a device, driven by this session or not, as policy allows; returns the receipt once it is done. With scope
  // BUS all devices that share its slot or bus are reset in one; FailedPrecondition names each that stands in the way.
  absl::StatusOr<v1::Operation> ResetDevice(absl::string_view name,
                                            v1::ResetDeviceRequest::Scope scope = v1::ResetDeviceRequest::FUNCTION);
  // Tries again to bind a device that is FAULTED, as policy allows (RESET); what rested on it is revoked. Returns the
  // receipt once that is done. FailedPrecondition if the device is not FAULTED.
  absl::StatusOr<v1::Operation> RecoverDevice(absl::string_view name);
  // End another's session and all it holds, or take another's export away; the receipt, once that is done. Policy
  // decides (ADMIN). `reason` is for those concerned and the receipt, at most 256 bytes.
  absl::StatusOr<v1::Operation> RevokeSession(absl::string_view name, absl::string_view reason);
  absl::StatusOr<v1::Operation> RevokeExport(absl::string_view name, absl::string_view reason);
  // Says who may have a window of a device that this session drives; rules of the policy may ask for that. It ends
  // with the driver. `request`'s request_id is filled in.
  absl::StatusOr<v1::Offer> OfferWindow(v1::OfferWindowRequest request);
  // Revokes what rested on the offer alone.
  absl::StatusOr<v1::WithdrawOfferResponse> WithdrawOffer(absl::string_view name);
  absl::StatusOr<std::vector<v1::Offer>> ListOffers();
  // Has p2pd read its policy again, as policy allows (ADMIN); what the new one does not allow is revoked when this
  // returns. A dry run only tells what that would be.
  absl::StatusOr<v1::ReloadPolicyResponse> ReloadPolicy(bool dry_run = false);
  // What the policy says to a request of this session; or, as policy allows (ADMIN), of anybody else.
  absl::StatusOr<v1::ExplainPolicyResponse> ExplainPolicy(const v1::ExplainPolicyRequest& request);
  // How much p2pd logs until it is started again, as policy allows (ADMIN): "error", "warning", "notice", "info" or
  // "debug".
  absl::Status SetLogLevel(absl::string_view level);
  absl::StatusOr<Export> CreateExport(const WindowOptions& window);
  // A window and its mapping for each importer, all or nothing; at most 64 importers.
  absl::StatusOr<Acquired> Acquire(const WindowOptions& window, const std::vector<Importer>& importers);
  // Of devices of one context, all driven by this session.
  absl::StatusOr<AddressSpace> CreateAddressSpace(const std::vector<std::string>& devices);
  absl::StatusOr<Mapping> Map(const Export& source, const AddressSpace& space, const MapOptions& options = {});

  // Many at once, all or nothing: the mappings in the order of the items. At most 1024.
  absl::StatusOr<std::vector<Mapping>> BatchMap(const std::vector<MapItem>& items);
  // Unmaps many at once, at most 1024; those that are gone already count as unmapped. What an error leaves is
  // released one by one, as every mapping that goes.
  absl::Status BatchUnmap(std::vector<Mapping> mappings);

  // Gives p2pd a memfd (it gets a descriptor of its own) and returns the name that MapMemory takes. p2pd keeps
  // it, and counts it against the user's quota, until it is withdrawn or the session ends: offer a memory once,
  // map it often. It needs F_SEAL_SHRINK and all its pages allocated; to be written by a device it must be open
  // for writing and not sealed against it: SealedMemory is all that.
  absl::StatusOr<std::string> OfferMemory(int memfd);
  absl::StatusOr<Mapping> MapMemory(absl::string_view offered, const AddressSpace& space,
                                    const MapOptions& options = {});
  // Offers the memory first, unless this session has done so before.
  absl::StatusOr<Mapping> MapMemory(const SealedMemory& memory, const AddressSpace& space,
                                    const MapOptions& options = {});
  // p2pd closes its descriptor of the memory; mappings of it stay. It does not answer.
  absl::Status WithdrawMemory(absl::string_view offered);
  absl::Status WithdrawMemory(const SealedMemory& memory);

 private:
  explicit Session(std::shared_ptr<internal::Connection> connection);
  // An object for each mapping that p2pd answered.
  std::vector<Mapping> Own(google::protobuf::RepeatedPtrField<v1::Mapping>& infos);

  const std::shared_ptr<internal::Connection> connection_;
};

}  // namespace p2p

#endif  // P2PD_CLIENT_SESSION_H_
