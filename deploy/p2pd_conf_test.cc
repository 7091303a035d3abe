// The sample configuration parses, as it is and with every line in force, and says the defaults that it claims.
#include <sys/stat.h>

#include <fstream>
#include <sstream>
#include <string>

#include "daemon/config/config_text.h"
#include "daemon/effective_settings.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "proto/p2pd/v1/config.pb.h"

namespace p2pd {
namespace {

std::string Sample() {
  std::ifstream file("deploy/p2pd.conf");
  EXPECT_TRUE(file);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// Without the '#' of its settings; prose has one space after it, what stands inside a block has more.
std::string InForce(const std::string& sample) {
  std::istringstream lines(sample);
  std::string text;
  for (std::string line; std::getline(lines, line);) {
    const bool prose = line == "#" || (line.starts_with("# ") && !line.starts_with("#  "));
    text += (prose || !line.starts_with('#') ? line : line.substr(1)) + "\n";
  }
  return text;
}

// What p2pd would run with.
Settings Effective(const std::string& config) {
  Flags flags;
  flags.config = ::testing::TempDir() + "/p2pd.conf";
  std::ofstream(*flags.config) << config;
  EXPECT_EQ(chmod(flags.config->c_str(), 0644), 0);
  const auto settings = EffectiveSettings(flags);
  EXPECT_TRUE(settings.ok()) << settings.status();
  return settings.value_or(Settings());
}

TEST(SampleConfigTest, AsShippedItSaysNothing) {
  EXPECT_EQ(ConfigText(Effective(Sample())), ConfigText(Effective("")));
}

TEST(SampleConfigTest, ItsLinesSayTheDefaults) {
  Settings settings = Effective(InForce(Sample()));
  EXPECT_EQ(settings.managed.size(), 2u);
  ASSERT_EQ(settings.merged_contexts.size(), 1u);
  EXPECT_EQ(settings.merged_contexts[0].devices.size(), 2u);
  settings.managed.clear();
  settings.merged_contexts.clear();
  EXPECT_EQ(settings.bar_sizes.size(), 1u);
  settings.bar_sizes.clear();
  EXPECT_EQ(ConfigText(settings), ConfigText(Effective("")));
}

// Every field stands in the sample, once its examples are in force.
void ExpectAllSet(const google::protobuf::Message& message) {
  const auto* descriptor = message.GetDescriptor();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const auto* field = descriptor->field(i);
    const auto* reflection = message.GetReflection();
    const bool set =
        field->is_repeated() ? reflection->FieldSize(message, field) > 0 : reflection->HasField(message, field);
    EXPECT_TRUE(set) << field->full_name();
    if (!set || field->message_type() == nullptr) continue;
    ExpectAllSet(field->is_repeated() ? reflection->GetRepeatedMessage(message, field, 0)
                                      : reflection->GetMessage(message, field));
  }
}

TEST(SampleConfigTest, NamesEveryField) {
  v1::Config config;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(InForce(Sample()), &config));
  ExpectAllSet(config);
}

}  // namespace
}  // namespace p2pd
