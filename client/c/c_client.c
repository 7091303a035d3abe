/* A client in C11; c_client_test runs it against the fake p2pd. Exits with 0 if all is as libp2p.h says.
 *
 * usage: c_client SCENARIO FD_SOCKET GRPC_SOCKET */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <threads.h>
#include <unistd.h>

#include "client/c/libp2p.h"

#define EXPORTER "devices/0000:01:00.0"
#define IMPORTER "devices/0000:02:00.0"

static p2p_error* error;

static void require(int holds, const char* what, int line) {
  if (holds) return;
  fprintf(stderr, "c_client.c:%d: %s; %s\n", line, what, p2p_error_message(error));
  exit(1);
}
#define REQUIRE(condition) require((condition), #condition, __LINE__)
#define SUCCEEDS(call) REQUIRE((call) == 0)

/* What the callbacks tell the main thread. */
static struct {
  mtx_t mutex;
  cnd_t changed;
  p2p_quiesce* request;
  uint64_t resumed_generation;
  int revoked;
  int ended;
} news;

static void on_quiesce(p2p_quiesce* request, void* user) {
  REQUIRE(user == &news);
  mtx_lock(&news.mutex);
  news.request = request;
  cnd_broadcast(&news.changed);
  mtx_unlock(&news.mutex);
}

static void on_resumed(const p2p_resumed* resumed, void* user) {
  REQUIRE(user == &news);
  mtx_lock(&news.mutex);
  news.resumed_generation = resumed->generation;
  cnd_broadcast(&news.changed);
  mtx_unlock(&news.mutex);
}

static void on_device_revoked(const p2p_device_revoked* revoked, void* user) {
  REQUIRE(user == &news);
  REQUIRE(strcmp(revoked->device, EXPORTER) == 0 && strcmp(revoked->reason, "unplugged") == 0);
  mtx_lock(&news.mutex);
  news.revoked = 1;
  cnd_broadcast(&news.changed);
  mtx_unlock(&news.mutex);
}

static void on_ended(const p2p_error* why, void* user) {
  REQUIRE(user == &news);
  mtx_lock(&news.mutex);
  news.ended = p2p_error_code(why);
  cnd_broadcast(&news.changed);
  mtx_unlock(&news.mutex);
}

static p2p_session* connect_to(char** sockets) {
  p2p_session_options options = {.size = sizeof(options),
                                 .fd_socket = sockets[0],
                                 .grpc_socket = sockets[1],
                                 .client_name = "c_client",
                                 .on_quiesce = on_quiesce,
                                 .on_resumed = on_resumed,
                                 .on_ended = on_ended,
                                 .user = &news,
                                 .on_device_revoked = on_device_revoked};
  p2p_session* session = NULL;
  SUCCEEDS(p2p_session_connect(&options, &session, error));
  return session;
}

static p2p_space* make_space(p2p_session* session) {
  const char* devices[] = {IMPORTER};
  p2p_space* space = NULL;
  SUCCEEDS(p2p_space_create(session, devices, 1, &space, error));
  return space;
}

