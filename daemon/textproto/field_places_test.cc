#include "daemon/textproto/field_places.h"

#include <string>

#include "gtest/gtest.h"
#include "proto/p2pd/v1/policy.pb.h"

namespace p2pd {
namespace {

using ::google::protobuf::TextFormat;

class FieldPlacesTest : public ::testing::Test {
 protected:
  FieldPlaces Parse(const std::string& text) {
    TextFormat::Parser parser;
    parser.WriteLocationsTo(&tree_);
    EXPECT_TRUE(parser.ParseFromString(text, &file_));
    return FieldPlaces(v1::PolicyFile::descriptor(), &tree_, {.line = 1, .column = 1});
  }

  static std::string Text(TextPlace place) { return std::to_string(place.line) + ":" + std::to_string(place.column); }

  static constexpr int kRule = v1::PolicyFile::kRuleFieldNumber;
  static constexpr int kAction = v1::Rule::kActionFieldNumber;
  TextFormat::ParseInfoTree tree_;
  v1::PolicyFile file_;
};

TEST_F(FieldPlacesTest, CountsLinesAndColumnsFromOne) {
  const FieldPlaces places = Parse("rule {\n  name: \"a\"\n}\n  rule { effect: DENY }");
  EXPECT_EQ(Text(places.In(kRule, 0, 2).self()), "1:1");
  EXPECT_EQ(Text(places.In(kRule, 0, 2).Of(v1::Rule::kNameFieldNumber)), "2:3");
  EXPECT_EQ(Text(places.In(kRule, 1, 2).self()), "4:3");
  EXPECT_EQ(Text(places.In(kRule, 1, 2).Of(v1::Rule::kEffectFieldNumber)), "4:10");
}

TEST_F(FieldPlacesTest, AnAbsentFieldIsAtItsMessage) {
  const FieldPlaces rule = Parse("\n\n rule {\n action: MAP }").In(kRule, 0, 1);
  EXPECT_EQ(Text(rule.Of(v1::Rule::kNameFieldNumber)), "3:2");
  EXPECT_EQ(Text(rule.In(v1::Rule::kSubjectFieldNumber).Of(v1::Subject::kUserFieldNumber, 0, 1)), "3:2");
}

TEST_F(FieldPlacesTest, KnowsWhatStandsInTheTextEvenIfItIsEmpty) {
  const FieldPlaces rule = Parse("rule { name: \"\" }").In(kRule, 0, 1);
  EXPECT_TRUE(rule.Has(v1::Rule::kNameFieldNumber));
  EXPECT_FALSE(rule.Has(v1::Rule::kEffectFieldNumber));
  EXPECT_FALSE(rule.Has(kAction));
  EXPECT_FALSE(rule.In(v1::Rule::kSubjectFieldNumber).Has(v1::Subject::kUserFieldNumber));
}

TEST_F(FieldPlacesTest, EachValueOfARepeatedFieldHasItsPlace) {
  const FieldPlaces rule = Parse("rule {\naction: MAP\naction: DRIVE\n}").In(kRule, 0, 1);
  EXPECT_EQ(Text(rule.Of(kAction, 0, 2)), "2:1");
  EXPECT_EQ(Text(rule.Of(kAction, 1, 2)), "3:1");
}

TEST_F(FieldPlacesTest, ValuesOfAListShareItsPlace) {
  const FieldPlaces rule = Parse("rule {\naction: [MAP,\nDRIVE]\n}").In(kRule, 0, 1);
  EXPECT_EQ(Text(rule.Of(kAction, 0, 2)), "2:1");
  EXPECT_EQ(Text(rule.Of(kAction, 1, 2)), "2:1");
}

TEST_F(FieldPlacesTest, AMessageOfAListIsAtItsFirstField) {
  const FieldPlaces places = Parse("rule: [{\n name: \"a\" }, {\n\n  effect: DENY name: \"b\" }]");
  EXPECT_EQ(Text(places.In(kRule, 0, 2).self()), "2:2");
  EXPECT_EQ(Text(places.In(kRule, 1, 2).self()), "4:3");
  EXPECT_EQ(Text(places.In(kRule, 1, 2).Of(kAction, 0, 1)), "4:3");
}

}  // namespace
}  // namespace p2pd
