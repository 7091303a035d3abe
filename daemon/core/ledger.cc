#include "daemon/core/ledger.h"

namespace p2pd {
namespace {

struct Finder {
  const JournalState& state;

  bool operator()(SessionId id) const { return state.sessions.contains(id); }
  bool operator()(const JournalMemoryKey& key) const { return state.memories.contains(key); }
  bool operator()(const JournalContextKey& key) const { return state.contexts.contains(key.name); }
  bool operator()(const PciAddress& address) const { return state.devices.contains(address); }
  bool operator()(AddressSpaceId id) const { return state.spaces.contains(id); }
  bool operator()(ExportId id) const { return state.exports.contains(id); }
  bool operator()(OfferId id) const { return state.offers.contains(id); }
  bool operator()(MappingId id) const { return state.mappings.contains(id); }
  bool operator()(OperationId id) const { return state.operations.contains(id); }
};

}  // namespace

void Ledger::End() {
  if (--depth_ == 0 && !gathered_.empty()) Note(std::exchange(gathered_, {}));
}

bool Ledger::Note(const JournalEntries& entries) {
  if (depth_ > 0) {
    gathered_.insert(gathered_.end(), entries.begin(), entries.end());
    return true;
  }
  const absl::Status status = journal_.Append(entries);
  if (!status.ok()) trouble_ = status;
  return status.ok();
}

bool Ledger::Knows(const JournalRemoval::Key& key) const { return std::visit(Finder{state()}, key); }

void Ledger::Forget(const JournalRemoval::Key& key) {
  if (Knows(key)) Note(JournalRemoval{.key = key});
}

}  // namespace p2pd