static void devices(char** sockets) {
  p2p_session* session = connect_to(sockets);
  p2p_device_list* list = NULL;
  SUCCEEDS(p2p_device_list_get(session, &list, error));
  REQUIRE(p2p_device_list_size(list) == 2 && p2p_device_list_at(list, 2) == NULL);
  const p2p_device_info* info = p2p_device_list_at(list, 0);
  REQUIRE(strcmp(info->name, EXPORTER) == 0 && strcmp(info->class_code, "010802") == 0);
  REQUIRE(info->state == P2P_DEVICE_READY && info->numa_node == -1 && info->driver_session[0] == '\0');
  REQUIRE(info->bars[0].memory == 0 && info->bars[1].size == 0);
  REQUIRE(info->bars[2].memory == 1 && info->bars[2].size == 64u << 20 && info->bars[2].exportable);
  p2p_device_list_free(list);

  p2p_device* device = NULL;
  SUCCEEDS(p2p_device_open(session, EXPORTER, &device, error));
  REQUIRE(p2p_device_fd(device) >= 0);
  REQUIRE(p2p_device_describe(device)->state == P2P_DEVICE_AWAITING_DRIVER);
  REQUIRE(strcmp(p2p_device_describe(device)->driver_session, p2p_session_name(session)) == 0);
  SUCCEEDS(p2p_device_ready(device, p2p_device_describe(device)->generation, error));
  REQUIRE(p2p_device_describe(device)->state == P2P_DEVICE_READY);
  p2p_receipt receipt;
  SUCCEEDS(p2p_reset(session, EXPORTER, &receipt, error));
  REQUIRE(receipt.generation == 2 && !receipt.failed && receipt.sessions_acked == 1 && receipt.took_ns == 118000000);
  SUCCEEDS(p2p_reset_bus(session, IMPORTER, &receipt, error)); /* the exporter shares its bus */
  REQUIRE(receipt.generation == 2);
  REQUIRE(p2p_recover(session, EXPORTER, &receipt, error) == -EBUSY);
  REQUIRE(p2p_device_ready(device, 2, error) == -EBUSY);
  REQUIRE(p2p_error_reason(error) == P2P_REASON_STALE_GENERATION);
  SUCCEEDS(p2p_device_close(device, error));
  SUCCEEDS(p2p_device_close(NULL, error));
  p2p_session_close(session);
}

static void mappings(char** sockets) {
  p2p_session* session = connect_to(sockets);
  p2p_device* device = NULL;
  SUCCEEDS(p2p_device_open(session, IMPORTER, &device, error));
  p2p_space* space = make_space(session);
  p2p_window window = {.device = EXPORTER, .bar = 2, .length = 65536};
  p2p_export* export = NULL;
  SUCCEEDS(p2p_export_create(session, &window, &export, error));
  REQUIRE(p2p_export_fd(export) == -1 && p2p_export_length(export) == 65536 && p2p_export_generation(export) == 1);

  REQUIRE(p2p_export_expires_ns(export) == 0);
  SUCCEEDS(p2p_export_renew(export, 1500, error));
  REQUIRE(p2p_export_expires_ns(export) % UINT64_C(1000000000) == 500000000);
  SUCCEEDS(p2p_export_renew(export, 0, error));
  REQUIRE(p2p_export_expires_ns(export) == 0);

  p2p_mapping* whole = NULL;
  SUCCEEDS(p2p_map(session, export, space, NULL, &whole, error));
  REQUIRE(p2p_mapping_length(whole) == 65536 && p2p_mapping_access(whole) == P2P_READ_WRITE);
  p2p_mapping_state state = P2P_MAPPING_LOST;
  SUCCEEDS(p2p_mapping_state_now(whole, &state, error));
  REQUIRE(state == P2P_MAPPING_ACTIVE);
  SUCCEEDS(p2p_unmap(whole, error));

  p2p_map_item items[2] = {
      {export, space, {.offset = 4096, .length = 4096, .access = P2P_READ, .placement = P2P_AT, .iova = 0x10000}},
      {export, space, {.length = 4096, .placement = P2P_AT_OR_BELOW, .iova = 0xffffffff, .alignment = 4096}}};
  p2p_mapping* batch[2];
  SUCCEEDS(p2p_batch_map(session, items, 2, batch, error));
  REQUIRE(p2p_mapping_iova(batch[0]) == 0x10000 && p2p_mapping_access(batch[0]) == P2P_READ);
  SUCCEEDS(p2p_batch_unmap(session, batch, 2, error));

  p2p_importer importers[1] = {{.space = space, .options = {.placement = P2P_AT, .iova = 0x400000}}};
  p2p_export* acquired = NULL;
  window.grade = P2P_RAW;
  SUCCEEDS(p2p_acquire(session, &window, importers, 1, &acquired, batch, error));
  REQUIRE(p2p_export_fd(acquired) >= 0 && p2p_mapping_iova(batch[0]) == 0x400000);
  SUCCEEDS(p2p_export_release(acquired, error));
  SUCCEEDS(p2p_unmap(batch[0], error)); /* gone with its export */
  importers[0].options.length = 4096;
  REQUIRE(p2p_acquire(session, &window, importers, 1, &acquired, batch, error) == -EINVAL);

  p2p_memory* memory = NULL;
  SUCCEEDS(p2p_memory_create("buffer", 5000, &memory, error));
  REQUIRE(p2p_memory_size(memory) == 8192 && p2p_memory_fd(memory) >= 0);
  memset(p2p_memory_data(memory), 0xa5, p2p_memory_size(memory));
  SUCCEEDS(p2p_map_memory(session, memory, space, NULL, &whole, error));
  SUCCEEDS(p2p_memory_withdraw(session, memory, error));
  p2p_memory_free(memory);
  SUCCEEDS(p2p_unmap(whole, error));
  SUCCEEDS(p2p_export_release(export, error));
  SUCCEEDS(p2p_space_release(space, error));
  SUCCEEDS(p2p_device_close(device, error));
  p2p_session_close(session);
}

