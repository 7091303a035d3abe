// The thread that lets simulated devices act on their own, as hardware would: it looks at their registers
// every 200 us while a device with a model is bound, and rests otherwise.
#ifndef P2PD_DAEMON_KERNEL_SIM_STEPPER_H_
#define P2PD_DAEMON_KERNEL_SIM_STEPPER_H_

#include <atomic>
#include <thread>

#include "daemon/kernel/sim_kernel.h"

namespace p2pd {

class SimStepper {
 public:
  // `kernel` outlives this.
  explicit SimStepper(SimKernel& kernel);
  ~SimStepper();
  SimStepper(const SimStepper&) = delete;
  SimStepper& operator=(const SimStepper&) = delete;

 private:
  void Run();

  SimKernel& kernel_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_KERNEL_SIM_STEPPER_H_
