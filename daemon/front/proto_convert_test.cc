#include "daemon/base/errors.h"
#include "daemon/front/from_proto.h"
#include "daemon/front/to_proto.h"
#include "daemon/front/topology_to_proto.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

constexpr PciAddress kDevice = {.domain = 0, .bus = 1, .device = 0, .function = 0};

template <typename Message>
Message Parse(const std::string& text) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message)) << text;
  return message;
}

TEST(ToProtoTest, ADeviceIsSpelledAsSysfsSpellsIt) {
  DeviceView view;
  view.address = kDevice;
  view.vendor = 0x1b36;
  view.device = 0x10;
  view.class_code = 0x010802;
  view.state = DeviceState::kAwaitingDriver;
  view.driver = SessionId(7);
  view.bars = {{.index = 2, .size = 65536, .control = false, .exportable = true, .fd_offset = 99, .msix = {{0, 4096}}}};
  const v1::Device device = ToProto(view);
  EXPECT_EQ(device.name(), "devices/0000:01:00.0");
  EXPECT_EQ(device.vendor_id(), "1b36");
  EXPECT_EQ(device.device_id(), "0010");
  EXPECT_EQ(device.class_code(), "010802");
  EXPECT_EQ(device.state(), v1::Device::AWAITING_DRIVER);
  EXPECT_EQ(device.driver_session(), "sessions/7");
  EXPECT_EQ(device.numa_node(), -1);
  ASSERT_EQ(device.bars_size(), 1);
  EXPECT_EQ(device.bars(0).kind(), v1::Device::MEMORY);
  EXPECT_EQ(device.bars(0).msix(0).length(), 4096u);
}

TEST(ToProtoTest, AReceiptKeepsItsTimes) {
  OperationView view;
  view.id = OperationId(5);
  view.kind = OperationKind::kReset;
  view.state = OperationState::kSucceeded;
  view.started = absl::FromUnixMillis(1500);
  view.took = absl::Milliseconds(2250);
  view.steps = {{.what = "unmap", .started = absl::ZeroDuration(), .took = absl::Microseconds(3), .error = ""}};
  view.parties = {{.session = SessionId(1), .answer = Answer::kForced, .after = absl::Seconds(2)}};
  view.mappings = {{.mapping = MappingId(4), .iova = 4096, .state = MappingState::kLost, .reason = "ENODEV"}};
  const v1::Operation operation = ToProto(view);
  EXPECT_EQ(operation.started().seconds(), 1);
  EXPECT_EQ(operation.started().nanos(), 500000000);
  EXPECT_EQ(operation.took().seconds(), 2);
  EXPECT_EQ(operation.took().nanos(), 250000000);
  EXPECT_EQ(operation.steps(0).took().nanos(), 3000);
  EXPECT_EQ(operation.parties(0).answer(), v1::Operation::Party::FORCED);
  EXPECT_EQ(operation.mappings(0).state(), v1::Mapping::LOST);
}

TEST(ToProtoTest, ClientMemoryHasNoExport) {
  MappingView view;
  view.id = MappingId(1);
  EXPECT_EQ(ToProto(view).export_(), "");
  view.source = ExportId(3);
  EXPECT_EQ(ToProto(view).export_(), "exports/3");
}

TEST(ToProtoTest, AnEventCarriesItsObjectOrNone) {
  Event event;
  event.type = EventType::kInSync;
  event.sequence = 9;
  EXPECT_EQ(ToProto(event).object_case(), v1::Event::OBJECT_NOT_SET);
  ExportView view;
  view.id = ExportId(3);
  event.type = EventType::kCreated;
  event.object = view;
  EXPECT_EQ(ToProto(event).export_().name(), "exports/3");
  EXPECT_EQ(ToProto(event).type(), v1::Event::CREATED);
}

TEST(FromProtoTest, AMapRequestSaysWhere) {
  const auto fixed = FromProto(Parse<v1::MapRequest>(
      "export: 'exports/1' address_space: 'address-spaces/2' offset: 4096 length: 8192 access: READ iova: 0"));
  ASSERT_TRUE(fixed.ok()) << fixed.status();
  EXPECT_EQ(fixed->source, ExportId(1));
  EXPECT_EQ(fixed->address_space, AddressSpaceId(2));
  EXPECT_EQ(fixed->access, Access::kRead);
  EXPECT_EQ(fixed->placement.iova, 0u);
  const auto anywhere = FromProto(
      Parse<v1::MapRequest>("export: 'exports/1' address_space: 'address-spaces/2' iova_max: 0 alignment: 4096"));
  ASSERT_TRUE(anywhere.ok());
  EXPECT_EQ(anywhere->access, Access::kReadWrite);
  EXPECT_FALSE(anywhere->placement.iova.has_value());
  EXPECT_FALSE(anywhere->placement.iova_max.has_value());
  EXPECT_EQ(anywhere->placement.alignment, 4096u);
}

TEST(FromProtoTest, RefusesWhatIsMalformedAndNamesTheField) {
  const std::string where = "address_space: 'address-spaces/2' ";
  EXPECT_FALSE(FromProto(Parse<v1::MapRequest>(where + "export: 'mappings/1'")).ok());
  EXPECT_FALSE(FromProto(Parse<v1::MapRequest>("export: 'exports/1'")).ok());
  EXPECT_FALSE(FromProto(Parse<v1::MapMemoryRequest>(where)).ok());
  v1::MapRequest request = Parse<v1::MapRequest>(where + "export: 'exports/1' alignment: 3");
  EXPECT_EQ(FromProto(request).status().message(), "alignment: is no power of two");
  request.set_alignment(0);
  request.set_access(static_cast<v1::Access>(9));
  EXPECT_EQ(GetErrorInfo(FromProto(request).status()).reason, Reason::kInvalidArgument);
}

