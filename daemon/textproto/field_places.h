// Where the fields of one message stand in the text that it was parsed from.
#ifndef P2PD_DAEMON_TEXTPROTO_FIELD_PLACES_H_
#define P2PD_DAEMON_TEXTPROTO_FIELD_PLACES_H_

#include "daemon/textproto/problem_list.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/text_format.h"

namespace p2pd {

class FieldPlaces {
 public:
  using Tree = google::protobuf::TextFormat::ParseInfoTree;

  // Borrows `tree`, which may be nullptr: then everything is at `self`, the place of the message itself.
  FieldPlaces(const google::protobuf::Descriptor* message, const Tree* tree, TextPlace self)
      : message_(message), tree_(tree), self_(self) {}

  TextPlace self() const { return self_; }
  // Whether the field stands in the text, where the message itself cannot say.
  bool Has(int field_number) const;
  // The place of a field, or of the message if the field is absent.
  TextPlace Of(int field_number) const;
  // Likewise, of one of a field's `count` values. Text format records a list, `f: [a, b]`, as one place.
  TextPlace Of(int field_number, int index, int count) const;

  // The places inside a message field.
  FieldPlaces In(int field_number) const;
  FieldPlaces In(int field_number, int index, int count) const;

 private:
  const google::protobuf::FieldDescriptor* Field(int number) const { return message_->FindFieldByNumber(number); }
  FieldPlaces Nested(const google::protobuf::FieldDescriptor* field, int index, TextPlace place) const;

  const google::protobuf::Descriptor* message_;
  const Tree* tree_;
  TextPlace self_;
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_TEXTPROTO_FIELD_PLACES_H_
