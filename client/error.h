// What a failed call tells programs. A status of this library is readable as it is: its message names the
// step that failed, the object, the errno and the likely cause. The same facts, apart, are its ErrorDetail.
#ifndef P2PD_CLIENT_ERROR_H_
#define P2PD_CLIENT_ERROR_H_

#include "absl/status/status.h"
#include "client/types.h"

namespace p2p {

// The facts behind `status`, whether p2pd or this library found them. REASON_UNSPECIFIED with an empty step
// for OK and for a status that was made elsewhere.
v1::ErrorDetail GetErrorDetail(const absl::Status& status);

// True where p2pd could not be asked, or the session is over: p2pd is not running, the connection broke, or
// the token is not known any more. Connect anew. False for whatever p2pd itself refused.
bool IsDisconnected(const absl::Status& status);

}  // namespace p2p

#endif  // P2PD_CLIENT_ERROR_H_
