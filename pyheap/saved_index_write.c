/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "heap.h"
#include "marks.h"
#include "saved_index.h"

/** What goes into the file: pieces of the heap, and some that are made. */
struct content {
  const void *bytes[SAVED_SECTIONS];
  uint64_t sizes[SAVED_SECTIONS];
  struct saved_type *types;
  uint64_t counts[64];
  struct saved_problem problems[MAX_PROBLEMS];
  char texts[SAVED_MAX_TEXT];
};

static void add_rows(struct saved_type *types, uint32_t count,
                     const struct pyheap_summary_row *rows, size_t row_count,
                     size_t member) {
  for (size_t i = 0; i < row_count && rows[i].type < count; i++) {
    uint64_t *numbers = (uint64_t *)((char *)&types[rows[i].type] + member);
    numbers[0] = rows[i].count;
    numbers[1] = rows[i].bytes;
  }
}

static bool make_types(const struct pyheap *heap, struct content *content) {
  uint32_t count = heap->types.count;
  content->types = calloc(count + 1ull, sizeof *content->types);
  if (!content->types)
    return false;
  for (uint32_t i = 0; i < count; i++)
    content->types[i].address = heap->types.list[i]->public.address;
  add_rows(content->types, count, heap->reachable_rows, heap->row_count,
           offsetof(struct saved_type, reachable));
  add_rows(content->types, count, heap->tracked_rows, heap->row_count,
           offsetof(struct saved_type, tracked));
  add_rows(content->types, count, heap->orphan_rows, heap->orphan_row_count,
           offsetof(struct saved_type, orphans));
  return true;
}

/** Problems whose texts do not fit are left out; there are a few of them, of
 * some dozens of characters. */
static size_t make_problems(const struct pyheap *heap, struct content *content,
                            size_t *text_size) {
  size_t count = 0, used = 0;
  for (size_t i = 0; i < heap->problems.count; i++) {
    const struct pyheap_problem *problem = &heap->problems.list[i];
    size_t length = strlen(problem->what) + 1;
    if (length > sizeof content->texts - used)
      continue;
    memcpy(content->texts + used, problem->what, length);
    content->problems[count++] =
        (struct saved_problem){problem->address, problem->count, used};
    used += length;
  }
  *text_size = used;
  return count;
}

static void set(struct content *content, enum saved_section section,
                const void *bytes, uint64_t size) {
  content->bytes[section] = bytes;
  content->sizes[section] = size;
}

static bool make_content(struct pyheap *heap, struct content *content) {
  uint64_t objects = heap->object_count;
  uint64_t bitmap = mark_words(heap) * sizeof *heap->marks;
  size_t text_size, problems = make_problems(heap, content, &text_size);
  if (!make_types(heap, content))
    return false;
  for (size_t i = 0; i < saved_count_count; i++)
    memcpy(&content->counts[i], (char *)&heap->info + saved_counts[i].offset,
           sizeof *content->counts);
  set(content, SAVED_MARKS, heap->marks, bitmap);
  set(content, SAVED_ORPHANS, heap->orphans, bitmap);
  set(content, SAVED_STARTS, heap->in_starts,
      (objects + 1) * sizeof *heap->in_starts);
  set(content, SAVED_SOURCES, heap->in_sources,
      heap->in_starts[objects] * sizeof *heap->in_sources);
  set(content, SAVED_UNCOUNTED, heap->uncounted,
      heap->uncounted_count * sizeof *heap->uncounted);
  set(content, SAVED_INTERNED, heap->interned,
      heap->interned_count * sizeof *heap->interned);
  set(content, SAVED_TYPES, content->types,
      heap->types.count * sizeof *content->types);
  set(content, SAVED_COUNTS, content->counts,
      saved_count_count * sizeof *content->counts);
  set(content, SAVED_PROBLEMS, content->problems,
      problems * sizeof *content->problems);
  set(content, SAVED_TEXTS, content->texts, text_size);
  return true;
}

static void make_header(const struct pyheap *heap,
                        const struct content *content,
                        struct saved_header *header) {
  uint64_t at = sizeof *header;

  *header = (struct saved_header){.magic = "MUPPYIDX",
                                  .format = SAVED_FORMAT,
                                  .size = sizeof *header,
                                  .reader = saved_reader(heap),
                                  .identity = saved_identity(heap),
                                  .object_count = heap->object_count,
                                  .root_count = (uint32_t)heap->root_count};
  for (int i = 0; i < SAVED_SECTIONS; i++) {
    at = (at + SAVED_ALIGNMENT - 1) & ~(uint64_t)(SAVED_ALIGNMENT - 1);
    header->sections[i].offset = at;
    header->sections[i].size = content->sizes[i];
    header->sections[i].sum =
        saved_sum(heap, content->bytes[i], content->sizes[i]);
    at += content->sizes[i];
  }
  header->file_size = at;
  header->sum = saved_header_sum(header);
}

static bool write_at(int fd, const void *bytes, uint64_t size,
                     uint64_t offset) {
  const char *at = bytes;
  while (size) {
    ssize_t written =
        pwrite(fd, at, size < 1 << 30 ? size : 1 << 30, (off_t)offset);
    if (written <= 0) {
      if (written < 0 && errno == EINTR)
        continue;
      if (!written)
        errno = ENOSPC;
      return false;
    }
    at += written;
    offset += (uint64_t)written;
    size -= (uint64_t)written;
  }
  return true;
}

static bool write_all(int fd, const struct content *content,
                      const struct saved_header *header) {
  if (!write_at(fd, header, sizeof *header, 0))
    return false;
  for (int i = 0; i < SAVED_SECTIONS; i++)
    if (!write_at(fd, content->bytes[i], content->sizes[i],
                  header->sections[i].offset))
      return false;
  /* A last section without bytes leaves the file shorter than it says. */
  return ftruncate(fd, (off_t)header->file_size) == 0;
}

/** Writes beside PATH first, so that nobody ever reads half a file. */
static struct pyheap_error *write_file(const char *path,
                                       const struct content *content,
                                       const struct saved_header *header) {
  cleanup_free char *part = NULL;
  if (asprintf(&part, "%s.XXXXXX", path) < 0) {
    part = NULL;
    return &error_no_memory;
  }
  cleanup_close int fd = mkostemp(part, O_CLOEXEC);
  if (fd < 0)
    return error_os(errno, path);
  if (write_all(fd, content, header) && rename(part, path) == 0)
    return NULL;
  struct pyheap_error *error = error_os(errno, path);
  unlink(part);
  return error;
}

struct pyheap_error *pyheap_save_index(struct pyheap *heap, const char *path) {
  struct saved_header header;

  if (!heap->memory.identity)
    return error_create(PYHEAP_ERROR_OS, 0,
                        "only the index of a core file can be saved");
  TRY(pyheap_find_orphans(heap));
  TRY(pyheap_index_references(heap));
  struct content *content = calloc(1, sizeof *content);
  if (!content || !make_content(heap, content)) {
    free(content);
    return &error_no_memory;
  }
  make_header(heap, content, &header);
  struct pyheap_error *error = write_file(path, content, &header);
  free(content->types);
  free(content);
  return error;
}

uint64_t pyheap_identity(const struct pyheap *heap) {
  return heap->memory.identity ? saved_identity(heap) : 0;
}
