#include "proto/p2pd/v1/released/wire_changes.h"

#include <functional>

#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

using ::google::protobuf::FileDescriptorProto;
using ::google::protobuf::FileDescriptorSet;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr char kReleased[] = R"(
  file {
    name: "a.proto" package: "t"
    message_type {
      name: "M"
      field { name: "id" number: 1 label: LABEL_OPTIONAL type: TYPE_UINT64 }
      field { name: "tags" number: 2 label: LABEL_REPEATED type: TYPE_STRING }
      field { name: "bar" number: 3 label: LABEL_OPTIONAL type: TYPE_MESSAGE type_name: ".t.M.Bar" oneof_index: 0 }
      field { name: "maybe" number: 4 label: LABEL_OPTIONAL type: TYPE_UINT32 oneof_index: 1 proto3_optional: true }
      nested_type { name: "Bar" field { name: "size" number: 1 label: LABEL_OPTIONAL type: TYPE_UINT64 } }
      oneof_decl { name: "what" }
      oneof_decl { name: "_maybe" }
    }
    enum_type { name: "E" value { name: "ZERO" number: 0 } value { name: "ONE" number: 1 } }
    service {
      name: "S"
      method { name: "Get" input_type: ".t.M" output_type: ".t.M" }
      method { name: "Watch" input_type: ".t.M" output_type: ".t.M" server_streaming: true }
    }
  })";

class WireChangesTest : public ::testing::Test {
 protected:
  WireChangesTest() { EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(kReleased, &released_)); }

  // What is found after `change` was made to the released file.
  std::vector<std::string> After(const std::function<void(FileDescriptorProto&)>& change) {
    FileDescriptorSet current = released_;
    change(*current.mutable_file(0));
    return WireChanges(released_, current);
  }

  FileDescriptorSet released_;
};

TEST_F(WireChangesTest, NothingIsFoundWhereNothingChanged) {
  EXPECT_THAT(After([](auto&) {}), IsEmpty());
}

TEST_F(WireChangesTest, WhatIsAddedIsNoChange) {
  EXPECT_THAT(After([](FileDescriptorProto& file) {
                auto& field = *file.mutable_message_type(0)->add_field();
                field = file.message_type(0).field(0);
                field.set_name("more");
                field.set_number(9);
                file.add_message_type()->set_name("N");
                auto& value = *file.mutable_enum_type(0)->add_value();
                value.set_name("TWO");
                value.set_number(2);
                file.mutable_service(0)->add_method()->set_name("New");
              }),
              IsEmpty());
}

TEST_F(WireChangesTest, ARemovedFieldIsFound) {
  EXPECT_THAT(After([](auto& file) { file.mutable_message_type(0)->mutable_field()->DeleteSubrange(1, 1); }),
              ElementsAre("field t.M 2 was tags: LABEL_REPEATED TYPE_STRING, and is gone"));
}

TEST_F(WireChangesTest, ARenumberedFieldIsFound) {
  EXPECT_THAT(After([](auto& file) { file.mutable_message_type(0)->mutable_field(0)->set_number(7); }),
              ElementsAre("field t.M 1 was id: LABEL_OPTIONAL TYPE_UINT64, and is gone"));
}

TEST_F(WireChangesTest, ANumberThatIsUsedAgainIsFound) {
  EXPECT_THAT(After([](auto& file) {
                auto& message = *file.mutable_message_type(0);
                message.mutable_field()->SwapElements(0, 1);
                message.mutable_field(0)->set_number(1);
                message.mutable_field(1)->set_number(2);
              }),
              ElementsAre("field t.M 1 was id: LABEL_OPTIONAL TYPE_UINT64, and is tags: LABEL_REPEATED TYPE_STRING",
                          "field t.M 2 was tags: LABEL_REPEATED TYPE_STRING, and is id: LABEL_OPTIONAL TYPE_UINT64"));
}

