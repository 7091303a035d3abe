#include "policy/match_reader.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace p2pd {
namespace {

constexpr uint32_t kBars = 6;
constexpr uint32_t kNoId = 0xffffffff;  // (uid_t)-1 means "nobody" to the kernel
constexpr absl::string_view kHex = "0123456789abcdef";
constexpr size_t kClassDigits = 6;
// What can stand in a control group: systemd.unit(5).
constexpr std::array kUnitSuffixes = {".service", ".scope", ".slice", ".socket", ".mount", ".swap"};

using Find = absl::StatusOr<std::optional<uint32_t>> (UserDatabase::*)(const std::string&) const;

std::optional<uint32_t> ReadId(Reading& reading, const std::string& text, absl::string_view kind, Find find,
                               TextPlace place) {
  const bool number =
      !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) { return absl::ascii_isdigit(c); });
  if (number) {
    uint32_t id = 0;
    const bool leading_zero = text.size() > 1 && text.front() == '0';
    if (!leading_zero && absl::SimpleAtoi(text, &id) && id != kNoId) return id;
    reading.Problem(place, absl::StrCat("\"", text, "\" is no ", kind, " number, expected 0 to 4294967294 in decimal"));
    return std::nullopt;
  }
  const auto found = (reading.users.*find)(text);
  if (!found.ok()) {
    reading.Problem(place, absl::StrCat("cannot tell who ", kind, " \"", text, "\" is: ", found.status().message()));
    return std::nullopt;
  }
  if (!found->has_value()) {
    reading.UnknownName(place,
                        absl::StrCat("there is no ", kind, " \"", text, "\", expected the name or number of a ", kind));
    if (reading.warnings != nullptr) return kNoId;  // not "anybody"
  }
  return *found;
}

void ReadUnits(Reading& reading, const google::protobuf::RepeatedPtrField<std::string>& texts, int field,
               const FieldPlaces& places, std::vector<Glob>& globs) {
  for (int i = 0; i < texts.size(); ++i) {
    const TextPlace place = places.Of(field, i, texts.size());
    const bool ends_like_a_unit = std::any_of(kUnitSuffixes.begin(), kUnitSuffixes.end(),
                                              [&](const char* suffix) { return absl::EndsWith(texts[i], suffix); });
    if (!texts[i].empty() && !Glob::IsPattern(texts[i]) && !ends_like_a_unit) {
      reading.Problem(place, absl::StrCat("\"", texts[i], "\" is no unit, expected a suffix of ",
                                          absl::StrJoin(kUnitSuffixes, ", "), ", as in ", texts[i], ".service"));
      continue;
    }
    reading.AddGlob(texts[i], place, globs);
  }
}

// Whether an address can look like this: a domain of 4 to 8 digits, more than 4 without a zero in front.
bool MatchesSomeAddress(const Glob& glob) {
  constexpr absl::string_view kNotZero = "123456789abcdef";
  for (size_t digits = 4; digits <= 8; ++digits) {
    std::vector<absl::string_view> sets(digits, kHex);
    if (digits > 4) sets[0] = kNotZero;
    for (absl::string_view set : {":", "", "", ":", "01", "", ".", "01234567"})
      sets.push_back(set.empty() ? kHex : set);
    if (glob.CanMatch(sets)) return true;
  }
  return false;
}

void ReadAddress(Reading& reading, const std::string& text, TextPlace place, DeviceMatch& match) {
  if (!Glob::IsPattern(text)) {
    const auto address = PciAddress::Parse(text);
    if (address.ok()) return match.addresses.push_back(*address);
    return reading.Problem(
        place, absl::StrCat("\"", text, "\" is no PCI address, expected one as in 0000:3a:00.0 (see lspci -D)"));
  }
  const Glob glob(absl::AsciiStrToLower(text));
  if (MatchesSomeAddress(glob)) return match.address_globs.push_back(glob);
  reading.Problem(place, absl::StrCat("no PCI address is like \"", text, "\", expected a pattern as in 0000:3a:*"));
}

