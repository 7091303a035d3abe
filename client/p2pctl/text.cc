#include "client/p2pctl/text.h"

#include <pwd.h>

#include <array>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"

namespace p2p::ctl {

std::string HexText(uint64_t value) { return absl::StrFormat("%#x", value); }

std::string SizeText(uint64_t bytes) {
  static constexpr std::array<const char*, 7> kUnits = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  size_t unit = 0;
  double value = static_cast<double>(bytes);
  for (; value >= 1024 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  const bool whole = value == static_cast<double>(static_cast<uint64_t>(value));
  return absl::StrFormat("%.*f %s", whole ? 0 : 1, value, kUnits[unit]);
}

std::string DurationText(const google::protobuf::Duration& duration) {
  const double seconds = static_cast<double>(duration.seconds()) + duration.nanos() / 1e9;
  if (seconds >= 1) return absl::StrFormat("%.2f s", seconds);
  if (seconds >= 1e-3) return absl::StrFormat("%.2f ms", seconds * 1e3);
  return absl::StrFormat("%.0f us", seconds * 1e6);
}

std::string TimeText(const google::protobuf::Timestamp& time) {
  if (time.seconds() == 0) return "";
  return absl::FormatTime("%Y-%m-%d %H:%M:%S", absl::FromUnixSeconds(time.seconds()), absl::LocalTimeZone());
}

std::string ClockText(const google::protobuf::Timestamp& time) {
  const absl::Time at = absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
  return absl::FormatTime("%H:%M:%E3S", at, absl::LocalTimeZone());
}

std::string UserText(uint32_t uid) {
  passwd entry = {};
  passwd* found = nullptr;
  std::array<char, 4096> buffer;
  if (getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) return absl::StrCat(uid);
  return found->pw_name;
}

std::string YesNo(bool value) { return value ? "yes" : "no"; }

std::string ShortName(absl::string_view name) {
  const size_t slash = name.find('/');
  return std::string(slash == absl::string_view::npos ? name : name.substr(slash + 1));
}

std::vector<std::string> DevicesOf(const v1::Operation& operation) {
  std::vector<std::string> names;
  if (!operation.device().empty()) names.push_back(ShortName(operation.device()));
  for (const std::string& device : operation.devices()) {
    if (device != operation.device()) names.push_back(ShortName(device));
  }
  return names;
}

std::string SubjectText(const v1::Operation& operation) {
  std::string text = v1::Operation::Kind_Name(operation.kind());
  const std::vector<std::string> devices = DevicesOf(operation);
  if (!devices.empty()) absl::StrAppend(&text, " of ", devices.front());
  if (devices.size() > 1) absl::StrAppend(&text, " and ", devices.size() - 1, " more");
  return text;
}

Cell StateCell(v1::Device::State state) {
  const std::string text = v1::Device::State_Name(state);
  switch (state) {
    case v1::Device::READY:
      return {.text = text, .color = Color::kGood};
    case v1::Device::QUIESCING:
    case v1::Device::RESETTING:
    case v1::Device::RESTORING:
    case v1::Device::AWAITING_DRIVER:
      return {.text = text, .color = Color::kBusy};
    case v1::Device::FAULTED:
    case v1::Device::GONE:
    case v1::Device::TAINTED:
      return {.text = text, .color = Color::kBad};
    default:  // proto enums are open: a later version may send another
      return {.text = text};
  }
}

Cell StateCell(v1::Export::State state) {
  const std::string text = v1::Export::State_Name(state);
  if (state == v1::Export::ACTIVE) return {.text = text, .color = Color::kGood};
  if (state == v1::Export::LINGERING) return {.text = text, .color = Color::kBad};
  return {.text = text};
}

Cell StateCell(v1::Mapping::State state) {
  const std::string text = v1::Mapping::State_Name(state);
  switch (state) {
    case v1::Mapping::ACTIVE:
      return {.text = text, .color = Color::kGood};
    case v1::Mapping::SUSPENDED:
      return {.text = text, .color = Color::kBusy};
    case v1::Mapping::REVOKED:
    case v1::Mapping::LOST:
      return {.text = text, .color = Color::kBad};
    default:
      return {.text = text};
  }
}

Cell StateCell(v1::Operation::State state) {
  const std::string text = v1::Operation::State_Name(state);
  switch (state) {
    case v1::Operation::SUCCEEDED:
      return {.text = text, .color = Color::kGood};
    case v1::Operation::RUNNING:
      return {.text = text, .color = Color::kBusy};
    case v1::Operation::FAILED:
      return {.text = text, .color = Color::kBad};
    default:
      return {.text = text};
  }
}

Cell AnswerCell(v1::Operation::Party::Answer answer) {
  const std::string text = v1::Operation::Party::Answer_Name(answer);
  if (answer == v1::Operation::Party::ACKED) return {.text = text, .color = Color::kGood};
  return {.text = text, .color = Color::kBad};
}

}  // namespace p2p::ctl
