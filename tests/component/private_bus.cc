#include "tests/component/private_bus.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>

#include "absl/strings/str_cat.h"
#include "daemon/bus/bus_properties.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

std::string MakeFolder() {
  char name[] = "/tmp/p2pd-bus-XXXXXX";
  return mkdtemp(name);
}

// As /usr/share/dbus-1/system.conf has it: nobody owns a name or calls anything unless a service's file says so.
std::string Config(const std::string& address) {
  const std::string policy = std::filesystem::absolute("deploy/org.p2pd.Broker1.conf");
  return absl::StrCat(R"(<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <auth>EXTERNAL</auth>
  <listen>)",
                      address, R"(</listen>
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus"/>
  </policy>
  <include>)",
                      policy, R"(</include>
  <policy user=")",
                      getuid(), R"(">
    <allow own="org.p2pd.Broker1"/>
    <allow own="org.freedesktop.PolicyKit1"/>
    <allow send_destination="org.freedesktop.PolicyKit1"/>
    <allow own="org.freedesktop.login1"/>
    <allow own="org.freedesktop.systemd1"/>
    <allow send_destination="org.freedesktop.systemd1"/>
    <allow send_destination="org.freedesktop.login1"/>
  </policy>
</busconfig>
)");
}

bool IsBefore(std::chrono::steady_clock::time_point deadline) { return std::chrono::steady_clock::now() < deadline; }

std::chrono::steady_clock::time_point Soon() { return std::chrono::steady_clock::now() + std::chrono::seconds(20); }

void CollectStrings(sd_bus_message* message, const std::function<void(const char*)>& take) {
  char type = 0;
  const char* contents = nullptr;
  while (sd_bus_message_peek_type(message, &type, &contents) > 0) {
    if (type == SD_BUS_TYPE_ARRAY || type == SD_BUS_TYPE_STRUCT || type == SD_BUS_TYPE_VARIANT ||
        type == SD_BUS_TYPE_DICT_ENTRY) {
      sd_bus_message_enter_container(message, type, contents);
      CollectStrings(message, take);
      sd_bus_message_exit_container(message);
    } else if (type == SD_BUS_TYPE_STRING || type == SD_BUS_TYPE_OBJECT_PATH) {
      const char* text = nullptr;
      sd_bus_message_read_basic(message, type, &text);
      take(text);
    } else {
      uint64_t ignored = 0;
      sd_bus_message_read_basic(message, type, &ignored);
    }
  }
}

// Consumes both.
BusReply ReplyOf(sd_bus_message* reply, sd_bus_error& error) {
  BusReply outcome;
  if (sd_bus_error_is_set(&error) > 0) {
    outcome = {.error = error.name, .text = error.message == nullptr ? "" : error.message};
  } else if (reply != nullptr) {
    CollectStrings(reply, [&](const char* text) {
      if (outcome.text.empty()) outcome.text = text;
    });
  }
  sd_bus_message_unref(reply);
  sd_bus_error_free(&error);
  return outcome;
}

}  // namespace

PrivateBus::PrivateBus() : folder_(MakeFolder()), address_(absl::StrCat("unix:path=", folder_, "/bus")) {
  std::filesystem::permissions(folder_, std::filesystem::perms(0755));
  std::ofstream(folder_ + "/bus.conf") << Config(address_);
}

PrivateBus::~PrivateBus() {
  if (pid_ > 0) Stop();
  std::filesystem::remove_all(folder_);
}

void PrivateBus::Start() {
  int ready[2] = {};
  ASSERT_EQ(pipe2(ready, O_CLOEXEC), 0);
  const std::string config = absl::StrCat("--config-file=", folder_, "/bus.conf");
  pid_ = fork();
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(ready[1], STDOUT_FILENO);
    execlp("dbus-daemon", "dbus-daemon", config.c_str(), "--nofork", "--nopidfile", "--print-address", nullptr);
    _exit(127);
  }
  close(ready[1]);
  char first = 0;
  EXPECT_EQ(read(ready[0], &first, 1), 1) << "dbus-daemon does not start; apt-get install dbus-daemon";
  close(ready[0]);
}

void PrivateBus::Stop() {
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = 0;
  std::filesystem::remove(folder_ + "/bus");
}

BusClient::BusClient(const std::string& address) {
  EXPECT_GE(sd_bus_new(&bus_), 0);
  EXPECT_GE(sd_bus_set_address(bus_, address.c_str()), 0);
  EXPECT_GE(sd_bus_set_bus_client(bus_, 1), 0);
  EXPECT_GE(sd_bus_start(bus_), 0);
}

BusClient::~BusClient() { sd_bus_close_unref(bus_); }

