#include "daemon/textproto/syntax_errors.h"

#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "proto/p2pd/v1/config.pb.h"
#include "proto/p2pd/v1/policy.pb.h"

namespace p2pd {
namespace {

constexpr char kRuleFields[] =
    "is unknown here, expected one of name, effect, action, subject, exporter, importer, limits, when, "
    "unsupported_path";

std::string ErrorOf(const std::string& text) {
  ProblemList problems("p");
  SyntaxErrors errors(text, v1::PolicyFile::descriptor()->file(), problems);
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&errors);
  v1::PolicyFile file;
  EXPECT_FALSE(parser.ParseFromString(text, &file));
  return std::string(problems.ToStatus().message());
}

TEST(SyntaxErrorsTest, AnUnknownFieldIsPlacedWhereItStands) {
  EXPECT_EQ(ErrorOf("rule {\n  actions: MAP\n}"), std::string("p:2:3: \"actions\" ") + kRuleFields);
  EXPECT_EQ(ErrorOf("rule {\n  subjects\n\n  {\n  }\n}"), std::string("p:2:3: \"subjects\" ") + kRuleFields);
  EXPECT_EQ(ErrorOf("rules {}"), "p:1:1: \"rules\" is unknown here, expected one of rule, device_set");
}

TEST(SyntaxErrorsTest, AnUnknownValueIsPlacedWhereItStandsNotAtTheNextLine) {
  EXPECT_EQ(ErrorOf("rule {\n  effect: PERMIT\n\n\n  name: \"a\"\n}"),
            "p:2:11: \"PERMIT\" is unknown here, expected one of ALLOW, DENY");
  EXPECT_EQ(ErrorOf("rule { limits { scrub: WIPE } }"),
            "p:1:24: \"WIPE\" is unknown here, expected one of RESET, NONE, ZERO");
  EXPECT_EQ(ErrorOf("rule {\n  action: [MAP,\n  MAPP] }"),
            "p:3:3: \"MAPP\" is unknown here, expected one of OBSERVE, EXPORT, EXPORT_CONTROL, RECEIVE_FD, MAP, "
            "MAP_MEMORY, DRIVE, RESET, ADMIN");
}

TEST(SyntaxErrorsTest, AnUnknownValueAtTheVeryEndIsPlacedToo) {
  EXPECT_EQ(ErrorOf("rule {\n effect: PERMIT"), "p:2:10: \"PERMIT\" is unknown here, expected one of ALLOW, DENY");
}

TEST(SyntaxErrorsTest, ATabCountsToTheNextEighthColumn) {
  EXPECT_EQ(ErrorOf("rule {\n\teffect:\tPERMIT\n}"), "p:2:17: \"PERMIT\" is unknown here, expected one of ALLOW, DENY");
}

TEST(SyntaxErrorsTest, AnUnknownFieldOfAMessageInsideAnotherIsPlacedToo) {
  const std::string text = "sockets {\n  fds: '/run/fds'\n}";
  ProblemList problems("p");
  SyntaxErrors errors(text, v1::Config::descriptor()->file(), problems);
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&errors);
  v1::Config config;
  EXPECT_FALSE(parser.ParseFromString(text, &config));
  EXPECT_EQ(problems.ToStatus().message(), "p:2:3: \"fds\" is unknown here, expected one of fd, grpc, config");
}

TEST(SyntaxErrorsTest, OtherErrorsAreProtobufsOwn) {
  EXPECT_EQ(ErrorOf("rule {\n  name \"a\"\n}"), "p:2:8: Expected \":\", found \"\"a\"\".");
  EXPECT_EQ(ErrorOf("rule {\n"), "p:2:1: Expected identifier, got: ");
}

}  // namespace
}  // namespace p2pd
