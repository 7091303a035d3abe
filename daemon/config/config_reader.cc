#include "daemon/config/config_reader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "daemon/config/limit_fields.h"
#include "daemon/textproto/field_places.h"
#include "daemon/textproto/problem_list.h"

namespace p2pd {
namespace {

constexpr size_t kMaxSocketPath = 107;  // sun_path, without its NUL
constexpr size_t kMaxPath = 4095;
constexpr uint32_t kLastBar = 5;

bool IsPath(const std::string& text, size_t max_size) {
  return text.size() <= max_size && text.size() > 1 && text.front() == '/' &&
         std::none_of(text.begin(), text.end(), [](unsigned char c) { return absl::ascii_iscntrl(c); });
}

class Reader {
 public:
  Reader(const std::string& file_name, Settings& settings) : problems_(file_name), settings_(settings) {}

  void Read(const v1::Config& config, const FieldPlaces& places);
  absl::Status problems() const { return problems_.ToStatus(); }

 private:
  std::optional<PciAddress> ReadAddress(const std::string& text, TextPlace place);
  void ReadMergedContext(const v1::Config::MergedContext& proto, const FieldPlaces& places);
  // Whether `device` may be put into one more context, which is the one that is being read.
  bool CheckUnmerged(const PciAddress& device, const MergedContextSetting& context, TextPlace place);
  void ReadBarSize(const v1::Config::BarSize& proto, const FieldPlaces& places);
  void ReadPath(const FieldPlaces& places, int field, const std::string& text, size_t max_size, std::string& path);
  template <typename Value, typename Parse>
  void ReadText(const FieldPlaces& places, int field, const std::string& text, Parse parse, Value& value);
  void ReadLimits(const v1::Config::Limits& proto, const FieldPlaces& places);
  void ReadLimit(const LimitField& field, const v1::Config::Limit& proto, const FieldPlaces& places);

  std::string Origin(TextPlace place) const {
    return absl::StrCat(problems_.file(), ":", place.line, ":", place.column);
  }

