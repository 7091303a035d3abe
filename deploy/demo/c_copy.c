/* A client of p2pd in C: drives an NVMe controller, gets a window of another device's memory, and has the controller
 * read 32 MiB of its disk straight into it and write them from there to another place of the disk. Then it reads them
 * back and computes their CRC-32. It knows libp2p.h and p2p-client(3), and nothing else of p2pd.
 *
 * usage: c_copy [--fd-socket=PATH] [--grpc-socket=PATH] [--device=NAME] [--exporter=NAME]
 *
 * Says what happens as JSON objects, a line each. Copies once and ends. */
#define _DEFAULT_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <threads.h>
#include <time.h>

#include "client/c/libp2p.h"
#include "deploy/demo/c_nvme.h"

/* The disk's areas, as disk.py lays them out; the window is as long as one. */
#define AREA (UINT64_C(32) << 20)
#define SOURCE UINT64_C(0)
#define SCRATCH (2 * AREA)
#define BUFFER_BAR 2

#define MOST_REQUESTS 8 /* at once, of different devices: two are in reach here */

/* What the session's thread tells the one that copies. */
struct news {
  mtx_t mutex;
  cnd_t changed;
  p2p_quiesce* requests[MOST_REQUESTS]; /* to be acknowledged once no command is in flight */
  int request_count;
  int paused; /* how many were acknowledged, and p2pd has not said to go on */
  int ended;  /* why the session is over, as a negative errno value */
};

static void on_quiesce(p2p_quiesce* request, void* user) {
  struct news* news = user;
  mtx_lock(&news->mutex);
  if (news->request_count < MOST_REQUESTS) news->requests[news->request_count++] = request;
  mtx_unlock(&news->mutex);
}

static void on_resumed(const p2p_resumed* resumed, void* user) {
  struct news* news = user;
  (void)resumed;
  mtx_lock(&news->mutex);
  --news->paused;
  cnd_broadcast(&news->changed);
  mtx_unlock(&news->mutex);
}

static void on_ended(const p2p_error* why, void* user) {
  struct news* news = user;
  mtx_lock(&news->mutex);
  news->ended = p2p_error_code(why);
  cnd_broadcast(&news->changed);
  mtx_unlock(&news->mutex);
}

/* Called where no command is in flight: the window can go now, and comes back at the same IOVA. */
static int stop_if_asked(struct news* news, p2p_mapping* window, p2p_error* error) {
  int stopped = 0, code = 0;
  mtx_lock(&news->mutex);
  while (code == 0 && (news->request_count > 0 || news->paused > 0)) {
    if (news->request_count > 0) {
      stopped = 1;
      ++news->paused;
      code = p2p_quiesce_ack(news->requests[--news->request_count], error);
    } else if (news->ended != 0) {
      code = news->ended;
    } else {
      cnd_wait(&news->changed, &news->mutex);
    }
  }
  mtx_unlock(&news->mutex);
  p2p_mapping_state state = P2P_MAPPING_ACTIVE;
  if (code == 0 && stopped) code = p2p_mapping_state_now(window, &state, error);
  return code == 0 && state != P2P_MAPPING_ACTIVE ? -EIO : code;
}

struct copy {
  struct news news;
  p2p_session* session;
  struct nvme nvme;
  p2p_export* source;
  p2p_mapping* window;
};

struct arguments {
  const char *fd_socket, *grpc_socket, *device, *exporter;
};

static double seconds_since(const struct timespec* start) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)(now.tv_sec - start->tv_sec) + (double)(now.tv_nsec - start->tv_nsec) / 1e9;
}

static int connect_and_map(struct copy* copy, const struct arguments* arguments, p2p_error* error) {
  const p2p_session_options options = {.size = sizeof(options),
                                       .fd_socket = arguments->fd_socket,
                                       .grpc_socket = arguments->grpc_socket,
                                       .client_name = "c_copy",
                                       .on_quiesce = on_quiesce,
                                       .on_resumed = on_resumed,
                                       .on_ended = on_ended,
                                       .user = &copy->news};
  const p2p_window wanted = {.device = arguments->exporter, .bar = BUFFER_BAR, .length = AREA};
  int code = 0;
  if ((code = p2p_session_connect(&options, &copy->session, error)) != 0) return code;
  if ((code = nvme_open(&copy->nvme, copy->session, arguments->device, error)) != 0) return code;
  const p2p_importer importer = {.space = copy->nvme.space};
  code = p2p_acquire(copy->session, &wanted, &importer, 1, &copy->source, &copy->window, error);
  if (code != 0) return code;
  printf("{\"event\": \"ready\", \"session\": \"%s\", \"export\": \"%s\", \"mapping\": \"%s\", \"iova\": %" PRIu64
         "}\n",
         p2p_session_name(copy->session), p2p_export_name(copy->source), p2p_mapping_name(copy->window),
         p2p_mapping_iova(copy->window));
  return 0;
}