TEST(FromProtoTest, AWindowIsInOneOfSixBars) {
  EXPECT_TRUE(FromProto(Parse<v1::Window>("device: 'devices/0000:01:00.0' bar: 5 length: 4096")).ok());
  EXPECT_FALSE(FromProto(Parse<v1::Window>("device: 'devices/0000:01:00.0' bar: 6 length: 4096")).ok());
  EXPECT_FALSE(FromProto(Parse<v1::Window>("device: 'devices/0000:01:00.0' bar: 4294967295")).ok());
  EXPECT_FALSE(FromProto(Parse<v1::Window>("bar: 0")).ok());
}

TEST(FromProtoTest, AnAddressSpaceNeedsADevice) {
  EXPECT_FALSE(FromProto(v1::CreateAddressSpaceRequest()).ok());
  const auto devices = FromProto(Parse<v1::CreateAddressSpaceRequest>("devices: 'devices/0000:01:00.0'"));
  ASSERT_TRUE(devices.ok());
  EXPECT_EQ(devices->front(), kDevice);
}

TEST(ToProtoTest, ATopologyNamesDevicesAsDevicesAndBridgesByAddress) {
  const PciAddress port = {.device = 1};
  TopologyView view = {.managed = {kDevice}};
  view.host_bridges = {
      {.name = "pci0000:00", .known_by = PciAddress{}, .vendor = 0x8086, .device = 0x2020, .trust = Trust::kGood}};
  const ConfigFacts config = {.port = PortType::kRootPort, .acs = Presence::kPresent, .acs_control = 0x1d};
  view.functions = {{.address = port, .class_code = 0x060400, .root_bus = "pci0000:00", .config = config},
                    {.address = kDevice, .iommu_group = 4, .root_bus = "pci0000:00", .upstream = port}};
  view.paths = {{.exporter = kDevice,
                 .importer = kDevice,
                 .kind = PathKind::kSelf,
                 .relation = Relation::kSelf,
                 .redirects = {{.bridge = port, .control = 0x0c}}}};
  view.next_page = 17;
  const v1::Topology topology = ToProto(view);
  ASSERT_EQ(topology.nodes_size(), 3);
  EXPECT_EQ(topology.nodes(0).name(), "pci0000:00");
  EXPECT_EQ(topology.nodes(0).trust(), v1::Topology::KNOWN_GOOD);
  EXPECT_EQ(topology.nodes(0).device_id(), "2020");
  EXPECT_EQ(topology.nodes(1).name(), "0000:00:01.0");
  EXPECT_EQ(topology.nodes(1).parent(), "pci0000:00");
  EXPECT_EQ(topology.nodes(1).kind(), v1::Topology::Node::ROOT_PORT);
  EXPECT_EQ(topology.nodes(1).acs(), v1::Topology::Node::REDIRECT);
  EXPECT_EQ(topology.nodes(1).acs_redirect_size(), 2);
  EXPECT_EQ(topology.nodes(2).name(), "devices/0000:01:00.0");
  EXPECT_EQ(topology.nodes(2).parent(), "0000:00:01.0");
  EXPECT_EQ(topology.nodes(2).kind(), v1::Topology::Node::DEVICE);
  EXPECT_EQ(topology.nodes(2).acs(), v1::Topology::Node::ACS_UNSPECIFIED);
  EXPECT_EQ(topology.paths(0).kind(), v1::Topology::Path::SELF);
  EXPECT_EQ(topology.paths(0).exporter(), "devices/0000:01:00.0");
  EXPECT_EQ(topology.paths(0).redirects(0).bits(1), "CR");
  EXPECT_EQ(topology.paths(0).distance(), -1);
  EXPECT_EQ(topology.next_page_token(), "17");
}

TEST(FromProtoTest, ATopologyIsAskedForAllPairsOrSome) {
  const auto all = FromProto(v1::GetTopologyRequest());
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_EQ(all->exporter, std::nullopt);
  EXPECT_EQ(all->page.limit, 1000u);
  const auto one = FromProto(Parse<v1::GetTopologyRequest>("importer: 'devices/0000:01:00.0' page_size: 5000"));
  ASSERT_TRUE(one.ok()) << one.status();
  EXPECT_EQ(one->importer, kDevice);
  EXPECT_EQ(one->page.limit, 1000u);
  EXPECT_FALSE(FromProto(Parse<v1::GetTopologyRequest>("exporter: '0000:01:00.0'")).ok());
  EXPECT_FALSE(FromProto(Parse<v1::GetTopologyRequest>("page_token: 'x'")).ok());
}

TEST(FromProtoTest, ARequestIdHasOneToSixtyFourBytes) {
  EXPECT_TRUE(CheckRequestId(std::string(64, 'x')).ok());
  EXPECT_FALSE(CheckRequestId(std::string(65, 'x')).ok());
  EXPECT_FALSE(CheckRequestId("").ok());
}

}  // namespace
}  // namespace p2pd
