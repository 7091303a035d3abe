// The cases of the contract suite that Linux in the test VM cannot run, each with its reason. Reviewed like
// code: a case belongs here only when the machine cannot be brought into its starting state.
#ifndef P2PD_TESTS_CONTRACT_LINUX_EXCEPTIONS_H_
#define P2PD_TESTS_CONTRACT_LINUX_EXCEPTIONS_H_

#include <vector>

#include "tests/contract/world.h"

namespace p2pd::contract {

inline std::vector<Exception> LinuxExceptions() { return {}; }

}  // namespace p2pd::contract

#endif  // P2PD_TESTS_CONTRACT_LINUX_EXCEPTIONS_H_
