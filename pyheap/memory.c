/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "memory.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/user.h>

#include "error.h"
#include "parallel.h"
#include "sorted.h"

struct give_back {
  uint8_t *mapping;
  struct shares shares; /**< Of its bytes. */
};

static void give_back_shares(void *context, unsigned thread) {
  struct give_back *give_back = context;
  uint64_t start, end;

  (void)thread;
  /* What fails is left to munmap(). */
  while (shares_take(&give_back->shares, &start, &end))
    madvise(give_back->mapping + start, end - start, MADV_DONTNEED);
}

void memory_give_back(const struct memory *memory, unsigned threads) {
  enum {
    SHARE = 8 << 20
  };
  for (size_t i = 0; i < memory->mapping_count; i++) {
    struct give_back give_back = {
        .mapping = memory->mappings[i],
        .shares = {.end = memory->mapping_lengths[i], .size = SHARE}};
    if (threads > 1 && give_back.shares.end > SHARE)
      parallel_run(threads, give_back_shares, &give_back);
  }
}

void memory_deinit(struct memory *memory) {
  for (size_t i = 0; i < memory->mapping_count; i++)
    munmap(memory->mappings[i], memory->mapping_lengths[i]);
  free(memory->mappings);
  free(memory->mapping_lengths);
  for (size_t i = 0; i < sizeof memory->pieces / sizeof *memory->pieces; i++)
    free(memory->pieces[i]);
  for (size_t i = 0; i < memory->file_count; i++) {
    free((char *)memory->files[i].path);
    free((char *)memory->files[i].local);
  }
  free(memory->files);
  for (size_t i = 0; i < memory->note_count; i++)
    free(memory->notes[i]);
  free(memory->notes);
  free(memory->ranges);
  free(memory->statics);
  free(memory->threads);
  free(memory->stacks);
  free((char *)memory->exe);
  *memory = (struct memory){0};
}

/** Makes room for one more element: capacities are powers of two. */
static bool grow(void *array, size_t count, size_t size) {
  if (count & (count - 1))
    return true;
  size_t capacity = count ? 2 * count : 1;
  void *grown = reallocarray(*(void **)array, capacity, size);
  if (!grown)
    return false;
  *(void **)array = grown;
  return true;
}

struct pyheap_error *memory_add(struct memory *memory, uint64_t start,
                                uint64_t end, const uint8_t *bytes,
                                uint32_t flags) {
  if (start >= end)
    return NULL;
  if (memory->range_count >= MEMORY_MAX_RANGES)
    return error_create(PYHEAP_ERROR_LIMIT, start, "more than %d memory ranges",
                        MEMORY_MAX_RANGES);
  if (!grow(&memory->ranges, memory->range_count, sizeof *memory->ranges))
    return &error_no_memory;
  memory->ranges[memory->range_count++] = (struct memory_range){
      .start = start, .end = end, .bytes = bytes, .flags = flags};
  return NULL;
}

struct pyheap_error *memory_add_file(struct memory *memory, uint64_t start,
                                     uint64_t end, uint64_t offset,
                                     const char *path) {
  if (!grow(&memory->files, memory->file_count, sizeof *memory->files))
    return &error_no_memory;
  char *copy = strdup(path);
  if (!copy)
    return &error_no_memory;
  memory->files[memory->file_count++] = (struct memory_file){
      .start = start, .end = end, .offset = offset, .path = copy};
  return NULL;
}

struct pyheap_error *memory_own_mapping(struct memory *memory, void *address,
                                        size_t length) {
  if (!grow(&memory->mappings, memory->mapping_count, sizeof(void *)) ||
      !grow(&memory->mapping_lengths, memory->mapping_count, sizeof(size_t))) {
    munmap(address, length);
    return &error_no_memory;
  }
  memory->mappings[memory->mapping_count] = address;
  memory->mapping_lengths[memory->mapping_count++] = length;
  return NULL;
}

struct pyheap_error *
memory_add_stack(struct memory *memory, pid_t thread,
                 const struct user_regs_struct *registers) {
  /* Below the pointer, a function that calls no other has its variables. */
  enum {
    RED_ZONE = 128
  };
  const struct user_regs_struct *r = registers;

  if (!grow(&memory->stacks, memory->stack_count, sizeof *memory->stacks))
    return &error_no_memory;
  /* The thread's control block lies above the stack that it was given; the
   * first thread's is elsewhere. */
  memory->stacks[memory->stack_count++] = (struct memory_stack){
      .thread = thread,
      .start = (r->rsp - RED_ZONE) & ~7ull,
      .end = r->fs_base > r->rsp ? r->fs_base & ~7ull : UINT64_MAX,
      .registers = {r->rax, r->rbx, r->rcx, r->rdx, r->rsi, r->rdi, r->rbp,
                    r->r8, r->r9, r->r10, r->r11, r->r12, r->r13, r->r14,
                    r->r15}};
  return NULL;
}

