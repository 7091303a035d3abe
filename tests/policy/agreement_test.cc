// Random policies and random requests: the index, the rules one by one, and a naive reading of the messages agree on
// who is allowed what, by which rule, within which limits; and on which rule is nearest, where none matches.
// P2PD_POLICY_ROUNDS says how many policies; P2PD_POLICY_SEED says which.
#include <cstdlib>
#include <random>
#include <string>
#include <tuple>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "policy/explanation.h"
#include "policy/fake_user_database.h"
#include "policy/policy_file.h"
#include "policy/rule.h"
#include "policy/testing/naive_policy.h"
#include "policy/testing/random_policy.h"

namespace p2pd {
namespace {

using ::testing::HasSubstr;

constexpr int kRequests = 60;

int Setting(const char* name, int otherwise) {
  const char* value = getenv(name);
  return value == nullptr ? otherwise : atoi(value);
}

class Chance {
 public:
  explicit Chance(unsigned seed) : engine_(seed) {}
  int operator()(int below) { return std::uniform_int_distribution<int>(0, below - 1)(engine_); }

 private:
  std::mt19937 engine_;
};

// Of rules that miss equally many conditions, the one for this action, then for this subject, then the first.
std::string NearestByTrying(const RuleChain& policy, const PolicyRequest& request) {
  std::string nearest;
  std::tuple<size_t, bool, bool> least;
  for (const Rule& rule : policy.rules()) {
    if (rule.effect != Effect::kAllow) continue;
    const std::vector<Matcher> failed = FailedMatchers(rule, request);
    const auto misses = [&](Matcher m) { return std::count(failed.begin(), failed.end(), m) > 0; };
    const std::tuple distance(failed.size(), misses(Matcher::kAction), misses(Matcher::kSubject));
    if (!nearest.empty() && distance >= least) continue;
    nearest = rule.name;
    least = distance;
  }
  return nearest;
}

// How often each outcome was met: a test that only ever denies tests little.
struct Tally {
  int allowed = 0;
  int denied_by_rule = 0;
  int denied_for_want = 0;
};

void Hold(const RuleChain& policy, const NaivePolicy& naive, const PolicyRequest& request, Tally& tally) {
  const Verdict verdict = policy.Judge(request);
  EXPECT_EQ(naive.Disagreement(request, verdict), "") << verdict.reason;
  if (verdict.allowed) {
    ++tally.allowed;
  } else if (!verdict.rule.empty()) {
    ++tally.denied_by_rule;
  } else {
    ++tally.denied_for_want;
    const std::string nearest = NearestByTrying(policy, request);
    EXPECT_THAT(verdict.reason, HasSubstr(nearest.empty() ? "no ALLOW rule" : "the nearest is \"" + nearest + "\""));
  }
}

TEST(AgreementTest, TheIndexTheRulesAndANaiveReadingAgree) {
  const auto seed = static_cast<unsigned>(Setting("P2PD_POLICY_SEED", 1));
  const int rounds = Setting("P2PD_POLICY_ROUNDS", 300);
  Chance chance(seed);
  const Choose choose = std::ref(chance);
  Tally tally;
  for (int round = 0; round < rounds && !::testing::Test::HasFailure(); ++round) {
    const v1::PolicyFile file = RandomPolicy(choose, round % 25 == 0 ? 200 : choose(12));
    const auto policy = ParsePolicy(file.DebugString(), "random", FakeUserDatabase());
    ASSERT_TRUE(policy.ok()) << policy.status() << "\n" << file.DebugString();
    const NaivePolicy naive({file});
    for (int i = 0; i < kRequests; ++i) Hold(*policy, naive, RandomRequest(choose), tally);
    if (::testing::Test::HasFailure())
      std::cerr << "seed " << seed << ", round " << round << ":\n" << file.DebugString();
  }
  std::cerr << tally.allowed << " allowed, " << tally.denied_by_rule << " denied by a rule, " << tally.denied_for_want
            << " denied for want of one\n";
  EXPECT_GT(tally.allowed, rounds);
  EXPECT_GT(tally.denied_by_rule, rounds);
  EXPECT_GT(tally.denied_for_want, rounds);
}

}  // namespace
}  // namespace p2pd
