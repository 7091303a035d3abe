#include "policy/limits_reader.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"

namespace p2pd {
namespace {

constexpr uint32_t kLongestLife = 365 * 24 * 60 * 60;  // seconds
constexpr uint32_t kLongestDeadline = 60'000;          // milliseconds

// Which actions know a limit, and how it is said.
struct Field {
  int number;
  std::vector<Action> actions;
  const char* wrong;
};

const std::vector<Field>& Fields() {
  using enum Action;
  static const std::vector<Field> fields = {
      {v1::Limits::kScrubFieldNumber,
       {kDrive},
       "scrub is about a device's next driver: expected scrub only with DRIVE"},
      {v1::Limits::kMaxCountFieldNumber,
       {kExport, kExportControl, kReceiveFd, kMap, kMapMemory, kDrive},
       "max_count is about what is held: expected it with EXPORT, EXPORT_CONTROL, RECEIVE_FD, MAP, MAP_MEMORY or "
       "DRIVE"},
      {v1::Limits::kMaxBytesFieldNumber,
       {kExport, kExportControl, kReceiveFd, kMap, kMapMemory},
       "max_bytes is about windows and memory: expected it with EXPORT, EXPORT_CONTROL, RECEIVE_FD, MAP or MAP_MEMORY"},
      {v1::Limits::kTimeToLiveSecondsFieldNumber,
       {kExport, kExportControl, kReceiveFd, kMap, kMapMemory, kDrive},
       "time_to_live_seconds is about what is held: expected it with EXPORT, EXPORT_CONTROL, RECEIVE_FD, MAP, "
       "MAP_MEMORY "
       "or DRIVE"},
      {v1::Limits::kQuiesceDeadlineMsFieldNumber,
       {kExport, kExportControl, kReceiveFd, kMap, kMapMemory, kDrive},
       "quiesce_deadline_ms is about what is held: expected it with EXPORT, EXPORT_CONTROL, RECEIVE_FD, MAP, "
       "MAP_MEMORY "
       "or DRIVE"},
      {v1::Limits::kSharedFieldNumber,
       {kExport, kExportControl, kReceiveFd},
       "shared is about overlapping windows: expected it with EXPORT, EXPORT_CONTROL or RECEIVE_FD"},
      {v1::Limits::kKillHolderFieldNumber,
       {kDrive},
       "kill_holder is about who keeps a device's fd: expected kill_holder only with DRIVE"},
  };
  return fields;
}

bool HasAny(const Rule& rule, const std::vector<Action>& actions) {
  return std::find_first_of(rule.actions.begin(), rule.actions.end(), actions.begin(), actions.end()) !=
         rule.actions.end();
}

void CheckRanges(Reading& reading, const v1::Limits& proto, const FieldPlaces& places) {
  const auto check = [&](int field, bool has, uint64_t value, uint64_t most, absl::string_view expected) {
    if (!has || (value >= 1 && value <= most)) return;
    reading.Problem(places.Of(field), absl::StrCat(value, " is out of range, expected ", expected));
  };
  if (!v1::Limits::Scrub_IsValid(proto.scrub())) {
    reading.Problem(places.Of(v1::Limits::kScrubFieldNumber), "expected scrub: RESET, scrub: ZERO or scrub: NONE");
  }
  check(v1::Limits::kMaxCountFieldNumber, proto.has_max_count(), proto.max_count(), UINT64_MAX,
        "at least 1; a rule that allows none is a DENY");
  check(v1::Limits::kMaxBytesFieldNumber, proto.has_max_bytes(), proto.max_bytes(), UINT64_MAX,
        "at least 1; a rule that allows none is a DENY");
  check(v1::Limits::kTimeToLiveSecondsFieldNumber, proto.has_time_to_live_seconds(), proto.time_to_live_seconds(),
        kLongestLife, "1 to 31536000 seconds");
  check(v1::Limits::kQuiesceDeadlineMsFieldNumber, proto.has_quiesce_deadline_ms(), proto.quiesce_deadline_ms(),
        kLongestDeadline, "1 to 60000 milliseconds");
}

}  // namespace

GrantLimits ReadLimits(Reading& reading, const v1::Limits& proto, const FieldPlaces& places, const Rule& rule) {
  if (rule.effect == Effect::kDeny) {
    reading.Problem(places.self(), "expected limits only in a rule that allows something");
    return {};
  }
  for (const Field& field : Fields()) {
    if (places.Has(field.number) && !HasAny(rule, field.actions)) {
      reading.Problem(places.Of(field.number), field.wrong);
    }
  }
  CheckRanges(reading, proto, places);
  return ToLimits(proto);
}

GrantLimits ToLimits(const v1::Limits& proto) {
  GrantLimits limits;
  if (proto.scrub() == v1::Limits::NONE) limits.scrub = Scrub::kNone;
  if (proto.scrub() == v1::Limits::RESET) limits.scrub = Scrub::kReset;
  if (proto.has_max_count()) limits.max_count = proto.max_count();
  if (proto.has_max_bytes()) limits.max_bytes = proto.max_bytes();
  if (proto.has_time_to_live_seconds()) limits.time_to_live = absl::Seconds(proto.time_to_live_seconds());
  if (proto.has_quiesce_deadline_ms()) limits.quiesce_deadline = absl::Milliseconds(proto.quiesce_deadline_ms());
  limits.shared = proto.shared();
  limits.kill_holder = proto.kill_holder();
  return limits;
}

}  // namespace p2pd
