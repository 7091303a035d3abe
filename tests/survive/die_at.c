// Ends p2pd at one of its kernel calls, before it or after it, so that a test can have it killed there: preloaded
// (LD_PRELOAD), it watches ioctl(2). Which call is in a file that the test writes and this maps: "3b92 after", the
// number of the ioctl in hexadecimal and the side; "0 before" is none.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const char* order;

__attribute__((constructor)) static void Open(void) {
  const int fd = open("/run/p2pd-die-at", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  void* text = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
  close(fd);
  if (text != MAP_FAILED) order = text;
}

static void DieIf(unsigned long request, const char* side) {
  unsigned number = 0;
  char when[8] = "";
  if (order == NULL || sscanf(order, "%x %7s", &number, when) != 2) return;
  if (number == 0 || number != (request & 0xffff) || strcmp(when, side) != 0) return;
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

int ioctl(int fd, unsigned long request, ...) {
  static int (*next)(int, unsigned long, void*);
  if (next == NULL) *(void**)&next = dlsym(RTLD_NEXT, "ioctl");
  va_list arguments;
  va_start(arguments, request);
  void* argument = va_arg(arguments, void*);
  va_end(arguments);
  DieIf(request, "before");
  const int result = next(fd, request, argument);
  DieIf(request, "after");
  return result;
}
