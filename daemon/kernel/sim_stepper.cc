#include "daemon/kernel/sim_stepper.h"

#include <chrono>

#include "absl/time/time.h"

namespace p2pd {
namespace {

constexpr std::chrono::microseconds kBetweenSteps(200);
constexpr absl::Duration kRest = absl::Milliseconds(100);  // also how long a stop may take

}  // namespace

SimStepper::SimStepper(SimKernel& kernel) : kernel_(kernel), thread_([this] { Run(); }) {}

SimStepper::~SimStepper() {
  stopping_ = true;
  thread_.join();
}

void SimStepper::Run() {
  while (!stopping_) {
    if (!kernel_.AwaitModel(kRest)) continue;
    if (!kernel_.Step()) std::this_thread::sleep_for(kBetweenSteps);
  }
}

}  // namespace p2pd
