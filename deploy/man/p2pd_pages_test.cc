// The daemon's manual pages name every option, every field of the configuration and the files themselves.
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "daemon/config/settings.h"
#include "daemon/flags.h"
#include "gmock/gmock.h"
#include "google/protobuf/descriptor.h"
#include "gtest/gtest.h"
#include "proto/p2pd/v1/config.pb.h"
#include "proto/p2pd/v1/policy.pb.h"

namespace p2pd {
namespace {

using ::testing::HasSubstr;

std::string Page(const std::string& name) {
  std::ifstream file("deploy/man/" + name);
  EXPECT_TRUE(file) << name;
  return absl::StrReplaceAll(std::string(std::istreambuf_iterator<char>(file), {}), {{"\\-", "-"}});
}

std::set<std::string> OptionsOfHelp() {
  const char* const words[] = {"p2pd", "--help"};
  ::testing::internal::CaptureStdout();
  EXPECT_EQ(std::get<int>(ParseFlags(2, words, "1.2.3")), 0);
  const std::string help = ::testing::internal::GetCapturedStdout();
  const std::regex option("--[a-z]+(-[a-z]+)*");
  std::set<std::string> options;
  for (std::sregex_iterator i(help.begin(), help.end(), option); i != std::sregex_iterator(); ++i) {
    options.insert(i->str());
  }
  return options;
}

// "deadlines.quiesce", for every field; a limit's two values are told once for all of them.
void CollectFields(const google::protobuf::Descriptor* message, const std::string& scope, std::set<std::string>& all) {
  for (int i = 0; i < message->field_count(); ++i) {
    const auto* field = message->field(i);
    const auto* type = field->message_type();
    const std::string name = scope + field->name();
    if (type == nullptr || type == v1::Config::Limit::descriptor() || field->is_repeated()) all.insert(name);
    if (type != nullptr && type != v1::Config::Limit::descriptor()) CollectFields(type, name + ".", all);
  }
}

TEST(ManualPageTest, OfP2pdNamesEveryOption) {
  const std::set<std::string> options = OptionsOfHelp();
  EXPECT_GE(options.size(), 12u);
  const std::string page = Page("p2pd.8");
  for (const std::string& option : options) {
    EXPECT_THAT(page, ::testing::ContainsRegex(absl::StrCat("\n\\.(B|BI|BR) (-h \", \" )?", option, "( |\n)")))
        << option;
  }
}

TEST(ManualPageTest, OfTheConfigurationNamesEveryField) {
  std::set<std::string> fields;
  CollectFields(v1::Config::descriptor(), "", fields);
  EXPECT_GE(fields.size(), 20u);
  const std::string page = Page("p2pd.conf.5");
  for (const std::string& field : fields) EXPECT_THAT(page, HasSubstr(absl::StrCat("\n.TP\n.B ", field, "\n")));
  for (const char* value : {"per_user", "total"}) EXPECT_THAT(page, HasSubstr(absl::StrCat("\n.B ", value, "\n")));
}

TEST(ManualPageTest, OfThePolicyNamesEveryFieldAndValue) {
  const std::string page = Page("p2pd-policy.5");
  const google::protobuf::Descriptor* const messages[] = {
      v1::PolicyFile::descriptor(), v1::DeviceSet::descriptor(),   v1::Rule::descriptor(),
      v1::Subject::descriptor(),    v1::DeviceMatch::descriptor(), v1::WindowRange::descriptor(),
      v1::Conditions::descriptor(), v1::Limits::descriptor(),      v1::PolicyTest::descriptor()};
  for (const auto* message : messages) {
    for (int i = 0; i < message->field_count(); ++i) {
      const auto* field = message->field(i);
      EXPECT_THAT(page, HasSubstr(absl::StrCat("\n.TP\n.B ", field->name(), "\n"))) << message->full_name();
      for (int n = 1; field->enum_type() != nullptr && n < field->enum_type()->value_count(); ++n) {
        EXPECT_THAT(page,
                    ::testing::ContainsRegex(absl::StrCat("[ (]", field->enum_type()->value(n)->name(), "[ \n]")));
      }
    }
  }
  for (const auto* message : {v1::Expectation::descriptor(), v1::ExpectedSubject::descriptor(),
                              v1::ExpectedRequest::descriptor(), v1::ExpectedRequest::Device::descriptor(),
                              v1::ExpectedRequest::Window::descriptor(), v1::PolicyTest::Identity::descriptor()}) {
    for (int i = 0; i < message->field_count(); ++i) {
      EXPECT_THAT(page,
                  ::testing::ContainsRegex(absl::StrCat("B[RI]? ([^\n]* )?", message->field(i)->name(), "[ \n]")));
    }
  }
}

TEST(ManualPageTest, BothNameTheFiles) {
  const Settings settings;
  for (const char* name : {"p2pd.8", "p2pd.conf.5"}) {
    const std::string page = Page(name);
    for (const std::string& file :
         {std::string(kDefaultConfigFile), settings.policy, settings.fd_socket, settings.grpc_socket,
          settings.config_socket, absl::StrCat(kDefaultConfigFile, ".d")}) {
      EXPECT_THAT(page, HasSubstr(file)) << name;
    }
  }
}

}  // namespace
}  // namespace p2pd
