/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Memory that only a debugger can read: another machine's, or another user's.
 * Copied once, in large blocks. */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "error.h"
#include "memory.h"

enum { REMOTE_BLOCK = 1 << 20, REMOTE_PAGE = 4096 };

struct remote {
  struct memory *memory;
  const struct pyheap_target *target;
  uint64_t done, total;
};

/** Reads LENGTH bytes at START and notes them down as had or missing; in pages
 * where the block as a whole cannot be read. */
static struct pyheap_error *copy_block(struct remote *remote, uint64_t start,
                                       uint8_t *bytes, size_t length,
                                       uint32_t flags) {
  const struct pyheap_reader *reader = remote->target->reader;
  if (reader->read(reader->context, start, bytes, length))
    return memory_add(remote->memory, start, start + length, bytes, flags);
  if (length <= REMOTE_PAGE)
    return memory_add(remote->memory, start, start + length, NULL, flags);
  for (size_t at = 0; at < length; at += REMOTE_PAGE) {
    size_t page = length - at < REMOTE_PAGE ? length - at : REMOTE_PAGE;
    TRY(copy_block(remote, start + at, bytes + at, page, flags));
  }
  return NULL;
}

static struct pyheap_error *copy_region(struct remote *remote,
                                        const struct pyheap_region *region) {
  const struct pyheap_progress *progress = remote->target->progress;
  size_t length = region->end - region->start;
  uint32_t flags = region->path ? MEMORY_FILE : 0;
  if (region->writable)
    flags |= MEMORY_WRITABLE | MEMORY_OBJECTS;
  uint8_t *bytes = mmap(NULL, length, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (bytes == MAP_FAILED)
    return error_os(errno, "memory for the copy of the debuggee");
  TRY(memory_own_mapping(remote->memory, bytes, length));
  for (size_t at = 0; at < length; at += REMOTE_BLOCK) {
    if (progress && !progress->step(progress->context,
                                    "reading memory through the debugger",
                                    remote->done, remote->total))
      return error_create(PYHEAP_ERROR_CANCELED, 0, "interrupted");
    size_t block = length - at < REMOTE_BLOCK ? length - at : REMOTE_BLOCK;
    TRY(copy_block(remote, region->start + at, bytes + at, block, flags));
    remote->done += block;
  }
  return NULL;
}

/** Regions without a file, and those of program files: big files mapped for
 * reading are no heap. */
static bool is_wanted(const struct pyheap_region *region) {
  enum { LARGEST_PROGRAM = 1 << 28 };
  if (region->start >= region->end || region->end >> 47)
    return false;
  return region->writable || region->end - region->start <= LARGEST_PROGRAM;
}

struct pyheap_error *memory_open_remote(struct memory *memory,
                                        const struct pyheap_target *target) {
  struct remote remote = {.memory = memory, .target = target};

  memory->pid = target->pid;
  for (size_t i = 0; i < target->region_count; i++)
    if (is_wanted(&target->regions[i]))
      remote.total += target->regions[i].end - target->regions[i].start;
  for (size_t i = 0; i < target->region_count; i++) {
    const struct pyheap_region *region = &target->regions[i];
    if (!is_wanted(region))
      continue;
    TRY(copy_region(&remote, region));
    if (!region->path)
      continue;
    TRY(memory_add_file(memory, region->start, region->end, region->offset,
                        region->path));
    struct memory_file *file = &memory->files[memory->file_count - 1];
    file->local = strdup(region->path);
    if (!file->local)
      return &error_no_memory;
  }
  return memory_finish(memory);
}
