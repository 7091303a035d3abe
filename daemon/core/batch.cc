// Many mappings at once, all or nothing; and the everyday case, an export with its mappings.
#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"
#include "daemon/core/core.h"
#include "daemon/core/once.h"

namespace p2pd {
namespace {

absl::Status CheckCount(absl::string_view step, size_t count, size_t least, size_t most) {
  if (count >= least && count <= most) return absl::OkStatus();
  return MakeError(absl::StatusCode::kInvalidArgument,
                   {.reason = Reason::kInvalidArgument, .step = std::string(step), .hint = "split it into several"},
                   absl::StrCat("it has ", count, " parts, not ", least, " to ", most));
}

std::string Fingerprint(const AcquireArgs& args) {
  std::string text =
      absl::StrCat("Acquire ", args.window.device.ToString(), " ", args.window.bar, " ", args.window.range.ToString(),
                   " ", static_cast<int>(args.terms.grade), " ", absl::FormatDuration(args.terms.time_to_live));
  for (const AcquireArgs::Importer& importer : args.importers) {
    absl::StrAppend(
        &text, ", ",
        Fingerprint(MapArgs{
            .address_space = importer.address_space, .access = importer.access, .placement = importer.placement}));
  }
  return text;
}

}  // namespace

// Guarded by core's lock.
struct Core::Batch {
  std::vector<MappingId> ids;
  std::vector<MappingView> views;  // of those that are made, in their places
  absl::Status error;              // of the first that could not be made
  size_t outstanding = 0;          // groups at work
  Done<std::vector<MappingView>> finish;
};

void Broker::BatchMap(SessionId session, const std::string& request_id, const std::vector<MapArgs>& args,
                      Done<std::vector<MappingView>> done) {
  const absl::Status count = CheckCount("BatchMap", args.size(), 1, kLargestBatch);
  if (!count.ok()) return done(count);
  std::string fingerprint = "BatchMap";
  for (const MapArgs& one : args) absl::StrAppend(&fingerprint, ", ", Fingerprint(one));
  core_->Once<std::vector<MappingView>>(
      session, request_id, fingerprint, std::move(done),
      [&](CoreLock& lock, SessionEntry& entry, Done<std::vector<MappingView>>& finish) -> absl::Status {
        core_->mutex.AssertHeld();
        return core_->BeginBatchMap(lock, entry, args, finish);
      });
}

absl::Status Core::BeginBatchMap(CoreLock& lock, SessionEntry& session, const std::vector<MapArgs>& args,
                                 Done<std::vector<MappingView>>& finish) {
  const auto batch = std::make_shared<Batch>();
  std::map<AddressSpaceId, std::vector<size_t>> groups;
  std::map<std::tuple<ExportId, AddressSpaceId, Access>, std::vector<Verdict>> judged;
  for (const MapArgs& one : args) {
    const auto id = PrepareMap(session, one, judged[{one.source, one.address_space, one.access}]);
    if (!id.ok()) {
      for (MappingId made : batch->ids) Abandon(made, "another of its batch was refused");
      return WithPart(id.status(), absl::StrCat("part ", batch->ids.size(), " of ", args.size()));
    }
    groups[one.address_space].push_back(batch->ids.size());
    batch->ids.push_back(*id);
  }
  batch->views.resize(args.size());
  batch->outstanding = groups.size();
  batch->finish = std::move(finish);
  for (auto& [space, places] : groups) {
    PostElsewhere(lock, tables.spaces.at(space).strand,
                  [self = shared_from_this(), batch, places = std::move(places)] { self->MapGroup(batch, places); });
  }
  return absl::OkStatus();
}

void Core::MapGroup(const std::shared_ptr<Batch>& batch, const std::vector<size_t>& places) {
  for (const size_t place : places) {
    {
      CoreLock lock(mutex);
      if (!batch->error.ok()) {
        Abandon(batch->ids[place], "another of its batch could not be made");
        continue;
      }
    }
    auto made = CarryOut(batch->ids[place]);
    CoreLock lock(mutex);
    if (made.ok()) {
      batch->views[place] = *std::move(made);
    } else if (batch->error.ok()) {
      batch->error = WithPart(made.status(), absl::StrCat("part ", place, " of ", batch->ids.size()));
    }
  }
  CoreLock lock(mutex);
  if (--batch->outstanding == 0) EndBatch(lock, *batch);
}

void Core::EndBatch(CoreLock& lock, Batch& batch) {
  if (batch.error.ok()) {
    lock.After([finish = std::move(batch.finish), views = std::move(batch.views)]() mutable { finish(views); });
    return;
  }
  RevokeOrder order = {.reason = "another of its batch could not be made", .recorded = false};
  for (const MappingId id : batch.ids) {
    const MappingEntry* mapping = tables.FindMapping(id);
    if (mapping == nullptr) continue;
    order.mappings.push_back(id);
    order.exempt = mapping->view.session;
  }
  order.done = [finish = std::move(batch.finish), error = batch.error](absl::StatusOr<OperationView> undone) mutable {
    const bool clean = undone.ok() && undone->error.empty();
    constexpr absl::string_view kUnclean =
        "not all of the batch could be unmapped again: ListMappings shows what is left";
    finish(clean ? error : WithHint(error, absl::StrCat(GetErrorInfo(error).hint, "; ", kUnclean)));
  };
  Revoke(lock, std::move(order));
}

void Broker::BatchUnmap(SessionId session, const std::string& request_id, const std::vector<MappingId>& ids,
                        Done<std::vector<MappingView>> done) {
  const absl::Status count = CheckCount("BatchUnmap", ids.size(), 1, kLargestBatch);
  if (!count.ok()) return done(count);
  std::string fingerprint = "BatchUnmap";
  for (const MappingId id : ids) absl::StrAppend(&fingerprint, " ", id.value());
  const auto body = [&](CoreLock& lock, SessionEntry&, Done<std::vector<MappingView>>& finish) -> absl::Status {
    core_->mutex.AssertHeld();
    const auto ours = std::make_shared<Done<std::vector<MappingView>>>();
    P2PD_RETURN_IF_ERROR(
        core_->BeginRelease(lock, session, "BatchUnmap", ids,
                            [ours](absl::StatusOr<std::vector<MappingView>> views) { (*ours)(std::move(views)); }));
    *ours = std::move(finish);
    return absl::OkStatus();
  };
  core_->Once<std::vector<MappingView>>(session, request_id, fingerprint, std::move(done), body);
}

absl::Status Core::BeginRelease(CoreLock& lock, SessionId owner, const std::string& step,
                                const std::vector<MappingId>& ids, Done<std::vector<MappingView>> finish) {
  P2PD_ASSIGN_OR_RETURN(std::vector<MappingView> views, RequireMappings(owner, step, ids));
  RevokeOrder order = {.reason = "unmapped by its owner", .mappings = ids, .exempt = owner, .recorded = false};
  order.done = [step, views = std::move(views),
                finish = std::move(finish)](absl::StatusOr<OperationView> operation) mutable {
    if (!operation.ok()) return finish(operation.status());
    if (operation->state == OperationState::kFailed) {
      return finish(MakeError(absl::StatusCode::kInternal,
                              {.reason = Reason::kKernel,
                               .step = step,
                               .hint = "what could not be unmapped is still listed, and may be reached: try again"},
                              operation->error));
    }
    for (MappingView& view : views) {
      view.state = MappingState::kRevoked;
      view.state_reason = "unmapped by its owner";
    }
    finish(std::move(views));
  };
  Revoke(lock, std::move(order));
  return absl::OkStatus();
}

absl::StatusOr<std::vector<MappingView>> Core::RequireMappings(SessionId owner, const std::string& step,
                                                               const std::vector<MappingId>& ids) {
  std::vector<MappingView> views;
  std::set<MappingId> seen;
  for (const MappingId id : ids) {
    const MappingEntry* mapping = tables.FindMapping(id);
    const std::string name = absl::StrCat("mappings/", id.value());
    if (mapping == nullptr || mapping->view.session != owner) {
      return MakeError(absl::StatusCode::kNotFound, {.reason = Reason::kNotFound, .step = step, .object = name},
                       "no such mapping of this session");
    }
    if (!seen.insert(id).second) {
      return MakeError(absl::StatusCode::kInvalidArgument,
                       {.reason = Reason::kInvalidArgument, .step = step, .object = name}, "is named twice");
    }
    views.push_back(mapping->view);
  }
  return views;
}

// ---- Acquire ---------------------------------------------------------------------------------------------

void Broker::Acquire(SessionId session, const std::string& request_id, const AcquireArgs& args,
                     Done<AcquiredView> done) {
  if (const absl::Status count = CheckCount("Acquire", args.importers.size(), 0, kMostImporters); !count.ok()) {
    return done(count);
  }
  core_->Once<AcquiredView>(session, request_id, Fingerprint(args), std::move(done),
                            [&](CoreLock& lock, SessionEntry& entry, Done<AcquiredView>& finish) -> absl::Status {
                              core_->mutex.AssertHeld();
                              return core_->BeginAcquire(lock, entry, request_id, args, finish);
                            });
}

absl::Status Core::BeginAcquire(CoreLock& lock, SessionEntry& session, const std::string& request_id,
                                const AcquireArgs& args, Done<AcquiredView>& finish) {
  // A dma-buf that is out cannot be called back if the mapping then fails.
  if (args.terms.grade == Grade::kRaw && !args.importers.empty()) {
    return MakeError(
        absl::StatusCode::kInvalidArgument,
        {.reason = Reason::kInvalidArgument, .step = "Acquire", .hint = "create the RAW export, then map it"},
        "a RAW export cannot be acquired together with mappings: that is not all or nothing");
  }
  for (const AcquireArgs::Importer& importer : args.importers) {
    P2PD_RETURN_IF_ERROR(RequireSpace(session.view.id, importer.address_space).status());
  }
  // `finish` is ours only once the export is under way: an error is answered by the caller.
  const auto ours = std::make_shared<Done<AcquiredView>>();
  Done<ExportView> exported = [self = shared_from_this(), session = session.view.id, args,
                               ours](absl::StatusOr<ExportView> source) {
    if (!source.ok()) return (*ours)(source.status());
    if (args.importers.empty()) return (*ours)(AcquiredView{.source = *source});
    // Not here: this is the exporter's strand, and what others have queued for the importer would run on it.
    self->scheduler.Run([self, session, source = *source, args, ours] {
      self->FinishAcquire(session, source, args, std::move(*ours));
    });
  };
  P2PD_RETURN_IF_ERROR(BeginCreateExport(lock, session, request_id, args.window, args.terms, exported));
  *ours = std::move(finish);
  return absl::OkStatus();
}

void Core::FinishAcquire(SessionId session, const ExportView& source, const AcquireArgs& args,
                         Done<AcquiredView> finish) {
  std::vector<MapArgs> maps;
  for (const AcquireArgs::Importer& importer : args.importers) {
    maps.push_back({.source = source.id,
                    .address_space = importer.address_space,
                    .access = importer.access,
                    .placement = importer.placement});
  }
  Done<std::vector<MappingView>> mapped = [self = shared_from_this(), session, source, finish = std::move(finish)](
                                              absl::StatusOr<std::vector<MappingView>> views) mutable {
    if (views.ok()) {
      AcquiredView all = {.source = source, .mappings = *std::move(views)};
      all.source.mappings = all.mappings.size();
      return finish(std::move(all));
    }
    CoreLock lock(self->mutex);
    const auto entry = self->tables.exports.find(source.id);
    if (entry == self->tables.exports.end() || entry->second.closing) {
      lock.After([finish = std::move(finish), error = views.status()]() mutable { finish(error); });
      return;
    }
    RevokeOrder order = self->ExportEnd(entry->second);
    order.reason = "it could not be mapped for all that it was acquired for";
    order.exempt = session;
    order.recorded = false;
    order.done = [finish = std::move(finish), error = views.status()](absl::StatusOr<OperationView>) mutable {
      finish(error);
    };
    self->Revoke(lock, std::move(order));
  };
  CoreLock lock(mutex);
  SessionEntry* entry = tables.FindSession(session);
  const absl::Status begun =
      entry == nullptr || entry->ended ? SessionEnded() : BeginBatchMap(lock, *entry, maps, mapped);
  if (!begun.ok()) lock.After([mapped = std::move(mapped), begun]() mutable { mapped(begun); });
}

}  // namespace p2pd
