#include "daemon/front/to_proto.h"

#include <variant>

#include "absl/strings/str_format.h"
#include "daemon/front/resource_name.h"

namespace p2pd {
namespace {

void Set(absl::Time time, google::protobuf::Timestamp& out) {
  const int64_t seconds = absl::ToUnixSeconds(time);
  out.set_seconds(seconds);
  out.set_nanos(static_cast<int32_t>((time - absl::FromUnixSeconds(seconds)) / absl::Nanoseconds(1)));
}

void Set(absl::Duration duration, google::protobuf::Duration& out) {
  absl::Duration rest;
  out.set_seconds(absl::IDivDuration(duration, absl::Seconds(1), &rest));
  out.set_nanos(static_cast<int32_t>(rest / absl::Nanoseconds(1)));
}

v1::ByteRange ToProto(const Range& range) {
  v1::ByteRange out;
  out.set_offset(range.start);
  out.set_length(range.length);
  return out;
}

v1::Device::BarKind KindOf(bool control) { return control ? v1::Device::CONTROL : v1::Device::MEMORY; }

v1::Device::Bar ToProto(const BarView& view) {
  v1::Device::Bar bar;
  bar.set_index(static_cast<uint32_t>(view.index));
  bar.set_size(view.size);
  bar.set_kind(KindOf(view.control));
  bar.set_exportable(view.exportable);
  bar.set_fd_offset(view.fd_offset);
  for (const Range& range : view.msix) *bar.add_msix() = ToProto(range);
  return bar;
}

v1::Operation::Step ToProto(const OperationStep& view) {
  v1::Operation::Step step;
  step.set_what(view.what);
  Set(view.started, *step.mutable_started());
  Set(view.took, *step.mutable_took());
  step.set_error(view.error);
  return step;
}

v1::Operation::Party ToProto(const OperationParty& view) {
  v1::Operation::Party party;
  party.set_session(NameOf(view.session));
  party.set_answer(static_cast<v1::Operation::Party::Answer>(view.answer));
  Set(view.after, *party.mutable_after());
  return party;
}

v1::Operation::Outcome ToProto(const OperationOutcome& view) {
  v1::Operation::Outcome outcome;
  outcome.set_mapping(NameOf(view.mapping));
  outcome.set_iova(view.iova);
  outcome.set_state(static_cast<v1::Mapping::State>(view.state));
  outcome.set_reason(view.reason);
  return outcome;
}

// Which field of an Event an object goes to.
struct EventObject {
  void operator()(std::monostate) const {}
  void operator()(const DeviceView& view) const { *event.mutable_device() = p2pd::ToProto(view); }
  void operator()(const SessionView& view) const { *event.mutable_session() = p2pd::ToProto(view); }
  void operator()(const ExportView& view) const { *event.mutable_export_() = p2pd::ToProto(view); }
  void operator()(const AddressSpaceView& view) const { *event.mutable_address_space() = p2pd::ToProto(view); }
  void operator()(const MappingView& view) const { *event.mutable_mapping() = p2pd::ToProto(view); }
  void operator()(const OperationView& view) const { *event.mutable_operation() = p2pd::ToProto(view); }

