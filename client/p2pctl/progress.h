// What p2pd is doing while p2pctl waits for its answer: each step on stderr as it is done. The receipt, on stdout,
// comes after that.
#ifndef P2PD_CLIENT_P2PCTL_PROGRESS_H_
#define P2PD_CLIENT_P2PCTL_PROGRESS_H_

#include <future>
#include <memory>
#include <string>
#include <thread>

#include "client/p2pctl/context.h"
#include "client/p2pctl/step_lines.h"
#include "client/session.h"
#include "client/types.h"

namespace p2p::ctl {

// A thread of its own writes to stderr while it lives: nobody else may.
class Progress {
 public:
  // Whose steps are told. p2pd does not say which operation an answer will be about before it answers: another's of
  // the same kind and device is told of too, under its own name.
  struct Subject {
    v1::Operation::Kind kind = v1::Operation::KIND_UNSPECIFIED;
    std::string device;  // "": any
  };

  // Make it before p2pd is asked: it returns once it watches. Without events, as where p2pd grants no watch, all is
  // told by Finish().
  Progress(Context& context, Session& session, Subject subject);
  ~Progress();

  // p2pd has answered: tells what was not told yet, and ends.
  void Finish(const v1::Operation& receipt);

 private:
  void Run();
  void Tell(const v1::Operation& operation);
  void Stop();

  Context& context_;
  const Subject subject_;
  const std::unique_ptr<EventStream> events_;
  std::promise<void> watching_;
  StepLines lines_;  // the thread's, until it has ended
  std::thread thread_;
};

}  // namespace p2p::ctl

#endif  // P2PD_CLIENT_P2PCTL_PROGRESS_H_
