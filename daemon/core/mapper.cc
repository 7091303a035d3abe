// Mappings: slices of exports, or of a client's memory, at IOVAs of an address space.
#include <errno.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "daemon/base/errors.h"
#include "daemon/core/core.h"
#include "daemon/core/once.h"
#include "daemon/core/rows.h"

namespace p2pd {
namespace {

// The slice [offset, offset + length) of something `size` bytes long; length 0 is "to the end".
absl::StatusOr<Range> Slice(absl::string_view step, const std::string& object, uint64_t offset, uint64_t length,
                            uint64_t size) {
  if (length == 0 && offset < size) length = size - offset;
  if (length == 0 || offset > size || length > size - offset || offset % kPageSize != 0 || length % kPageSize != 0) {
    return MakeError(absl::StatusCode::kInvalidArgument,
                     {.reason = Reason::kInvalidArgument,
                      .step = std::string(step),
                      .object = object,
                      .hint = "offset and length are in bytes, multiples of the page size, inside the object"},
                     absl::StrFormat("[0x%x, +0x%x) is not a slice of its %d bytes", offset, length, size));
  }
  return Range{.start = offset, .length = length};
}

std::string Fingerprint(absl::string_view what, uint64_t space, uint64_t offset, uint64_t length, Access access,
                        const Placement& placement) {
  return absl::StrCat(what, " ", space, " ", offset, " ", length, " ", static_cast<int>(access), " ",
                      placement.iova.has_value() ? absl::StrCat("@", *placement.iova) : "", " ",
                      placement.iova_max.has_value() ? absl::StrCat("<", *placement.iova_max) : "", " ",
                      placement.alignment);
}

// What the importer then can do. Which page-table format the IOMMU driver chose, and whether it can withhold
// reads, is not to be had from user space: so the answer is what no format exceeds.
Access Effective(Access asked) { return CanWrite(asked) ? Access::kReadWrite : asked; }

}  // namespace

std::string Fingerprint(const MapArgs& args) {
  return Fingerprint(absl::StrCat("Map ", args.source.value()), args.address_space.value(), args.offset, args.length,
                     args.access, args.placement);
}

void Broker::Map(SessionId session, const std::string& request_id, const MapArgs& args, Done<MappingView> done) {
  core_->Once<MappingView>(session, request_id, Fingerprint(args), std::move(done),
                           [&](CoreLock& lock, SessionEntry& entry, Done<MappingView>& finish) -> absl::Status {
                             core_->mutex.AssertHeld();
                             std::vector<Verdict> judged;
                             P2PD_ASSIGN_OR_RETURN(const MappingId id, core_->PrepareMap(entry, args, judged));
                             core_->PostMapping(lock, id, finish);
                             return absl::OkStatus();
                           });
}

absl::StatusOr<MappingId> Core::PrepareMap(SessionEntry& session, const MapArgs& args, std::vector<Verdict>& judged) {
  P2PD_ASSIGN_OR_RETURN(ExportEntry* const source, RequireExport(session.view.id, args.source));
  P2PD_ASSIGN_OR_RETURN(AddressSpaceEntry* const space, RequireSpace(session.view.id, args.address_space));
  const Window& window = source->view.window;
  const std::string object = absl::StrCat("exports/", args.source.value());
  P2PD_ASSIGN_OR_RETURN(const Range slice, Slice("Map", object, args.offset, args.length, window.range.length));
  const DeviceEntry& exporter = tables.devices.at(window.device);
  if (judged.empty()) {
    P2PD_ASSIGN_OR_RETURN(judged, PermitAll(session, object, AskedFor(&source->view, space->view, args.access)));
  }
  P2PD_RETURN_IF_ERROR(CheckAwake("Map", object));
  // Restored is not ready: a window of a device whose driver has not set it up may swallow what is written.
  if (exporter.view.state != DeviceState::kReady) {
    return MakeError(absl::StatusCode::kUnavailable,
                     {.reason = Reason::kDeviceNotReady,
                      .step = "Map",
                      .object = absl::StrCat("devices/", window.device.ToString()),
                      .hint = "try again when it is READY; its driver says so with DeviceReady"},
                     absl::StrCat("the exporter is ", Name(exporter.view.state)));
  }
  auto mapping = std::make_unique<MappingEntry>();
  mapping->view = {.source = args.source, .offset = slice.start, .iova = {.length = slice.length}};
  mapping->asked = args.access;
  P2PD_ASSIGN_OR_RETURN(mapping->grounds, RestOn(session, slice.length, judged));
  P2PD_ASSIGN_OR_RETURN(mapping->bytes_charge, quota.Take(HolderOf(session), Resource::kMappedBytes, slice.length));
  mapping->exporter = window.device;
  mapping->dma_buf = source->dma_buf;
  mapping->file_offset = window.range.start + slice.start - source->dma_buf->bar_offset;
  P2PD_ASSIGN_OR_RETURN(const MappingId id, Enter(session, *space, std::move(mapping), args.placement));
  source->mappings.insert(id);
  return id;
}

void Broker::MapMemory(SessionId session, const std::string& request_id, const MapMemoryArgs& args,
                       Done<MappingView> done) {
  core_->Once<MappingView>(session, request_id,
                           Fingerprint(absl::StrCat("MapMemory \"", args.memory, "\""), args.address_space.value(),
                                       args.offset, args.length, args.access, args.placement),
                           std::move(done),
                           [&](CoreLock& lock, SessionEntry& entry, Done<MappingView>& finish) -> absl::Status {
                             core_->mutex.AssertHeld();
                             P2PD_ASSIGN_OR_RETURN(const MappingId id, core_->PrepareMapMemory(entry, args));
                             core_->PostMapping(lock, id, finish, /*elsewhere=*/true);
                             return absl::OkStatus();
                           });
}

absl::StatusOr<MappingId> Core::PrepareMapMemory(SessionEntry& session, const MapMemoryArgs& args) {
  const std::string object = absl::StrCat("memory \"", args.memory, "\"");
  const auto memory = session.memory.find(args.memory);
  if (memory == session.memory.end()) {
    return MakeError(absl::StatusCode::kNotFound,
                     {.reason = Reason::kNotFound,
                      .step = "MapMemory",
                      .object = object,
                      .hint = "send the memfd on the fd channel first, with OfferMemory"},
                     "this session has offered no memory of that name, or it was refused");
  }
  const MemoryInfo& info = memory->second.info;
  if (CanWrite(args.access) && (!info.writable || info.sealed_write)) {
    return MakeError(absl::StatusCode::kInvalidArgument,
                     {.reason = Reason::kMemoryUnsuitable,
                      .step = "MapMemory",
                      .object = object,
                      .hint = "open it O_RDWR without F_SEAL_WRITE or F_SEAL_FUTURE_WRITE, or map it READ"},
                     "a device is to write to it, but this client may not");
  }
  P2PD_ASSIGN_OR_RETURN(AddressSpaceEntry* const space, RequireSpace(session.view.id, args.address_space));
  P2PD_ASSIGN_OR_RETURN(const Range slice, Slice("MapMemory", object, args.offset, args.length, info.size));
  P2PD_ASSIGN_OR_RETURN(const std::vector<Verdict> verdicts,
                        PermitAll(session, object, AskedFor(nullptr, space->view, args.access)));
  auto mapping = std::make_unique<MappingEntry>();
  mapping->view = {.offset = slice.start, .iova = {.length = slice.length}};
  mapping->asked = args.access;
  P2PD_ASSIGN_OR_RETURN(mapping->grounds, RestOn(session, slice.length, verdicts));
  P2PD_ASSIGN_OR_RETURN(mapping->bytes_charge, quota.Take(HolderOf(session), Resource::kMemoryBytes, slice.length));
  mapping->memory = memory->second.file;
  mapping->memory_name = args.memory;
  mapping->file_offset = slice.start;
  return Enter(session, *space, std::move(mapping), args.placement);
}

absl::StatusOr<MappingId> Core::Enter(SessionEntry& session, AddressSpaceEntry& space,
                                      std::unique_ptr<MappingEntry> mapping, const Placement& placement) {
  P2PD_ASSIGN_OR_RETURN(mapping->charge, quota.Take(HolderOf(session), Resource::kMappings));
  P2PD_ASSIGN_OR_RETURN(mapping->view.iova,
                        space.iovas.Reserve(mapping->view.iova.length, placement, mapping->file_offset));
  const MappingId id(tables.NextId());
  mapping->view.id = id;
  mapping->view.session = session.view.id;
  mapping->view.address_space = space.view.id;
  mapping->view.access = Effective(mapping->asked);
  mapping->view.rule = mapping->grounds.rule;
  mapping->view.rule_origin = mapping->grounds.origin;
  mapping->granted = Now();
  if (const absl::Status noted = journal.Grant(RowOf(*mapping)); !noted.ok()) {
    space.iovas.Release(mapping->view.iova);
    return noted;
  }
  mapping->live = true;
  tables.mapped_bytes += mapping->view.iova.length;
  space.mappings.insert(id);
  WatchAge(*mapping);
  tables.mappings[id] = std::move(mapping);
  return id;
}

void Core::PostMapping(CoreLock& lock, MappingId id, Done<MappingView>& finish, bool elsewhere) {
  const auto& strand = tables.spaces.at(tables.FindMapping(id)->view.address_space).strand;
  Task task = [self = shared_from_this(), id, finish = std::move(finish)]() mutable { finish(self->CarryOut(id)); };
  elsewhere ? PostElsewhere(lock, strand, std::move(task)) : lock.Post(strand, std::move(task));
}

absl::StatusOr<MappingView> Core::CarryOut(MappingId id) {
  std::shared_ptr<AddressSpace> ioas;
  std::shared_ptr<const DmaBuf> dma_buf;
  std::shared_ptr<const UniqueFd> memory;
  std::optional<PciAddress> exporter;
  Range iova;
  Access access = Access::kRead;
  uint64_t file_offset = 0;
  {
    CoreLock lock(mutex);
    const MappingEntry* mapping = tables.FindMapping(id);
    if (mapping == nullptr) return absl::UnavailableError("the mapping was revoked before it was made");
    ioas = tables.spaces.at(mapping->view.address_space).ioas;
    dma_buf = mapping->dma_buf;
    memory = mapping->memory;
    exporter = mapping->exporter;
    iova = mapping->view.iova;
    access = mapping->asked;
    file_offset = mapping->file_offset;
  }
  // Its owner may have punched holes since it was offered: what is mapped now would be filled by p2pd.
  absl::Status status = absl::OkStatus();
  if (memory != nullptr) {
    const absl::StatusOr<MemoryInfo> info = kernel.InspectMemory(*memory);
    status = info.ok() ? CheckMemory("of this mapping", *info) : info.status();
    if (status.ok()) status = kernel.PrepareMemory(*memory, {.start = file_offset, .length = iova.length});
  }
  const FdRef file = dma_buf != nullptr ? FdRef(dma_buf->fd) : FdRef(*memory);
  if (status.ok()) status = ioas->Map(file, file_offset, iova, access);
  // Once more: its owner can have punched and allocated anew before it was pinned. Then it lasts no longer than this.
  if (status.ok() && memory != nullptr) {
    kernel.PrepareMemory(*memory, {.start = file_offset, .length = iova.length}).IgnoreError();
  }
  CoreLock lock(mutex);
  if (!status.ok()) {
    Abandon(id, std::string(status.message()));
    // The dma-buf is revoked just now, and p2pd has not done it.
    if (exporter.has_value() && GetErrorInfo(status).error == ENODEV) {
      BeginRepair(lock, tables.devices.at(*exporter), Trouble::kDecodeOff);
    }
    return status;
  }
  // A revocation that was decided meanwhile waits behind this task on the strand: the entry is still here.
  MappingEntry& mapping = *tables.FindMapping(id);
  mapping.phase = JournalMapping::Phase::kMapped;  // written with the answer
  mapping.announced = true;
  tables.Publish(EventType::kCreated, mapping.view, mapping.view.session);
  return mapping.view;
}

void Core::Abandon(MappingId id, const std::string& reason) {
  MappingEntry* mapping = tables.FindMapping(id);
  if (mapping == nullptr) return;
  mapping->live = false;
  Drop(*mapping, reason);
}

void Broker::Unmap(SessionId session, const std::string& request_id, MappingId id, Done<MappingView> done) {
  const auto body = [&](CoreLock& lock, SessionEntry&, Done<MappingView>& finish) -> absl::Status {
    core_->mutex.AssertHeld();
    // Ours only once it is under way: an error is answered by the caller.
    const auto ours = std::make_shared<Done<MappingView>>();
    P2PD_RETURN_IF_ERROR(
        core_->BeginRelease(lock, session, "Unmap", {id}, [ours](absl::StatusOr<std::vector<MappingView>> views) {
          if (!views.ok()) return (*ours)(views.status());
          (*ours)(std::move(views->front()));
        }));
    *ours = std::move(finish);
    return absl::OkStatus();
  };
  core_->Once<MappingView>(session, request_id, absl::StrCat("Unmap ", id.value()), std::move(done), body);
}

}  // namespace p2pd