  v1::Event& event;
};

}  // namespace

v1::Device ToProto(const DeviceView& view) {
  v1::Device device;
  device.set_name(NameOf(view.address));
  device.set_vendor_id(absl::StrFormat("%04x", view.vendor));
  device.set_device_id(absl::StrFormat("%04x", view.device));
  device.set_class_code(absl::StrFormat("%06x", view.class_code));
  device.set_kernel_driver(view.kernel_driver);
  device.set_state(static_cast<v1::Device::State>(view.state));
  device.set_state_reason(view.state_reason);
  device.set_generation(view.generation);
  if (view.driver.has_value()) device.set_driver_session(NameOf(*view.driver));
  device.set_can_reset(view.can_reset);
  for (const BarView& bar : view.bars) *device.add_bars() = ToProto(bar);
  device.set_context(view.context);
  device.set_iommu_group(static_cast<uint32_t>(view.iommu_group));
  device.set_numa_node(view.numa_node);
  device.set_config_fd_offset(view.config_fd_offset);
  for (const FileHolder& holder : view.holders) {
    v1::Holder& out = *device.add_holders();
    out.set_pid(holder.pid);
    out.set_comm(holder.comm);
    out.set_unit(holder.unit);
  }
  return device;
}

v1::Session ToProto(const SessionView& view) {
  v1::Session session;
  session.set_name(NameOf(view.id));
  session.set_uid(view.peer.subject.uid);
  session.set_gid(view.peer.subject.gid);
  session.set_pid(view.peer.pid);
  session.set_comm(view.peer.comm);
  session.set_unit(view.peer.subject.unit);
  session.set_client(view.peer.client);
  Set(view.connected, *session.mutable_connected());
  return session;
}

v1::Export ToProto(const ExportView& view) {
  v1::Export out;
  out.set_name(NameOf(view.id));
  out.set_session(NameOf(view.session));
  out.mutable_window()->set_device(NameOf(view.window.device));
  out.mutable_window()->set_bar(static_cast<uint32_t>(view.window.bar));
  out.mutable_window()->set_offset(view.window.range.start);
  out.mutable_window()->set_length(view.window.range.length);
  out.set_kind(KindOf(view.control));
  out.set_grade(static_cast<v1::Grade>(view.grade));
  out.set_generation(view.generation);
  out.set_rule(view.rule);
  out.set_rule_origin(view.rule_origin);
  out.set_state(static_cast<v1::Export::State>(view.state));
  out.set_mappings(static_cast<uint32_t>(view.mappings));
  if (view.expires.has_value()) Set(*view.expires, *out.mutable_expire_time());
  return out;
}

v1::AddressSpace ToProto(const AddressSpaceView& view) {
  v1::AddressSpace out;
  out.set_name(NameOf(view.id));
  out.set_session(NameOf(view.session));
  out.set_context(view.context);
  for (const PciAddress& device : view.devices) out.add_devices(NameOf(device));
  for (const Range& range : view.usable) *out.add_usable_iova() = ToProto(range);
  out.set_alignment(view.alignment);
  return out;
}

v1::Mapping ToProto(const MappingView& view) {
  v1::Mapping mapping;
  mapping.set_name(NameOf(view.id));
  mapping.set_session(NameOf(view.session));
  mapping.set_address_space(NameOf(view.address_space));
  if (view.source.has_value()) mapping.set_export_(NameOf(*view.source));
  mapping.set_offset(view.offset);
  mapping.set_length(view.iova.length);
  mapping.set_iova(view.iova.start);
  mapping.set_access(static_cast<v1::Access>(view.access));
  mapping.set_state(static_cast<v1::Mapping::State>(view.state));
  mapping.set_state_reason(view.state_reason);
  mapping.set_rule(view.rule);
  mapping.set_rule_origin(view.rule_origin);
  return mapping;
}

v1::Operation ToProto(const OperationView& view) {
  v1::Operation operation;
  operation.set_name(NameOf(view.id));
  operation.set_kind(static_cast<v1::Operation::Kind>(view.kind));
  operation.set_state(static_cast<v1::Operation::State>(view.state));
  if (view.device.has_value()) operation.set_device(NameOf(*view.device));
  for (const PciAddress& device : view.devices) operation.add_devices(NameOf(device));
  operation.set_generation(view.generation);
  operation.set_error(view.error);
  Set(view.started, *operation.mutable_started());
  Set(view.took, *operation.mutable_took());
  for (const OperationStep& step : view.steps) *operation.add_steps() = ToProto(step);
  for (const OperationParty& party : view.parties) *operation.add_parties() = ToProto(party);
  for (const OperationOutcome& outcome : view.mappings) *operation.add_mappings() = ToProto(outcome);
  operation.set_mapping_count(static_cast<uint32_t>(view.mapping_count));
  return operation;
}

v1::Event ToProto(const Event& event) {
  v1::Event out;
  out.set_type(static_cast<v1::Event::Type>(event.type));
  out.set_sequence(event.sequence);
  Set(event.time, *out.mutable_time());
  std::visit(EventObject{out}, event.object);
  return out;
}

v1::Status ToProto(const StatusView& view) {
  v1::Status status;
  Set(view.started, *status.mutable_started());
  status.set_devices(static_cast<uint32_t>(view.devices));
  status.set_sessions(static_cast<uint32_t>(view.sessions));
  status.set_exports(static_cast<uint32_t>(view.exports));
  status.set_address_spaces(static_cast<uint32_t>(view.address_spaces));
  status.set_mappings(static_cast<uint32_t>(view.mappings));
  status.set_mapped_bytes(view.mapped_bytes);
  status.set_policy_rules(static_cast<uint32_t>(view.policy_rules));
  status.set_policy_generation(view.policy_generation);
  status.set_dma_buf_export(view.dma_buf_export);
  for (const CapabilityView& capability : view.capabilities) {
    v1::Capability& out = *status.add_capabilities();
    out.set_name(capability.name);
    out.set_available(capability.available);
    out.set_detail(capability.detail);
  }
  for (const UsageView& usage : view.usage) {
    v1::Usage& out = *status.add_usage();
    out.set_resource(usage.resource);
    out.set_used(usage.used);
    out.set_per_user(usage.per_user);
    out.set_used_in_total(usage.used_in_total.value_or(0));
    out.set_total(usage.total);
  }
  return status;
}

}  // namespace p2pd
