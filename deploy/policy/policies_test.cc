// The shipped policies say what they are meant to say.
#include <fstream>
#include <sstream>
#include <string>

#include "gtest/gtest.h"
#include "policy/fake_user_database.h"
#include "policy/policy_file.h"

namespace p2pd {
namespace {

constexpr char kNvme1[] = "0000:01:00.0";
constexpr char kNvme2[] = "0000:02:00.0";
constexpr char kEdu[] = "0000:00:10.0";
constexpr uint32_t kExporter = 2001;
constexpr uint32_t kImporter = 2002;
constexpr uint32_t kRinger = 2003;

std::string Read(const std::string& name) {
  std::ifstream file("deploy/policy/" + name);
  EXPECT_TRUE(file) << name;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

RuleChain Parse(const std::string& text, const std::string& name) {
  FakeUserDatabase users;
  users.users = {{"root", 0}, {"netstack", 3000}};
  users.groups = {{"storage", 30}};
  auto policy = ParsePolicy(text, name, users);
  EXPECT_TRUE(policy.ok()) << policy.status();
  return policy.ok() ? *std::move(policy) : RuleChain();
}

// Takes the '#' from the example rules; prose has a space after it, except inside the list of conditions.
std::string WithExamples(const std::string& text) {
  std::istringstream lines(text.substr(text.find("#rule")));
  std::string result;
  for (std::string line; std::getline(lines, line);) {
    const bool prose = line.size() > 2 && line[1] == ' ' && line[2] != ' ';
    result += (prose || line.empty() ? line : line.substr(1)) + "\n";
  }
  return result;
}

PolicyRequest Ask(uint32_t uid, Action action) {
  PolicyRequest request;
  request.subject.uid = uid;
  request.action = action;
  return request;
}

DeviceFacts At(const char* address) {
  return {.address = *PciAddress::Parse(address), .vendor = 0, .device = 0, .class_code = 0};
}

PolicyRequest On(uint32_t uid, Action action, const char* exporter) {
  PolicyRequest request = Ask(uid, action);
  request.exporter = At(exporter);
  return request;
}

PolicyRequest OnBar(uint32_t uid, Action action, const char* exporter, int bar, const char* importer = nullptr) {
  PolicyRequest request = On(uid, action, exporter);
  request.window = WindowFacts{.bar = bar, .offset = 0, .length = 4096, .control = bar == 0};
  if (importer != nullptr) request.importer = At(importer);
  return request;
}

PolicyRequest MapMemory(uint32_t uid, const char* importer) {
  PolicyRequest request = Ask(uid, Action::kMapMemory);
  request.importer = At(importer);
  return request;
}

TEST(ShippedPolicyTest, DeniesEverythingToEverybody) {
  const RuleChain policy = Parse(Read("p2pd.textproto"), "p2pd.textproto");
  EXPECT_EQ(policy.rule_count(), 0);
  EXPECT_FALSE(policy.Judge(Ask(0, Action::kObserve)).allowed);
  EXPECT_FALSE(policy.Judge(On(0, Action::kDrive, kNvme1)).allowed);
}

TEST(ShippedPolicyTest, ItsExamplesAreRules) {
  EXPECT_EQ(Parse(WithExamples(Read("p2pd.textproto")), "p2pd.textproto").rule_count(), 6);
}

class DemoPolicyTest : public ::testing::Test {
 protected:
  bool Allows(const PolicyRequest& request) const { return policy_.Judge(request).allowed; }

  const RuleChain policy_ = Parse(Read("demo.textproto"), "demo.textproto");
};

TEST_F(DemoPolicyTest, EachUserDrivesItsOwnDevice) {
  const std::pair<uint32_t, const char*> own[] = {{kExporter, kNvme1}, {kImporter, kNvme2}, {kRinger, kEdu}};
  for (const auto& [uid, device] : own) {
    for (const char* other : {kNvme1, kNvme2, kEdu}) {
      EXPECT_EQ(Allows(On(uid, Action::kDrive, other)), device == other) << uid << " " << other;
    }
  }
  EXPECT_FALSE(Allows(On(0, Action::kDrive, kNvme1)));
}

TEST_F(DemoPolicyTest, OnlyEduGoesToItsNextDriverUnscrubbed) {
  EXPECT_EQ(policy_.Judge(On(kRinger, Action::kDrive, kEdu)).limits.scrub, Scrub::kNone);
  EXPECT_EQ(policy_.Judge(On(kExporter, Action::kDrive, kNvme1)).limits.scrub, Scrub::kZero);
  EXPECT_EQ(policy_.Judge(On(kImporter, Action::kDrive, kNvme2)).limits.scrub, Scrub::kZero);
}

TEST_F(DemoPolicyTest, TheExporterAndRootMayResetItsDevice) {
  EXPECT_TRUE(Allows(On(kExporter, Action::kReset, kNvme1)));
  EXPECT_TRUE(Allows(On(0, Action::kReset, kNvme1)));
  EXPECT_FALSE(Allows(On(kExporter, Action::kReset, kNvme2)));
  EXPECT_FALSE(Allows(On(kImporter, Action::kReset, kNvme1)));
}

TEST_F(DemoPolicyTest, TheImporterReachesTheBufferAndNothingElse) {
  EXPECT_TRUE(Allows(OnBar(kImporter, Action::kExport, kNvme1, 2)));
  EXPECT_TRUE(Allows(OnBar(kImporter, Action::kMap, kNvme1, 2, kNvme2)));
  EXPECT_FALSE(Allows(OnBar(kImporter, Action::kMap, kNvme1, 2, kEdu)));
  EXPECT_FALSE(Allows(OnBar(kImporter, Action::kExportControl, kNvme1, 0)));
  EXPECT_FALSE(Allows(OnBar(kImporter, Action::kExport, kNvme1, 0)));
  EXPECT_FALSE(Allows(OnBar(kImporter, Action::kReceiveFd, kNvme1, 2)));
}

TEST_F(DemoPolicyTest, TheRingerReachesTheDoorbellsAndNothingElse) {
  EXPECT_TRUE(Allows(OnBar(kRinger, Action::kExportControl, kNvme1, 0)));
  EXPECT_TRUE(Allows(OnBar(kRinger, Action::kMap, kNvme1, 0, kEdu)));
  EXPECT_FALSE(Allows(OnBar(kRinger, Action::kExport, kNvme1, 2)));
  EXPECT_FALSE(Allows(OnBar(kRinger, Action::kMap, kNvme1, 0, kNvme2)));
}

TEST_F(DemoPolicyTest, MemoryIsMappedForOnesOwnDeviceOnly) {
  EXPECT_TRUE(Allows(MapMemory(kExporter, kNvme1)));
  EXPECT_TRUE(Allows(MapMemory(kImporter, kNvme2)));
  EXPECT_TRUE(Allows(MapMemory(kRinger, kEdu)));
  EXPECT_FALSE(Allows(MapMemory(kImporter, kNvme1)));
  EXPECT_FALSE(Allows(MapMemory(kRinger, kNvme2)));
}

TEST_F(DemoPolicyTest, OnlyRootObservesAndAdministers) {
  for (uint32_t uid : {kExporter, kImporter, kRinger, 1000u}) {
    EXPECT_FALSE(Allows(Ask(uid, Action::kObserve)));
    EXPECT_FALSE(Allows(Ask(uid, Action::kAdmin)));
  }
  EXPECT_TRUE(Allows(Ask(0, Action::kObserve)));
  EXPECT_TRUE(Allows(Ask(0, Action::kAdmin)));
}

}  // namespace
}  // namespace p2pd
