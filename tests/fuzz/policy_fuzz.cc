// Feeds the policy reader with whatever comes: some inputs are text as it is, some are turned into policies that are
// well formed but for a word now and then. What is accepted is judged for a few requests, and each verdict is held
// against a second, naive reading of the same file (policy/testing), which shares no code with policy/.
#include <fuzzer/FuzzedDataProvider.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "google/protobuf/text_format.h"
#include "policy/fake_user_database.h"
#include "policy/lint.h"
#include "policy/policy_file.h"
#include "policy/testing/naive_policy.h"
#include "policy/testing/random_policy.h"
#include "proto/p2pd/v1/policy.pb.h"

namespace p2pd {
namespace {

constexpr int kRules = 6;
constexpr int kRequests = 20;

// What does not belong where it is put.
constexpr const char* kStrays[] = {"zoe",     "00",   "4294967295", "",     "[ab]", "0000:01:00.8",
                                   "01:00.*", "8086", "0x108",      "a\nb", "r0",   "18446744073709551615",
                                   "-1",      "{"};

void Fail(const std::string& what, const std::string& text) {
  fprintf(stderr, "%s\n%s\n", what.c_str(), text.c_str());
  abort();
}

// A word between quotes, or a number, becomes another.
void Stray(FuzzedDataProvider& bytes, std::string& text) {
  if (text.empty()) return;
  const size_t at = text.find_first_of("\"0123456789", bytes.ConsumeIntegralInRange<size_t>(0, text.size() - 1));
  if (at == std::string::npos) return;
  const size_t begin = text[at] == '"' ? at + 1 : at;
  const size_t end = text.find_first_of("\" \n", begin);
  if (end != std::string::npos) text.replace(begin, end - begin, bytes.PickValueInArray(kStrays));
}

void Run(const std::string& text, const Choose& choose, bool must_be_right) {
  const auto policy = ParsePolicy(text, "fuzz", FakeUserDatabase());
  if (!policy.ok()) {
    if (policy.status().message().empty()) Fail("refused without a reason", text);
    if (must_be_right) Fail(std::string(policy.status().message()), text);
    return;
  }
  v1::PolicyFile file;
  if (!google::protobuf::TextFormat::ParseFromString(text, &file)) Fail("accepted, but no text format", text);
  if (policy->rule_count() != file.rule_size()) Fail("rules were lost", text);
  if (WhoCanReachWhat(policy->rules()).size() != policy->rules().size()) Fail("the table lacks rules", text);
  FindIdleRules(policy->rules());
  const NaivePolicy naive({file});
  for (int i = 0; i < kRequests; ++i) {
    const PolicyRequest request = RandomRequest(choose);
    const Verdict verdict = policy->Judge(request);
    const std::string disagreement = naive.Disagreement(request, verdict);
    if (!disagreement.empty()) Fail(disagreement + ": " + verdict.reason, text);
  }
}

void RunMade(FuzzedDataProvider& bytes, const Choose& choose) {
  std::string text = RandomPolicy(choose, choose(kRules)).DebugString();
  const int strays = choose(8) < 5 ? 0 : 1 + choose(2);
  for (int i = 0; i < strays; ++i) Stray(bytes, text);
  Run(text, choose, strays == 0);
}

// As many requests of a text as of a policy that was made: from a generator that its bytes start.
void RunText(const std::string& text) {
  uint32_t state = static_cast<uint32_t>(std::hash<std::string>()(text)) | 1;
  Run(
      text,
      [&state](int below) {
        state = state * 1664525 + 1013904223;
        return static_cast<int>((state >> 8) % static_cast<uint32_t>(below));
      },
      false);
}

}  // namespace
}  // namespace p2pd

// An input that begins with 'G' makes a policy; any other is one, so that policy files can be seeds as they are.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0 || data[0] != 'G') {
    p2pd::RunText(std::string(reinterpret_cast<const char*>(data), size));
    return 0;
  }
  FuzzedDataProvider bytes(data + 1, size - 1);
  p2pd::RunMade(bytes, [&bytes](int below) { return bytes.ConsumeIntegralInRange(0, below - 1); });
  return 0;
}
