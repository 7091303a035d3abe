// Devices and resets, for C.
#include <algorithm>
#include <iterator>

#include "client/c/error.h"
#include "client/c/handles.h"

using ::p2p::c::Tell;

namespace p2p::c {

DeviceInfo::DeviceInfo(v1::Device proto) : proto_(std::move(proto)) {
  info_ = {.name = proto_.name().c_str(),
           .vendor_id = proto_.vendor_id().c_str(),
           .device_id = proto_.device_id().c_str(),
           .class_code = proto_.class_code().c_str(),
           .driver_session = proto_.driver_session().c_str(),
           .generation = proto_.generation(),
           .config_fd_offset = proto_.config_fd_offset(),
           .bars = {},
           .state = static_cast<uint32_t>(proto_.state()),
           .can_reset = proto_.can_reset() ? 1u : 0u,
           .iommu_group = proto_.iommu_group(),
           .numa_node = proto_.numa_node()};
  for (const v1::Device::Bar& bar : proto_.bars()) {
    if (bar.index() >= std::size(info_.bars)) continue;
    info_.bars[bar.index()] = {.size = bar.size(),
                               .fd_offset = bar.fd_offset(),
                               .memory = bar.kind() == v1::Device::MEMORY ? 1u : 0u,
                               .exportable = bar.exportable() ? 1u : 0u};
  }
}

namespace {

uint32_t CountMappings(const v1::Operation& operation, v1::Mapping::State state) {
  return static_cast<uint32_t>(std::count_if(operation.mappings().begin(), operation.mappings().end(),
                                             [state](const auto& outcome) { return outcome.state() == state; }));
}

uint32_t CountParties(const v1::Operation& operation, v1::Operation::Party::Answer answer) {
  return static_cast<uint32_t>(std::count_if(operation.parties().begin(), operation.parties().end(),
                                             [answer](const auto& party) { return party.answer() == answer; }));
}

p2p_receipt ReceiptOf(const v1::Operation& operation) {
  return {.generation = operation.generation(),
          .took_ns = static_cast<uint64_t>(operation.took().seconds()) * 1'000'000'000u + operation.took().nanos(),
          .failed = operation.state() == v1::Operation::FAILED ? 1u : 0u,
          .sessions_acked = CountParties(operation, v1::Operation::Party::ACKED),
          .sessions_forced = CountParties(operation, v1::Operation::Party::FORCED),
          .mappings_active = CountMappings(operation, v1::Mapping::ACTIVE),
          .mappings_suspended = CountMappings(operation, v1::Mapping::SUSPENDED),
          .mappings_lost = CountMappings(operation, v1::Mapping::LOST)};
}

int Report(const absl::StatusOr<v1::Operation>& operation, p2p_receipt* receipt, p2p_error* error) {
  if (operation.ok() && receipt != nullptr) *receipt = ReceiptOf(*operation);
  return Tell(operation.status(), error);
}

}  // namespace
}  // namespace p2p::c

int p2p_device_list_get(p2p_session* session, p2p_device_list** list, p2p_error* error) {
  auto devices = session->session->ListDevices();
  if (!devices.ok()) return Tell(devices.status(), error);
  auto result = std::make_unique<p2p_device_list>();
  for (p2p::v1::Device& device : *devices) {
    result->devices.push_back(std::make_unique<p2p::c::DeviceInfo>(std::move(device)));
  }
  *list = result.release();
  return 0;
}

size_t p2p_device_list_size(const p2p_device_list* list) { return list->devices.size(); }

const p2p_device_info* p2p_device_list_at(const p2p_device_list* list, size_t index) {
  return index < list->devices.size() ? list->devices[index]->get() : nullptr;
}

void p2p_device_list_free(p2p_device_list* list) { delete list; }

int p2p_device_open(p2p_session* session, const char* name, p2p_device** device, p2p_error* error) {
  auto opened = session->session->OpenDevice(name);
  if (!opened.ok()) return Tell(opened.status(), error);
  auto info = std::make_unique<p2p::c::DeviceInfo>(opened->info());
  *device = new p2p_device{*std::move(opened), std::move(info)};
  return 0;
}

int p2p_device_fd(const p2p_device* device) { return device->device.fd(); }
const p2p_device_info* p2p_device_describe(const p2p_device* device) { return device->info->get(); }

int p2p_device_ready(p2p_device* device, uint64_t generation, p2p_error* error) {
  const absl::Status status = device->device.Ready(generation);
  if (status.ok()) device->info = std::make_unique<p2p::c::DeviceInfo>(device->device.info());
  return Tell(status, error);
}

int p2p_device_close(p2p_device* device, p2p_error* error) {
  if (device == nullptr) return 0;
  const absl::Status status = device->device.Close();
  delete device;
  return Tell(status, error);
}

int p2p_reset(p2p_session* session, const char* device, p2p_receipt* receipt, p2p_error* error) {
  return p2p::c::Report(session->session->ResetDevice(device), receipt, error);
}

int p2p_reset_bus(p2p_session* session, const char* device, p2p_receipt* receipt, p2p_error* error) {
  return p2p::c::Report(session->session->ResetDevice(device, p2p::v1::ResetDeviceRequest::BUS), receipt, error);
}

int p2p_recover(p2p_session* session, const char* device, p2p_receipt* receipt, p2p_error* error) {
  return p2p::c::Report(session->session->RecoverDevice(device), receipt, error);
}
