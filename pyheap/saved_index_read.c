/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Nothing of a saved index is believed before it was checked: sums tell damage,
 * and what no sum can tell (numbers that lead out of the arrays) is looked
 * for. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "heap.h"
#include "marks.h"
#include "parallel.h"
#include "saved_index.h"

/** A mapped index, which becomes the heap's when all is well. */
struct saved {
  const struct pyheap *heap;
  const uint8_t *bytes;
  uint64_t size;
  struct saved_header header;
  const uint64_t *marks, *orphans, *interned, *counts;
  const uint32_t *starts, *sources, *uncounted;
  const struct saved_type *types;
  const struct saved_problem *problems;
  const char *texts;
};

static struct pyheap_error *damaged(const char *what) {
  return error_create(PYHEAP_ERROR_BAD_DATA, 0, "it is damaged (%s)", what);
}

/* The file ----------------------------------------------------------------- */

static struct pyheap_error *map(const char *path, struct saved *saved) {
  cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat status;
  if (fd < 0 || fstat(fd, &status) < 0)
    return error_os(errno, path);
  if (!S_ISREG(status.st_mode) || status.st_size < (off_t)sizeof saved->header)
    return damaged("its size");
  /* Whose index it is, his are the answers. */
  if (status.st_uid != geteuid() && status.st_uid != 0)
    return error_create(PYHEAP_ERROR_MISMATCH, 0, "it belongs to another user");
  if (status.st_mode & (S_IWGRP | S_IWOTH))
    return error_create(PYHEAP_ERROR_MISMATCH, 0, "others may write to it");
  void *bytes = mmap(NULL, (size_t)status.st_size, PROT_READ,
                     MAP_PRIVATE | MAP_POPULATE, fd, 0);
  if (bytes == MAP_FAILED)
    return error_os(errno, path);
  saved->bytes = bytes;
  saved->size = (uint64_t)status.st_size;
  memcpy(&saved->header, bytes, sizeof saved->header);
  return NULL;
}

static struct pyheap_error *check_header(const struct saved *saved) {
  const struct saved_header *header = &saved->header;
  if (memcmp(header->magic, "MUPPYIDX", sizeof header->magic) != 0)
    return error_create(PYHEAP_ERROR_MISMATCH, 0, "it is no index of muppy");
  if (header->format != SAVED_FORMAT || header->size != sizeof *header)
    return error_create(PYHEAP_ERROR_MISMATCH, 0,
                        "it is of format %u, and this muppy reads format %d",
                        header->format, SAVED_FORMAT);
  if (header->sum != saved_header_sum(header))
    return damaged("its header");
  if (header->file_size != saved->size)
    return damaged("its size");
  if (header->reader != saved_reader(saved->heap))
    return error_create(PYHEAP_ERROR_MISMATCH, 0,
                        "another version of muppy wrote it");
  if (header->identity != saved_identity(saved->heap) ||
      header->root_count != saved->heap->root_count)
    return error_create(PYHEAP_ERROR_MISMATCH, 0,
                        "it is of another core, or of other files than the "
                        "core is read with now");
  return NULL;
}

/** Points *RET to COUNT * SIZE bytes; COUNT UINT64_MAX: as many as there are. */
static bool open_section(const struct saved *saved, enum saved_section section,
                         uint64_t count, uint64_t size, const void *ret) {
  uint64_t offset = saved->header.sections[section].offset;
  uint64_t bytes = saved->header.sections[section].size;
  if (offset % SAVED_ALIGNMENT || offset > saved->size ||
      bytes > saved->size - offset || bytes % size ||
      (count != UINT64_MAX && bytes / size != count))
    return false;
  *(const void **)ret = saved->bytes + offset;
  return true;
}

static uint64_t count_of(const struct saved *saved, enum saved_section section,
                         uint64_t size) {
  return saved->header.sections[section].size / size;
}

