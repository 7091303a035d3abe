// Holds a session for lifeline_test: says Hello at the socket named by its argument, prints the session's
// name, leaves the socket to a child of its own as well, and ends when its standard input does.
//
// The child lives on, with the socket, until the write end of the pipe it inherited as fd 3 is closed.
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <string>

#include "proto/p2pd/v1/fd_channel.pb.h"

namespace {

void WaitForEnd(int fd) {
  pollfd wait = {.fd = fd, .events = POLLIN, .revents = 0};
  poll(&wait, 1, 60000);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const std::string path = argv[1];
  const int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) return 1;
  p2pd::v1::ClientFrame hello;
  hello.mutable_hello()->set_client("holder");
  const std::string bytes = hello.SerializeAsString();
  if (send(fd, bytes.data(), bytes.size(), 0) < 0) return 1;
  char buffer[4096];
  const ssize_t n = recv(fd, buffer, sizeof(buffer), 0);
  p2pd::v1::ServerFrame frame;
  if (n <= 0 || !frame.ParseFromArray(buffer, static_cast<int>(n))) return 1;
  if (fork() == 0) {
    close(STDIN_FILENO);
    close(STDOUT_FILENO);
    WaitForEnd(3);
    return 0;
  }
  printf("%s\n", frame.welcome().session().c_str());
  fflush(stdout);
  WaitForEnd(STDIN_FILENO);
  return 0;
}
