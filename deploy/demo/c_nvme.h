/* A small NVMe driver in C over libp2p: one namespace of 512-byte blocks, one command at a time. Its queues are in a
 * sealed memfd that p2pd maps for the controller; data may be anywhere that the controller reaches. */
#ifndef P2PD_DEPLOY_DEMO_C_NVME_H_
#define P2PD_DEPLOY_DEMO_C_NVME_H_

#include <stdint.h>

#include "client/c/libp2p.h"

#define NVME_PAGE 4096u
#define NVME_MOST (128u << 10) /* bytes that one command moves */

struct nvme_queue {
  uint32_t id; /* 0 is the admin queue */
  uint32_t tail, head;
  uint32_t phase; /* of completions that are new; turns with every lap */
};

struct nvme {
  p2p_device* device;
  p2p_space* space;
  p2p_memory* memory; /* the queues, a list of pages, and NVME_MOST bytes of buffer */
  p2p_mapping* mapping;
  volatile char* registers;
  uint64_t registers_size;
  uint32_t doorbell_stride;
  struct nvme_queue admin, io;
  char problem[160]; /* what is wrong, where p2pd has no part in it; else "" */
};

/* Becomes the device's driver and starts the controller. All return 0 or a negative errno value; on failure, too,
 * nvme_close gives back what there is. `nvme` is zeroed. */
int nvme_open(struct nvme* nvme, p2p_session* session, const char* device, p2p_error* error);
void nvme_close(struct nvme* nvme);

/* Moves `length` bytes, at most NVME_MOST, between the disk and the IOVA: whole pages. */
int nvme_read(struct nvme* nvme, uint64_t disk_offset, uint64_t iova, uint32_t length);
int nvme_write(struct nvme* nvme, uint64_t disk_offset, uint64_t iova, uint32_t length);

/* The buffer, as this program and as the controller find it. */
const unsigned char* nvme_buffer(const struct nvme* nvme);
uint64_t nvme_buffer_iova(const struct nvme* nvme);

#endif /* P2PD_DEPLOY_DEMO_C_NVME_H_ */