static struct pyheap_error *open_sections(struct saved *saved) {
  uint64_t words = mark_words(saved->heap);
  uint64_t objects = saved->header.object_count;
  const struct {
    enum saved_section section;
    uint64_t count, size;
    const void *ret;
  } sections[] = {
      {SAVED_MARKS, words, 8, &saved->marks},
      {SAVED_ORPHANS, words, 8, &saved->orphans},
      {SAVED_STARTS, objects + 1, 4, &saved->starts},
      {SAVED_SOURCES, UINT64_MAX, 4, &saved->sources},
      {SAVED_UNCOUNTED, UINT64_MAX, 4, &saved->uncounted},
      {SAVED_INTERNED, UINT64_MAX, 8, &saved->interned},
      {SAVED_TYPES, UINT64_MAX, sizeof *saved->types, &saved->types},
      {SAVED_COUNTS, saved_count_count, 8, &saved->counts},
      {SAVED_PROBLEMS, UINT64_MAX, sizeof *saved->problems, &saved->problems},
      {SAVED_TEXTS, UINT64_MAX, 1, &saved->texts},
  };
  for (size_t i = 0; i < sizeof sections / sizeof *sections; i++)
    if (!open_section(saved, sections[i].section, sections[i].count,
                      sections[i].size, sections[i].ret))
      return damaged("the size of a part");
  for (int i = 0; i < SAVED_SECTIONS; i++)
    if (saved_sum(saved->heap, saved->bytes + saved->header.sections[i].offset,
                  saved->header.sections[i].size) !=
        saved->header.sections[i].sum)
      return damaged("a sum");
  return NULL;
}

/* What it says ------------------------------------------------------------- */

/** Whether all objects are where there can be some, and as many as it says. */
static bool check_marks(const struct saved *saved) {
  uint64_t words = mark_words(saved->heap);
  uint64_t bits = saved->heap->memory.bit_count;
  uint64_t count = 0;

  if (saved->marks[words - 1] >> bits % 64)
    return false;
  for (uint64_t i = 0; i < words; i++) {
    if (saved->orphans[i] & ~saved->marks[i])
      return false;
    count += mark_count(saved->marks[i]);
  }
  return count == saved->header.object_count &&
         count + saved->heap->root_count <= INT32_MAX;
}

struct reference_check {
  const struct saved *saved;
  struct shares objects, references;
  bool wrong;
};

static void check_shares(void *context, unsigned thread) {
  struct reference_check *check = context;
  const struct saved *saved = check->saved;
  uint32_t nodes = saved->header.object_count + saved->header.root_count;
  uint64_t start, end;
  bool wrong = false;

  (void)thread;
  while (shares_take(&check->objects, &start, &end))
    for (uint64_t i = start; i < end; i++)
      wrong |= saved->starts[i] > saved->starts[i + 1];
  while (shares_take(&check->references, &start, &end))
    for (uint64_t i = start; i < end; i++)
      wrong |= saved->sources[i] >= nodes;
  if (wrong)
    __atomic_store_n(&check->wrong, true, __ATOMIC_RELAXED);
}

static bool check_references(const struct saved *saved) {
  uint64_t objects = saved->header.object_count;
  uint64_t references = count_of(saved, SAVED_SOURCES, 4);
  struct reference_check check = {
      .saved = saved,
      .objects = {.end = objects, .size = 1 << 18},
      .references = {.end = references, .size = 1 << 18}};
  if (saved->starts[0] || saved->starts[objects] != references)
    return false;
  parallel_run(saved->heap->threads, check_shares, &check);
  if (check.wrong)
    return false;
  uint64_t uncounted = count_of(saved, SAVED_UNCOUNTED, 4);
  for (uint64_t i = 0; i < uncounted; i++)
    if (saved->uncounted[i] >= objects ||
        (i && saved->uncounted[i] < saved->uncounted[i - 1]))
      return false;
  return true;
}

static bool check_problems(const struct saved *saved) {
  uint64_t count = count_of(saved, SAVED_PROBLEMS, sizeof *saved->problems);
  uint64_t size = saved->header.sections[SAVED_TEXTS].size;
  if (count > MAX_PROBLEMS || (size && saved->texts[size - 1]))
    return false;
  for (uint64_t i = 0; i < count; i++)
    if (saved->problems[i].text >= size)
      return false;
  return true;
}

/* Taking it over ----------------------------------------------------------- */

static void add_row(struct pyheap_summary_row *row, uint32_t type,
                    uint64_t count, uint64_t bytes) {
  row->type = type;
  row->count += count;
  row->bytes += bytes;
}

