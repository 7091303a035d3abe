#define _DEFAULT_SOURCE
#include "deploy/demo/c_nvme.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* Registers of the NVMe Base Specification 1.4. */
enum { CAP = 0x00, CC = 0x14, CSTS = 0x1c, AQA = 0x24, ASQ = 0x28, ACQ = 0x30, DOORBELLS = 0x1000 };
enum { CC_ENABLE = 1, CC_ENTRY_SIZES = 6 << 16 | 4 << 20, CSTS_READY = 1, CSTS_FATAL = 2 };
enum { CREATE_SUBMISSION_QUEUE = 0x01, CREATE_COMPLETION_QUEUE = 0x05, WRITE = 0x01, READ = 0x02 };

enum { ENTRIES = 64, BLOCK = 512, PATIENCE_SECONDS = 10 };

/* Pages of the memory. */
enum { SUBMISSIONS = 0, COMPLETIONS = 1, QUEUE_PAGES = 2, LIST = 2 * QUEUE_PAGES, BUFFER };

/* Little-endian, as the machines that this runs on. */
struct submission {
  uint8_t opcode, flags;
  uint16_t id;
  uint32_t nsid;
  uint64_t reserved, metadata, prp1, prp2;
  uint32_t dw10, dw11, dw12, dw13, dw14, dw15;
};
struct completion {
  uint32_t result, reserved;
  uint16_t sq_head, sq_id, id, status; /* bit 0 of the status is the phase */
};
_Static_assert(sizeof(struct submission) == 64 && sizeof(struct completion) == 16, "the controller's layout");

static int fail(struct nvme* nvme, int code, const char* what, unsigned long detail) {
  snprintf(nvme->problem, sizeof(nvme->problem), "%s (0x%lx)", what, detail);
  return code;
}

static void* page(const struct nvme* nvme, uint32_t index) {
  return (char*)p2p_memory_data(nvme->memory) + index * NVME_PAGE;
}
static uint64_t page_iova(const struct nvme* nvme, uint32_t index) {
  return p2p_mapping_iova(nvme->mapping) + index * NVME_PAGE;
}

static uint32_t read32(struct nvme* nvme, uint32_t at) { return *(volatile uint32_t*)(nvme->registers + at); }
/* What was written to memory before, a controller that is told by the register finds there. */
static void write32(struct nvme* nvme, uint32_t at, uint32_t value) {
  atomic_thread_fence(memory_order_seq_cst);
  *(volatile uint32_t*)(nvme->registers + at) = value;
}
static void write64(struct nvme* nvme, uint32_t at, uint64_t value) {
  write32(nvme, at, (uint32_t)value);
  write32(nvme, at + 4, (uint32_t)(value >> 32));
}

/* One look at the clock and a short rest; 0 when time is up. */
static int patient(const struct timespec* start) {
  struct timespec now, rest = {.tv_nsec = 20000};
  clock_gettime(CLOCK_MONOTONIC, &now);
  if (now.tv_sec - start->tv_sec > PATIENCE_SECONDS) return 0;
  nanosleep(&rest, NULL);
  return 1;
}

static int await_ready(struct nvme* nvme, uint32_t ready) {
  struct timespec start;
  clock_gettime(CLOCK_MONOTONIC, &start);
  for (;;) {
    const uint32_t status = read32(nvme, CSTS);
    if (status == UINT32_MAX) return fail(nvme, -ENODEV, "the controller does not answer", status);
    if (ready && (status & CSTS_FATAL)) return fail(nvme, -EIO, "the controller's fatal status is set", status);
    if ((status & CSTS_READY) == ready) return 0;
    if (!patient(&start)) return fail(nvme, -ETIMEDOUT, "the controller does not get ready", status);
  }
}

/* Queues one command, rings the doorbell and waits until it is done. */
static int run(struct nvme* nvme, struct nvme_queue* queue, struct submission command) {
  struct submission* submissions = page(nvme, queue->id * QUEUE_PAGES + SUBMISSIONS);
  volatile struct completion* completions = page(nvme, queue->id * QUEUE_PAGES + COMPLETIONS);
  const uint32_t doorbell = DOORBELLS + 2 * queue->id * nvme->doorbell_stride;
  command.id = (uint16_t)queue->tail;
  submissions[queue->tail] = command;
  queue->tail = (queue->tail + 1) % ENTRIES;
  write32(nvme, doorbell, queue->tail);

  struct timespec start;
  clock_gettime(CLOCK_MONOTONIC, &start);
  while ((completions[queue->head].status & 1u) != queue->phase) {
    if (!patient(&start)) return fail(nvme, -ETIMEDOUT, "a command does not complete", command.opcode);
  }
  atomic_thread_fence(memory_order_acquire);
  const unsigned status = completions[queue->head].status >> 1;
  queue->head = (queue->head + 1) % ENTRIES;
  if (queue->head == 0) queue->phase ^= 1u;
  write32(nvme, doorbell + nvme->doorbell_stride, queue->head);
  return status == 0 ? 0 : fail(nvme, -EIO, "the controller says that a command failed", status);
}

/* The device answers accesses to its registers, and may start DMA. */
static int enable_dma(struct nvme* nvme) {
  const off_t at = (off_t)p2p_device_describe(nvme->device)->config_fd_offset + 4; /* COMMAND */
  uint16_t command = 0;
  if (pread(p2p_device_fd(nvme->device), &command, sizeof(command), at) != sizeof(command)) return -errno;
  command |= 2 | 4; /* memory space, bus master */
  if (pwrite(p2p_device_fd(nvme->device), &command, sizeof(command), at) != sizeof(command)) return -errno;
  return 0;
}

