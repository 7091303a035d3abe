#include "tests/bench/figure.h"

#include <cmath>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/p2pctl/table.h"
#include "google/protobuf/util/json_util.h"

namespace p2pd::bench {
namespace {

double Rounded(double value) {
  double rounded = value;
  return absl::SimpleAtod(absl::StrFormat("%.4g", value), &rounded) ? rounded : value;
}

// A figure whose ratio cannot be had misses what is aimed at with it.
bool Misses(const Figure& figure, Aim aim) {
  switch (aim.kind) {
    case Aim::Kind::kNone:
      return false;
    case Aim::Kind::kRatioAtMost:
      return !figure.has_ratio() || figure.ratio() > aim.bound;
    case Aim::Kind::kRatioAtLeast:
      return !figure.has_ratio() || figure.ratio() < aim.bound;
    case Aim::Kind::kValueAtMost:
      return figure.value() > aim.bound;
  }
  return true;
}

std::string Number(bool there, double value) {
  if (!there) return "";
  return std::abs(value) >= 1000 ? absl::StrFormat("%.0f", value) : absl::StrFormat("%.4g", value);
}

}  // namespace

std::string Aim::ToString() const {
  switch (kind) {
    case Kind::kNone:
      return "";
    case Kind::kRatioAtMost:
      return absl::StrCat("at most ", bound, "x");
    case Kind::kRatioAtLeast:
      return absl::StrCat("at least ", bound, "x");
    case Kind::kValueAtMost:
      return absl::StrCat("at most ", bound);
  }
  return "";
}

Figure MakeFigure(const std::string& name, double value, const std::string& unit, const std::optional<Floor>& floor,
                  Aim aim) {
  Figure figure;
  figure.set_name(name);
  figure.set_value(Rounded(value));
  figure.set_unit(unit);
  if (floor.has_value()) {
    figure.set_floor(Rounded(floor->value));
    figure.set_floor_name(floor->name);
    if (floor->value != 0) figure.set_ratio(Rounded(value / floor->value));
  }
  figure.set_aim(aim.ToString());
  figure.set_missed(Misses(figure, aim));
  return figure;
}

Figure MakeTime(const std::string& name, const Samples& samples, const std::optional<Floor>& floor, Aim aim) {
  Figure figure = MakeFigure(name, samples.Percentile(50), "us", floor, aim);
  figure.set_p99(Rounded(samples.Percentile(99)));
  return figure;
}

std::string ToJson(const Figure& figure) {
  google::protobuf::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string line;
  // Fails only for what a Figure does not have: Any and Struct.
  static_cast<void>(google::protobuf::util::MessageToJsonString(figure, &line, options));
  return line;
}

std::string ToTable(const std::vector<Figure>& figures) {
  p2p::ctl::Table table({{.header = "FIGURE"},
                         {.header = "VALUE", .right = true},
                         {.header = "UNIT"},
                         {.header = "P99", .right = true},
                         {.header = "FLOOR", .right = true},
                         {.header = "WHICH IS"},
                         {.header = "RATIO", .right = true},
                         {.header = "AIM"},
                         {.header = "MISSED"}},
                        {});
  for (const Figure& figure : figures) {
    table.AddRow({{.text = figure.name()},
                  {.text = Number(true, figure.value())},
                  {.text = figure.unit()},
                  {.text = Number(figure.has_p99(), figure.p99())},
                  {.text = Number(figure.has_floor(), figure.floor())},
                  {.text = figure.floor_name()},
                  {.text = Number(figure.has_ratio(), figure.ratio())},
                  {.text = figure.aim()},
                  {.text = figure.missed() ? "MISSED" : ""}});
  }
  return table.ToString();
}

}  // namespace p2pd::bench