/** Reads the types again, and gives each its totals. */
static struct pyheap_error *take_types(struct pyheap *heap,
                                       const struct saved *saved) {
  uint64_t count = count_of(saved, SAVED_TYPES, sizeof *saved->types);

  for (uint64_t i = 0; i < count; i++)
    if (!types_get(heap, saved->types[i].address))
      return damaged("a type");
  size_t rows = heap->types.count;
  heap->reachable_rows = calloc(rows + 1, sizeof *heap->reachable_rows);
  heap->tracked_rows = calloc(rows + 1, sizeof *heap->tracked_rows);
  heap->orphan_rows = calloc(rows + 1, sizeof *heap->orphan_rows);
  if (!heap->reachable_rows || !heap->tracked_rows || !heap->orphan_rows)
    return &error_no_memory;
  heap->row_count = heap->orphan_row_count = rows;
  for (uint64_t i = 0; i < count; i++) {
    const struct saved_type *type = &saved->types[i];
    uint32_t index = types_get(heap, type->address)->index;
    add_row(&heap->reachable_rows[index], index, type->reachable,
            type->reachable_bytes);
    add_row(&heap->tracked_rows[index], index, type->tracked,
            type->tracked_bytes);
    add_row(&heap->orphan_rows[index], index, type->orphans,
            type->orphan_bytes);
  }
  return NULL;
}

static struct pyheap_error *take_interned(struct pyheap *heap,
                                          const struct saved *saved) {
  uint64_t count = count_of(saved, SAVED_INTERNED, 8);
  heap->interned = reallocarray(NULL, count + 1, sizeof *heap->interned);
  if (!heap->interned)
    return &error_no_memory;
  memcpy(heap->interned, saved->interned, count * sizeof *heap->interned);
  heap->interned_count = count;
  return NULL;
}

static void take_problems(struct pyheap *heap, const struct saved *saved) {
  heap->problems.count =
      count_of(saved, SAVED_PROBLEMS, sizeof *saved->problems);
  for (size_t i = 0; i < heap->problems.count; i++)
    heap->problems.list[i] = (struct pyheap_problem){
        saved->texts + saved->problems[i].text, saved->problems[i].address,
        saved->problems[i].count};
}

/** The bitmaps and the index stay in the mapping. */
static struct pyheap_error *take_over(struct pyheap *heap,
                                      const struct saved *saved) {
  TRY(take_types(heap, saved));
  TRY(take_interned(heap, saved));
  heap->marks = (uint64_t *)saved->marks;
  TRY(number_objects(heap));
  heap->orphans = (uint64_t *)saved->orphans;
  heap->in_starts = (uint32_t *)saved->starts;
  heap->in_sources = (uint32_t *)saved->sources;
  heap->uncounted = (uint32_t *)saved->uncounted;
  heap->uncounted_count = count_of(saved, SAVED_UNCOUNTED, 4);
  for (size_t i = 0; i < saved_count_count; i++)
    memcpy((char *)&heap->info + saved_counts[i].offset, &saved->counts[i],
           sizeof *saved->counts);
  take_problems(heap, saved);
  heap->objects_found = heap->references_indexed = true;
  return NULL;
}

/** Leaves the heap as it was. */
static void give_back(struct pyheap *heap) {
  heap->marks = NULL;
  heap->object_count = 0;
  free(take(heap->ranks));
  free(take(heap->reachable_rows));
  free(take(heap->tracked_rows));
  free(take(heap->orphan_rows));
  free(take(heap->interned));
  heap->row_count = heap->orphan_row_count = heap->interned_count = 0;
}

static struct pyheap_error *check(struct saved *saved) {
  TRY(check_header(saved));
  TRY(open_sections(saved));
  if (!check_marks(saved))
    return damaged("its objects");
  if (!check_references(saved))
    return damaged("its references");
  return check_problems(saved) ? NULL : damaged("its problems");
}

struct pyheap_error *pyheap_load_index(struct pyheap *heap, const char *path) {
  struct saved saved = {.heap = heap};

  if (heap->objects_found || !heap->memory.identity)
    return NULL;
  TRY(map(path, &saved));
  struct pyheap_error *error = check(&saved);
  if (!error && (error = take_over(heap, &saved)))
    give_back(heap);
  if (error) {
    munmap((void *)saved.bytes, saved.size);
    return error;
  }
  heap->saved = saved.bytes;
  heap->saved_size = saved.size;
  heap->info.index_loaded = true;
  return NULL;
}

void saved_index_close(struct pyheap *heap) {
  if (!heap->saved)
    return;
  heap->marks = heap->orphans = NULL;
  heap->in_starts = heap->in_sources = heap->uncounted = NULL;
  munmap((void *)heap->saved, heap->saved_size);
  heap->saved = NULL;
}