static void errors(char** sockets) {
  REQUIRE(strcmp(p2p_error_message(error), "") == 0 && p2p_error_code(error) == 0);
  p2p_session_options nowhere = {.size = sizeof(nowhere), .fd_socket = "/nonexistent/fds.sock"};
  p2p_session* session = NULL;
  REQUIRE(p2p_session_connect(&nowhere, &session, error) == -ENOTCONN && session == NULL);
  REQUIRE(p2p_error_errno(error) == ENOENT && strcmp(p2p_error_object(error), nowhere.fd_socket) == 0);
  REQUIRE(strstr(p2p_error_hint(error), "systemctl status p2pd") != NULL);
  nowhere.size = offsetof(p2p_session_options, on_device_revoked); /* of the first header; EINVAL would tell */
  REQUIRE(p2p_session_connect(&nowhere, &session, error) == -ENOTCONN);
  nowhere.size = 1;
  REQUIRE(p2p_session_connect(&nowhere, &session, error) == -EINVAL);

  session = connect_to(sockets);
  p2p_window window = {.device = EXPORTER, .bar = 2, .offset = 64u << 20, .length = 4096};
  p2p_export* export = NULL;
  REQUIRE(p2p_export_create(session, &window, &export, error) == -EINVAL && export == NULL);
  REQUIRE(p2p_error_reason(error) == P2P_REASON_WINDOW_UNUSABLE && p2p_error_code(error) == -EINVAL);
  REQUIRE(strcmp(p2p_error_step(error), "CreateExport") == 0);
  REQUIRE(p2p_export_create(session, &window, &export, NULL) == -EINVAL);
  SUCCEEDS(p2p_ping(session, NULL, error));
  REQUIRE(p2p_error_code(error) == -EINVAL); /* a success leaves it */
  p2p_device* device = NULL;
  REQUIRE(p2p_device_open(session, "devices/none", &device, error) == -ENOENT);
  p2p_memory* memory = NULL;
  REQUIRE(p2p_memory_create("nothing", 0, &memory, error) == -EINVAL);
  p2p_session_close(session);
  p2p_session_close(NULL);
}

/* The test sends what is waited for here: the request before it answers the ping, Resumed after the ack, and it hangs
 * up before it answers the second ping. */
static void handshake(char** sockets) {
  p2p_session* session = connect_to(sockets);
  uint64_t took = 0;
  SUCCEEDS(p2p_ping(session, &took, error));
  REQUIRE(took > 0);
  mtx_lock(&news.mutex);
  while (news.request == NULL) cnd_wait(&news.changed, &news.mutex);
  mtx_unlock(&news.mutex);
  REQUIRE(strcmp(p2p_quiesce_operation(news.request), "operations/1") == 0);
  REQUIRE(strcmp(p2p_quiesce_device(news.request), EXPORTER) == 0);
  REQUIRE(p2p_quiesce_device_count(news.request) == 2 && p2p_quiesce_device_at(news.request, 2) == NULL);
  REQUIRE(strcmp(p2p_quiesce_device_at(news.request, 1), IMPORTER) == 0);
  REQUIRE(p2p_quiesce_generation(news.request) == 2 && p2p_quiesce_deadline_ns(news.request) == 123456789);
  REQUIRE(p2p_quiesce_mapping_count(news.request) == 500);
  REQUIRE(strcmp(p2p_quiesce_mapping(news.request, 0), "mappings/3") == 0);
  REQUIRE(p2p_quiesce_mapping(news.request, 1) == NULL);
  SUCCEEDS(p2p_quiesce_ack(news.request, error));
  mtx_lock(&news.mutex);
  while (news.resumed_generation == 0) cnd_wait(&news.changed, &news.mutex);
  mtx_unlock(&news.mutex);
  REQUIRE(news.resumed_generation == 2);
  mtx_lock(&news.mutex);
  while (!news.revoked) cnd_wait(&news.changed, &news.mutex);
  mtx_unlock(&news.mutex);
  SUCCEEDS(p2p_session_ended(session, error));
  p2p_ping(session, NULL, error);
  mtx_lock(&news.mutex);
  while (news.ended == 0) cnd_wait(&news.changed, &news.mutex);
  mtx_unlock(&news.mutex);
  REQUIRE(news.ended == -ENOTCONN && p2p_session_ended(session, error) == -ENOTCONN);
  REQUIRE(p2p_error_reason(error) == P2P_REASON_SESSION_ENDED);
  p2p_session_close(session);
}

