// Exports, address spaces, memory and what maps them, for C.
#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "client/c/error.h"
#include "client/c/handles.h"
#include "google/protobuf/util/time_util.h"

using ::google::protobuf::util::TimeUtil;
using ::p2p::c::Tell;

namespace {

static_assert(static_cast<int>(P2P_RAW) == p2p::v1::RAW && static_cast<int>(P2P_MAPPED) == p2p::v1::MAPPED);
static_assert(static_cast<int>(P2P_READ) == p2p::v1::READ && static_cast<int>(P2P_WRITE) == p2p::v1::WRITE);
static_assert(static_cast<int>(P2P_MAPPING_LOST) == p2p::v1::Mapping::LOST);

p2p::WindowOptions WindowOf(const p2p_window& window) {
  return {.device = window.device,
          .bar = window.bar,
          .offset = window.offset,
          .length = window.length,
          .grade = window.grade == 0 ? p2p::v1::MAPPED : static_cast<p2p::v1::Grade>(window.grade)};
}

p2p::MapOptions OptionsOf(const p2p_map_options* options) {
  if (options == nullptr) return {};
  p2p::MapOptions result = {.offset = options->offset, .length = options->length, .alignment = options->alignment};
  if (options->access != 0) result.access = static_cast<p2p::v1::Access>(options->access);
  if (options->placement == P2P_AT) result.iova = options->iova;
  if (options->placement == P2P_AT_OR_BELOW) result.iova_max = options->iova;
  return result;
}

int Hand(absl::StatusOr<p2p::Mapping> made, p2p_mapping** mapping, p2p_error* error) {
  if (made.ok()) *mapping = new p2p_mapping{*std::move(made)};
  return Tell(made.status(), error);
}

void Hand(std::vector<p2p::Mapping> made, p2p_mapping** mappings) {
  for (p2p::Mapping& mapping : made) *mappings++ = new p2p_mapping{std::move(mapping)};
}

// Gives back what a handle stands for, and frees it.
template <typename Handle>
int Free(Handle* handle, absl::Status (*release)(Handle&), p2p_error* error) {
  if (handle == nullptr) return 0;
  const absl::Status status = release(*handle);
  delete handle;
  return Tell(status, error);
}

}  // namespace

int p2p_export_create(p2p_session* session, const p2p_window* window, p2p_export** result, p2p_error* error) {
  auto made = session->session->CreateExport(WindowOf(*window));
  if (made.ok()) *result = new p2p_export{*std::move(made)};
  return Tell(made.status(), error);
}

const char* p2p_export_name(const p2p_export* window) { return window->window.name().c_str(); }
uint64_t p2p_export_length(const p2p_export* window) { return window->window.window().length(); }
uint64_t p2p_export_generation(const p2p_export* window) { return window->window.info().generation(); }
int p2p_export_fd(const p2p_export* window) { return window->window.dma_buf(); }

uint64_t p2p_export_expires_ns(const p2p_export* window) {
  return static_cast<uint64_t>(TimeUtil::TimestampToNanoseconds(window->window.info().expire_time()));
}

int p2p_export_renew(p2p_export* window, uint64_t time_to_live_ms, p2p_error* error) {
  const int64_t most = std::min<uint64_t>(time_to_live_ms, INT64_MAX);
  return Tell(window->window.Renew(most == 0 ? absl::InfiniteDuration() : absl::Milliseconds(most)), error);
}

int p2p_export_release(p2p_export* window, p2p_error* error) {
  return Free<p2p_export>(
      window, [](p2p_export& it) { return it.window.Release().status(); }, error);
}

int p2p_space_create(p2p_session* session, const char* const* devices, size_t count, p2p_space** space,
                     p2p_error* error) {
  auto made = session->session->CreateAddressSpace(std::vector<std::string>(devices, devices + count));
  if (made.ok()) *space = new p2p_space{*std::move(made)};
  return Tell(made.status(), error);
}

const char* p2p_space_name(const p2p_space* space) { return space->space.name().c_str(); }

int p2p_space_release(p2p_space* space, p2p_error* error) {
  return Free<p2p_space>(
      space, [](p2p_space& it) { return it.space.Release().status(); }, error);
}

