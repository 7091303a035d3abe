// A client that never pauses: a DMA engine copies through a window of another device and every byte is compared, while
// another thread takes devices, windows, address spaces and mappings, gives them back, and resets the exporter. p2pd
// may be killed at any moment of that: nothing here may notice.
//
// Says once a second what it has done; ends at the end of its input, with 0 where nothing went wrong.
#include <atomic>
#include <condition_variable>
#include <cstring>
#include <iostream>
#include <mutex>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/session.h"
#include "daemon/base/errors.h"
#include "deploy/demo/dma_memory.h"
#include "deploy/demo/edu.h"

namespace {

constexpr char kEngine[] = "devices/0000:00:10.0";
constexpr char kExporter[] = "devices/0000:01:00.0";
constexpr char kDisk[] = "devices/0000:02:00.0";
constexpr uint64_t kPage = 4096;
constexpr uint64_t kBytes = 2048;

class Survivor {
 public:
  absl::Status Run();
  // Until `end` says so.
  void Play(const std::atomic<bool>& end);
  void Churn(const std::atomic<bool>& end);
  std::string Tally() const {
    return absl::StrCat(rounds_.load(), " rounds, ", churns_.load(), " churns, ", problems_.load(), " problems");
  }
  bool well() const { return problems_ == 0 && rounds_ != 0 && churns_ != 0; }
  absl::Status Begin();

 private:
  absl::Status Round(uint32_t number);
  absl::Status ChurnOnce(int turn);
  absl::Status TakeDisk();
  void Problem(const std::string& what, const absl::Status& status) {
    ++problems_;
    std::cout << "PROBLEM: " << what << ": " << status << " after " << Tally() << std::endl;
  }