void ReadId(Reading& reading, const std::string& text, TextPlace place, DeviceMatch& match) {
  const auto id = DeviceIdPattern::Parse(text);
  if (id.has_value()) return match.ids.push_back(*id);
  reading.Problem(place, absl::StrCat("\"", text,
                                      "\" is no pair of ids, expected four hexadecimal digits or * for each, as in "
                                      "8086:0b25"));
}

void ReadClass(Reading& reading, const std::string& text, TextPlace place, DeviceMatch& match) {
  const Glob glob(absl::AsciiStrToLower(text));
  if (glob.CanMatch(std::vector<absl::string_view>(kClassDigits, kHex))) return match.classes.push_back(glob);
  reading.Problem(place, absl::StrCat("no class is like \"", text,
                                      "\", expected six hexadecimal digits or a pattern of them, as in 0108* (NVMe and "
                                      "the like)"));
}

void ReadSetName(Reading& reading, const std::string& text, TextPlace place, const DeviceSets& sets,
                 DeviceMatch& match) {
  const auto found = sets.find(text);
  if (found != sets.end()) return match.sets.push_back(found->second);
  std::vector<std::string> names;
  for (const auto& [name, set] : sets) names.push_back(absl::StrCat("\"", name, "\""));
  reading.Problem(place, absl::StrCat("there is no device_set \"", text, "\", ",
                                      names.empty() ? "and no other: expected one to be written" : "expected one of ",
                                      absl::StrJoin(names, ", ")));
}

}  // namespace

SubjectMatch ReadSubject(Reading& reading, const v1::Subject& proto, const FieldPlaces& places) {
  SubjectMatch match;
  if (proto.user_size() + proto.group_size() + proto.unit_size() + proto.user_unit_size() + proto.label_size() == 0) {
    reading.Problem(places.self(),
                    "a subject that names nobody: expected user, group, unit, user_unit or label, or no subject at all "
                    "for everybody");
  }
  for (int i = 0; i < proto.user_size(); ++i) {
    const TextPlace place = places.Of(v1::Subject::kUserFieldNumber, i, proto.user_size());
    const auto id = ReadId(reading, proto.user(i), "user", &UserDatabase::FindUser, place);
    if (id.has_value()) match.users.push_back(*id);
  }
  for (int i = 0; i < proto.group_size(); ++i) {
    const TextPlace place = places.Of(v1::Subject::kGroupFieldNumber, i, proto.group_size());
    const auto id = ReadId(reading, proto.group(i), "group", &UserDatabase::FindGroup, place);
    if (id.has_value()) match.groups.push_back(*id);
  }
  ReadUnits(reading, proto.unit(), v1::Subject::kUnitFieldNumber, places, match.units);
  ReadUnits(reading, proto.user_unit(), v1::Subject::kUserUnitFieldNumber, places, match.user_units);
  for (int i = 0; i < proto.label_size(); ++i) {
    reading.AddGlob(proto.label(i), places.Of(v1::Subject::kLabelFieldNumber, i, proto.label_size()), match.labels);
  }
  return match;
}

DeviceMatch ReadDevice(Reading& reading, const v1::DeviceMatch& proto, const FieldPlaces& places,
                       const DeviceSets& sets) {
  DeviceMatch match;
  const int conditions = proto.bdf_size() + proto.vendor_device_size() + proto.class__size() + proto.set_size() +
                         proto.numa_node_size() + proto.bar_size() + proto.window_size();
  if (conditions == 0 && proto.kind() == v1::DeviceMatch::KIND_UNSPECIFIED) {
    reading.Problem(
        places.self(),
        "a match of no device: expected bdf, vendor_device, class, set or numa_node; vendor_device: \"*:*\" "
        "is any device");
  }
  for (int i = 0; i < proto.bdf_size(); ++i) {
    ReadAddress(reading, proto.bdf(i), places.Of(v1::DeviceMatch::kBdfFieldNumber, i, proto.bdf_size()), match);
  }
  for (int i = 0; i < proto.vendor_device_size(); ++i) {
    ReadId(reading, proto.vendor_device(i),
           places.Of(v1::DeviceMatch::kVendorDeviceFieldNumber, i, proto.vendor_device_size()), match);
  }
  for (int i = 0; i < proto.class__size(); ++i) {
    ReadClass(reading, proto.class_(i), places.Of(v1::DeviceMatch::kClassFieldNumber, i, proto.class__size()), match);
  }
  for (int i = 0; i < proto.set_size(); ++i) {
    ReadSetName(reading, proto.set(i), places.Of(v1::DeviceMatch::kSetFieldNumber, i, proto.set_size()), sets, match);
  }
  for (int i = 0; i < proto.numa_node_size(); ++i) {
    match.numa_nodes.push_back(proto.numa_node(i));
    if (proto.numa_node(i) >= 0) continue;
    reading.Problem(places.Of(v1::DeviceMatch::kNumaNodeFieldNumber, i, proto.numa_node_size()),
                    absl::StrCat("there is no NUMA node ", proto.numa_node(i), ", expected 0 or more"));
  }
  return match;
}

