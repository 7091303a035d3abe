// Asks fixed policies whatever comes: facts of any value, known or not. Each verdict is held against a naive reading.
#include <fuzzer/FuzzedDataProvider.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "policy/fake_user_database.h"
#include "policy/policy_file.h"
#include "policy/testing/naive_policy.h"
#include "policy/testing/random_policy.h"

namespace p2pd {
namespace {

constexpr int kPolicies = 16;
constexpr int kRules = 60;

struct Pair {
  RuleChain policy;
  NaivePolicy naive;
};

std::vector<Pair> MakePolicies() {
  std::vector<Pair> pairs;
  std::mt19937 random(7);
  for (int i = 0; i < kPolicies; ++i) {
    const v1::PolicyFile file = RandomPolicy(
        [&random](int below) { return static_cast<int>(random() % static_cast<unsigned>(below)); }, kRules);
    auto policy = ParsePolicy(file.DebugString(), "fuzz", FakeUserDatabase());
    if (!policy.ok()) abort();
    pairs.push_back({.policy = *std::move(policy), .naive = NaivePolicy({file})});
  }
  return pairs;
}

class Asker {
 public:
  Asker(const uint8_t* data, size_t size) : bytes_(data, size) {}

  size_t ChoosePolicy() { return bytes_.ConsumeIntegralInRange<size_t>(0, kPolicies - 1); }

  // Near what the policies are about, with some facts changed to anything.
  PolicyRequest MakeRequest() {
    PolicyRequest request = RandomRequest([this](int below) { return bytes_.ConsumeIntegralInRange(0, below - 1); });
    if (bytes_.ConsumeBool()) request.action = static_cast<Action>(bytes_.ConsumeIntegral<int>());
    if (bytes_.ConsumeBool()) request.subject.unit = Text();
    if (bytes_.ConsumeBool()) request.subject.user_unit = Text();
    if (bytes_.ConsumeBool()) request.subject.label = Text();
    if (bytes_.ConsumeBool()) request.context = Text();
    if (bytes_.ConsumeBool()) request.subject.uid = bytes_.ConsumeIntegral<uint32_t>();
    for (auto* device : {&request.exporter, &request.importer}) {
      if (!device->has_value() || bytes_.ConsumeBool()) continue;
      (*device)->address.domain = bytes_.ConsumeIntegral<uint32_t>();
      (*device)->vendor = bytes_.ConsumeIntegral<uint16_t>();
      (*device)->class_code = bytes_.ConsumeIntegral<uint32_t>();
      (*device)->numa_node = bytes_.ConsumeIntegral<int>();
    }
    if (request.window.has_value() && bytes_.ConsumeBool()) {
      request.window->bar = bytes_.ConsumeIntegral<int>();
      request.window->offset = bytes_.ConsumeIntegral<uint64_t>();
      request.window->length = std::max<uint64_t>(bytes_.ConsumeIntegral<uint64_t>(), 1);
    }
    return request;
  }

 private:
  std::string Text() {
    std::string text = bytes_.ConsumeRandomLengthString(64);
    return text.substr(0, text.find('\0'));
  }

  FuzzedDataProvider bytes_;
};

}  // namespace
}  // namespace p2pd

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::vector<p2pd::Pair> pairs = p2pd::MakePolicies();
  p2pd::Asker asker(data, size);
  const p2pd::Pair& pair = pairs[asker.ChoosePolicy()];
  const p2pd::PolicyRequest request = asker.MakeRequest();
  const p2pd::Verdict verdict = pair.policy.Judge(request);
  const std::string disagreement = pair.naive.Disagreement(request, verdict);
  if (disagreement.empty()) return 0;
  fprintf(stderr, "%s: %s\n", disagreement.c_str(), verdict.reason.c_str());
  abort();
}
