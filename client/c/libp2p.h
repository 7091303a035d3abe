/* libp2p: p2pd's client library for C. A session is a connection to p2pd; what it grants is held by handles, and all
 * of it ends with the session. p2p-client(3) tells the whole story; this header is the reference.
 *
 *   p2p_error *error = p2p_error_new();
 *   p2p_session_options options = {.size = sizeof(options), .client_name = "copier"};
 *   p2p_session *session;
 *   if (p2p_session_connect(&options, &session, error) != 0) puts(p2p_error_message(error));
 *
 * Results. A function that returns int returns 0, or a negative errno value that says what kind of failure it was:
 *   -EINVAL     an argument, or a window, is not acceptable      -ENOENT     no such object, or not visible
 *   -EACCES     policy does not allow it                         -EEXIST     it is there already
 *   -EBUSY      not in the state for it: see the reason          -EDQUOT     a limit is reached
 *   -EAGAIN     not now                                          -ETIMEDOUT  no answer in time
 *   -ENOTCONN   p2pd is not there, or the session is over: connect anew
 *   -ECANCELED  cancelled                                        -ENOTSUP    not on this kernel or device
 *   -EIO        anything else
 * `error`, the last argument, may be NULL; else it then holds the facts. A result that is a pointer is written on
 * success only. Names ("devices/0000:3a:00.0") are p2pd's. Offsets, lengths and IOVAs are bytes.
 *
 * Threads. Sessions are thread-safe; every other handle is used by one thread at a time. A handle outlives its
 * session, but what it stands for does not. Functions that free a handle do so whatever they return.
 *
 * Fork. A session is that of the process that connected: in a child every call fails with -ENOTCONN, and freeing
 * handles, or leaving them, changes nothing for the parent. To connect anew such a child must exec first, else
 * p2p_session_connect fails with -EBUSY. Forking before the first session is fine.
 *
 * Running out of memory ends the process. Strings are UTF-8; those that a function returns are the handle's. */
#ifndef P2P_LIBP2P_H_
#define P2P_LIBP2P_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef struct p2p_session p2p_session;
typedef struct p2p_device p2p_device;
typedef struct p2p_device_list p2p_device_list;
typedef struct p2p_export p2p_export;
typedef struct p2p_space p2p_space;
typedef struct p2p_mapping p2p_mapping;
typedef struct p2p_memory p2p_memory;
typedef struct p2p_quiesce p2p_quiesce;
typedef struct p2p_watch p2p_watch;
typedef struct p2p_error p2p_error;

/* Errors ---------------------------------------------------------------------------------------------------------- */

/* Why a call failed, for programs. A later p2pd may know more. */
typedef enum p2p_reason {
  P2P_REASON_NONE = 0,
  P2P_REASON_KERNEL = 1,             /* a kernel call failed: see the step and the errno */
  P2P_REASON_KERNEL_UNSUPPORTED = 2, /* this kernel lacks the feature */
  P2P_REASON_POLICY = 3,             /* no policy rule allows it, or one denies it */
  P2P_REASON_INVALID_ARGUMENT = 4,
  P2P_REASON_NOT_FOUND = 5,
  P2P_REASON_NOT_OWNER = 6,       /* the object is another session's */
  P2P_REASON_OVERLAP = 7,         /* another export or mapping is in the way */
  P2P_REASON_IOVA_UNUSABLE = 8,   /* reserved, a bridge's window, or beyond what the IOMMU or device can address */
  P2P_REASON_WINDOW_UNUSABLE = 9, /* outside the BAR, not page-aligned, or over an MSI-X page */
  P2P_REASON_QUOTA = 10,
  P2P_REASON_DEVICE_BUSY = 11,      /* the device has a driver already */
  P2P_REASON_DEVICE_NOT_READY = 12, /* resetting, or waiting for its driver */
  P2P_REASON_DEVICE_UNUSABLE = 13,  /* faulted, gone or tainted */
  P2P_REASON_SESSION_ENDED = 14,    /* connect anew */
  P2P_REASON_REQUEST_ID_REUSED = 15,
  P2P_REASON_MEMORY_UNSUITABLE = 16,
  P2P_REASON_STALE_GENERATION = 17, /* the device was reset since */
  P2P_REASON_FELL_BEHIND = 18       /* this watcher read too slowly: watch again */
} p2p_reason;