static void watch(char** sockets) {
  p2p_session* session = connect_to(sockets);
  p2p_watch* watch = NULL;
  SUCCEEDS(p2p_watch_open(session, &watch, error));
  const p2p_event* event = NULL;
  SUCCEEDS(p2p_watch_next(watch, -1, &event, error));
  REQUIRE(event->type == P2P_EVENT_SNAPSHOT && strcmp(event->name, EXPORTER) == 0);
  REQUIRE(event->state == P2P_DEVICE_READY && event->generation == 1 && strcmp(event->session, "") == 0);
  SUCCEEDS(p2p_watch_next(watch, INT64_MAX, &event, error));
  SUCCEEDS(p2p_watch_next(watch, 60000, &event, error));
  REQUIRE(event->type == P2P_EVENT_IN_SYNC && strcmp(event->name, "") == 0);
  REQUIRE(p2p_watch_next(watch, 0, &event, error) == -ETIMEDOUT);
  REQUIRE(p2p_watch_next(watch, 20, &event, error) == -ETIMEDOUT);

  p2p_window window = {.device = EXPORTER, .bar = 2, .length = 4096};
  p2p_export* export = NULL;
  SUCCEEDS(p2p_export_create(session, &window, &export, error));
  SUCCEEDS(p2p_watch_next(watch, -1, &event, error));
  REQUIRE(event->type == P2P_EVENT_CREATED && strcmp(event->name, p2p_export_name(export)) == 0);
  REQUIRE(strcmp(event->session, p2p_session_name(session)) == 0);

  const pid_t child = fork(); /* with a watch open, whose thread is the parent's */
  if (child == 0) {
    alarm(30);
    REQUIRE(p2p_watch_next(watch, -1, &event, error) == -ENOTCONN);
    REQUIRE(p2p_ping(session, NULL, error) == -ENOTCONN);
    p2p_watch_close(watch);
    p2p_export_release(export, NULL);
    p2p_session_close(session);
    REQUIRE(p2p_session_connect(NULL, &session, error) == -EBUSY);
    _exit(0);
  }
  int status = -1;
  REQUIRE(waitpid(child, &status, 0) == child && status == 0);
  SUCCEEDS(p2p_ping(session, NULL, error));

  p2p_watch_cancel(watch);
  REQUIRE(p2p_watch_next(watch, -1, &event, error) == -ECANCELED);
  REQUIRE(p2p_watch_next(watch, -1, &event, error) == -ECANCELED);
  p2p_watch_close(watch);
  SUCCEEDS(p2p_export_release(export, error));
  p2p_session_close(session);
}

int main(int argc, char** argv) {
  static const struct {
    const char* name;
    void (*play)(char** sockets);
  } scenarios[] = {
      {"devices", devices}, {"mappings", mappings}, {"errors", errors}, {"handshake", handshake}, {"watch", watch}};
  if (argc != 4) return 2;
  error = p2p_error_new();
  mtx_init(&news.mutex, mtx_plain);
  cnd_init(&news.changed);
  int played = 0;
  for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); ++i) {
    if (strcmp(scenarios[i].name, argv[1]) != 0) continue;
    scenarios[i].play(argv + 2);
    played = 1;
  }
  p2p_error_free(error);
  return played ? 0 : 2;
}
