#include "daemon/textproto/text_parser.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/p2pd/v1/policy.pb.h"

namespace p2pd {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

absl::Status Parse(absl::string_view text) {
  v1::PolicyFile file;
  google::protobuf::TextFormat::ParseInfoTree tree;
  return ParseText(text, "p.textproto", file, tree);
}

std::string ErrorOf(absl::string_view text) {
  const absl::Status status = Parse(text);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  return std::string(status.message());
}

TEST(TextParserTest, FillsTheMessageAndSaysWhereItsFieldsStand) {
  v1::PolicyFile file;
  google::protobuf::TextFormat::ParseInfoTree tree;
  ASSERT_TRUE(ParseText("# a comment\n  rule { name: 'a' }", "p.textproto", file, tree).ok());
  EXPECT_EQ(file.rule(0).name(), "a");
  const auto* field = v1::PolicyFile::descriptor()->FindFieldByNumber(v1::PolicyFile::kRuleFieldNumber);
  EXPECT_EQ(tree.GetLocation(field, 0).line, 1);
  EXPECT_EQ(tree.GetLocation(field, 0).column, 2);
}

TEST(TextParserTest, NothingAfterANulIsSilentlyDropped) {
  const std::string text = absl::StrCat("rule { name: 'a' }\n", absl::string_view("\0", 1), "rule { oops }");
  EXPECT_THAT(ErrorOf(text), StartsWith("p.textproto:2:1: "));
}

TEST(TextParserTest, AFieldGivenTwiceIsRefused) {
  EXPECT_THAT(ErrorOf("rule { subject { user: \"alice\" } subject { user: \"bob\" } }"),
              HasSubstr("specified multiple times"));
}

TEST(TextParserTest, DeepNestingIsRefused) {
  std::string text;
  for (int i = 0; i < 100000; ++i) text += "rule {";
  EXPECT_THAT(ErrorOf(text), StartsWith("p.textproto:1:"));
}

TEST(TextParserTest, AHugeTextIsRefused) {
  EXPECT_EQ(ErrorOf(std::string(kMaxTextBytes + 1, '\n')), "p.textproto: has 1048577 bytes, expected at most 1048576");
}

}  // namespace
}  // namespace p2pd