/* Holds the last failure that it was given to; a success leaves it as it is. One thread at a time. */
p2p_error* p2p_error_new(void);
void p2p_error_free(p2p_error* error); /* NULL is fine, as for every function that frees */
/* A sentence for people: the step, the object, what happened and the likely cause. "" before any failure. */
const char* p2p_error_message(const p2p_error* error);
/* As the failed function returned it; 0 before any failure. */
int p2p_error_code(const p2p_error* error);
p2p_reason p2p_error_reason(const p2p_error* error);
const char* p2p_error_step(const p2p_error* error);   /* "IOMMU_IOAS_MAP_FILE", "CreateExport" */
const char* p2p_error_object(const p2p_error* error); /* what it failed on */
const char* p2p_error_hint(const p2p_error* error);   /* the likely cause and what to do, "" if unknown */
int p2p_error_errno(const p2p_error* error);          /* the kernel's (positive), 0 if it was not involved */

/* Sessions -------------------------------------------------------------------------------------------------------- */

/* The exporter is ready again. Mappings that are P2P_MAPPING_ACTIVE may be used. Where a request to quiesce named
 * several devices, each is told of alone. */
typedef struct p2p_resumed {
  const char* operation;
  const char* device;
  uint64_t generation;
  uint32_t restored; /* mappings of this session */
  uint32_t lost;
} p2p_resumed;

/* The device is taken away for good: it is unplugged, or an error has cleared it. */
typedef struct p2p_device_revoked {
  const char* device;
  const char* reason;
} p2p_device_revoked;

typedef struct p2p_session_options {
  size_t size;                 /* sizeof(p2p_session_options) */
  const char* fd_socket;       /* NULL: /run/p2pd/fds.sock */
  const char* grpc_socket;     /* NULL: /run/p2pd/p2pd.sock */
  const char* client_name;     /* for p2pd's logs, at most 64 bytes; NULL: none */
  uint64_t connect_timeout_ms; /* of each of the two sockets; 0: 5 s */
  uint64_t call_timeout_ms;    /* of a call, retries included; 0: 2 min, as a reset can take one */

  /* The callbacks run on the session's own thread, one at a time, in the order in which p2pd sent what they tell.
   * They may make calls, but none that wait for that thread, which fail with -EBUSY: p2p_device_open, exports of
   * grade P2P_RAW, and the first p2p_map_memory of a memory. All may be NULL. */

  /* Stop the DMA that uses the mappings, then p2p_quiesce_ack(request), here or later on any thread. What is not
   * acknowledged by the deadline is unmapped all the same, and stays so until it is. NULL: nothing ever is. */
  void (*on_quiesce)(p2p_quiesce* request, void* user);
  void (*on_resumed)(const p2p_resumed* resumed, void* user); /* `resumed` is valid for this call */
  /* p2pd ended the session or went away. Not called when this process ends it. `why` is valid for this call. */
  void (*on_ended)(const p2p_error* why, void* user);
  void* user; /* given to the callbacks */

  /* A device that this session drives, or of which it has a dma-buf, is revoked: close every copy of the fd and every
   * mmap of it, an unplug waits for that. The handle stays, with its own copy, until its owner closes or releases it.
   * `revoked` is valid for this call. */
  void (*on_device_revoked)(const p2p_device_revoked* revoked, void* user);
} p2p_session_options;

/* Both sockets are connected when it returns. -EBUSY: see Fork, above. */
int p2p_session_connect(const p2p_session_options* options, p2p_session** session, p2p_error* error);
/* Gives everything back, waits for a callback that runs (unless called there), and frees the session. */
void p2p_session_close(p2p_session* session);
const char* p2p_session_name(const p2p_session* session);    /* "sessions/7" */
const char* p2p_session_version(const p2p_session* session); /* p2pd's */
/* 0 while the session lives; after that -ENOTCONN, and why it ended. */
int p2p_session_ended(const p2p_session* session, p2p_error* error);
/* Asks p2pd to do nothing; `nanoseconds` (may be NULL) is how long that took. */
int p2p_ping(p2p_session* session, uint64_t* nanoseconds, p2p_error* error);

