// An operation as lines of text while it goes on: each step is told once, whoever tells it first, an event or the
// receipt.
#ifndef P2PD_CLIENT_P2PCTL_STEP_LINES_H_
#define P2PD_CLIENT_P2PCTL_STEP_LINES_H_

#include <map>
#include <string>
#include <vector>

#include "client/types.h"

namespace p2p::ctl {

class StepLines {
 public:
  // A line for the operation, if it is new, and one for each step of it that is.
  std::vector<std::string> Take(const v1::Operation& operation);
  // Whether Take() was given the operation of this name.
  bool Knows(const std::string& name) const { return told_.count(name) != 0; }

 private:
  std::map<std::string, int> told_;  // steps, by the operation's name
};

}  // namespace p2p::ctl

#endif  // P2PD_CLIENT_P2PCTL_STEP_LINES_H_
