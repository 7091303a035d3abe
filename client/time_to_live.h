// How long an export lives, as requests say it: nothing where it lives as long as its session.
#ifndef P2PD_CLIENT_TIME_TO_LIVE_H_
#define P2PD_CLIENT_TIME_TO_LIVE_H_

#include "absl/time/time.h"
#include "google/protobuf/util/time_util.h"

namespace p2p::internal {

template <typename Request>
void SetTimeToLive(absl::Duration time_to_live, Request& request) {
  if (time_to_live == absl::InfiniteDuration()) return;
  *request.mutable_time_to_live() =
      google::protobuf::util::TimeUtil::NanosecondsToDuration(absl::ToInt64Nanoseconds(time_to_live));
}

}  // namespace p2p::internal

#endif  // P2PD_CLIENT_TIME_TO_LIVE_H_
