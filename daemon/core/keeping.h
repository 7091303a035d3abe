// Descriptors that are to outlive this process. An fd goes into the store before a row of the journal names it, and
// the row lets go of it before the store does: so what a row names is there, and what no row names is nobody's. The
// store lets go before p2pd closes its own: a device's last close can take a minute, which is p2pd's to wait.
#ifndef P2PD_DAEMON_CORE_KEEPING_H_
#define P2PD_DAEMON_CORE_KEEPING_H_

#include <string>
#include <vector>

#include "daemon/core/core.h"

namespace p2pd {

inline bool Keeps(const Core& core) { return core.options.store != nullptr && core.options.store->keeps(); }

// The store has the device and its context when this returns OK. On the context's strand.
absl::Status Keep(Core& core, const PciAddress& address) ABSL_LOCKS_EXCLUDED(core.mutex);
absl::Status PutAnew(Core& core, const std::string& name, FdRef fd);

// It has them no more: before p2pd closes its own.
void LetGo(Core& core, const PciAddress& address) ABSL_LOCKS_EXCLUDED(core.mutex);
void LetGoOfContext(Core& core, const std::string& name) ABSL_LOCKS_EXCLUDED(core.mutex);
void LetGoOfExport(Core& core, ExportId id) ABSL_LOCKS_EXCLUDED(core.mutex);
// Devices that nobody drives are kept for what was exported of them. At the end p2pd closes them, not the store.
void LetGoOfAll(Core& core) ABSL_LOCKS_EXCLUDED(core.mutex);
// Elsewhere, since the store may take its time.
void RemoveLater(Core& core, std::vector<std::string> names);

}  // namespace p2pd

#endif  // P2PD_DAEMON_CORE_KEEPING_H_
