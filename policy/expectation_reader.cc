#include "policy/expectation_reader.h"

#include <algorithm>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "policy/device_match.h"
#include "policy/match_reader.h"

namespace p2pd {
namespace {

constexpr size_t kClassDigits = 6;

// As a rule names users, so that both mean the same number.
SubjectMatch Resolve(Reading& reading, const v1::ExpectedSubject& proto, const FieldPlaces& places) {
  v1::Subject named;
  if (!proto.user().empty()) named.add_user(proto.user());
  *named.mutable_group() = proto.group();
  if (named.ByteSizeLong() == 0) return {};
  return ReadSubject(reading, named, FieldPlaces(v1::Subject::descriptor(), nullptr, places.self()));
}

Subject ReadAsker(Reading& reading, const v1::ExpectedSubject& proto, const FieldPlaces& places) {
  const SubjectMatch named = Resolve(reading, proto, places);
  if (proto.user().empty()) reading.Problem(places.self(), "expected a user: who asks?");
  Subject subject;
  if (!named.users.empty()) subject.uid = named.users[0];
  subject.groups = named.groups;
  // Nobody's group, where none is said.
  subject.gid = named.groups.empty() ? UINT32_MAX : named.groups[0];
  subject.unit = proto.unit();
  if (proto.has_user_unit()) subject.user_unit = proto.user_unit();
  subject.label = proto.label();
  return subject;
}

void ReadClass(Reading& reading, const std::string& text, TextPlace place, DeviceFacts& facts) {
  uint32_t code = 0;
  const bool digits = text.size() == kClassDigits && std::all_of(text.begin(), text.end(), absl::ascii_isxdigit);
  if (digits && absl::SimpleHexAtoi(text, &code)) {
    facts.class_code = code;
  } else {
    reading.Problem(place, absl::StrCat("\"", text, "\" is no class, expected six digits, as in 010802"));
  }
}

DeviceFacts ReadFacts(Reading& reading, const v1::ExpectedRequest::Device& proto, const FieldPlaces& places) {
  using Proto = v1::ExpectedRequest::Device;
  DeviceFacts facts;
  const auto address = PciAddress::Parse(proto.bdf());
  if (address.ok()) {
    facts.address = *address;
  } else {
    reading.Problem(places.Of(Proto::kBdfFieldNumber),
                    absl::StrCat("\"", proto.bdf(), "\" is no PCI address, expected one as in 0000:3a:00.0"));
  }
  const auto ids = DeviceIdPattern::Parse(proto.vendor_device());
  if (ids.has_value() && ids->vendor.has_value() && ids->device.has_value()) {
    facts.vendor = *ids->vendor;
    facts.device = *ids->device;
  } else if (!proto.vendor_device().empty()) {
    reading.Problem(places.Of(Proto::kVendorDeviceFieldNumber), "expected two ids of four digits, as in 8086:0b25");
  }
  if (!proto.class_().empty()) ReadClass(reading, proto.class_(), places.Of(Proto::kClassFieldNumber), facts);
  if (proto.has_numa_node()) facts.numa_node = proto.numa_node();
  if (proto.has_ats()) facts.ats = proto.ats();
  return facts;
}

std::optional<PathFacts> ReadPath(const v1::ExpectedRequest& proto) {
  std::optional<PathRelation> relation;
  if (proto.path() == v1::Conditions::SAME_SWITCH) relation = PathRelation::kSwitch;
  if (proto.path() == v1::Conditions::SAME_ROOT_PORT) relation = PathRelation::kRootPort;
  if (proto.path() == v1::Conditions::SAME_HOST_BRIDGE) relation = PathRelation::kHostBridge;
  if (proto.path() == v1::Conditions::ANY) relation = PathRelation::kNothing;
  if (!relation.has_value() && !proto.unsupported_path()) return std::nullopt;
  return PathFacts{.relation = relation, .supported = !proto.unsupported_path()};
}

}  // namespace

PolicyRequest ReadRequest(Reading& reading, const v1::Expectation& proto, const FieldPlaces& places) {
  using Proto = v1::ExpectedRequest;
  const Proto& asked = proto.request();
  const FieldPlaces request = places.In(v1::Expectation::kRequestFieldNumber);
  PolicyRequest facts;
  facts.subject = ReadAsker(reading, proto.subject(), places.In(v1::Expectation::kSubjectFieldNumber));
  facts.action = static_cast<Action>(asked.action());
  if (asked.action() == v1::ACTION_UNSPECIFIED || !v1::Action_IsValid(asked.action())) {
    reading.Problem(request.self(), "expected an action: what is asked for?");
  }
  if (asked.has_exporter()) {
    facts.exporter = ReadFacts(reading, asked.exporter(), request.In(Proto::kExporterFieldNumber));
  }
  if (asked.has_importer()) {
    facts.importer = ReadFacts(reading, asked.importer(), request.In(Proto::kImporterFieldNumber));
  }
  if (asked.has_window()) {
    const Proto::Window& window = asked.window();
    facts.window = WindowFacts{.bar = static_cast<int>(window.bar()),
                               .offset = window.offset(),
                               .length = window.length(),
                               .control = window.kind() == v1::DeviceMatch::CONTROL};
    if (window.length() == 0) reading.Problem(request.Of(Proto::kWindowFieldNumber), "expected a window with a length");
  }
  if (asked.access() != v1::Conditions::ACCESS_UNSPECIFIED) facts.access = static_cast<AskedAccess>(asked.access());
  facts.path = ReadPath(asked);
  if (asked.has_offered()) facts.offered = asked.offered();
  if (!asked.context().empty()) facts.context = asked.context();
  return facts;
}

}  // namespace p2pd
