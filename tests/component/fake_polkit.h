// A polkit that answers what a test tells it to, on a bus of the test's own.
#ifndef P2PD_TESTS_COMPONENT_FAKE_POLKIT_H_
#define P2PD_TESTS_COMPONENT_FAKE_POLKIT_H_

#include <systemd/sd-bus.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace p2pd {

class FakePolkit {
 public:
  enum class Answer { kYes, kNo, kChallenge, kError, kNonsense };

  struct Question {
    std::string sender;  // the bus name that is asked about
    std::string action;
    bool may_interact = false;
  };

  FakePolkit(const std::string& address, Answer answer);
  ~FakePolkit();  // gives the name up

  // Ends it; what it was asked.
  std::vector<Question> Stop();

  static int OnCheck(sd_bus_message* question, void* data, sd_bus_error*);

 private:
  void Serve();

  sd_bus* bus_ = nullptr;
  const Answer answer_;
  std::atomic<bool> stop_ = false;
  std::vector<Question> questions_;  // the thread's, until it has ended
  std::thread thread_;
};

}  // namespace p2pd

#endif  // P2PD_TESTS_COMPONENT_FAKE_POLKIT_H_
