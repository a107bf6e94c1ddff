/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Memory that only a debugger can read: another machine's, or another user's.
 * Copied once, in large blocks. */
#include "config.h"

#include <string.h>

#include "error.h"
#include "memory.h"

enum {
  REMOTE_BLOCK = 1 << 20,
  REMOTE_PAGE = 4096
};

struct remote {
  struct memory *memory;
  const struct pyheap_target *target;
  uint64_t done, total;
  struct memory_run run;
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

static uint32_t region_flags(const struct pyheap_region *region) {
  uint32_t flags = MEMORY_OBJECTS;
  if (region->path)
    flags |= MEMORY_FILE;
  if (region->writable)
    flags |= MEMORY_WRITABLE;
  return flags;
}

/** The end of the regions that follow REGION without a gap. */
static uint64_t run_end(const struct remote *remote,
                        const struct pyheap_region *region) {
  const struct pyheap_region *last =
      remote->target->regions + remote->target->region_count;
  uint64_t end = region->end;
  while (++region < last && region->start == end &&
         region->source == PYHEAP_REGION_READER && region->end > end &&
         !(region->end >> 47))
    end = region->end;
  return end;
}

/** The bytes of the block AT of LENGTH bytes; 0 behind the last. */
static size_t block_at(size_t length, size_t at) {
  return length - at < REMOTE_BLOCK ? length - at : REMOTE_BLOCK;
}

/** Copies the first LENGTH bytes of REGION. */
static struct pyheap_error *copy_region(struct remote *remote,
                                        const struct pyheap_region *region,
                                        size_t length) {
  const struct pyheap_progress *progress = remote->target->progress;
  const struct pyheap_reader *reader = remote->target->reader;
  struct memory_run *run = &remote->run;
  TRY(memory_need_run(remote->memory, run, region->start,
                      run_end(remote, region)));
  uint8_t *bytes = run->bytes + (region->start - run->start);
  for (size_t at = 0; at < length; at += REMOTE_BLOCK) {
    if (progress && !progress->step(progress->context,
                                    "reading memory through the debugger",
                                    remote->done, remote->total))
      return error_create(PYHEAP_ERROR_CANCELED, 0, "interrupted");
    size_t block = block_at(length, at), next = block_at(length, at + block);
    if (reader->expect && next)
      reader->expect(reader->context, region->start + at + block, next);
    TRY(copy_block(remote, region->start + at, bytes + at, block,
                   region_flags(region)));
    remote->done += block;
  }
  return NULL;
}

static bool is_usable(const struct pyheap_region *region) {
  return region->start < region->end && !(region->end >> 47);
}

/** How much of REGION is to be copied at once.  Of a file that may be here too,
 * the first page alone, which tells whether it is the same. */
static size_t first_length(const struct pyheap_region *region) {
  size_t length = region->end - region->start;

  switch (region->source) {
  case PYHEAP_REGION_READER:
    return length;
  case PYHEAP_REGION_FILE_FIRST:
    if (region->offset > 0)
      return 0;
    return length < REMOTE_PAGE ? length : REMOTE_PAGE;
  default:
    return 0;
  }
}

static struct pyheap_error *add_region(struct remote *remote,
                                       const struct pyheap_region *region) {
  struct memory *memory = remote->memory;
  size_t length = first_length(region);

  if (length > 0)
    TRY(copy_region(remote, region, length));
  TRY(memory_add(memory, region->start + length, region->end, NULL,
                 region_flags(region)));
  if (!region->path)
    return NULL;
  return memory_add_file(memory, region->start, region->end, region->offset,
                         region->path);
}

/** Whether bytes of a file were found for REGION. */
static bool is_filled(const struct memory *memory,
                      const struct pyheap_region *region) {
  for (size_t i = 0; i < memory->range_count; i++) {
    const struct memory_range *range = &memory->ranges[i];
    if ((range->flags & MEMORY_FROM_FILE) && range->start <= region->start &&
        region->start < range->end)
      return true;
  }
  return false;
}

/** Big files mapped for reading, whose contents are not here, are no heap. */
static bool is_small(const struct pyheap_region *region) {
  enum {
    LARGEST_PROGRAM = 1 << 28
  };
  return region->end - region->start <= LARGEST_PROGRAM;
}

/** Copies what was hoped to be in the files of this machine. */
static struct pyheap_error *copy_rest(struct remote *remote) {
  const struct pyheap_target *target = remote->target;

  for (size_t i = 0; i < target->region_count; i++) {
    const struct pyheap_region *region = &target->regions[i];
    if (region->source == PYHEAP_REGION_FILE_FIRST && is_usable(region) &&
        is_small(region) && !is_filled(remote->memory, region))
      TRY(copy_region(remote, region, region->end - region->start));
  }
  return NULL;
}

struct pyheap_error *memory_open_remote(struct memory *memory,
                                        const struct pyheap_target *target) {
  struct remote remote = {.memory = memory, .target = target};

  memory->pid = target->pid;
  memory->entry = target->entry;
  memory->random = target->random;
  for (size_t i = 0; i < target->region_count; i++)
    if (is_usable(&target->regions[i]))
      remote.total += first_length(&target->regions[i]);
  for (size_t i = 0; i < target->region_count; i++)
    if (is_usable(&target->regions[i]))
      TRY(add_region(&remote, &target->regions[i]));
  TRY(memory_fill_from_files(memory, target));
  TRY(copy_rest(&remote));
  for (size_t i = 0; i < target->stopped_thread_count; i++)
    if (target->stopped_threads[i].registers.rsp)
      TRY(memory_add_stack(memory, target->stopped_threads[i].id,
                           &target->stopped_threads[i].registers));
  return memory_finish(memory);
}
