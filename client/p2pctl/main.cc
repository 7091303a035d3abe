// p2pctl: shows and steers p2pd. Everything is in RunP2pctl.
#include <unistd.h>

#include <clocale>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>
#include <vector>

#include "client/p2pctl/p2pctl.h"

namespace {

bool TakesColors(int fd) {
  const char* no_color = getenv("NO_COLOR");
  const char* terminal = getenv("TERM");
  return isatty(fd) == 1 && (no_color == nullptr || *no_color == '\0') && terminal != nullptr &&
         strcmp(terminal, "dumb") != 0;
}

}  // namespace

int main(int argc, char** argv) {
  setlocale(LC_ALL, "");
  p2p::ctl::Console console = {.out = std::cout,
                               .err = std::cerr,
                               .color_terminal = TakesColors(STDOUT_FILENO),
                               .progress_terminal = isatty(STDERR_FILENO) == 1};
  return static_cast<int>(p2p::ctl::RunP2pctl(std::vector<std::string>(argv + 1, argv + argc), console));
}
