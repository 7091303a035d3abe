// Everything as it is, then every change, for commands that go on: where p2pd ends the stream because it was read too
// slowly, it says so on stderr and begins anew.
#ifndef P2PD_CLIENT_P2PCTL_EVENT_READER_H_
#define P2PD_CLIENT_P2PCTL_EVENT_READER_H_

#include <memory>

#include "absl/status/statusor.h"
#include "client/p2pctl/context.h"
#include "client/session.h"
#include "client/types.h"

namespace p2p::ctl {

class EventReader {
 public:
  // Both outlive it.
  EventReader(Context& context, Session& session) : context_(context), session_(session), events_(session.Watch()) {}

  // Waits. A snapshot can come more than once. Errors: as of EventStream::Next(), all final.
  absl::StatusOr<v1::Event> Next();

 private:
  Context& context_;
  Session& session_;
  std::unique_ptr<EventStream> events_;
};

}  // namespace p2p::ctl

#endif  // P2PD_CLIENT_P2PCTL_EVENT_READER_H_
