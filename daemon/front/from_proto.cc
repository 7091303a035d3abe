#include "daemon/front/from_proto.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "daemon/base/errors.h"
#include "daemon/front/resource_name.h"

namespace p2pd {
namespace {

constexpr size_t kMaxMemoryName = 64;

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

absl::StatusOr<AcquireArgs> FromProto(const v1::AcquireRequest& request) {
  AcquireArgs args;
  P2PD_ASSIGN_OR_RETURN(args.window, FromProto(request.window()));
  P2PD_ASSIGN_OR_RETURN(args.terms.grade, GradeFromProto(request.grade()));
  args.terms.time_to_live = TimeToLiveOf(request);
  for (const v1::AcquireRequest::Importer& importer : request.importers()) {
    AcquireArgs::Importer& to = args.importers.emplace_back();
    P2PD_ASSIGN_OR_RETURN(to.address_space, ParseAddressSpaceName(importer.address_space()));
    P2PD_ASSIGN_OR_RETURN(to.access, FromProto(importer.access()));
    P2PD_ASSIGN_OR_RETURN(to.placement, PlacementOf(importer));
  }
  return args;
}

absl::StatusOr<Grade> GradeFromProto(v1::Grade grade) {
  switch (grade) {
    case v1::GRADE_UNSPECIFIED:
    case v1::MAPPED:
      return Grade::kMapped;
    case v1::RAW:
      return Grade::kRaw;
    default:
      return Malformed("grade", "is neither MAPPED nor RAW");
  }
}

absl::StatusOr<ResetScope> ScopeFromProto(v1::ResetDeviceRequest::Scope scope) {
  switch (scope) {
    case v1::ResetDeviceRequest::SCOPE_UNSPECIFIED:
    case v1::ResetDeviceRequest::FUNCTION:
      return ResetScope::kFunction;
    case v1::ResetDeviceRequest::BUS:
      return ResetScope::kBus;
    default:
      return Malformed("scope", "is neither FUNCTION nor BUS");
  }
}

absl::Status CheckReason(const std::string& reason) {
  constexpr size_t kMaxReason = 256;
  return reason.size() > kMaxReason ? Malformed("reason", "is longer than 256 bytes") : absl::OkStatus();
}

absl::StatusOr<Page> PageFromProto(uint32_t page_size, const std::string& page_token) {
  constexpr uint32_t kDefault = 1000;
  constexpr uint32_t kMost = 5000;
  if (page_size > kMost) return Malformed("page_size", "is more than 5000");
  Page page = {.limit = page_size == 0 ? kDefault : page_size};
  if (!page_token.empty() && !absl::SimpleAtoi(page_token, &page.after)) {
    return Malformed("page_token", "is no next_page_token of an earlier answer");
  }
  return page;
}

absl::StatusOr<TopologyQuery> FromProto(const v1::GetTopologyRequest& request) {
  TopologyQuery query;
  P2PD_ASSIGN_OR_RETURN(query.page, PageFromProto(request.page_size(), request.page_token()));
  query.page.limit = std::min<size_t>(query.page.limit, 1000);  // a reply is at most 4 MiB, and each has its reasons
  if (!request.exporter().empty()) {
    P2PD_ASSIGN_OR_RETURN(query.exporter, ParseDeviceName(request.exporter()));
  }
  if (!request.importer().empty()) {
    P2PD_ASSIGN_OR_RETURN(query.importer, ParseDeviceName(request.importer()));
  }
  return query;
}

absl::StatusOr<MapMemoryArgs> FromProto(const v1::MapMemoryRequest& request) {
  MapMemoryArgs args;
  if (request.memory().empty()) return Malformed("memory", "is empty: name a memfd that was sent on the fd channel");
  if (request.memory().size() > kMaxMemoryName) return Malformed("memory", "is longer than 64 bytes");
  args.memory = request.memory();
  P2PD_ASSIGN_OR_RETURN(args.address_space, ParseAddressSpaceName(request.address_space()));
  args.offset = request.offset();
  args.length = request.length();
  P2PD_ASSIGN_OR_RETURN(args.access, FromProto(request.access()));
  P2PD_ASSIGN_OR_RETURN(args.placement, PlacementOf(request));
  return args;
}

}  // namespace p2pd
