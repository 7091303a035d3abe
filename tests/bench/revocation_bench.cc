// Resets beside the kernel's calls alone: on a simulated machine, and on the kernel that runs, in the test VM (--add
// sets), where sessions' ends are looked at too. In the VM p2pd has one pair of NVMe controllers; the ioctls are called
// here, on another pair. An importer that is asked to stop acks at once.
//
// A function-level reset waits for 100 ms (drivers/pci/pci.c: pcie_flr). In the VM every instruction of p2pd's costs
// some twenty times what it does on a machine of its own, and those 100 ms do not; on the simulated machine neither
// does.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/session.h"
#include "daemon/base/errors.h"
#include "google/protobuf/util/time_util.h"
#include "tests/bench/raw_part.h"
#include "tests/bench/rounds.h"
#include "tests/bench/scene.h"
#include "tests/bench/sim_part.h"

namespace p2pd::bench {
namespace {

using google::protobuf::util::TimeUtil;

constexpr char kManaged[] = "0000:01:00.0,0000:02:00.0";
constexpr char kOwnExporter[] = "0000:04:00.0";
constexpr char kOwnImporter[] = "0000:04:01.0";
constexpr uint64_t kIova = uint64_t{1} << 32;  // where p2pd maps, too
constexpr int kMost = 1000;
constexpr int kRounds = 8;
constexpr absl::Duration kFlr = absl::Milliseconds(100);
constexpr absl::Duration kBetweenLooks = absl::Milliseconds(300);

absl::Duration Of(const google::protobuf::Duration& duration) {
  return absl::Nanoseconds(TimeUtil::DurationToNanoseconds(duration));
}

// When the last UNMAP of an operation was done, since its beginning. Error: the receipt has no such step.
absl::StatusOr<absl::Duration> LastUnmap(const v1::Operation& receipt) {
  for (const auto& step : receipt.steps()) {
    if (step.what().rfind("unmap ", 0) == 0) return Of(step.started()) + Of(step.took());
  }
  return absl::InternalError(absl::StrCat("a receipt without UNMAP: ", receipt.ShortDebugString()));
}

// A pair of devices that p2pd has, by name.
struct Pair {
  std::string exporter;
  std::string importer;
};

Pair NvmePair() { return {.exporter = "devices/0000:01:00.0", .importer = "devices/0000:02:00.0"}; }
Pair SimulatedPair() { return {.exporter = absl::StrCat("devices/", kSlowBdf), .importer = kExporter}; }

// A session that drives the importer and has so many mappings of one page.
class Importer {
 public:
  static absl::StatusOr<Importer> Join(const Sockets& sockets, const Pair& pair, int mappings) {
    Importer importer;
    P2PD_ASSIGN_OR_RETURN(
        importer.session_,
        p2p::Session::Connect({.fd_socket = sockets.fd,
                               .grpc_socket = sockets.grpc,
                               .client_name = "importer",
                               .connect_timeout = absl::Seconds(30),
                               .on_quiesce = [](p2p::QuiesceRequest request) { request.Ack().IgnoreError(); }}));
    p2p::Session& session = *importer.session_;
    P2PD_ASSIGN_OR_RETURN(p2p::Device device, session.OpenDevice(pair.importer));
    importer.devices_.push_back(std::move(device));
    P2PD_RETURN_IF_ERROR(importer.devices_[0].Ready(importer.devices_[0].info().generation()));
    P2PD_ASSIGN_OR_RETURN(p2p::AddressSpace space, session.CreateAddressSpace({pair.importer}));
    P2PD_ASSIGN_OR_RETURN(p2p::Export source,
                          session.CreateExport({.device = pair.exporter, .bar = 2, .offset = 0, .length = kPage}));
    const std::vector<p2p::MapItem> items(mappings, {.source = &source, .space = &space, .options = {}});
    P2PD_ASSIGN_OR_RETURN(importer.mappings_, session.BatchMap(items));
    importer.spaces_.push_back(std::move(space));
    importer.exports_.push_back(std::move(source));
    return importer;
  }

