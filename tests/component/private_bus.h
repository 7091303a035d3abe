// A D-Bus bus of a test's own, with the rules of the system bus and p2pd's policy file as shipped; and a client of it.
#ifndef P2PD_TESTS_COMPONENT_PRIVATE_BUS_H_
#define P2PD_TESTS_COMPONENT_PRIVATE_BUS_H_

#include <sys/types.h>
#include <systemd/sd-bus.h>

#include <map>
#include <set>
#include <string>

namespace p2pd {

// dbus-daemon, from Start to Stop or to the end.
class PrivateBus {
 public:
  PrivateBus();
  ~PrivateBus();

  // May be started again, at the same address. Returns once it listens.
  void Start();
  void Stop();
  const std::string& address() const { return address_; }

 private:
  const std::string folder_;
  const std::string address_;
  pid_t pid_ = 0;
};

// What a call came to: the D-Bus name of its error, "" for none; and what it says, or the reply's first string.
struct BusReply {
  std::string error;
  std::string text;
};

class BusClient {
 public:
  explicit BusClient(const std::string& address);
  ~BusClient();

  sd_bus* bus() { return bus_; }
  // Waits, up to 20 s, until p2pd has its name.
  void AwaitName();
  // A method of p2pd's Manager, whose arguments are strings.
  BusReply Call(const std::string& method, const std::string& first, const std::string& second = "", int arguments = 1);
  // Any call to p2pd without arguments.
  BusReply CallPlain(const std::string& path, const std::string& interface, const std::string& method);
  BusReply Set(const std::string& property, const std::string& value);
  // A property as text; "" if it cannot be read.
  std::string Get(const std::string& path, const std::string& interface, const std::string& property);
  // The paths that the object manager lists, each with p2pd's interface of it.
  std::map<std::string, std::string> ManagedObjects();

  // Collects p2pd's signals from now on.
  void Listen();
  // Waits, up to 20 s, for a signal: "PropertiesChanged", its path, and a word that it must have among its strings.
  void Await(const std::string& member, const std::string& path, const std::string& word);
  // How many have come so far.
  int CountOf(const std::string& member, const std::string& path) const {
    const auto count = counts_.find(member + " " + path);
    return count == counts_.end() ? 0 : count->second;
  }

 private:
  static int OnSignal(sd_bus_message* signal, void* data, sd_bus_error*);

  sd_bus* bus_ = nullptr;
  std::set<std::string> heard_;  // "member path word"
  std::map<std::string, int> counts_;
};

}  // namespace p2pd

#endif  // P2PD_TESTS_COMPONENT_PRIVATE_BUS_H_
