#include "tests/bench/scene.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "daemon/base/errors.h"

namespace p2pd::bench {
namespace {

// The VM's host bridge is none of those that are known to pass requests between devices.
constexpr char kPolicy[] = R"(
rule { name: "all" effect: ALLOW action: [OBSERVE, EXPORT, RECEIVE_FD, DRIVE, RESET] limits { scrub: NONE } }
rule { name: "map" effect: ALLOW action: MAP unsupported_path: true }
)";

constexpr char kNoReset[] = "no_reset: true";

std::string DeviceText(const std::string& bdf, int group, uint64_t bar_size, const std::string& reset) {
  return absl::StrFormat(
      "device { bdf: '%s' vendor_id: 0x1af4 device_id: 0x1110 class_code: 0x050000 iommu_group: %d numa_node: -1 "
      "%s bar { index: 2 size: %d prefetchable: true } }\n",
      bdf, group, reset, bar_size);
}

std::string ImporterBdf(int index) { return absl::StrFormat("0000:%02x:00.0", index + 2); }

}  // namespace

std::string ImporterName(int index) { return absl::StrCat("devices/", ImporterBdf(index)); }

std::string MachineText(int importers) {
  std::string text = DeviceText("0000:01:00.0", 1, 64 << 20, kNoReset);
  for (int i = 0; i < importers; ++i) absl::StrAppend(&text, DeviceText(ImporterBdf(i), i + 2, 64 << 10, kNoReset));
  return text;
}

std::string SlowDeviceText(absl::Duration reset) {
  return DeviceText(kSlowBdf, 200, 64 << 10, absl::StrCat("reset_milliseconds: ", absl::ToInt64Milliseconds(reset)));
}

absl::StatusOr<Daemon> Daemon::Simulated(const std::string& program, int importers, const std::string& config,
                                         const std::string& more_devices) {
  P2PD_ASSIGN_OR_RETURN(Folder folder, Folder::Create());
  P2PD_RETURN_IF_ERROR(folder.Write("machine", absl::StrCat(MachineText(importers), more_devices)));
  const std::string simulate = absl::StrCat("--simulate=", folder.At("machine"));
  return Start(program, std::move(folder), config, simulate);
}

absl::StatusOr<Daemon> Daemon::Empty(const std::string& program) {
  P2PD_ASSIGN_OR_RETURN(Folder folder, Folder::Create());
  P2PD_RETURN_IF_ERROR(folder.MakeFolders("sys/bus/pci/devices"));
  const std::string sysfs = absl::StrCat("--sysfs-root=", folder.At("sys"));
  return Start(program, std::move(folder), "", sysfs);
}

absl::StatusOr<Daemon> Daemon::Real(const std::string& program, const std::string& managed_devices) {
  P2PD_ASSIGN_OR_RETURN(Folder folder, Folder::Create());
  return Start(program, std::move(folder), "", absl::StrCat("--manage=", managed_devices));
}

absl::StatusOr<Daemon> Daemon::Start(const std::string& program, Folder folder, const std::string& config,
                                     const std::string& machine) {
  P2PD_RETURN_IF_ERROR(folder.Write("policy", kPolicy));
  P2PD_RETURN_IF_ERROR(folder.Write("config", config));
  Sockets sockets = {.fd = folder.At("fds.sock"), .grpc = folder.At("p2pd.sock")};
  std::vector<std::string> command = {program,
                                      absl::StrCat("--config=", folder.At("config")),
                                      absl::StrCat("--policy=", folder.At("policy")),
                                      absl::StrCat("--fd-socket=", sockets.fd),
                                      absl::StrCat("--grpc-socket=", sockets.grpc),
                                      "--log-level=warning",
                                      machine};
  P2PD_ASSIGN_OR_RETURN(Process process, Process::Start(std::move(command), folder));
  return Daemon(std::move(folder), std::move(sockets), std::move(process));
}

absl::StatusOr<Actor> Actor::Join(const Sockets& sockets, const v1::Window& window, const std::string& importer) {
  Actor actor;
  P2PD_ASSIGN_OR_RETURN(actor.client, BenchClient::Connect(sockets));
  P2PD_ASSIGN_OR_RETURN(actor.space, actor.client->Drive(importer));
  P2PD_ASSIGN_OR_RETURN(actor.source, actor.client->CreateExport(window));
  return actor;
}

absl::Status Actor::MapAndUnmap(Samples& map, Samples& unmap) const {
  P2PD_ASSIGN_OR_RETURN(const std::string mapping, map.Time([&] { return client->MapPage(source, space); }));
  return unmap.Time([&] { return client->Unmap(mapping); });
}

absl::StatusOr<std::string> GrantRaw(BenchClient& client, const v1::Window& window, Samples& samples) {
  v1::CreateExportRequest request;
  *request.mutable_window() = window;
  request.set_grade(v1::RAW);
  v1::Export made;
  UniqueFd dma_buf;
  P2PD_RETURN_IF_ERROR(samples.Time([&]() -> absl::Status {
    P2PD_RETURN_IF_ERROR(client.Call("CreateExport", &v1::Broker::Stub::CreateExport, request, made));
    P2PD_ASSIGN_OR_RETURN(dma_buf, client.ReceiveFd());
    return absl::OkStatus();
  }));
  return made.name();
}

absl::Status Discarded::Add(const absl::StatusOr<std::string>& name) {
  if (name.ok()) names_.push_back(*name);
  return name.status();
}

absl::Status Discarded::DeleteAll() {
  for (const std::string& name : names_) P2PD_RETURN_IF_ERROR(client_.DeleteExport(name));
  names_.clear();
  return absl::OkStatus();
}

}  // namespace p2pd::bench