int p2p_map(p2p_session* session, const p2p_export* source, const p2p_space* space, const p2p_map_options* options,
            p2p_mapping** mapping, p2p_error* error) {
  return Hand(session->session->Map(source->window, space->space, OptionsOf(options)), mapping, error);
}

int p2p_map_memory(p2p_session* session, const p2p_memory* memory, const p2p_space* space,
                   const p2p_map_options* options, p2p_mapping** mapping, p2p_error* error) {
  return Hand(session->session->MapMemory(memory->memory, space->space, OptionsOf(options)), mapping, error);
}

int p2p_acquire(p2p_session* session, const p2p_window* window, const p2p_importer* importers, size_t count,
                p2p_export** result, p2p_mapping** mappings, p2p_error* error) {
  std::vector<p2p::Importer> wanted;
  for (size_t i = 0; i < count; ++i) {
    const p2p::MapOptions options = OptionsOf(&importers[i].options);
    if (options.offset != 0 || options.length != 0) {
      return Tell(absl::InvalidArgumentError("p2p_importer: an importer gets the whole window"), error);
    }
    wanted.push_back({.space = &importers[i].space->space,
                      .access = options.access,
                      .iova = options.iova,
                      .iova_max = options.iova_max,
                      .alignment = options.alignment});
  }
  auto acquired = session->session->Acquire(WindowOf(*window), wanted);
  if (!acquired.ok()) return Tell(acquired.status(), error);
  *result = new p2p_export{std::move(acquired->window)};
  Hand(std::move(acquired->mappings), mappings);
  return 0;
}

int p2p_batch_map(p2p_session* session, const p2p_map_item* items, size_t count, p2p_mapping** mappings,
                  p2p_error* error) {
  std::vector<p2p::MapItem> wanted;
  for (size_t i = 0; i < count; ++i) {
    wanted.push_back(
        {.source = &items[i].source->window, .space = &items[i].space->space, .options = OptionsOf(&items[i].options)});
  }
  auto made = session->session->BatchMap(wanted);
  if (!made.ok()) return Tell(made.status(), error);
  Hand(*std::move(made), mappings);
  return 0;
}

int p2p_batch_unmap(p2p_session* session, p2p_mapping* const* mappings, size_t count, p2p_error* error) {
  std::vector<p2p::Mapping> going;
  for (size_t i = 0; i < count; ++i) {
    if (mappings[i] != nullptr) going.push_back(std::move(mappings[i]->mapping));
    delete mappings[i];
  }
  return Tell(session->session->BatchUnmap(std::move(going)), error);
}

const char* p2p_mapping_name(const p2p_mapping* mapping) { return mapping->mapping.name().c_str(); }
uint64_t p2p_mapping_iova(const p2p_mapping* mapping) { return mapping->mapping.iova(); }
uint64_t p2p_mapping_length(const p2p_mapping* mapping) { return mapping->mapping.length(); }
p2p_access p2p_mapping_access(const p2p_mapping* mapping) { return static_cast<p2p_access>(mapping->mapping.access()); }

int p2p_mapping_state_now(p2p_mapping* mapping, p2p_mapping_state* state, p2p_error* error) {
  const auto now = mapping->mapping.Refresh();
  if (now.ok()) *state = static_cast<p2p_mapping_state>(*now);
  return Tell(now.status(), error);
}

int p2p_unmap(p2p_mapping* mapping, p2p_error* error) {
  return Free<p2p_mapping>(
      mapping, [](p2p_mapping& it) { return it.mapping.Release(); }, error);
}

int p2p_memory_create(const char* name, size_t size, p2p_memory** memory, p2p_error* error) {
  auto made = p2p::SealedMemory::Create(name, size);
  if (made.ok()) *memory = new p2p_memory{*std::move(made)};
  return Tell(made.status(), error);
}

void* p2p_memory_data(const p2p_memory* memory) { return memory->memory.data(); }
size_t p2p_memory_size(const p2p_memory* memory) { return memory->memory.size(); }
int p2p_memory_fd(const p2p_memory* memory) { return memory->memory.fd(); }

int p2p_memory_withdraw(p2p_session* session, const p2p_memory* memory, p2p_error* error) {
  return Tell(session->session->WithdrawMemory(memory->memory), error);
}

void p2p_memory_free(p2p_memory* memory) { delete memory; }