/* What p2pd asks this session to stop, until it is acknowledged. Strings are valid until then. */
const char* p2p_quiesce_operation(const p2p_quiesce* request);
const char* p2p_quiesce_device(const p2p_quiesce* request);  /* whose windows are going, as it was asked for */
uint64_t p2p_quiesce_generation(const p2p_quiesce* request); /* of that device, from now on */
size_t p2p_quiesce_device_count(const p2p_quiesce* request); /* whose windows are going, all of them */
/* One of them: the first is p2p_quiesce_device, the others are reset with it. NULL: no such index. */
const char* p2p_quiesce_device_at(const p2p_quiesce* request, size_t index);
uint64_t p2p_quiesce_deadline_ns(const p2p_quiesce* request); /* of CLOCK_MONOTONIC */
size_t p2p_quiesce_mapping_count(const p2p_quiesce* request); /* of this session, all of them */
/* The name of one of them. NULL where the list, which can be cut short, has no such index. */
const char* p2p_quiesce_mapping(const p2p_quiesce* request, size_t index);
/* Says that no device uses the mappings any more, and frees the request. Also worth sending after the deadline. */
int p2p_quiesce_ack(p2p_quiesce* request, p2p_error* error);

/* Devices --------------------------------------------------------------------------------------------------------- */

typedef enum p2p_device_state {
  P2P_DEVICE_READY = 1,
  P2P_DEVICE_QUIESCING = 2,
  P2P_DEVICE_RESETTING = 3,
  P2P_DEVICE_RESTORING = 4,
  P2P_DEVICE_AWAITING_DRIVER = 5,
  P2P_DEVICE_FAULTED = 6,
  P2P_DEVICE_GONE = 7,
  P2P_DEVICE_TAINTED = 8
} p2p_device_state;

typedef struct p2p_bar {
  uint64_t size;      /* 0: the device has no such BAR */
  uint64_t fd_offset; /* where pread, pwrite and mmap of the device's fd find it */
  uint32_t memory;    /* 1: plain memory; 0: registers or doorbells, which policy guards apart */
  uint32_t exportable;
} p2p_bar;

typedef struct p2p_device_info {
  const char* name;      /* "devices/0000:3a:00.0" */
  const char* vendor_id; /* "8086" */
  const char* device_id;
  const char* class_code;     /* "010802" */
  const char* driver_session; /* "" if nobody drives it */
  uint64_t generation;        /* grows before anything that can revoke */
  uint64_t config_fd_offset;  /* where the device's fd has configuration space */
  p2p_bar bars[6];
  uint32_t state; /* p2p_device_state */
  uint32_t can_reset;
  uint32_t iommu_group;
  int32_t numa_node; /* -1: unknown */
} p2p_device_info;

/* What became of a reset, or of a recovery. */
typedef struct p2p_receipt {
  uint64_t generation; /* of the device, after it */
  uint64_t took_ns;
  uint32_t failed;          /* 1: the reset failed; it has revoked, and mappings were put back, all the same */
  uint32_t sessions_acked;  /* that stopped when asked */
  uint32_t sessions_forced; /* that were cut off */
  uint32_t mappings_active; /* put back */
  uint32_t mappings_suspended;
  uint32_t mappings_lost;
} p2p_receipt;

/* The devices that this user may see. */
int p2p_device_list_get(p2p_session* session, p2p_device_list** list, p2p_error* error);
size_t p2p_device_list_size(const p2p_device_list* list);
const p2p_device_info* p2p_device_list_at(const p2p_device_list* list, size_t index); /* NULL: no such index */
void p2p_device_list_free(p2p_device_list* list);

/* Makes this session the device's driver. The device waits for p2p_device_ready after that. */
int p2p_device_open(p2p_session* session, const char* name, p2p_device** device, p2p_error* error);
/* Its VFIO fd, bound. Borrowed: a copy, or an mmap, that is there after p2p_device_close taints the device. */
int p2p_device_fd(const p2p_device* device);
/* As of p2pd's last answer about it; valid until the next call with this handle. */
const p2p_device_info* p2p_device_describe(const p2p_device* device);
/* The device works, set up for `generation`: of p2p_device_describe after opening it, of the request to quiesce or
 * the receipt after a reset. -EBUSY with P2P_REASON_STALE_GENERATION: it was reset again since. */
int p2p_device_ready(p2p_device* device, uint64_t generation, p2p_error* error);
/* Stops driving it, closes the fd and frees the handle. Every export of the device is revoked. */
int p2p_device_close(p2p_device* device, p2p_error* error);
/* Resets a device, driven by this session or not, as policy allows: its windows' users are asked to stop (do not block
 * on_quiesce), and the mappings come back. Returns when that is done. `receipt` may be NULL. */
int p2p_reset(p2p_session* session, const char* device, p2p_receipt* receipt, p2p_error* error);
/* Likewise, and with it all devices that share its slot or bus, in one. -EBUSY names each that stands in the way. */
int p2p_reset_bus(p2p_session* session, const char* device, p2p_receipt* receipt, p2p_error* error);
/* Tries again to bind a device that is P2P_DEVICE_FAULTED, as policy allows; what rested on it is revoked. Returns when
 * that is done. -EBUSY: it is not faulted. `receipt` may be NULL. */