TEST_F(WireChangesTest, ARenamedFieldIsFound) {
  EXPECT_THAT(After([](auto& file) { file.mutable_message_type(0)->mutable_field(0)->set_name("uid"); }),
              ElementsAre("field t.M 1 was id: LABEL_OPTIONAL TYPE_UINT64, and is uid: LABEL_OPTIONAL TYPE_UINT64"));
}

TEST_F(WireChangesTest, AnotherTypeOrLabelIsFound) {
  using google::protobuf::FieldDescriptorProto;
  EXPECT_THAT(After([](auto& file) {
                file.mutable_message_type(0)->mutable_field(0)->set_type(FieldDescriptorProto::TYPE_UINT32);
                file.mutable_message_type(0)->mutable_field(1)->set_label(FieldDescriptorProto::LABEL_OPTIONAL);
              }),
              ElementsAre("field t.M 1 was id: LABEL_OPTIONAL TYPE_UINT64, and is id: LABEL_OPTIONAL TYPE_UINT32",
                          "field t.M 2 was tags: LABEL_REPEATED TYPE_STRING, and is tags: LABEL_OPTIONAL TYPE_STRING"));
}

TEST_F(WireChangesTest, AFieldThatLeavesItsOneofIsFound) {
  EXPECT_THAT(After([](auto& file) { file.mutable_message_type(0)->mutable_field(2)->clear_oneof_index(); }),
              ElementsAre("field t.M 3 was bar: LABEL_OPTIONAL TYPE_MESSAGE .t.M.Bar, in oneof what, and is bar: "
                          "LABEL_OPTIONAL TYPE_MESSAGE .t.M.Bar"));
}

TEST_F(WireChangesTest, AFieldThatLosesItsPresenceIsFound) {
  EXPECT_THAT(After([](auto& file) {
                file.mutable_message_type(0)->mutable_field(3)->clear_oneof_index();
                file.mutable_message_type(0)->mutable_field(3)->clear_proto3_optional();
              }),
              ElementsAre("field t.M 4 was maybe: LABEL_OPTIONAL TYPE_UINT32, optional, and is maybe: LABEL_OPTIONAL "
                          "TYPE_UINT32"));
}

TEST_F(WireChangesTest, AFieldOfAnInnerMessageIsFoundToo) {
  EXPECT_THAT(After([](auto& file) { file.mutable_message_type(0)->mutable_nested_type(0)->clear_field(); }),
              ElementsAre("field t.M.Bar 1 was size: LABEL_OPTIONAL TYPE_UINT64, and is gone"));
}

TEST_F(WireChangesTest, ValuesOfEnumsStay) {
  EXPECT_THAT(After([](auto& file) { file.mutable_enum_type(0)->mutable_value(1)->set_number(5); }),
              ElementsAre("value t.E.ONE was number 1, and is number 5"));
  EXPECT_THAT(After([](auto& file) { file.mutable_enum_type(0)->mutable_value(1)->set_name("UNO"); }),
              ElementsAre("value t.E.ONE was number 1, and is gone"));
}

TEST_F(WireChangesTest, MethodsStay) {
  EXPECT_THAT(After([](auto& file) { file.mutable_service(0)->mutable_method(0)->set_output_type(".t.N"); }),
              ElementsAre("method t.S.Get was .t.M -> .t.M, and is .t.M -> .t.N"));
  EXPECT_THAT(After([](auto& file) { file.mutable_service(0)->mutable_method(1)->clear_server_streaming(); }),
              ElementsAre("method t.S.Watch was .t.M -> stream of .t.M, and is .t.M -> .t.M"));
  EXPECT_THAT(
      After([](auto& file) { file.clear_service(); }),
      ElementsAre("method t.S.Get was .t.M -> .t.M, and is gone",
                  "method t.S.Watch was .t.M -> stream of .t.M, and is gone", "service t.S was there, and is gone"));
}

}  // namespace
}  // namespace p2pd
