// p2pd-config: one connection, its standard input, by its unit (deploy/p2pd-config@.service).
#include <stdlib.h>
#include <unistd.h>

#include <iostream>

#include "daemon/helper/config_server.h"

int main() {
  const absl::Status status = p2pd::ServeConfig(p2pd::FdRef(STDIN_FILENO), "/sys", /*asker=*/0);
  if (status.ok()) return EXIT_SUCCESS;
  std::cerr << "p2pd-config: " << status.message() << "\n";
  return EXIT_FAILURE;
}
