// Errors as the C interface tells them: an errno's number for the kind, an object for the facts.
#ifndef P2PD_CLIENT_C_ERROR_H_
#define P2PD_CLIENT_C_ERROR_H_

#include <string>

#include "absl/status/status.h"
#include "client/c/libp2p.h"
#include "client/types.h"

struct p2p_error {
  int code = 0;
  std::string message;
  p2p::v1::ErrorDetail detail;
};

namespace p2p::c {

// 0, or what `status` is as a negative errno; `error`, which may be null, gets the facts.
int Tell(const absl::Status& status, p2p_error* error);

}  // namespace p2p::c

#endif  // P2PD_CLIENT_C_ERROR_H_