int p2p_recover(p2p_session* session, const char* device, p2p_receipt* receipt, p2p_error* error);

/* Exports and address spaces -------------------------------------------------------------------------------------- */

typedef enum p2p_grade {
  P2P_MAPPED = 1, /* p2pd can take it back at any time */
  P2P_RAW = 2     /* a dma-buf comes with it, where policy allows: taken back only with the whole device */
} p2p_grade;

typedef struct p2p_window {
  const char* device;
  uint32_t bar;    /* 0 to 5 */
  uint32_t grade;  /* p2p_grade; 0: P2P_MAPPED */
  uint64_t offset; /* a multiple of the page size */
  uint64_t length; /* likewise, not 0 */
} p2p_window;

/* A right to a window of a device's BAR. Exclusive between sessions. It lives as long as the session: for less, see
 * p2p_export_renew. */
int p2p_export_create(p2p_session* session, const p2p_window* window, p2p_export** result, p2p_error* error);
const char* p2p_export_name(const p2p_export* window);
uint64_t p2p_export_length(const p2p_export* window);
uint64_t p2p_export_generation(const p2p_export* window); /* of the device, when it was made */
/* The dma-buf of grade P2P_RAW: exactly the window. Borrowed; -1 for grade P2P_MAPPED. */
int p2p_export_fd(const p2p_export* window);
/* Gives the export a time to live, from now on, whether it had one or not: after it p2pd revokes the export, mappings
 * and all. 1 to 315360000000 (ten years); 0: as long as the session. -ENOENT: the old one is over. */
int p2p_export_renew(p2p_export* window, uint64_t time_to_live_ms, p2p_error* error);
/* When it will be revoked, in nanoseconds since 1970, as of p2pd's last answer; 0: it lives as long as the session. */
uint64_t p2p_export_expires_ns(const p2p_export* window);
/* Revokes it with every mapping cut from it, closes its dma-buf and frees the handle. */
int p2p_export_release(p2p_export* window, p2p_error* error);

/* An I/O address space with `count` devices attached, all of one context and driven by this session. */
int p2p_space_create(p2p_session* session, const char* const* devices, size_t count, p2p_space** space,
                     p2p_error* error);
const char* p2p_space_name(const p2p_space* space);
/* Unmaps all that is in it, and frees the handle. */
int p2p_space_release(p2p_space* space, p2p_error* error);

/* Mappings -------------------------------------------------------------------------------------------------------- */

typedef enum p2p_access { P2P_READ = 1, P2P_WRITE = 2, P2P_READ_WRITE = 3 } p2p_access;

typedef enum p2p_placement {
  P2P_ANYWHERE = 0,   /* p2pd chooses */
  P2P_AT = 1,         /* exactly at `iova` */
  P2P_AT_OR_BELOW = 2 /* p2pd chooses, the last byte at or below `iova` */
} p2p_placement;

typedef enum p2p_mapping_state {
  P2P_MAPPING_ACTIVE = 1,
  P2P_MAPPING_SUSPENDED = 2, /* unmapped for a reset; its IOVA stays reserved */
  P2P_MAPPING_REVOKED = 3,   /* gone for good */
  P2P_MAPPING_LOST = 4       /* could not be put back */
} p2p_mapping_state;

/* All zeroes: the whole source, for reading and writing, anywhere. */
typedef struct p2p_map_options {
  uint64_t offset;    /* into the export or the memory; 0 in an importer */
  uint64_t length;    /* 0: to the end; 0 in an importer */
  uint32_t access;    /* p2p_access; 0: P2P_READ_WRITE */
  uint32_t placement; /* p2p_placement */
  uint64_t iova;      /* where `placement` says so */
  uint64_t alignment; /* of an IOVA that p2pd chooses, a power of two; 0: what helps the IOMMU */
} p2p_map_options;

/* Maps a slice of an export. `options` may be NULL. */
int p2p_map(p2p_session* session, const p2p_export* source, const p2p_space* space, const p2p_map_options* options,
            p2p_mapping** mapping, p2p_error* error);
/* Maps a slice of memory, which p2pd then keeps and counts against the user until p2p_memory_withdraw. */
int p2p_map_memory(p2p_session* session, const p2p_memory* memory, const p2p_space* space,
                   const p2p_map_options* options, p2p_mapping** mapping, p2p_error* error);

