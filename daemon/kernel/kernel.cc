#include "daemon/kernel/kernel.h"

#include "absl/strings/str_format.h"

namespace p2pd {

std::string Range::ToString() const { return absl::StrFormat("[0x%x, +0x%x)", start, length); }

}  // namespace p2pd
