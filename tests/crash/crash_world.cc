#include "tests/crash/crash_world.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

constexpr size_t kHalf = 256 << 10;
constexpr size_t kHeaders = 4096;
constexpr size_t kJournal = kHeaders + 2 * kHalf;

UniqueFd NewLifeline() {
  int ends[2];
  EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
  UniqueFd other(ends[1]);
  return UniqueFd(ends[0]);
}

}  // namespace

LiveJournal::LiveJournal(UniqueFd fd) : fd_(std::move(fd)) {
  void* const base = mmap(nullptr, kJournal, PROT_READ | PROT_WRITE, MAP_SHARED, fd_.get(), 0);
  EXPECT_NE(base, MAP_FAILED);
  bytes_ = static_cast<uint8_t*>(base);
}

LiveJournal::~LiveJournal() { munmap(bytes_, kJournal); }

std::vector<size_t> LiveJournal::Used() const {
  std::vector<size_t> used;
  for (const auto& [begin, end] :
       {std::pair(size_t{0}, kHeaders), std::pair(kHeaders, kHeaders + kHalf), std::pair(kHeaders + kHalf, kJournal)}) {
    size_t last = end;
    while (last > begin && bytes_[last - 1] == 0) --last;
    for (size_t byte = begin; byte < std::min(last + 16, end); ++byte) used.push_back(byte);
  }
  return used;
}

absl::Status CrashChannel::Grant(const Granted&, const std::string& request_id, UniqueFd fd) {
  if (!world_.alive()) return absl::CancelledError("p2pd has ended");
  grants[request_id] = std::move(fd);  // a second one of a request takes the place of the first
  return absl::OkStatus();
}

void CrashChannel::RequestQuiesce(const QuiesceNotice& notice) {
  if (world_.alive()) world_.broker_->AckQuiesce(session, notice.operation);
}

void CrashChannel::Resume(const ResumeNotice& notice) {
  if (world_.alive()) resumed.insert(notice.operation);
}

void CrashChannel::RevokeDevice(const PciAddress&, const std::string&) {
  if (!world_.alive()) return;
  grants.clear();
  ++revoked;
}

CrashWorld::CrashWorld(int first_end, int second_end)
    : second_end_(second_end), kernel_(MakeTestMachine(sysfs_)), store_(64) {
  Boot(first_end);
}

CrashWorld::~CrashWorld() {
  broker_.reset();
  std::filesystem::remove_all(sysfs_);
}

void CrashWorld::Boot(int ends_at) {
  Bury();
  scheduler_ = std::make_unique<ManualScheduler>();
  ++boots_;
  life_ = std::make_unique<Life>(ends_at);
  mortal_kernel_ = std::make_unique<MortalKernel>(*life_, *kernel_);
  mortal_store_ = std::make_unique<MortalStore>(*life_, store_);
  std::string distrust;
  UniqueFd kept = store_.Take(kJournalFdName);
  if (kept.valid()) {
    auto opened = MemfdJournal::Open(std::move(kept));
    distrust = std::string(opened.status().message());
    if (opened.ok()) journal_ = *std::move(opened);
  }
  if (boots_ == 1 || !distrust.empty()) {
    store_.Remove(kJournalFdName).IgnoreError();
    journal_ = *MemfdJournal::Create(kHalf);
    ASSERT_TRUE(store_.Put(kJournalFdName, journal_->fd()).ok());
  }
  mortal_journal_ = std::make_unique<MortalJournal>(*life_, *journal_);
  signals_ = std::make_unique<PollingWaiter>();
  BrokerOptions options = {.sysfs_root = sysfs_,
                           .cpuinfo = sysfs_ + "/proc/cpuinfo",
                           .find_holders = [](const FileIdentity&) { return std::vector<FileHolder>(); },
                           .signals = signals_.get(),
                           .store = mortal_store_.get(),
                           .distrust = distrust,
                           .read_policy = [this] { return policy_; }};
  broker_ = std::make_unique<Broker>(options, *mortal_kernel_, *scheduler_, *mortal_journal_, policy_);
  const absl::Status started = broker_->Start();
  if (!alive()) return Reboot();
  ASSERT_TRUE(started.ok()) << started;
  for (Broker::RecoveredSession& session : broker_->TakeRecovered()) {
    const auto client = clients_.find(session.id);
    if (client != clients_.end()) broker_->Reattach(session.id, client->second);
  }
  broker_->CarryOn();
  Settle();
  if (!alive()) Reboot();
}

std::string CrashWorld::Tell() const {
  return absl::StrCat("p2pd ended at: ", absl::StrJoin(ends_, ", "),
                      "; its successor says: ", broker_->Continuity().detail);
}

// What is queued holds the core, and with it its descriptors: it runs, without any effect, before the core goes.
void CrashWorld::Bury() {
  if (scheduler_ != nullptr) scheduler_->Advance(absl::Seconds(5));
  broker_.reset();
}

void CrashWorld::Reboot() {
  ends_.push_back(life_->last());
  Boot(boots_ == 1 ? second_end_ : 0);
  if (on_reboot != nullptr && alive()) on_reboot();
}

void CrashWorld::Pass(absl::Duration time) {
  scheduler_->Advance(time);
  Settle();
}

void CrashWorld::Settle() {
  scheduler_->RunReady();
  // A device that was held while it was bound afresh is tried again soon; a RAW export is looked at again.
  for (int i = 0; i < 8 && alive(); ++i) {
    scheduler_->Advance(absl::Milliseconds(200));
    scheduler_->RunReady();
  }
}

std::shared_ptr<CrashChannel> CrashWorld::Connect(uint32_t uid) {
  for (int i = 0; i < 4; ++i) {
    auto client = std::make_shared<CrashChannel>(*this, NewLifeline());
    const auto session = broker_->OpenSession({.subject = {.uid = uid, .gid = uid}}, client);
    Settle();
    if (alive()) {
      EXPECT_TRUE(session.ok()) << session.status();
      client->session = session.ok() ? session->id : SessionId();
      return clients_[client->session] = client;
    }
    Reboot();
  }
  return nullptr;
}

void CrashWorld::End(CrashChannel& client) {
  client.grants.clear();
  clients_.erase(client.session);
  broker_->EndSession(client.session, "ends");
  Settle();
  if (!alive()) Reboot();
}

void CrashWorld::Leave(CrashChannel& client) {
  client.grants.clear();
  clients_.erase(client.session);
}

absl::Status CrashWorld::Offer(CrashChannel& client, const std::string& name) {
  constexpr off_t kSize = 1 << 20;
  absl::Status offered;
  for (int i = 0; i < 4; ++i) {
    UniqueFd memory(memfd_create("client", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    EXPECT_EQ(fallocate(memory.get(), 0, 0, kSize), 0);
    EXPECT_EQ(fcntl(memory.get(), F_ADD_SEALS, F_SEAL_SHRINK), 0);
    offered = broker_->OfferMemory(client.session, name, std::move(memory));
    Settle();
    if (alive()) return offered;
    Reboot();
    // Whether it was taken the client is not told: it gives it up, and offers it anew.
    broker_->WithdrawMemory(client.session, name);
    Settle();
  }
  return offered;
}

}  // namespace p2pd
