#include "daemon/core/rows.h"

namespace p2pd {

JournalSession RowOf(const SessionEntry& session) {
  return {.id = session.view.id,
          .token = session.token,
          .peer = session.view.peer,
          .connected = session.view.connected,
          .ended = session.ended,
          .fd_name = session.fd_name};
}

JournalContext RowOf(const std::string& name, const ContextEntry& context) {
  return {.name = name, .fd_name = context.fd_name};
}

JournalDevice RowOf(const DeviceEntry& device) {
  return {.address = device.view.address,
          .context = device.view.context,
          .generation = device.view.generation,
          .fd_name = device.fd_name,
          .state = device.view.state,
          .state_reason = device.view.state_reason,
          .driver = device.view.driver,
          .granted = device.answered,
          .scrubbed = device.scrubbed,
          .holds_data = device.holds_data,
          .since = device.granted.wall,
          .resume = device.resume};
}

JournalSpace RowOf(const AddressSpaceEntry& space) {
  return {.id = space.view.id,
          .session = space.view.session,
          .context = space.view.context,
          .phase = space.answered ? JournalSpace::Phase::kMade : JournalSpace::Phase::kMaking,
          .ioas = space.ioas == nullptr ? IoasId() : space.ioas->id(),
          .devices = space.view.devices};
}

JournalExport RowOf(const ExportEntry& entry) {
  return {.id = entry.view.id,
          .session = entry.view.session,
          .window = entry.view.window,
          .control = entry.view.control,
          .grade = entry.view.grade,
          .generation = entry.view.generation,
          .rule = entry.view.rule,
          .state = entry.view.state,
          .closing = entry.closing || !entry.answered,
          .granted = entry.granted.wall,
          .expires = entry.wanted_until,
          .fd_name = entry.fd_name};
}

JournalMapping RowOf(const MappingEntry& mapping) {
  return {.id = mapping.view.id,
          .session = mapping.view.session,
          .space = mapping.view.address_space,
          .source = mapping.view.source,
          .memory = mapping.memory_name,
          .offset = mapping.view.offset,
          .iova = mapping.view.iova,
          .asked = mapping.asked,
          .access = mapping.view.access,
          .phase = mapping.phase,
          .state = mapping.view.state,
          .state_reason = mapping.view.state_reason,
          .answered = mapping.answered,
          .granted = mapping.granted.wall,
          .ending = mapping.ending.value_or("")};
}

JournalOffer RowOf(const OfferEntry& offer) {
  const OfferView& view = offer.view;
  return {.id = view.id,
          .session = view.session,
          .window = view.window,
          .uid = view.terms.uid,
          .gid = view.terms.gid,
          .unit = view.terms.unit,
          .to = view.terms.session,
          .access = view.terms.access,
          .expires = view.expires};
}

JournalOperation RowOf(const OperationEntry& operation) {
  const RevokeOrder& order = operation.order;
  JournalOperation row = {.id = operation.view.id,
                          .kind = order.kind,
                          .scope = order.scope,
                          .reason = order.reason,
                          .generation = operation.view.generation,
                          .over = operation.view.state != OperationState::kRunning,
                          .restore = order.restore,
                          .leave = order.leave,
                          .recorded = order.recorded,
                          .deadline = order.deadline.value_or(absl::InfiniteDuration()),
                          .ending = order.ending,
                          .exempt = order.exempt,
                          .request = order.request,
                          .devices = order.devices,
                          .exports = order.exports,
                          .spaces = order.spaces,
                          .mappings = order.mappings};
  for (const OperationParty& party : operation.view.parties) {
    // Who acked after it had been cut off has acked all the same.
    const bool late = operation.late.contains(party.session);
    row.parties.push_back({.session = party.session, .answer = late ? Answer::kAcked : party.answer});
  }
  return row;
}

JournalMappingStep StepOf(const MappingEntry& mapping) {
  return {.id = mapping.view.id,
          .phase = mapping.phase,
          .state = mapping.view.state,
          .state_reason = mapping.view.state_reason,
          .answered = mapping.answered,
          .ending = mapping.ending.value_or("")};
}

}  // namespace p2pd
