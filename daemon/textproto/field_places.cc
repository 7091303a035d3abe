#include "daemon/textproto/field_places.h"

#include <algorithm>
#include <utility>

namespace p2pd {
namespace {

using ::google::protobuf::FieldDescriptor;
using Tree = FieldPlaces::Tree;

// `index` is -1 for a field that is not repeated.
TextPlace PlaceOf(const Tree& tree, const FieldDescriptor* field, int index, TextPlace otherwise) {
  const auto location = tree.GetLocation(field, index);
  return location.line < 0 ? otherwise : TextPlace{.line = location.line + 1, .column = location.column + 1};
}

// The first thing inside a message.
TextPlace FirstPlace(const google::protobuf::Descriptor* message, const Tree& tree, TextPlace otherwise) {
  TextPlace first = {};
  for (int i = 0; i < message->field_count(); ++i) {
    const FieldDescriptor* field = message->field(i);
    const TextPlace place = PlaceOf(tree, field, field->is_repeated() ? 0 : -1, {});
    if (place.line == 0) continue;
    if (first.line == 0 || std::pair(place.line, place.column) < std::pair(first.line, first.column)) first = place;
  }
  return first.line == 0 ? otherwise : first;
}

}  // namespace

bool FieldPlaces::Has(int field_number) const {
  const FieldDescriptor* field = Field(field_number);
  return tree_ != nullptr && PlaceOf(*tree_, field, field->is_repeated() ? 0 : -1, {}).line != 0;
}

TextPlace FieldPlaces::Of(int field_number) const {
  return tree_ == nullptr ? self_ : PlaceOf(*tree_, Field(field_number), -1, self_);
}

TextPlace FieldPlaces::Of(int field_number, int index, int count) const {
  if (tree_ == nullptr) return self_;
  const FieldDescriptor* field = Field(field_number);
  const bool each_recorded = PlaceOf(*tree_, field, count - 1, {}).line != 0;
  return PlaceOf(*tree_, field, each_recorded ? index : 0, self_);
}

FieldPlaces FieldPlaces::Nested(const FieldDescriptor* field, int index, TextPlace place) const {
  const Tree* tree = tree_ == nullptr ? nullptr : tree_->GetTreeForNested(field, index);
  return FieldPlaces(field->message_type(), tree, place);
}

FieldPlaces FieldPlaces::In(int field_number) const { return Nested(Field(field_number), -1, Of(field_number)); }

FieldPlaces FieldPlaces::In(int field_number, int index, int count) const {
  const FieldDescriptor* field = Field(field_number);
  FieldPlaces nested = Nested(field, index, Of(field_number, index, count));
  const bool each_recorded = tree_ != nullptr && PlaceOf(*tree_, field, count - 1, {}).line != 0;
  if (!each_recorded && nested.tree_ != nullptr) {
    nested.self_ = FirstPlace(nested.message_, *nested.tree_, nested.self_);
  }
  return nested;
}

}  // namespace p2pd