  std::unique_ptr<p2p::Session> session_;
  std::unique_ptr<demo::Edu> edu_;
  std::optional<demo::DmaMemory> source_;
  std::optional<demo::DmaMemory> target_;
  std::optional<p2p::Export> window_;
  std::optional<p2p::Mapping> mapping_;
  std::mutex dma_;  // held while the engine is at work
  std::condition_variable resumed_;
  bool paused_ = false;
  std::atomic<uint64_t> rounds_ = 0;
  std::atomic<uint64_t> churns_ = 0;
  std::atomic<uint64_t> problems_ = 0;
};

absl::Status Survivor::Begin() {
  p2p::SessionOptions options;
  options.client_name = "survivor";
  options.connect_timeout = absl::Minutes(1);
  options.on_quiesce = [this](p2p::QuiesceRequest request) {
    std::lock_guard lock(dma_);
    paused_ = true;
    request.Ack().IgnoreError();
  };
  options.on_resumed = [this](const p2p::v1::Resumed&) {
    std::lock_guard lock(dma_);
    paused_ = false;
    resumed_.notify_all();
  };
  options.on_device_revoked = [this](const p2p::v1::DeviceRevoked& revoked) {
    Problem(revoked.device(), absl::AbortedError(revoked.reason()));
  };
  options.on_ended = [this](const absl::Status& why) { Problem("session", why); };
  P2PD_ASSIGN_OR_RETURN(session_, p2p::Session::Connect(options));
  P2PD_ASSIGN_OR_RETURN(edu_, demo::Edu::Open(*session_, kEngine));
  P2PD_RETURN_IF_ERROR(edu_->device().Ready(edu_->device().info().generation()));
  const p2p::MapOptions low = {.iova_max = demo::Edu::kIovaMax};
  P2PD_ASSIGN_OR_RETURN(source_, demo::DmaMemory::Create(*session_, edu_->space(), "source", kPage, low));
  P2PD_ASSIGN_OR_RETURN(target_, demo::DmaMemory::Create(*session_, edu_->space(), "target", kPage, low));
  P2PD_ASSIGN_OR_RETURN(window_, session_->CreateExport({.device = kExporter, .bar = 2, .length = kPage}));
  P2PD_ASSIGN_OR_RETURN(mapping_, session_->Map(*window_, edu_->space(), low));
  return absl::OkStatus();
}

absl::Status Survivor::Round(uint32_t number) {
  for (uint32_t& word : source_->At<uint32_t>(0, kBytes / 4)) word = number = number * 1664525 + 1013904223;
  target_->Clear();
  P2PD_RETURN_IF_ERROR(edu_->Fetch(source_->iova(), kBytes));
  P2PD_RETURN_IF_ERROR(edu_->Store(mapping_->iova(), kBytes));
  P2PD_RETURN_IF_ERROR(edu_->Fetch(mapping_->iova(), kBytes));
  P2PD_RETURN_IF_ERROR(edu_->Store(target_->iova(), kBytes));
  if (memcmp(source_->bytes(0, kBytes).data(), target_->bytes(0, kBytes).data(), kBytes) == 0) return absl::OkStatus();
  return absl::DataLossError("what came back is not what was written");
}

void Survivor::Play(const std::atomic<bool>& end) {
  for (uint32_t number = 1; !end; ++number) {
    std::unique_lock lock(dma_);
    if (!resumed_.wait_for(lock, std::chrono::minutes(2), [&] { return !paused_ || end; })) {
      return Problem("DMA", absl::DeadlineExceededError("asked to stop, and not told to go on"));
    }
    if (end) return;
    if (const absl::Status status = Round(number); !status.ok()) Problem("DMA", status);
    ++rounds_;
  }
}

absl::Status Survivor::TakeDisk() {
  P2PD_ASSIGN_OR_RETURN(p2p::Device disk, session_->OpenDevice(kDisk));
  P2PD_RETURN_IF_ERROR(disk.Ready(disk.info().generation()));
  P2PD_ASSIGN_OR_RETURN(p2p::AddressSpace space, session_->CreateAddressSpace({kDisk}));
  P2PD_ASSIGN_OR_RETURN(p2p::Export window,
                        session_->CreateExport({.device = kExporter, .bar = 2, .offset = 16 * kPage, .length = kPage}));
  P2PD_ASSIGN_OR_RETURN(p2p::Mapping mapping, session_->Map(window, space));
  P2PD_RETURN_IF_ERROR(mapping.Release());
  P2PD_RETURN_IF_ERROR(window.Release().status());
  P2PD_RETURN_IF_ERROR(space.Release().status());
  return disk.Close();
}

absl::Status Survivor::ChurnOnce(int turn) {
  if (turn % 4 == 1) return TakeDisk();
  if (turn % 4 == 3) return edu_ == nullptr ? absl::OkStatus() : session_->ResetDevice(kExporter).status();
  P2PD_ASSIGN_OR_RETURN(p2p::Export window,
                        session_->CreateExport({.device = kExporter, .bar = 2, .offset = 8 * kPage, .length = kPage}));
  for (int i = 0; i < 4; ++i) {
    P2PD_ASSIGN_OR_RETURN(p2p::Mapping mapping,
                          session_->Map(window, edu_->space(), {.iova_max = demo::Edu::kIovaMax}));
    P2PD_RETURN_IF_ERROR(mapping.Release());
  }
  return window.Release().status();
}

void Survivor::Churn(const std::atomic<bool>& end) {
  for (int turn = 0; !end; ++turn) {
    const absl::Status status = ChurnOnce(turn);
    // While the exporter is being reset nothing new is granted of it: that is the churn's own doing.
    const bool own = p2pd::GetErrorInfo(status).reason == p2pd::Reason::kDeviceNotReady;
    if (!status.ok() && !own) Problem(absl::StrCat("churn ", turn % 4), status);
    ++churns_;
  }
}

absl::Status Survivor::Run() {
  P2PD_RETURN_IF_ERROR(Begin());
  std::atomic<bool> end = false;
  std::thread player([&] { Play(end); });
  std::thread churner([&] { Churn(end); });
  std::thread teller([&] {
    while (!end) {
      std::cout << Tally() << std::endl;
      absl::SleepFor(absl::Seconds(1));
    }
  });
  for (std::string line; std::getline(std::cin, line);) continue;
  end = true;
  {
    std::lock_guard lock(dma_);
    resumed_.notify_all();
  }
  player.join();
  churner.join();
  teller.join();
  return absl::OkStatus();
}

}  // namespace

int main() {
  Survivor survivor;
  const absl::Status status = survivor.Run();
  if (!status.ok()) std::cout << "PROBLEM: " << status << std::endl;
  std::cout << "end: " << survivor.Tally() << std::endl;
  return status.ok() && survivor.well() ? 0 : 1;
}
