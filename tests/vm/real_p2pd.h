// A p2pd in a process of its own, on the kernel that runs, and sessions with it.
#ifndef P2PD_TESTS_VM_REAL_P2PD_H_
#define P2PD_TESTS_VM_REAL_P2PD_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "client/session.h"
#include "tests/bench/process.h"

namespace p2pd::vm {

// Lets everybody do everything. The VM's host bridge is none of those that are known to pass requests between devices.
inline constexpr char kOpenPolicy[] = R"(
rule { name: "all" effect: ALLOW action: [OBSERVE, EXPORT, EXPORT_CONTROL, RECEIVE_FD, MAP_MEMORY, RESET, ADMIN] }
rule { name: "map" effect: ALLOW action: MAP unsupported_path: true }
rule { name: "drive" effect: ALLOW action: DRIVE limits { scrub: NONE } }
)";

class RealP2pd {
 public:
  // p2pd and p2pctl come by vm.py's --copy. `managed`: BDFs, with commas between.
  explicit RealP2pd(const std::string& managed, const std::string& policy = kOpenPolicy);

  // Without `on_quiesce` the session stops at once whenever it is asked to.
  std::unique_ptr<p2p::Session> Connect(const std::string& name,
                                        std::function<void(p2p::QuiesceRequest)> on_quiesce = nullptr) const;
  // The exit status of p2pctl with these words, and what it said.
  int P2pctl(const std::string& words, std::string& said) const;

 private:
  bench::Folder folder_;
  bench::Process process_;
};

}  // namespace p2pd::vm

#endif  // P2PD_TESTS_VM_REAL_P2PD_H_