static int map_registers(struct nvme* nvme) {
  const p2p_bar* bar = &p2p_device_describe(nvme->device)->bars[0];
  void* registers =
      mmap(NULL, bar->size, PROT_READ | PROT_WRITE, MAP_SHARED, p2p_device_fd(nvme->device), (off_t)bar->fd_offset);
  if (registers == MAP_FAILED) return fail(nvme, -errno, "the registers cannot be mapped", (unsigned long)errno);
  nvme->registers = registers;
  nvme->registers_size = bar->size;
  nvme->doorbell_stride = 4u << (read32(nvme, CAP + 4) & 0xf);
  return 0;
}

static int start(struct nvme* nvme) {
  int code = 0;
  write32(nvme, CC, 0);
  if ((code = await_ready(nvme, 0)) != 0) return code;
  nvme->admin = (struct nvme_queue){.id = 0, .phase = 1};
  nvme->io = (struct nvme_queue){.id = 1, .phase = 1};
  write32(nvme, AQA, (ENTRIES - 1) << 16 | (ENTRIES - 1));
  write64(nvme, ASQ, page_iova(nvme, SUBMISSIONS));
  write64(nvme, ACQ, page_iova(nvme, COMPLETIONS));
  write32(nvme, CC, CC_ENTRY_SIZES | CC_ENABLE);
  if ((code = await_ready(nvme, 1)) != 0) return code;
  const uint32_t size_and_id = (ENTRIES - 1) << 16 | nvme->io.id;
  code = run(nvme, &nvme->admin,
             (struct submission){.opcode = CREATE_COMPLETION_QUEUE,
                                 .prp1 = page_iova(nvme, QUEUE_PAGES + COMPLETIONS),
                                 .dw10 = size_and_id,
                                 .dw11 = 1});
  if (code != 0) return code;
  return run(nvme, &nvme->admin,
             (struct submission){.opcode = CREATE_SUBMISSION_QUEUE,
                                 .prp1 = page_iova(nvme, QUEUE_PAGES + SUBMISSIONS),
                                 .dw10 = size_and_id,
                                 .dw11 = nvme->io.id << 16 | 1});
}

int nvme_open(struct nvme* nvme, p2p_session* session, const char* device, p2p_error* error) {
  int code = 0;
  if ((code = p2p_device_open(session, device, &nvme->device, error)) != 0) return code;
  if ((code = p2p_space_create(session, &device, 1, &nvme->space, error)) != 0) return code;
  code = p2p_memory_create("c_copy", BUFFER * NVME_PAGE + NVME_MOST, &nvme->memory, error);
  if (code != 0) return code;
  code = p2p_map_memory(session, nvme->memory, nvme->space, NULL, &nvme->mapping, error);
  if (code != 0) return code;
  if ((code = enable_dma(nvme)) != 0) return fail(nvme, code, "the device's command register", (unsigned long)-code);
  if ((code = map_registers(nvme)) != 0) return code;
  if ((code = start(nvme)) != 0) return code;
  return p2p_device_ready(nvme->device, p2p_device_describe(nvme->device)->generation, error);
}

void nvme_close(struct nvme* nvme) {
  if (nvme->registers != NULL) {
    write32(nvme, CC, 0);
    await_ready(nvme, 0);
    munmap((void*)nvme->registers, nvme->registers_size);
  }
  p2p_unmap(nvme->mapping, NULL);
  p2p_memory_free(nvme->memory);
  p2p_space_release(nvme->space, NULL);
  p2p_device_close(nvme->device, NULL);
}

static int move(struct nvme* nvme, uint8_t opcode, uint64_t disk_offset, uint64_t iova, uint32_t length) {
  const uint32_t pages = length / NVME_PAGE;
  if (length == 0 || length > NVME_MOST || length % NVME_PAGE != 0 || iova % NVME_PAGE != 0) return -EINVAL;
  uint64_t* list = page(nvme, LIST);
  for (uint32_t i = 1; i < pages; ++i) list[i - 1] = iova + i * NVME_PAGE;
  const uint64_t block = disk_offset / BLOCK;
  return run(nvme, &nvme->io,
             (struct submission){.opcode = opcode,
                                 .nsid = 1,
                                 .prp1 = iova,
                                 .prp2 = pages == 1   ? 0
                                         : pages == 2 ? list[0]
                                                      : page_iova(nvme, LIST),
                                 .dw10 = (uint32_t)block,
                                 .dw11 = (uint32_t)(block >> 32),
                                 .dw12 = length / BLOCK - 1});
}

int nvme_read(struct nvme* nvme, uint64_t disk_offset, uint64_t iova, uint32_t length) {
  return move(nvme, READ, disk_offset, iova, length);
}
int nvme_write(struct nvme* nvme, uint64_t disk_offset, uint64_t iova, uint32_t length) {
  return move(nvme, WRITE, disk_offset, iova, length);
}

const unsigned char* nvme_buffer(const struct nvme* nvme) { return page(nvme, BUFFER); }
uint64_t nvme_buffer_iova(const struct nvme* nvme) { return page_iova(nvme, BUFFER); }