  ProblemList problems_;
  Settings& settings_;
};

void Reader::Read(const v1::Config& config, const FieldPlaces& places) {
  for (int i = 0; i < config.managed_devices_size(); ++i) {
    const TextPlace place = places.Of(v1::Config::kManagedDevicesFieldNumber, i, config.managed_devices_size());
    if (const auto address = ReadAddress(config.managed_devices(i), place)) settings_.managed.push_back(*address);
  }
  for (int i = 0; i < config.merged_contexts_size(); ++i) {
    const int count = config.merged_contexts_size();
    ReadMergedContext(config.merged_contexts(i), places.In(v1::Config::kMergedContextsFieldNumber, i, count));
  }
  for (int i = 0; i < config.bar_sizes_size(); ++i) {
    ReadBarSize(config.bar_sizes(i), places.In(v1::Config::kBarSizesFieldNumber, i, config.bar_sizes_size()));
  }
  const FieldPlaces sockets = places.In(v1::Config::kSocketsFieldNumber);
  ReadPath(sockets, v1::Config::Sockets::kFdFieldNumber, config.sockets().fd(), kMaxSocketPath, settings_.fd_socket);
  ReadPath(sockets, v1::Config::Sockets::kGrpcFieldNumber, config.sockets().grpc(), kMaxSocketPath,
           settings_.grpc_socket);
  ReadPath(sockets, v1::Config::Sockets::kConfigFieldNumber, config.sockets().config(), kMaxSocketPath,
           settings_.config_socket);
  ReadPath(places, v1::Config::kPolicyFieldNumber, config.policy(), kMaxPath, settings_.policy);
  const FieldPlaces deadlines = places.In(v1::Config::kDeadlinesFieldNumber);
  ReadText(deadlines, v1::Config::Deadlines::kQuiesceFieldNumber, config.deadlines().quiesce(), ParseQuiesceDeadline,
           settings_.quiesce_deadline);
  ReadText(deadlines, v1::Config::Deadlines::kHelloFieldNumber, config.deadlines().hello(), ParseHelloDeadline,
           settings_.hello_deadline);
  ReadText(deadlines, v1::Config::Deadlines::kReadyFieldNumber, config.deadlines().ready(), ParseReadyDeadline,
           settings_.ready_deadline);
  ReadLimits(config.limits(), places.In(v1::Config::kLimitsFieldNumber));
  const auto parse_level = [](const std::string& text) -> absl::StatusOr<LogLevel> {
    auto level = ParseLogLevel(text);
    if (level.ok()) return level;
    return absl::InvalidArgumentError(
        absl::StrCat("\"", text, "\" is no log level, expected error, warning, notice, info or debug"));
  };
  ReadText(places, v1::Config::kLogLevelFieldNumber, config.log_level(), parse_level, settings_.log_level);
}

std::optional<PciAddress> Reader::ReadAddress(const std::string& text, TextPlace place) {
  const auto address = PciAddress::Parse(text);
  if (address.ok()) return *address;
  problems_.Add(place,
                absl::StrCat("\"", text, "\" is no PCI address, expected one as in 0000:3a:00.0 (see lspci -D)"));
  return std::nullopt;
}

void Reader::ReadMergedContext(const v1::Config::MergedContext& proto, const FieldPlaces& places) {
  MergedContextSetting context = {.origin = Origin(places.self())};
  const int count = proto.devices_size();
  if (count < 2) {
    problems_.Add(places.self(), "a merged context of fewer than two devices, expected those that share an iommufd");
  }
  for (int i = 0; i < count; ++i) {
    const TextPlace place = places.Of(v1::Config::MergedContext::kDevicesFieldNumber, i, count);
    const auto device = ReadAddress(proto.devices(i), place);
    if (device.has_value() && CheckUnmerged(*device, context, place)) context.devices.push_back(*device);
  }
  settings_.merged_contexts.push_back(std::move(context));
}

bool Reader::CheckUnmerged(const PciAddress& device, const MergedContextSetting& context, TextPlace place) {
  const auto has_it = [&device](const MergedContextSetting& other) {
    return std::find(other.devices.begin(), other.devices.end(), device) != other.devices.end();
  };
  if (has_it(context)) {
    problems_.Add(place, absl::StrCat(device.ToString(), " stands twice in this context, expected two devices"));
    return false;
  }
  const auto& all = settings_.merged_contexts;
  const auto other = std::find_if(all.begin(), all.end(), has_it);
  if (other == all.end()) return true;
  problems_.Add(place, absl::StrCat(device.ToString(), " is in the merged context at ", other->origin,
                                    " too, expected it in one of them"));
  return false;
}

void Reader::ReadBarSize(const v1::Config::BarSize& proto, const FieldPlaces& places) {
  using BarSize = v1::Config::BarSize;
  BarSizeSetting setting = {
      .bar = static_cast<int>(proto.bar()), .size = proto.size(), .origin = Origin(places.self())};
  if (const auto device = ReadAddress(proto.device(), places.Of(BarSize::kDeviceFieldNumber))) setting.device = *device;
  if (!proto.has_bar() || proto.bar() > kLastBar) {
    problems_.Add(places.Of(BarSize::kBarFieldNumber), absl::StrCat("bar: expected one from 0 to ", kLastBar));
  }
  if (const auto size = ParseBarSize(proto.size()); !size.ok()) {
    problems_.Add(places.Of(BarSize::kSizeFieldNumber), size.status().message());
  }
  for (const BarSizeSetting& other : settings_.bar_sizes) {
    if (other.device != setting.device || other.bar != setting.bar) continue;
    problems_.Add(places.self(), absl::StrCat("BAR ", setting.bar, " of ", setting.device.ToString(), " has a size at ",
                                              other.origin, " too, expected one"));
  }
  settings_.bar_sizes.push_back(std::move(setting));
}

void Reader::ReadPath(const FieldPlaces& places, int field, const std::string& text, size_t max_size,
                      std::string& path) {
  if (!places.Has(field)) return;
  if (!IsPath(text, max_size)) {
    problems_.Add(places.Of(field), absl::StrCat("\"", text, "\" is no path, expected one from \"/\" on of at most ",
                                                 max_size, " bytes"));
  }
  path = text;
}

template <typename Value, typename Parse>
void Reader::ReadText(const FieldPlaces& places, int field, const std::string& text, Parse parse, Value& value) {
  if (!places.Has(field)) return;
  const auto parsed = parse(text);
  if (parsed.ok()) {
    value = *parsed;
  } else {
    problems_.Add(places.Of(field), parsed.status().message());
  }
}

void Reader::ReadLimits(const v1::Config::Limits& proto, const FieldPlaces& places) {
  for (const LimitField& field : kLimitFields) {
    const auto* descriptor = v1::Config::Limits::descriptor()->FindFieldByName(field.name);
    const auto& limit = static_cast<const v1::Config::Limit&>(proto.GetReflection()->GetMessage(proto, descriptor));
    ReadLimit(field, limit, places.In(descriptor->number()));
  }
}

void Reader::ReadLimit(const LimitField& field, const v1::Config::Limit& proto, const FieldPlaces& places) {
  LimitSetting& setting = settings_.limits.*field.setting;
  const auto take = [&](int number, uint64_t value, std::optional<uint64_t>& target) {
    const TextPlace place = places.Of(number);
    if (value < field.least) {
      problems_.Add(place, absl::StrCat(value, " is too few, expected at least ", field.least));
    } else if (value > field.most) {
      problems_.Add(place, absl::StrCat(value, " is too many, expected at most ", field.most));
    }
    target = value;
    setting.origin = Origin(place);
  };
  if (proto.has_per_user()) take(v1::Config::Limit::kPerUserFieldNumber, proto.per_user(), setting.per_user);
  if (proto.has_total()) take(v1::Config::Limit::kTotalFieldNumber, proto.total(), setting.total);
}

}  // namespace

absl::Status ReadConfig(const v1::Config& config, const google::protobuf::TextFormat::ParseInfoTree& tree,
                        const std::string& file_name, Settings& settings) {
  Reader reader(file_name, settings);
  reader.Read(config, FieldPlaces(v1::Config::descriptor(), &tree, TextPlace{.line = 1, .column = 1}));
  return reader.problems();
}

}  // namespace p2pd
