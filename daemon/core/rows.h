// Core's tables as the journal's rows: what of each entry a successor must know.
#ifndef P2PD_DAEMON_CORE_ROWS_H_
#define P2PD_DAEMON_CORE_ROWS_H_

#include <string>

#include "daemon/core/journal_entry.h"
#include "daemon/core/tables.h"

namespace p2pd {

JournalSession RowOf(const SessionEntry& session);
JournalContext RowOf(const std::string& name, const ContextEntry& context);
JournalDevice RowOf(const DeviceEntry& device);
JournalSpace RowOf(const AddressSpaceEntry& space);
JournalExport RowOf(const ExportEntry& entry);
JournalMapping RowOf(const MappingEntry& mapping);
JournalOffer RowOf(const OfferEntry& offer);
JournalOperation RowOf(const OperationEntry& operation);

// A mapping that is written already, as it is now.
JournalMappingStep StepOf(const MappingEntry& mapping);

}  // namespace p2pd

#endif  // P2PD_DAEMON_CORE_ROWS_H_