typedef int (*mover)(struct nvme* nvme, uint64_t disk_offset, uint64_t iova, uint32_t length);

/* An area of the disk into the window, or out of it. */
static int move_area(struct copy* copy, mover move, uint64_t area, const char* event, p2p_error* error) {
  struct timespec start;
  clock_gettime(CLOCK_MONOTONIC, &start);
  for (uint64_t at = 0; at < AREA; at += NVME_MOST) {
    int code = stop_if_asked(&copy->news, copy->window, error);
    if (code == 0) code = move(&copy->nvme, area + at, p2p_mapping_iova(copy->window) + at, NVME_MOST);
    if (code != 0) return code;
  }
  printf("{\"event\": \"%s\", \"bytes\": %" PRIu64 ", \"seconds\": %.3f}\n", event, AREA, seconds_since(&start));
  return 0;
}

static uint32_t crc32_of(uint32_t crc, const unsigned char* bytes, size_t length) {
  static const uint32_t table[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
                                     0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
                                     0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
  crc = ~crc;
  for (size_t i = 0; i < length; ++i) {
    crc = table[(crc ^ bytes[i]) & 0xf] ^ (crc >> 4);
    crc = table[(crc ^ (uint32_t)(bytes[i] >> 4)) & 0xf] ^ (crc >> 4);
  }
  return ~crc;
}

/* What is there on the disk now, through memory of our own. */
static int read_back(struct copy* copy, uint64_t area) {
  uint32_t crc = 0;
  for (uint64_t at = 0; at < AREA; at += NVME_MOST) {
    const int code = nvme_read(&copy->nvme, area + at, nvme_buffer_iova(&copy->nvme), NVME_MOST);
    if (code != 0) return code;
    crc = crc32_of(crc, nvme_buffer(&copy->nvme), NVME_MOST);
  }
  printf("{\"event\": \"verified\", \"bytes\": %" PRIu64 ", \"crc32\": %" PRIu32 "}\n", AREA, crc);
  return 0;
}

static int run(struct copy* copy, const struct arguments* arguments, p2p_error* error) {
  int code = 0;
  if ((code = connect_and_map(copy, arguments, error)) != 0) return code;
  if ((code = move_area(copy, nvme_read, SOURCE, "read", error)) != 0) return code;
  if ((code = move_area(copy, nvme_write, SCRATCH, "copied", error)) != 0) return code;
  return read_back(copy, SCRATCH);
}

/* The DMA has stopped: everything can be given back. */
static void give_back(struct copy* copy) {
  p2p_unmap(copy->window, NULL);
  p2p_export_release(copy->source, NULL);
  nvme_close(&copy->nvme);
  p2p_session_close(copy->session);
}

/* As a JSON string: messages hold quotes. */
static void print_quoted(const char* text) {
  putchar('"');
  for (; *text != '\0'; ++text) {
    if (*text == '"' || *text == '\\') putchar('\\');
    if ((unsigned char)*text >= ' ') putchar(*text);
  }
  putchar('"');
}

static void report_failure(int code, const struct copy* copy, const p2p_error* error) {
  const char* ours = copy->nvme.problem[0] != '\0' ? copy->nvme.problem : strerror(-code);
  printf("{\"event\": \"failed\", \"code\": %d, \"reason\": %d, \"message\": ", code, (int)p2p_error_reason(error));
  print_quoted(p2p_error_code(error) == code ? p2p_error_message(error) : ours);
  printf("}\n");
}

static int parse(int argc, char** argv, struct arguments* arguments) {
  const struct {
    const char* name;
    const char** value;
  } options[] = {{"--fd-socket=", &arguments->fd_socket},
                 {"--grpc-socket=", &arguments->grpc_socket},
                 {"--device=", &arguments->device},
                 {"--exporter=", &arguments->exporter}};
  for (int i = 1; i < argc; ++i) {
    size_t known = 0;
    while (known < 4 && strncmp(argv[i], options[known].name, strlen(options[known].name)) != 0) ++known;
    if (known == 4) return -EINVAL;
    *options[known].value = argv[i] + strlen(options[known].name);
  }
  return 0;
}

int main(int argc, char** argv) {
  struct arguments arguments = {.device = "devices/0000:02:00.0", .exporter = "devices/0000:01:00.0"};
  if (parse(argc, argv, &arguments) != 0) {
    fprintf(stderr, "usage: c_copy [--fd-socket=PATH] [--grpc-socket=PATH] [--device=NAME] [--exporter=NAME]\n");
    return 2;
  }
  static struct copy copy;
  mtx_init(&copy.news.mutex, mtx_plain);
  cnd_init(&copy.news.changed);
  setvbuf(stdout, NULL, _IOLBF, 0);
  p2p_error* error = p2p_error_new();
  const int code = run(&copy, &arguments, error);
  if (code != 0) report_failure(code, &copy, error);
  give_back(&copy);
  if (code == 0) printf("{\"event\": \"ended\"}\n");
  p2p_error_free(error);
  return code == 0 ? 0 : 1;
}
