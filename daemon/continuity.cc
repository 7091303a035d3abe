#include "daemon/continuity.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"
#include "daemon/core/memory_journal.h"
#include "daemon/journal/memfd_journal.h"
#include "daemon/service/log.h"
#include "daemon/service/older_instances.h"
#include "daemon/service/systemd_fd_store.h"

namespace p2pd {
namespace {

// A process that was killed closes its devices before it is gone: up to a minute for each.
constexpr absl::Duration kPatience = absl::Minutes(4);

absl::StatusOr<std::unique_ptr<UnitProperties>> UnitWithStore() {
  P2PD_ASSIGN_OR_RETURN(std::unique_ptr<UnitProperties> unit, UnitProperties::Connect({}));
  P2PD_ASSIGN_OR_RETURN(const uint32_t most, unit->Get("FileDescriptorStoreMax"));
  if (most == 0) return absl::UnavailableError("the unit has no FileDescriptorStoreMax=");
  return unit;
}

// Whether a predecessor left anything.
bool HoldsAnything(const std::vector<NamedFd>& inherited) {
  return std::any_of(inherited.begin(), inherited.end(), [](const NamedFd& fd) { return fd.name == kJournalFdName; });
}

}  // namespace

absl::StatusOr<Continuity> Continuity::Open(const QuotaLimits& limits, std::vector<NamedFd>& inherited) {
  auto unit = UnitWithStore();
  if (!unit.ok()) {
    // What was kept must not be left to itself: the service manager tries again.
    if (HoldsAnything(inherited)) return unit.status();
    return Without(std::string(unit.status().message()));
  }
  Continuity opened;
  opened.unit_ = *std::move(unit);
  P2PD_ASSIGN_OR_RETURN(const std::string procs, OwnProcsFile());
  P2PD_ASSIGN_OR_RETURN(const OlderInstances older, WaitForOlderInstances(procs, kPatience));
  if (!older.gone.empty()) {
    Log(LogLevel::kInfo, absl::StrCat("waited ", absl::FormatDuration(older.took), " for an older process to end"));
  }
  SystemdFdStore::Options options;
  options.count = [unit = opened.unit_.get()] { return unit->Get("NFileDescriptorStore"); };
  opened.store_ = std::make_unique<SystemdFdStore>(std::move(options), inherited);
  P2PD_RETURN_IF_ERROR(opened.OpenJournal(limits));
  return opened;
}

absl::Status Continuity::OpenJournal(const QuotaLimits& limits) {
  if (UniqueFd kept = store_->Take(kJournalFdName); kept.valid()) {
    auto journal = MemfdJournal::Open(std::move(kept));
    if (journal.ok()) {
      journal_ = *std::move(journal);
      return absl::OkStatus();
    }
    distrust_ = std::string(journal.status().message());
    Log(LogLevel::kError, absl::StrCat("what was granted before is taken down: ", distrust_));
    P2PD_RETURN_IF_ERROR(store_->Remove(kJournalFdName));
  }
  P2PD_ASSIGN_OR_RETURN(std::unique_ptr<MemfdJournal> journal,
                        MemfdJournal::Create(MemfdJournal::HalfBytesFor(limits)));
  P2PD_RETURN_IF_ERROR(store_->Put(kJournalFdName, journal->fd()));
  journal_ = std::move(journal);
  return absl::OkStatus();
}

Continuity Continuity::Without(const std::string& why) {
  Log(LogLevel::kInfo, absl::StrCat("nothing outlives this process: ", why));
  Continuity nothing;
  nothing.store_ = std::make_unique<NoFdStore>(why);
  nothing.journal_ = std::make_unique<MemoryJournal>();
  return nothing;
}

bool Continuity::Restarts() {
  if (unit_ == nullptr || !store_->keeps()) return false;
  const absl::StatusOr<std::string> job = unit_->Job();
  return job.ok() && *job == "restart";
}

}  // namespace p2pd