void BusClient::AwaitName() {
  const auto deadline = Soon();
  while (IsBefore(deadline)) {
    sd_bus_error error = SD_BUS_ERROR_NULL;
    sd_bus_message* reply = nullptr;
    sd_bus_call_method(bus_, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "GetNameOwner",
                       &error, &reply, "s", kBusName);
    if (ReplyOf(reply, error).error.empty()) return;
  }
  FAIL() << kBusName << " did not come";
}

BusReply BusClient::Call(const std::string& method, const std::string& first, const std::string& second,
                         int arguments) {
  sd_bus_error error = SD_BUS_ERROR_NULL;
  sd_bus_message* reply = nullptr;
  sd_bus_call_method(bus_, kBusName, kBusPath, kManagerInterface, method.c_str(), &error, &reply,
                     arguments == 1 ? "s" : "ss", first.c_str(), second.c_str());
  return ReplyOf(reply, error);
}

BusReply BusClient::CallPlain(const std::string& path, const std::string& interface, const std::string& method) {
  sd_bus_error error = SD_BUS_ERROR_NULL;
  sd_bus_message* reply = nullptr;
  sd_bus_call_method(bus_, kBusName, path.c_str(), interface.c_str(), method.c_str(), &error, &reply, "");
  return ReplyOf(reply, error);
}

BusReply BusClient::Set(const std::string& property, const std::string& value) {
  sd_bus_error error = SD_BUS_ERROR_NULL;
  sd_bus_set_property(bus_, kBusName, kBusPath, kManagerInterface, property.c_str(), &error, "s", value.c_str());
  return ReplyOf(nullptr, error);
}

std::string BusClient::Get(const std::string& path, const std::string& interface, const std::string& property) {
  sd_bus_error error = SD_BUS_ERROR_NULL;
  sd_bus_message* reply = nullptr;
  if (sd_bus_call_method(bus_, kBusName, path.c_str(), "org.freedesktop.DBus.Properties", "Get", &error, &reply, "ss",
                         interface.c_str(), property.c_str()) < 0) {
    ReplyOf(reply, error);
    return "";
  }
  char type = 0;
  const char* contents = nullptr;
  std::string text;
  sd_bus_message_peek_type(reply, &type, &contents);
  if (absl::string_view(contents) == "t") {
    uint64_t number = 0;
    EXPECT_GE(sd_bus_message_read(reply, "v", "t", &number), 0);
    sd_bus_message_unref(reply);
    return absl::StrCat(number);
  }
  if (absl::string_view(contents) == "b") {
    int flag = 0;
    EXPECT_GE(sd_bus_message_read(reply, "v", "b", &flag), 0);
    sd_bus_message_unref(reply);
    return flag != 0 ? "true" : "false";
  }
  return ReplyOf(reply, error).text;
}

std::map<std::string, std::string> BusClient::ManagedObjects() {
  sd_bus_error error = SD_BUS_ERROR_NULL;
  sd_bus_message* reply = nullptr;
  EXPECT_GE(sd_bus_call_method(bus_, kBusName, kBusPath, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects",
                               &error, &reply, ""),
            0)
      << error.message;
  std::map<std::string, std::string> objects;
  std::string path;
  CollectStrings(reply, [&](const char* text) {
    if (*text == '/') path = text;
    if (absl::string_view(text).substr(0, sizeof(kBusName) - 1) == kBusName) objects[path] = text;
  });
  sd_bus_message_unref(reply);
  sd_bus_error_free(&error);
  return objects;
}

void BusClient::Listen() {
  EXPECT_GE(sd_bus_add_match(bus_, nullptr, "type='signal',sender='org.p2pd.Broker1'", OnSignal, this), 0);
}

int BusClient::OnSignal(sd_bus_message* signal, void* data, sd_bus_error*) {
  auto& self = *static_cast<BusClient*>(data);
  const std::string member = sd_bus_message_get_member(signal);
  std::string path = sd_bus_message_get_path(signal);
  // An object manager's signals name the object.
  if (member != "PropertiesChanged") {
    const char* object = nullptr;
    sd_bus_message_read(signal, "o", &object);
    path = object;
  }
  ++self.counts_[absl::StrCat(member, " ", path)];
  CollectStrings(signal, [&](const char* text) { self.heard_.insert(absl::StrCat(member, " ", path, " ", text)); });
  return 0;
}

void BusClient::Await(const std::string& member, const std::string& path, const std::string& word) {
  const std::string wanted = absl::StrCat(member, " ", path, " ", word);
  const auto deadline = Soon();
  while (!heard_.contains(wanted) && IsBefore(deadline)) {
    if (sd_bus_process(bus_, nullptr) == 0) sd_bus_wait(bus_, 1000000);
  }
  EXPECT_TRUE(heard_.contains(wanted)) << wanted;
}

}  // namespace p2pd
