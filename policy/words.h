// How a rule's choices are told to people.
#ifndef P2PD_POLICY_WORDS_H_
#define P2PD_POLICY_WORDS_H_

#include <string>
#include <vector>

#include "policy/glob.h"

namespace p2pd {

// "a or b or c or d or 3 more": a long list is cut short.
std::string OneOf(std::vector<std::string> choices);
std::string OneOf(const std::vector<Glob>& choices);

}  // namespace p2pd

#endif  // P2PD_POLICY_WORDS_H_
