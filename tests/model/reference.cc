#include "tests/model/reference.h"

namespace model {

// ---- What must come of a request -------------------------------------------------------------------------

Expect Reference::ExpectOpen(Id, int device) const {
  const Device& it = devices[device];
  if (it.busy()) return Expect::kEither;
  if (it.driver != 0) return Expect::kRefused;
  return it.usable() ? Expect::kGranted : Expect::kRefused;
}

Expect Reference::ExpectClose(Id session, int device) const {
  if (devices[device].driver != session) return Expect::kRefused;
  return devices[device].busy() ? Expect::kEither : Expect::kGranted;
}

Expect Reference::ExpectReady(Id session, int device) const { return ExpectClose(session, device); }

Expect Reference::ExpectReset(int device) const {
  if (devices[device].busy()) return Expect::kEither;
  return devices[device].usable() ? Expect::kGranted : Expect::kRefused;
}

Expect Reference::ExpectExport(Id session, int device, int slot, int slots, bool raw) const {
  for (const auto& [id, other] : exports) {
    const bool overlaps = other.device == device && slot < other.slot + other.slots && other.slot < slot + slots;
    if (overlaps && other.revoking) return Expect::kEither;
    if (overlaps && other.session != session) return devices[device].busy() ? Expect::kEither : Expect::kRefused;
  }
  if (devices[device].busy()) return Expect::kEither;
  if (raw && !devices[device].ready) return Expect::kRefused;
  return devices[device].usable() ? Expect::kGranted : Expect::kRefused;
}

Expect Reference::ExpectSpace(Id session, int engine) const {
  const Device& it = devices[engine];
  if (it.driver != session) return Expect::kRefused;
  if (it.busy()) return Expect::kEither;
  for (const auto& [id, space] : spaces) {
    if (space.engine == engine) return Expect::kRefused;
  }
  return Expect::kGranted;
}

Expect Reference::ExpectMap(Id session, Id source, Id space) const {
  const auto from = exports.find(source);
  const auto to = spaces.find(space);
  if (from == exports.end() || to == spaces.end()) return Expect::kRefused;
  if (from->second.session != session || to->second.session != session || from->second.given_up) {
    return Expect::kRefused;
  }
  const Device& exporter = devices[from->second.device];
  if (from->second.revoking) return Expect::kEither;
  if (exporter.busy() || devices[to->second.engine].busy()) return Expect::kEither;
  return exporter.ready && exporter.usable() ? Expect::kGranted : Expect::kRefused;
}

Expect Reference::ExpectOwned(Id session, Id owner) const {
  if (session != owner) return Expect::kRefused;
  return Idle() ? Expect::kGranted : Expect::kEither;
}

// ---- What came of it -------------------------------------------------------------------------------------

void Reference::EndMappings(const std::set<Id>& which) {
  for (const Id id : which) mappings.at(id).ending = true;
}

void Reference::DropExport(Id id) {
  Export& it = exports.at(id);
  if (it.raw && it.raw_fd_held) {
    it.given_up = true;
  } else {
    exports.erase(id);
  }
}

void Reference::Ended(Id session) {
  std::set<Id> ending;
  for (const auto& [id, mapping] : mappings) {
    if (mapping.session == session) ending.insert(id);
  }
  EndMappings(ending);
  for (int device = 0; device < kDevices; ++device) {
    if (devices[device].driver == session) DriverEnded(device);
  }
  for (auto& [id, it] : exports) {
    if (it.session == session && !it.given_up) it.revoking = true;
  }
  std::erase_if(spaces, [&](const auto& entry) { return entry.second.session == session; });
  sessions.erase(session);
}

void Reference::DriverEnded(int device) {
  devices[device].ending = true;
  std::set<Id> ending;
  for (const auto& [id, mapping] : mappings) {
    if (mapping.device == device || mapping.engine == device) ending.insert(id);
  }
  EndMappings(ending);
}

void Reference::Opened(Id session, int device) {
  devices[device].driver = session;
  devices[device].ready = false;
  devices[device].fds_held_by.insert(session);
}

void Reference::ResetBegan(int device) { devices[device].resetting = true; }

void Reference::Exported(Id id, Id session, int device, int slot, int slots, bool raw) {
  exports[id] = {.session = session, .device = device, .slot = slot, .slots = slots, .raw = raw, .raw_fd_held = raw};
}

void Reference::ExportDeleted(Id id) {
  std::erase_if(mappings, [&](const auto& entry) { return entry.second.source == id; });
  DropExport(id);
}

void Reference::SpaceDeleted(Id id) {
  std::erase_if(mappings, [&](const auto& entry) { return entry.second.space == id; });
  spaces.erase(id);
}

void Reference::Mapped(Id id, Id session, Id source, Id space) {
  const Export& from = exports.at(source);
  mappings[id] = {.session = session,
                  .space = space,
                  .source = source,
                  .engine = spaces.at(space).engine,
                  .device = from.device,
                  .slot = from.slot,
                  .slots = from.slots};
}

void Reference::FdsClosed(Id session) {
  for (Device& device : devices) device.fds_held_by.erase(session);
  for (auto& [id, it] : exports) {
    if (it.session == session) it.raw_fd_held = false;
  }
}

void Reference::AckedLate(Id session, int device) {
  for (auto& [id, mapping] : mappings) {
    if (mapping.session == session && mapping.device == device) mapping.cut_off = false;
  }
}

void Reference::SessionOver(Id session) {
  std::set<Id> gone;
  for (const auto& [id, it] : exports) {
    if (it.session == session && !it.given_up) gone.insert(id);
  }
  for (const Id id : gone) DropExport(id);
  std::erase_if(mappings, [&](const auto& entry) { return entry.second.session == session && entry.second.ending; });
}

void Reference::ErrorTold(int device, bool cleared) {
  Device& it = devices[device];
  if (!cleared) return ResetOver(device);
  // It is taken from its driver, with what that could reach.
  it.driver = 0;
  std::set<Id> gone;
  for (const auto& [id, space] : spaces) {
    if (space.engine == device) gone.insert(id);
  }
  for (const Id id : gone) SpaceDeleted(id);
  ResetOver(device);
  // Its windows are exported again, where nobody holds on to it; what a client holds of it is dead.
  it.tainted = !it.fds_held_by.empty();
  gone.clear();
  for (const auto& [id, there] : exports) {
    if (there.device == device && !there.given_up && (it.tainted || there.raw)) gone.insert(id);
  }
  for (const Id id : gone) ExportDeleted(id);
  if (!it.tainted) BoundAfresh(device);
}

void Reference::Leaves(int device) {
  devices[device].leaving = true;
  DriverEnded(device);
}

void Reference::Returned(int device) {
  devices[device].gone = false;
  devices[device].ready = true;
}

void Reference::Settled() {
  for (int device = 0; device < kDevices; ++device) {
    if (devices[device].resetting) ResetOver(device);
    if (devices[device].ending) DriverEndOver(device);
    if (devices[device].tainted && devices[device].fds_held_by.empty()) BoundAfresh(device);
  }
  std::set<Id> over;
  for (const auto& [id, it] : exports) {
    if (it.mortal && !it.given_up) over.insert(id);
  }
  for (const Id id : over) ExportDeleted(id);
  std::erase_if(mappings, [](const auto& entry) { return entry.second.ending; });
  std::erase_if(exports, [](const auto& entry) { return entry.second.given_up && !entry.second.raw_fd_held; });
}

void Reference::ResetOver(int device) {
  devices[device].resetting = false;
  devices[device].ready = devices[device].driver == 0;
  for (auto& [id, mapping] : mappings) {
    const auto session = sessions.find(mapping.session);
    const bool stopped = session != sessions.end() && !session->second.stubborn;
    if (mapping.device == device && !stopped) mapping.cut_off = true;
  }
}

void Reference::DriverEndOver(int device) {
  Device& it = devices[device];
  it.ending = false;
  it.driver = 0;
  it.ready = true;
  std::erase_if(mappings, [&](const auto& entry) {
    return entry.second.ending && (entry.second.device == device || entry.second.engine == device);
  });
  std::set<Id> gone;
  for (const auto& [id, there] : exports) {
    if (there.device == device && !there.given_up) gone.insert(id);
  }
  for (const Id id : gone) DropExport(id);
  std::erase_if(spaces, [&](const auto& entry) { return entry.second.engine == device; });
  it.gone = it.leaving;
  it.tainted = !it.leaving;
  it.leaving = false;
  if (it.gone || it.fds_held_by.empty()) BoundAfresh(device);
}

// It was closed: what was exported of it before is revoked for ever, whoever holds it.
void Reference::BoundAfresh(int device) {
  devices[device].tainted = false;
  std::erase_if(exports, [&](const auto& entry) { return entry.second.device == device && entry.second.given_up; });
}

// ---- The guarantees --------------------------------------------------------------------------------------

bool Reference::MayReach(int engine, int device, int slot) const {
  for (const auto& [id, mapping] : mappings) {
    const bool covers = mapping.slot <= slot && slot < mapping.slot + mapping.slots;
    if (mapping.engine == engine && mapping.device == device && covers && !mapping.cut_off) return true;
  }
  return false;
}

bool Reference::MayLinger(Id id) const {
  const auto it = exports.find(id);
  return it != exports.end() && it->second.given_up && !it->second.raw_fd_held;
}

bool Reference::Idle() const {
  for (const Device& device : devices) {
    if (device.busy()) return false;
  }
  return true;
}

uint64_t Reference::MappingsOf(int user) const {
  uint64_t count = 0;
  for (const auto& [id, mapping] : mappings) {
    const auto session = sessions.find(mapping.session);
    count += session != sessions.end() && session->second.user == user;
  }
  return count;
}

}  // namespace model