void RefuseWindowMatch(Reading& reading, const v1::DeviceMatch& proto, const FieldPlaces& places,
                       absl::string_view where) {
  const auto refuse = [&](TextPlace place, absl::string_view field) {
    reading.Problem(place,
                    absl::StrCat("windows are the exporter's: expected \"", field, "\" in exporter, not in ", where));
  };
  if (proto.bar_size() > 0) refuse(places.Of(v1::DeviceMatch::kBarFieldNumber, 0, proto.bar_size()), "bar");
  if (proto.window_size() > 0) refuse(places.Of(v1::DeviceMatch::kWindowFieldNumber, 0, proto.window_size()), "window");
  if (proto.kind() != v1::DeviceMatch::KIND_UNSPECIFIED) refuse(places.Of(v1::DeviceMatch::kKindFieldNumber), "kind");
}

void ReadWindowMatch(Reading& reading, const v1::DeviceMatch& proto, const FieldPlaces& places, Rule& rule) {
  for (int i = 0; i < proto.bar_size(); ++i) {
    if (proto.bar(i) < kBars) continue;
    reading.Problem(places.Of(v1::DeviceMatch::kBarFieldNumber, i, proto.bar_size()),
                    absl::StrCat("there is no BAR ", proto.bar(i), ", expected 0 to ", kBars - 1));
  }
  rule.bars.assign(proto.bar().begin(), proto.bar().end());
  for (int i = 0; i < proto.window_size(); ++i) {
    const v1::WindowRange& range = proto.window(i);
    rule.windows.push_back({.offset = range.offset(), .length = range.length()});
    const TextPlace place = places.In(v1::DeviceMatch::kWindowFieldNumber, i, proto.window_size()).self();
    if (range.length() == 0) reading.Problem(place, "a window of no bytes: expected length: 4096 or more");
    if (range.length() > std::numeric_limits<uint64_t>::max() - range.offset()) {
      reading.Problem(place, "expected a window that ends within 64 bits");
    }
  }
  if (proto.kind() == v1::DeviceMatch::KIND_UNSPECIFIED) return;
  rule.control = proto.kind() == v1::DeviceMatch::CONTROL;
  if (!*rule.control && proto.kind() != v1::DeviceMatch::MEMORY) {
    reading.Problem(places.Of(v1::DeviceMatch::kKindFieldNumber), "expected kind: MEMORY or kind: CONTROL");
  }
}

DeviceSet ReadDeviceSet(Reading& reading, const v1::DeviceSet& proto, const FieldPlaces& places) {
  reading.CheckName(proto.name(), places.Of(v1::DeviceSet::kNameFieldNumber), "name: \"accelerators\"");
  DeviceSet set = {.name = proto.name(), .devices = {}};
  if (proto.device_size() == 0) reading.Problem(places.self(), "a set of no device: expected device { ... }");
  for (int i = 0; i < proto.device_size(); ++i) {
    const FieldPlaces device = places.In(v1::DeviceSet::kDeviceFieldNumber, i, proto.device_size());
    if (proto.device(i).set_size() > 0) {
      reading.Problem(device.Of(v1::DeviceMatch::kSetFieldNumber, 0, proto.device(i).set_size()),
                      "a set is not made of sets: expected bdf, vendor_device, class or numa_node");
      continue;
    }
    RefuseWindowMatch(reading, proto.device(i), device, "a device_set");
    set.devices.push_back(ReadDevice(reading, proto.device(i), device, {}));
  }
  return set;
}

}  // namespace p2pd
