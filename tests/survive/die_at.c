// Ends p2pd at one of its kernel calls, journal writes or policy reads, before it or after it, so that a test can have
// it killed there: preloaded (LD_PRELOAD), it watches ioctl(2), the checksum that each journal record gets once it is
// in place and before it counts, and the look at each file of the policy. Where is in a file that the test writes and
// this maps: "3b92 after", the number of the ioctl in hexadecimal and the side; "1 before" is the journal, "2 before"
// the policy, "0 before" nothing.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { kJournal = 1, kPolicy = 2 };

static const char* order;

__attribute__((constructor)) static void Open(void) {
  const int fd = open("/run/p2pd-die-at", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  void* text = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
  close(fd);
  if (text != MAP_FAILED) order = text;
}

static void DieIf(unsigned long what, const char* side) {
  unsigned number = 0;
  char when[8] = "";
  if (order == NULL || sscanf(order, "%x %7s", &number, when) != 2) return;
  if (number == 0 || number != (what & 0xffff) || strcmp(when, side) != 0) return;
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

// zlib's.
unsigned long crc32_z(unsigned long crc, const unsigned char* bytes, size_t length) {
  static unsigned long (*next)(unsigned long, const unsigned char*, size_t);
  if (next == NULL) *(void**)&next = dlsym(RTLD_NEXT, "crc32_z");
  DieIf(kJournal, "before");
  const unsigned long result = next(crc, bytes, length);
  DieIf(kJournal, "after");
  return result;
}

ssize_t readlink(const char* path, char* target, size_t size) {
  static ssize_t (*next)(const char*, char*, size_t);
  if (next == NULL) *(void**)&next = dlsym(RTLD_NEXT, "readlink");
  const int is_policy = strstr(path, ".textproto") != NULL;
  if (is_policy) DieIf(kPolicy, "before");
  const ssize_t result = next(path, target, size);
  if (is_policy) DieIf(kPolicy, "after");
  return result;
}
