#include "daemon/front/from_proto.h"

#include "daemon/base/errors.h"
#include "daemon/front/resource_name.h"

namespace p2pd {
namespace {

absl::Status Malformed(absl::string_view field, absl::string_view what) {
  return MakeError(absl::StatusCode::kInvalidArgument,
                   {.reason = Reason::kInvalidArgument, .step = std::string(field), .object = "", .hint = ""}, what);
}

absl::StatusOr<Access> FromProto(v1::Access access) {
  switch (access) {
    case v1::READ:
      return Access::kRead;
    case v1::WRITE:
      return Access::kWrite;
    case v1::ACCESS_UNSPECIFIED:
    case v1::READ_WRITE:
      return Access::kReadWrite;
    default:
      return Malformed("access", "is none of READ, WRITE, READ_WRITE");
  }
}

// MapRequest and MapMemoryRequest say in the same words where a mapping is to go.
template <typename Request>
absl::StatusOr<Placement> PlacementOf(const Request& request) {
  Placement placement;
  if (request.has_iova()) placement.iova = request.iova();
  if (request.has_iova_max() && request.iova_max() != 0) placement.iova_max = request.iova_max();
  placement.alignment = request.alignment();
  if ((placement.alignment & (placement.alignment - 1)) != 0) return Malformed("alignment", "is no power of two");
  return placement;
}

}  // namespace

absl::Status CheckRequestId(const std::string& request_id) {
  constexpr size_t kMaxRequestId = 64;
  if (request_id.empty()) return Malformed("request_id", "is empty: every change needs one, unique in its session");
  if (request_id.size() > kMaxRequestId) return Malformed("request_id", "is longer than 64 bytes");
  return absl::OkStatus();
}

absl::StatusOr<Window> FromProto(const v1::Window& window) {
  P2PD_ASSIGN_OR_RETURN(const PciAddress device, ParseDeviceName(window.device()));
  if (window.bar() >= static_cast<uint32_t>(kNumBars)) return Malformed("window.bar", "is not 0 to 5");
  return Window{.device = device,
                .bar = static_cast<int>(window.bar()),
                .range = {.start = window.offset(), .length = window.length()}};
}

absl::StatusOr<std::vector<PciAddress>> FromProto(const v1::CreateAddressSpaceRequest& request) {
  if (request.devices().empty()) return Malformed("devices", "is empty");
  std::vector<PciAddress> devices;
  for (const std::string& name : request.devices()) {
    P2PD_ASSIGN_OR_RETURN(const PciAddress device, ParseDeviceName(name));
    devices.push_back(device);
  }
  return devices;
}

absl::StatusOr<MapArgs> FromProto(const v1::MapRequest& request) {
  MapArgs args;
  P2PD_ASSIGN_OR_RETURN(args.source, ParseExportName(request.export_()));
  P2PD_ASSIGN_OR_RETURN(args.address_space, ParseAddressSpaceName(request.address_space()));
  args.offset = request.offset();
  args.length = request.length();
  P2PD_ASSIGN_OR_RETURN(args.access, FromProto(request.access()));
  P2PD_ASSIGN_OR_RETURN(args.placement, PlacementOf(request));
  return args;
}

absl::StatusOr<MapMemoryArgs> FromProto(const v1::MapMemoryRequest& request) {
  MapMemoryArgs args;
  if (request.memory().empty()) return Malformed("memory", "is empty: name a memfd that was sent on the fd channel");
  args.memory = request.memory();
  P2PD_ASSIGN_OR_RETURN(args.address_space, ParseAddressSpaceName(request.address_space()));
  args.offset = request.offset();
  args.length = request.length();
  P2PD_ASSIGN_OR_RETURN(args.access, FromProto(request.access()));
  P2PD_ASSIGN_OR_RETURN(args.placement, PlacementOf(request));
  return args;
}

}  // namespace p2pd