  // As at a process's end: nothing is given back one by one, and the device's fd is gone.
  void HangUp() {
    session_.reset();
    devices_.clear();
  }

 private:
  std::vector<p2p::Device> devices_;
  std::vector<p2p::AddressSpace> spaces_;
  std::vector<p2p::Export> exports_;
  std::vector<p2p::Mapping> mappings_;
  std::unique_ptr<p2p::Session> session_;
};

struct ResetTimes {
  explicit ResetTimes(Rounds& rounds)
      : ping(rounds.NewSamples()),
        p2pd(rounds.NewSamples()),
        after_ack(rounds.NewSamples()),
        raw(rounds.NewSamples()),
        raw_unmap(rounds.NewSamples()) {}
  Samples& ping;
  Samples& p2pd;
  Samples& after_ack;  // from the last ack to the last UNMAP
  Samples& raw;
  Samples& raw_unmap;
};

absl::Status ResetByP2pd(BenchClient& root, const Pair& pair, ResetTimes& times) {
  P2PD_RETURN_IF_ERROR(times.ping.Time([&] { return root.Ping(); }));
  v1::ResetDeviceRequest request;
  request.set_name(pair.exporter);
  v1::Operation receipt;
  P2PD_RETURN_IF_ERROR(
      times.p2pd.Time([&] { return root.Call("ResetDevice", &v1::Broker::Stub::ResetDevice, request, receipt); }));
  if (receipt.parties_size() != 1 || receipt.parties(0).answer() != v1::Operation::Party::ACKED) {
    return absl::InternalError(absl::StrCat("not acked: ", receipt.ShortDebugString()));
  }
  P2PD_ASSIGN_OR_RETURN(const absl::Duration unmapped, LastUnmap(receipt));
  times.after_ack.Add(unmapped - Of(receipt.parties(0).after()));
  return absl::OkStatus();
}

template <typename Part>
absl::Status ResetByHand(Part& raw, int mappings, ResetTimes& times) {
  return times.raw.Time([&] {
    P2PD_RETURN_IF_ERROR(times.raw_unmap.Time([&] { return raw.UnmapAll(mappings); }));
    P2PD_RETURN_IF_ERROR(raw.ResetExporter());
    return raw.MapAll(mappings);
  });
}

// `where`: ", so and so" for the figures' names.
template <typename Part>
absl::Status BenchResets(const Daemon& daemon, const Pair& pair, Part& raw, int mappings, absl::string_view where,
                         Figures& figures) {
  P2PD_ASSIGN_OR_RETURN(const auto root, BenchClient::Connect(daemon.sockets()));
  P2PD_ASSIGN_OR_RETURN(Importer importer, Importer::Join(daemon.sockets(), pair, mappings));
  P2PD_RETURN_IF_ERROR(raw.MapAll(mappings));
  Rounds rounds;
  ResetTimes times(rounds);
  rounds.Add(1, [&] { return ResetByP2pd(*root, pair, times); });
  rounds.Add(1, [&] { return ResetByHand(raw, mappings, times); });
  P2PD_RETURN_IF_ERROR(rounds.Run(kRounds));
  P2PD_RETURN_IF_ERROR(raw.UnmapAll(mappings));
  importer.HangUp();
  const std::string with = absl::StrCat(mappings, mappings == 1 ? " mapping" : " mappings", where);
  figures.push_back(MakeTime(absl::StrCat("Ping beside it, ", with), times.ping));
  figures.push_back(MakeTime(absl::StrCat("ResetDevice, ", with), times.p2pd,
                             Floor{.name = "UNMAPs, reset, MAPs", .value = times.raw.Percentile(50)},
                             RatioAtMost(1.1)));
  if (mappings != kMost) return absl::OkStatus();
  figures.push_back(MakeTime(absl::StrCat("last ack to last UNMAP, ", with), times.after_ack,
                             Floor{.name = "UNMAPs", .value = times.raw_unmap.Percentile(50)}, RatioAtMost(1.25)));
  return absl::OkStatus();
}

// The receipt of the importer's end, once it is over. It looks seldom: what it costs p2pd is not to be measured.
absl::StatusOr<v1::Operation> AwaitEnd(BenchClient& root) {
  v1::GetDeviceRequest get;
  get.set_name(NvmePair().importer);
  for (v1::Device device; device.state() != v1::Device::READY || !device.driver_session().empty();) {
    absl::SleepFor(kBetweenLooks);
    P2PD_RETURN_IF_ERROR(root.Call("GetDevice", &v1::Broker::Stub::GetDevice, get, device));
  }
  v1::ListOperationsRequest list;
  list.set_page_size(1000);
  v1::ListOperationsResponse operations;
  P2PD_RETURN_IF_ERROR(root.Call("ListOperations", &v1::Broker::Stub::ListOperations, list, operations));
  const v1::Operation* last = nullptr;
  for (const v1::Operation& operation : operations.operations()) {
    if (operation.mapping_count() == kMost && operation.kind() != v1::Operation::RESET) last = &operation;
  }
  if (last == nullptr) return absl::InternalError("the importer's end left no receipt");
  return *last;
}

absl::Status EndByP2pd(const Daemon& daemon, BenchClient& root, Samples& ended) {
  P2PD_ASSIGN_OR_RETURN(Importer importer, Importer::Join(daemon.sockets(), NvmePair(), kMost));
  const absl::Time died = absl::Now();
  importer.HangUp();
  P2PD_ASSIGN_OR_RETURN(const v1::Operation receipt, AwaitEnd(root));
  P2PD_ASSIGN_OR_RETURN(const absl::Duration unmapped, LastUnmap(receipt));
  const absl::Time began = absl::FromUnixNanos(TimeUtil::TimestampToNanoseconds(receipt.started()));
  ended.Add(began - died + unmapped);
  return absl::OkStatus();
}

absl::Status BenchEnds(const Setup& setup, RawPart& raw, Figures& figures) {
  Rounds rounds;
  Samples& ended = rounds.NewSamples();
  Samples& floor = rounds.NewSamples();
  P2PD_ASSIGN_OR_RETURN(const Daemon daemon, Daemon::Real(setup.p2pd, kManaged));
  P2PD_ASSIGN_OR_RETURN(const auto root, BenchClient::Connect(daemon.sockets()));
  rounds.Add(1, [&] { return EndByP2pd(daemon, *root, ended); });
  rounds.Add(1, [&] {
    P2PD_RETURN_IF_ERROR(raw.MapAll(kMost));
    return floor.Time([&] { return raw.UnmapAll(kMost); });
  });
  P2PD_RETURN_IF_ERROR(rounds.Run(kRounds));
  figures.push_back(MakeTime(absl::StrCat("session's end to last UNMAP, ", kMost, " mappings"), ended,
                             Floor{.name = "UNMAPs", .value = floor.Percentile(50)}));
  return absl::OkStatus();
}

}  // namespace

absl::Status BenchRevocation(const Setup& setup, Figures& figures) {
  P2PD_ASSIGN_OR_RETURN(RawPart raw, RawPart::Create(kOwnExporter, kOwnImporter, kIova));
  for (const int mappings : {1, 100, kMost}) {
    P2PD_ASSIGN_OR_RETURN(const Daemon daemon, Daemon::Real(setup.p2pd, kManaged));
    P2PD_RETURN_IF_ERROR(BenchResets(daemon, NvmePair(), raw, mappings, "", figures));
  }
  return BenchEnds(setup, raw, figures);
}

absl::Status BenchSimulatedResets(const Setup& setup, Figures& figures) {
  const std::string slow = SlowDeviceText(kFlr);
  for (const int mappings : {1, 100, kMost}) {
    P2PD_ASSIGN_OR_RETURN(SimPart raw, SimPart::Create(absl::StrCat(slow, MachineText(1))));
    P2PD_ASSIGN_OR_RETURN(const Daemon daemon, Daemon::Simulated(setup.p2pd, 1, "", slow));
    P2PD_RETURN_IF_ERROR(BenchResets(daemon, SimulatedPair(), raw, mappings, ", simulated", figures));
  }
  return absl::OkStatus();
}

}  // namespace p2pd::bench