typedef struct p2p_importer {
  const p2p_space* space;
  p2p_map_options options;
} p2p_importer;

/* An export and, for each of `count` importers (at most 64), a mapping of all of it, in one: all or nothing.
 * `mappings` has room for `count`. */
int p2p_acquire(p2p_session* session, const p2p_window* window, const p2p_importer* importers, size_t count,
                p2p_export** result, p2p_mapping** mappings, p2p_error* error);

typedef struct p2p_map_item {
  const p2p_export* source;
  const p2p_space* space;
  p2p_map_options options;
} p2p_map_item;

/* Up to 1024 maps at once, all or nothing. `mappings` has room for `count`. */
int p2p_batch_map(p2p_session* session, const p2p_map_item* items, size_t count, p2p_mapping** mappings,
                  p2p_error* error);
/* Up to 1024 unmaps at once. Frees the handles. An error says which mapping may still be live. */
int p2p_batch_unmap(p2p_session* session, p2p_mapping* const* mappings, size_t count, p2p_error* error);

const char* p2p_mapping_name(const p2p_mapping* mapping);
uint64_t p2p_mapping_iova(const p2p_mapping* mapping); /* the same after every reset */
uint64_t p2p_mapping_length(const p2p_mapping* mapping);
/* What devices can do with it, which may be more than was asked for: not every IOMMU can withhold reads. */
p2p_access p2p_mapping_access(const p2p_mapping* mapping);
/* Asks p2pd for its state now. */
int p2p_mapping_state_now(p2p_mapping* mapping, p2p_mapping_state* state, p2p_error* error);
/* Once it returns 0, no device reaches the mapping any more; one that is gone already counts. Frees the handle. */
int p2p_unmap(p2p_mapping* mapping, p2p_error* error);

/* Memory ---------------------------------------------------------------------------------------------------------- */

/* Zeroed memory as p2pd wants it: a memfd that can neither shrink nor grow, allocated in full, mapped here. `name`
 * is what /proc shows, at most 249 bytes; `size` is not 0, and rounded up to whole pages. -EDQUOT, or the kernel's
 * reason, where there is no memory. */
int p2p_memory_create(const char* name, size_t size, p2p_memory** memory, p2p_error* error);
void* p2p_memory_data(const p2p_memory* memory);
size_t p2p_memory_size(const p2p_memory* memory);
int p2p_memory_fd(const p2p_memory* memory); /* borrowed */
/* p2pd gives its descriptor of the memory up; mappings stay. A memory that it does not have is fine. */
int p2p_memory_withdraw(p2p_session* session, const p2p_memory* memory, p2p_error* error);
/* Unmaps it here. Devices may reach it until their mappings are gone. */
void p2p_memory_free(p2p_memory* memory);

/* Events ---------------------------------------------------------------------------------------------------------- */

typedef enum p2p_event_type {
  P2P_EVENT_SNAPSHOT = 1, /* as it is */
  P2P_EVENT_IN_SYNC = 2,  /* that was everything; from now on, changes */
  P2P_EVENT_CREATED = 3,
  P2P_EVENT_CHANGED = 4,
  P2P_EVENT_DELETED = 5
} p2p_event_type;

typedef struct p2p_event {
  uint32_t type;       /* p2p_event_type */
  uint32_t state;      /* of a device, an export, a mapping or an operation, as p2pd numbers them; else 0 */
  uint64_t sequence;   /* grows by one an event */
  uint64_t generation; /* of a device, or of the device of an export or operation; else 0 */
  const char* name;    /* of the object, which says its kind: "mappings/41"; "" for P2P_EVENT_IN_SYNC */
  const char* session; /* whose it is, or who drives the device; "" if nobody */
} p2p_event;

/* Watches what this user may see: everything as it is, then every change. */
int p2p_watch_open(p2p_session* session, p2p_watch** watch, p2p_error* error);
/* The next event, valid until the next call with this handle. Waits up to `timeout_ms`; negative: for ever. One
 * thread at a time. -ETIMEDOUT: none yet. Others are final: -ECANCELED, -ENOTCONN, -EDQUOT (read too slowly). */
int p2p_watch_next(p2p_watch* watch, int64_t timeout_ms, const p2p_event** event, p2p_error* error);
/* Ends the stream: a p2p_watch_next that waits returns -ECANCELED. From any thread. */
void p2p_watch_cancel(p2p_watch* watch);
void p2p_watch_close(p2p_watch* watch);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif /* P2P_LIBP2P_H_ */
