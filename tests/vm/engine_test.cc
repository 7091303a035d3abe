#include "tests/vm/engine_test.h"

#include <fcntl.h>

#include <algorithm>
#include <chrono>
#include <thread>

namespace p2pd::vm {
namespace {

constexpr auto kPatience = std::chrono::seconds(60);

}  // namespace

KernelLog::KernelLog() : fd_(open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC)) { lseek(fd_.get(), 0, SEEK_END); }

bool KernelLog::Says(const std::vector<std::string>& words) {
  char record[8192];
  for (ssize_t size; (size = read(fd_.get(), record, sizeof(record))) > 0;) {
    const std::string line(record, size);
    const auto there = [&](const std::string& word) { return line.find(word) != std::string::npos; };
    if (std::all_of(words.begin(), words.end(), there)) return true;
  }
  return false;
}

bool Eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

Driven::Driven(Kernel& kernel, p2p::Session& session, const std::string& bdf)
    : right(session.OpenDevice(Name(bdf)).value()), device(kernel, UniqueFd(dup(right.fd()))) {
  EXPECT_EQ(right.Ready(right.info().generation()), absl::OkStatus());
}

void EngineTest::SetUp() {
  engine_.emplace(kernel_, *user_, kEngine);
  space_.emplace(user_->CreateAddressSpace({Name(kEngine)}).value());
  memory_.emplace(p2p::SealedMemory::Create("memory", 2 * kPage).value());
  memory_mapping_.emplace(user_->MapMemory(*memory_, *space_, {.iova = kMemoryIova}).value());
}

void EngineTest::Send(const std::vector<uint8_t>& bytes) {
  std::copy(bytes.begin(), bytes.end(), memory_->data());
  engine_->device.CopyPage(kMemoryIova, kWindowIova);
}

std::vector<uint8_t> EngineTest::Fetch() {
  engine_->device.CopyPage(kWindowIova, kMemoryIova + kPage);
  return {memory_->data() + kPage, memory_->data() + 2 * kPage};
}

void EngineTest::ExpectStopped() {
  KernelLog log;  // ten faults in five seconds are told at most
  EXPECT_TRUE(Eventually([&] {
    Send(Pattern(99));
    return log.Says({"DMAR", "[0000:00:10.0]", "fault addr 0x4000"});
  })) << "the IOMMU let the engine through";
}

p2p::v1::Operation EngineTest::Receipt(p2p::v1::Operation::Kind kind, const std::string& device) {
  p2p::v1::Operation found;
  const auto operations = user_->ListOperations().value();
  for (const auto& operation : operations) {
    if (operation.kind() == kind && (device.empty() || operation.device() == device)) found = operation;
  }
  return user_->GetOperation(found.name()).value_or(found);
}

}  // namespace p2pd::vm