struct pyheap_error *memory_need_run(struct memory *memory,
                                     struct memory_run *run, uint64_t start,
                                     uint64_t end) {
  if (start >= run->start && start < run->end)
    return NULL;
  void *bytes = mmap(NULL, end - start, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (bytes == MAP_FAILED)
    return error_os(errno, "memory for a copy of the program's");
  /* Fewer faults now, and fewer misses of the TLB when it is read. */
  madvise(bytes, end - start, MADV_HUGEPAGE);
  TRY(memory_own_mapping(memory, bytes, end - start));
  *run = (struct memory_run){start, end, bytes};
  return NULL;
}

struct pyheap_error *memory_note(struct memory *memory, const char *format,
                                 ...) {
  if (!grow(&memory->notes, memory->note_count, sizeof *memory->notes))
    return &error_no_memory;
  va_list arguments;
  va_start(arguments, format);
  int length = vasprintf(&memory->notes[memory->note_count], format, arguments);
  va_end(arguments);
  if (length < 0)
    return &error_no_memory;
  memory->note_count++;
  return NULL;
}

static int compare_ranges(const void *a, const void *b) {
  const struct memory_range *left = a, *right = b;
  if (left->start != right->start)
    return left->start < right->start ? -1 : 1;
  return left->end < right->end ? -1 : left->end > right->end;
}

/** The part of RANGE from START to END. */
static struct memory_range part(struct memory_range range, uint64_t start,
                                uint64_t end) {
  if (range.bytes)
    range.bytes += start - range.start;
  range.start = start;
  range.end = end;
  return range;
}

/** Whether B goes on where A ends, in the target and here. */
static bool continues(const struct memory_range *a,
                      const struct memory_range *b) {
  if (a->end != b->start || a->flags != b->flags)
    return false;
  if (!a->bytes || !b->bytes)
    return !a->bytes && !b->bytes;
  return a->bytes + (a->end - a->start) == b->bytes;
}

struct range_list {
  struct memory_range *ranges;
  size_t count;
};

static void append(struct range_list *list, struct memory_range range) {
  if (range.start >= range.end)
    return;
  if (list->count && continues(&list->ranges[list->count - 1], &range))
    list->ranges[list->count - 1].end = range.end;
  else
    list->ranges[list->count++] = range;
}

/** Appends to OUT the disjoint ranges ABOVE and, in the gaps between them, the
 * ranges BELOW; of two overlapping ones below, the first keeps the overlap.
 * Both lists are sorted by start. */
static void overlay(const struct memory_range *above, size_t above_count,
                    const struct memory_range *below, size_t below_count,
                    struct range_list *out) {
  uint64_t position = 0;
  size_t i = 0;

  for (size_t j = 0; j < below_count; j++) {
    uint64_t start = below[j].start > position ? below[j].start : position;
    while (start < below[j].end) {
      while (i < above_count && above[i].end <= start)
        append(out, above[i++]);
      uint64_t end = below[j].end;
      if (i < above_count && above[i].start <= start) {
        start = above[i].end;
        continue;
      }
      if (i < above_count && above[i].start < end)
        end = above[i].start;
      append(out, part(below[j], start, end));
      start = end;
    }
    if (start > position)
      position = start;
  }
  while (i < above_count)
    append(out, above[i++]);
}

/** Saved bytes go before those of files, and these before none. */
static int priority(const struct memory_range *range) {
  return !range->bytes ? 2 : range->flags & MEMORY_FROM_FILE ? 1 : 0;
}

/** Replaces the ranges by sorted and disjoint ones, and one behind all memory,
 * which is not counted. */
static struct pyheap_error *make_disjoint(struct memory *memory) {
  size_t count = memory->range_count;
  /* Each of COUNT ranges begins at most two pieces a layer, one at its own
   * start and one behind a range above it. */
  size_t room = 8 * count + 8;
  cleanup_free struct memory_range *layer =
      reallocarray(NULL, count, sizeof *layer);
  struct range_list above = {reallocarray(NULL, room, sizeof *layer), 0};
  struct range_list out = {reallocarray(NULL, room, sizeof *layer), 0};
  if (!layer || !above.ranges || !out.ranges) {
    free(above.ranges);
    free(out.ranges);
    return &error_no_memory;
  }
  for (int p = 0; p <= 2; p++) {
    size_t layer_count = 0;
    for (size_t i = 0; i < count; i++)
      if (priority(&memory->ranges[i]) == p)
        layer[layer_count++] = memory->ranges[i];
    qsort(layer, layer_count, sizeof *layer, compare_ranges);
    out.count = 0;
    overlay(above.ranges, above.count, layer, layer_count, &out);
    struct range_list swap = above;
    above = out;
    out = swap;
  }
  free(out.ranges);
  free(memory->ranges);
  memory->ranges = above.ranges;
  memory->range_count = above.count;
  memory->ranges[above.count] =
      (struct memory_range){.start = UINT64_MAX, .end = UINT64_MAX};
  return NULL;
}

size_t memory_find_range(const struct memory *memory, uint64_t address) {
  return SORTED_PLACE(0, memory->range_count, i,
                      memory->ranges[i].end <= address);
}

/** Fills memory->pieces, of which there are none where all memory is missing: a
 * sanitizer reserves terabytes, and a damaged size may claim them. */
static struct pyheap_error *index_ranges(struct memory *memory) {
  for (size_t i = 0; i < memory->range_count; i++) {
    const struct memory_range *range = &memory->ranges[i];
    if (!range->bytes)
      continue;
    uint64_t last = (range->end - 1) >> 20;
    for (uint64_t piece = range->start >> 20; piece <= last; piece++) {
      if (piece >> 16 >= sizeof memory->pieces / sizeof *memory->pieces)
        break;
      const struct memory_range ***pieces = &memory->pieces[piece >> 16];
      if (!*pieces)
        *pieces = calloc(1 << 16, sizeof **pieces);
      if (!*pieces)
        return &error_no_memory;
      if (!(*pieces)[piece & 0xffff])
        (*pieces)[piece & 0xffff] = range;
    }
  }
  return NULL;
}

/** Finds out how far one can read on from each range into the next ones. */
static void find_reaches(struct memory *memory) {
  for (size_t i = memory->range_count; i-- > 0;) {
    struct memory_range *range = &memory->ranges[i];
    const struct memory_range *next = range + 1;
    range->reach = range->end;
    if (i + 1 < memory->range_count && range->bytes && next->bytes &&
        next->start == range->end &&
        next->bytes == range->bytes + (range->end - range->start))
      range->reach = next->reach;
  }
}

/** Stacks end where memory does, and sooner when they are larger than any. */
static void limit_stacks(struct memory *memory) {
  for (size_t i = 0; i < memory->stack_count; i++) {
    struct memory_stack *stack = &memory->stacks[i];
    const struct memory_range *range = memory_range_at(memory, stack->start);
    if (!range || stack->end < stack->start)
      stack->end = stack->start;
    else if (stack->end > range->reach)
      stack->end = range->reach;
    if (stack->end - stack->start > MEMORY_MAX_STACK)
      stack->end = stack->start + MEMORY_MAX_STACK;
  }
}

struct pyheap_error *memory_finish(struct memory *memory) {
  if (!memory->range_count)
    return NULL;
  TRY(make_disjoint(memory));
  find_reaches(memory);
  for (size_t i = 0; i < memory->range_count; i++) {
    struct memory_range *range = &memory->ranges[i];
    uint64_t length = range->end - range->start;
    range->bit = memory->bit_count;
    range->bit_offset = range->bit - range->start / MEMORY_GRANULE;
    if (!range->bytes) {
      range->flags &= ~(uint32_t)MEMORY_OBJECTS;
      /* Files mapped for reading, such as locales, hold no heap. */
      if (!(range->flags & MEMORY_FILE) || (range->flags & MEMORY_WRITABLE))
        memory->missing_bytes += length;
      continue;
    }
    memory->present_bytes += length;
    if (!(range->flags & MEMORY_OBJECTS))
      continue;
    memory->bit_count += memory_granules(range);
  }
  TRY(index_ranges(memory));
  limit_stacks(memory);
  return NULL;
}

bool memory_is_mapped(const struct memory *memory, uint64_t address,
                      uint64_t length) {
  uint64_t end;
  if (memory_at(memory, address, length))
    return true;
  if (__builtin_add_overflow(address, length, &end))
    return false;
  for (size_t i = memory_find_range(memory, address);
       i < memory->range_count && memory->ranges[i].start <= address; i++) {
    if (end <= memory->ranges[i].end)
      return true;
    address = memory->ranges[i].end;
  }
  return false;
}

struct pyheap_error *memory_read_u64(const struct memory *memory,
                                     uint64_t address, uint64_t *ret) {
  const uint8_t *bytes = memory_at(memory, address, sizeof *ret);
  if (!bytes)
    return error_create(PYHEAP_ERROR_FAULT, address,
                        "memory at 0x%llx cannot be read",
                        (unsigned long long)address);
  memcpy(ret, bytes, sizeof *ret);
  return NULL;
}

const char *memory_string(const struct memory *memory, uint64_t address,
                          uint64_t limit) {
  uint64_t available;
  const uint8_t *bytes = memory_available(memory, address, &available);
  if (!bytes)
    return NULL;
  if (available > limit)
    available = limit;
  return memchr(bytes, 0, available) ? (const char *)bytes : NULL;
}

const struct memory_file *memory_file_at(const struct memory *memory,
                                         uint64_t address) {
  for (size_t i = 0; i < memory->file_count; i++)
    if (address >= memory->files[i].start && address < memory->files[i].end)
      return &memory->files[i];
  return NULL;
}
