#include "daemon/bus/bus_objects.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"
#include "daemon/bus/bus_properties.h"

namespace p2pd {
namespace {

const BusObjects& ObjectsOf(void* data) { return *static_cast<const BusObjects*>(data); }

// ---- What sd-bus asks ------------------------------------------------------------------------------------

template <typename View>
const View& ViewOf(void* data) {
  return *static_cast<const View*>(data);
}
template <>
const ManagerView& ViewOf<ManagerView>(void* data) {
  return ObjectsOf(data).model.manager();
}

template <typename View>
int GetProperty(sd_bus*, const char*, const char*, const char* name, sd_bus_message* reply, void* data, sd_bus_error*) {
  const View& view = ViewOf<View>(data);
  for (const BusProperty<View>& property : PropertiesOf(view)) {
    if (absl::string_view(name) == property.name) return Append(reply, property.get(view));
  }
  return -ENOENT;
}

// BusCalls::SetLogLevel has taken the call before sd-bus looks for a setter.
int RefuseToSet(sd_bus*, const char*, const char*, const char*, sd_bus_message*, void*, sd_bus_error*) {
  return -EACCES;
}

int FindDevice(sd_bus*, const char* path, const char*, void* data, void** found, sd_bus_error*) {
  *found = const_cast<DeviceView*>(ObjectsOf(data).model.FindDevice(path));
  return *found == nullptr ? 0 : 1;
}

int FindSession(sd_bus*, const char* path, const char*, void* data, void** found, sd_bus_error*) {
  *found = const_cast<SessionView*>(ObjectsOf(data).model.FindSession(path));
  return *found == nullptr ? 0 : 1;
}

// sd-bus frees what it gets.
int ListNodes(sd_bus*, const char*, void* data, char*** nodes, sd_bus_error*) {
  const std::vector<std::string> paths = ObjectsOf(data).model.Paths();
  char** const list = static_cast<char**>(calloc(paths.size() + 1, sizeof(char*)));
  if (list == nullptr) return -ENOMEM;
  for (size_t i = 0; i < paths.size(); ++i) list[i] = strdup(paths[i].c_str());
  *nodes = list;
  return 0;
}

template <int (BusCalls::*kMethod)(sd_bus_message*)>
int Handle(sd_bus_message* message, void* data, sd_bus_error*) {
  return (ObjectsOf(data).calls.*kMethod)(message);
}

// ---- What it is told -------------------------------------------------------------------------------------

template <typename View>
void AddProperties(std::vector<sd_bus_vtable>& table) {
  const View empty;
  for (const BusProperty<View>& property : PropertiesOf(empty)) {
    const char* const type = SignatureOf(property.get(empty));
    const uint64_t flags = property.constant ? SD_BUS_VTABLE_PROPERTY_CONST : SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE;
    if (absl::string_view(property.name) == kLogLevelProperty) {
      table.push_back(SD_BUS_WRITABLE_PROPERTY(property.name, type, GetProperty<View>, RefuseToSet, 0,
                                               flags | SD_BUS_VTABLE_UNPRIVILEGED));
    } else {
      table.push_back(SD_BUS_PROPERTY(property.name, type, GetProperty<View>, 0, flags));
    }
  }
}

// Anybody may call: p2pd's policy judges the caller.
void AddMethods(std::vector<sd_bus_vtable>& table) {
  table.push_back(SD_BUS_METHOD_WITH_ARGS("ResetDevice", SD_BUS_ARGS("s", device),
                                          SD_BUS_RESULT("s", operation, "b", succeeded, "s", error),
                                          Handle<&BusCalls::ResetDevice>, SD_BUS_VTABLE_UNPRIVILEGED));
  table.push_back(SD_BUS_METHOD_WITH_ARGS("RevokeSession", SD_BUS_ARGS("s", session, "s", reason),
                                          SD_BUS_RESULT("s", operation, "b", succeeded, "s", error),
                                          Handle<&BusCalls::RevokeSession>, SD_BUS_VTABLE_UNPRIVILEGED));
  table.push_back(SD_BUS_METHOD_WITH_ARGS("RevokeExport", SD_BUS_ARGS("s", export, "s", reason),
                                          SD_BUS_RESULT("s", operation, "b", succeeded, "s", error),
                                          Handle<&BusCalls::RevokeExport>, SD_BUS_VTABLE_UNPRIVILEGED));
  table.push_back(SD_BUS_METHOD_WITH_ARGS("ReloadPolicy", SD_BUS_NO_ARGS,
                                          SD_BUS_RESULT("t", generation, "t", revoked, "s", operation),
                                          Handle<&BusCalls::ReloadPolicy>, SD_BUS_VTABLE_UNPRIVILEGED));
}

// sd-bus keeps the table for as long as the program runs.
template <typename View>
const sd_bus_vtable* Table(void (*add_more)(std::vector<sd_bus_vtable>&)) {
  static const std::vector<sd_bus_vtable> table = [add_more] {
    std::vector<sd_bus_vtable> made = {SD_BUS_VTABLE_START(0)};
    AddProperties<View>(made);
    add_more(made);
    made.push_back(SD_BUS_VTABLE_END);
    return made;
  }();
  return table.data();
}

void NoMore(std::vector<sd_bus_vtable>&) {}

std::vector<char*> AsStrv(const std::vector<std::string>& names) {
  std::vector<char*> strv;
  for (const std::string& name : names) strv.push_back(const_cast<char*>(name.c_str()));
  strv.push_back(nullptr);
  return strv;
}

}  // namespace

absl::Status AddObjects(sd_bus* bus, BusObjects& objects) {
  const std::string devices = absl::StrCat(kBusPath, "/devices");
  const std::string sessions = absl::StrCat(kBusPath, "/sessions");
  int result = sd_bus_add_object(bus, nullptr, kBusPath, Handle<&BusCalls::SetLogLevel>, &objects);
  if (result >= 0) {
    result =
        sd_bus_add_object_vtable(bus, nullptr, kBusPath, kManagerInterface, Table<ManagerView>(AddMethods), &objects);
  }
  if (result >= 0) {
    result = sd_bus_add_fallback_vtable(bus, nullptr, devices.c_str(), kDeviceInterface, Table<DeviceView>(NoMore),
                                        FindDevice, &objects);
  }
  if (result >= 0) {
    result = sd_bus_add_fallback_vtable(bus, nullptr, sessions.c_str(), kSessionInterface, Table<SessionView>(NoMore),
                                        FindSession, &objects);
  }
  if (result >= 0) result = sd_bus_add_node_enumerator(bus, nullptr, kBusPath, ListNodes, &objects);
  if (result >= 0) result = sd_bus_add_object_manager(bus, nullptr, kBusPath);
  return result < 0 ? ErrnoError("add D-Bus objects", kBusPath, -result) : absl::OkStatus();
}

absl::Status Emit(sd_bus* bus, const BusChanges& changes) {
  int result = 0;
  for (const BusChanges::Object& object : changes.removed) {
    if (result >= 0) result = sd_bus_emit_interfaces_removed(bus, object.path.c_str(), object.interface, nullptr);
  }
  for (const BusChanges::Object& object : changes.added) {
    if (result >= 0) result = sd_bus_emit_object_added(bus, object.path.c_str());
  }
  for (const BusChanges::Object& object : changes.changed) {
    std::vector<char*> names = AsStrv(object.properties);
    if (result >= 0) {
      result = sd_bus_emit_properties_changed_strv(bus, object.path.c_str(), object.interface, names.data());
    }
  }
  return result < 0 ? ErrnoError("send D-Bus signals", kBusPath, -result) : absl::OkStatus();
}

}  // namespace p2pd
