#include "daemon/core/testing/core_world.h"

#include <stdlib.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <filesystem>

#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "proto/p2pd/v1/simulation.pb.h"

namespace p2pd {
namespace {

constexpr char kMachine[] = R"(
  device { bdf: "0000:01:00.0" vendor_id: 0x1b36 device_id: 0x10 class_code: 0x010802 iommu_group: 1 numa_node: -1
           bar { index: 0 size: 0x4000 } bar { index: 2 size: 0x1000000 prefetchable: true }
           msix_vectors: 4 msix_bar: 0 msix_table_offset: 0x2000 msix_pba_offset: 0x3000 }
  device { bdf: "0000:02:00.0" vendor_id: 0x1234 device_id: 1 class_code: 0xff00 iommu_group: 2 numa_node: -1
           bar { index: 0 size: 0x100000 } }
  device { bdf: "0000:03:00.0" vendor_id: 0x1b36 device_id: 0x10 class_code: 0x010802 iommu_group: 3 numa_node: -1
           bar { index: 2 size: 0x1000000 prefetchable: true } }
  device { bdf: "0000:04:00.0" vendor_id: 0x1234 device_id: 1 class_code: 0xff00 iommu_group: 4 numa_node: -1
           bar { index: 0 size: 0x100000 } }
  device { bdf: "0000:00:10.0" vendor_id: 0x1234 device_id: 2 class_code: 0xff00 iommu_group: 5 numa_node: -1
           bar { index: 2 size: 0x100000 prefetchable: true } no_reset: true }
  device { bdf: "0000:05:00.0" vendor_id: 0x1234 device_id: 3 class_code: 0xff00 iommu_group: 6 numa_node: -1
           bar { index: 0 size: 0x1000 } }
  device { bdf: "0000:05:00.1" vendor_id: 0x1234 device_id: 3 class_code: 0xff00 iommu_group: 6 numa_node: -1
           bar { index: 0 size: 0x1000 } }
)";

}  // namespace

const PciAddress CoreWorld::kExporter = {.bus = 1};
const PciAddress CoreWorld::kExporter2 = {.bus = 3};
const PciAddress CoreWorld::kEngine = {.bus = 2};
const PciAddress CoreWorld::kEngine2 = {.bus = 4};
const PciAddress CoreWorld::kNoReset = {.device = 0x10};
const PciAddress CoreWorld::kTwin = {.bus = 5};
const PciAddress CoreWorld::kOtherTwin = {.bus = 5, .function = 1};

absl::Status RecordingChannel::Grant(const Granted& what, const std::string&, UniqueFd fd) {
  if (refuse_grants.ok()) grants.emplace_back(what, std::move(fd));
  if (on_grant != nullptr) on_grant();
  return refuse_grants;
}

struct PollingWaiter::Entry {
  UniqueFd eventfd;
  absl::AnyInvocable<void()> on_signal;
};

std::unique_ptr<SignalWaiter::Watch> PollingWaiter::Wait(UniqueFd eventfd, absl::AnyInvocable<void()> on_signal) {
  struct Held final : Watch {
    std::shared_ptr<Entry> entry;
  };
  auto watch = std::make_unique<Held>();
  watch->entry = std::make_shared<Entry>(Entry{.eventfd = std::move(eventfd), .on_signal = std::move(on_signal)});
  entries_.push_back(watch->entry);
  return watch;
}

void PollingWaiter::Poll() {
  std::erase_if(entries_, [](const auto& entry) { return entry.expired(); });
  const auto entries = entries_;
  for (const auto& weak : entries) {
    const auto entry = weak.lock();
    eventfd_t count = 0;
    if (entry != nullptr && eventfd_read(entry->eventfd.get(), &count) == 0) entry->on_signal();
  }
}

Verdict OpenPolicy::Judge(const PolicyRequest& request) const {
  const bool allowed = std::find(denied.begin(), denied.end(), request.action) == denied.end();
  return {.allowed = allowed,
          .rule = "test",
          .reason = allowed ? "allowed" : "the test denies it",
          .limits = {.scrub = scrub, .kill_holder = kill_holder}};
}

std::unique_ptr<SimKernel> MakeTestMachine(std::string& sysfs_root, const std::string& more) {
  v1::Simulation machine;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(kMachine + more, &machine));
  auto kernel = *SimKernel::Create(machine);
  char name[] = "/tmp/p2pd-core.XXXXXX";
  sysfs_root = mkdtemp(name);
  EXPECT_TRUE(kernel->WriteSysfs(sysfs_root).ok());
  return kernel;
}

CoreWorld::CoreWorld(BrokerOptions options, const std::string& more_devices) {
  kernel = MakeTestMachine(sysfs_, more_devices);
  options.sysfs_root = sysfs_;
  options.signals = &signals;
  options.find_holders = [this](const FileIdentity&) { return holders; };
  options.kill_unit = [this](const std::string& unit) {
    killed.push_back(unit);
    return kill_outcome;
  };
  options.cpuinfo = sysfs_ + "/proc/cpuinfo";
  broker = std::make_unique<Broker>(options, *kernel, scheduler, journal, policy);
  const absl::Status started = broker->Start();
  EXPECT_TRUE(started.ok()) << started;
}

CoreWorld::~CoreWorld() { std::filesystem::remove_all(sysfs_); }

Client CoreWorld::Connect(uint32_t uid) {
  Client client = {.channel = std::make_shared<RecordingChannel>()};
  const auto session = broker->OpenSession({.subject = {.uid = uid, .gid = uid}}, client.channel);
  EXPECT_TRUE(session.ok()) << session.status();
  client.id = session->id;
  client.token = session->token;
  return client;
}

DeviceView CoreWorld::Drive(const Client& client, const PciAddress& device) {
  const auto opened = Call(&Broker::OpenDevice, client, device);
  EXPECT_TRUE(opened.ok()) << opened.status();
  if (!opened.ok()) return {};
  const auto ready = Call(&Broker::DeviceReady, client, device, opened->generation);
  EXPECT_TRUE(ready.ok()) << ready.status();
  return ready.value_or(DeviceView());
}

ExportView CoreWorld::Export(const Client& client, const PciAddress& device, Range range, int bar, Grade grade) {
  const auto made = Call(&Broker::CreateExport, client, Window{.device = device, .bar = bar, .range = range}, grade);
  EXPECT_TRUE(made.ok()) << made.status();
  return made.value_or(ExportView());
}

AddressSpaceView CoreWorld::Space(const Client& client, const PciAddress& device) {
  const auto made = Call(&Broker::CreateAddressSpace, client, std::vector<PciAddress>{device});
  EXPECT_TRUE(made.ok()) << made.status();
  return made.value_or(AddressSpaceView());
}

MappingView CoreWorld::Map(const Client& client, ExportId source, AddressSpaceId space) {
  const auto made = Call(&Broker::Map, client, MapArgs{.source = source, .address_space = space});
  EXPECT_TRUE(made.ok()) << made.status();
  return made.value_or(MappingView());
}

}  // namespace p2pd
