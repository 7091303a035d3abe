// What a reset that is stuck in the kernel costs everybody else: Map, Unmap and Acquire of other devices while one
// device's reset takes its time, beside the same without it.
#include <chrono>
#include <future>
#include <string>

#include "daemon/base/errors.h"
#include "tests/bench/rounds.h"
#include "tests/bench/scene.h"

namespace p2pd::bench {
namespace {

constexpr absl::Duration kStuck = absl::Milliseconds(1500);
constexpr int kRounds = 10;
constexpr int kCalls = 100;

struct CallTimes {
  explicit CallTimes(Rounds& rounds)
      : map(rounds.NewSamples()), unmap(rounds.NewSamples()), acquire(rounds.NewSamples()) {}
  Samples& map;
  Samples& unmap;
  Samples& acquire;
};

absl::Status Call(const Actor& actor, CallTimes& times) {
  P2PD_RETURN_IF_ERROR(actor.MapAndUnmap(times.map, times.unmap));
  v1::AcquireRequest request;
  *request.mutable_window() = WindowOf(kExporter, kWindowLength, kPage);
  request.add_importers()->set_address_space(actor.space);
  v1::AcquireResponse response;
  P2PD_RETURN_IF_ERROR(
      times.acquire.Time([&] { return actor.client->Call("Acquire", &v1::Broker::Stub::Acquire, request, response); }));
  return actor.client->DeleteExport(response.export_().name());
}

absl::Status ResetSlowDevice(BenchClient& client) {
  v1::ResetDeviceRequest request;
  request.set_name(std::string("devices/") + kSlowBdf);
  v1::Operation receipt;
  return client.Call("ResetDevice", &v1::Broker::Stub::ResetDevice, request, receipt);
}

absl::Status AwaitResetting(BenchClient& client) {
  v1::GetDeviceRequest request;
  request.set_name(std::string("devices/") + kSlowBdf);
  for (v1::Device device; device.state() != v1::Device::RESETTING;) {
    P2PD_RETURN_IF_ERROR(client.Call("GetDevice", &v1::Broker::Stub::GetDevice, request, device));
  }
  return absl::OkStatus();
}

// As many calls as a round has, while the slow device is being reset.
absl::Status CallDuringReset(BenchClient& resetter, BenchClient& onlooker, const Actor& actor, CallTimes& times) {
  std::future<absl::Status> reset = std::async(std::launch::async, [&] { return ResetSlowDevice(resetter); });
  P2PD_RETURN_IF_ERROR(AwaitResetting(onlooker));
  for (int i = 0; i < kCalls; ++i) P2PD_RETURN_IF_ERROR(Call(actor, times));
  if (reset.wait_for(std::chrono::seconds(0)) == std::future_status::ready) {
    return absl::InternalError("the reset was over before the calls were");
  }
  return reset.get();
}

}  // namespace

absl::Status BenchStuck(const Setup& setup, Figures& figures) {
  P2PD_ASSIGN_OR_RETURN(const Daemon daemon, Daemon::Simulated(setup.p2pd, 1, "", SlowDeviceText(kStuck)));
  P2PD_ASSIGN_OR_RETURN(const Actor actor,
                        Actor::Join(daemon.sockets(), WindowOf(kExporter, 0, kWindowLength), ImporterName(0)));
  P2PD_ASSIGN_OR_RETURN(const auto resetter, BenchClient::Connect(daemon.sockets()));
  P2PD_ASSIGN_OR_RETURN(const auto onlooker, BenchClient::Connect(daemon.sockets()));
  Rounds rounds;
  CallTimes alone(rounds);
  CallTimes beside(rounds);
  rounds.Add(kCalls, [&] { return Call(actor, alone); });
  rounds.Add(1, [&] { return CallDuringReset(*resetter, *onlooker, actor, beside); });
  P2PD_RETURN_IF_ERROR(rounds.Run(kRounds));
  const auto report = [&](const std::string& call, const Samples& during, const Samples& without) {
    figures.push_back(MakeTime(call + ", another device's reset stuck", during,
                               Floor{.name = call + ", nothing stuck", .value = without.Percentile(50)},
                               RatioAtMost(1.3)));
    figures.push_back(MakeFigure(call + ", 99th percentile of the same", during.Percentile(99), "us",
                                 Floor{.name = "nothing stuck", .value = without.Percentile(99)}));
  };
  report("Map", beside.map, alone.map);
  report("Unmap", beside.unmap, alone.unmap);
  report("Acquire", beside.acquire, alone.acquire);
  return absl::OkStatus();
}

}  // namespace p2pd::bench
