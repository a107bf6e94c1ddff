/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where _PyRuntime may be, when no symbol tells. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "heap.h"
#include "lost.h"

enum {
  CHUNK = 1 << 20, /**< Bytes a thread searches at a time. */
  /** Candidates of each kind: more are chance. */
  MAX_CANDIDATES = 1 << 16,
};

/** A piece of the target's memory. */
struct area {
  uint64_t start, end;
};

struct areas {
  struct area *list;
  size_t count, capacity;
};

static bool add_area(struct areas *areas, uint64_t start, uint64_t end) {
  if (areas->count == areas->capacity) {
    size_t capacity = areas->capacity ? 2 * areas->capacity : 64;
    struct area *grown = reallocarray(areas->list, capacity, sizeof *grown);
    if (!grown)
      return false;
    areas->list = grown;
    areas->capacity = capacity;
  }
  areas->list[areas->count++] = (struct area){start, end};
  return true;
}

/** Adds START .. END-1 in chunks. */
static bool add_chunks(struct areas *areas, uint64_t start, uint64_t end) {
  start = (start + 7) & ~7ull;
  for (; start < end; start += CHUNK)
    if (!add_area(areas, start, end - start < CHUNK ? end : start + CHUNK))
      return false;
  return true;
}

static bool add_statics(const struct memory *memory, struct areas *areas) {
  for (size_t i = 0; i < memory->static_count; i++)
    if (!add_chunks(areas, memory->statics[i].start, memory->statics[i].end))
      return false;
  return true;
}

static bool add_writable(const struct memory *memory, struct areas *areas) {
  for (size_t i = 0; i < memory->range_count; i++) {
    const struct memory_range *range = &memory->ranges[i];
    if (range->bytes && (range->flags & MEMORY_WRITABLE) &&
        !add_chunks(areas, range->start, range->end))
      return false;
  }
  return true;
}

static bool push(uint64_t **list, size_t *count, uint64_t address) {
  if (*count == MAX_CANDIDATES)
    return true;
  if (!(*count & (*count - 1))) {
    uint64_t *grown =
        reallocarray(*list, *count ? 2 * *count : 1, sizeof *grown);
    if (!grown)
      return false;
    *list = grown;
  }
  (*list)[(*count)++] = address;
  return true;
}

static bool is_pointer(uint64_t word) {
  return word && !(word & 7) && word < 1ull << 47;
}

/** Whether the three words at BYTES are the head of the list of interpreters, the
 * main one and the next id (pycore_runtime.h, struct pyinterpreters of 3.8 to
 * 3.12). */
static bool is_list(const struct memory *memory, const uint8_t *bytes) {
  uint64_t first = load_u64(bytes), last = load_u64(bytes + 8);
  const struct memory_range *range;
  if (!is_pointer(first) || !is_pointer(last))
    return false;
  range = memory_range_at(memory, first);
  if (!range || !(range->flags & MEMORY_OBJECTS))
    return false;
  range = memory_range_at(memory, last);
  return range && range->flags & MEMORY_OBJECTS;
}

/** Looks at every word of an area; at what stands around it when it is one that
 * is sought. */
static bool search_area(const struct memory *memory, const struct area *area,
                        struct lost_runtimes *found) {
  /* pycore_debug_offsets.h; behind it is sys.hexversion. */
  static const char cookie[8] = "xdebugpy";
  enum {
    MOST_IDS = 1 << 20
  };
  uint64_t available = 0, wanted, length = area->end - area->start;
  const uint8_t *bytes = memory_available(memory, area->start, &available);

  memcpy(&wanted, cookie, sizeof wanted);
  if (!bytes)
    return true;
  /* What begins here may end in the next area. */
  length = length + 16 > available ? available : length + 16;
  for (uint64_t at = 0; at + 8 <= length; at += 8) {
    uint64_t word = load_u64(bytes + at);
    if (word - 1 < MOST_IDS && at >= 16) {
      if (is_list(memory, bytes + at - 16) &&
          !push(&found->lists, &found->list_count, area->start + at - 16))
        return false;
    } else if (word == wanted && at + 16 <= length &&
               load_u64(bytes + at + 8) >> 24 == 3) {
      if (!push(&found->described, &found->described_count, area->start + at))
        return false;
    }
  }
  return true;
}

/** Puts what one thread has found with the rest. */
static bool merge(struct lost_runtimes *all, const struct lost_runtimes *part) {
  bool done = true;
  for (size_t i = 0; i < part->described_count; i++)
    done &= push(&all->described, &all->described_count, part->described[i]);
  for (size_t i = 0; i < part->list_count; i++)
    done &= push(&all->lists, &all->list_count, part->lists[i]);
  return done;
}

struct search {
  const struct areas *areas;
  struct lost_runtimes *found; /**< By thread. */
  bool out_of_memory;
  struct heap_shares work;
};

static void search_shares(void *context, unsigned thread) {
  struct search *search = context;
  uint64_t i, end;

  while (heap_shares_take(&search->work, thread, &i, &end))
    if (!search_area(&search->work.heap->memory, &search->areas->list[i],
                     &search->found[thread]))
      __atomic_store_n(&search->out_of_memory, true, __ATOMIC_RELAXED);
}

static struct pyheap_error *search(const struct pyheap *heap,
                                   const struct areas *areas,
                                   struct lost_runtimes *ret) {
  struct search search = {.areas = areas,
                          .found = calloc(heap->threads, sizeof *search.found),
                          .work = {.heap = heap,
                                   .stage = "looking for the interpreter",
                                   .shares = {.end = areas->count, .size = 1}}};

  if (!search.found)
    return &error_no_memory;
  parallel_run(heap->threads, search_shares, &search);
  for (unsigned i = 0; i < heap->threads; i++) {
    search.out_of_memory |= !merge(ret, &search.found[i]);
    lost_runtimes_deinit(&search.found[i]);
  }
  free(search.found);
  return search.out_of_memory   ? &error_no_memory
         : search.work.canceled ? error_canceled()
                                : NULL;
}

struct pyheap_error *lost_runtimes_find(const struct pyheap *heap,
                                        bool everywhere,
                                        struct lost_runtimes *ret) {
  struct areas areas = {0};
  struct lost_runtimes found = {0};

  bool added = everywhere ? add_writable(&heap->memory, &areas)
                          : add_statics(&heap->memory, &areas);
  struct pyheap_error *error =
      added ? search(heap, &areas, &found) : &error_no_memory;
  free(areas.list);
  if (error) {
    lost_runtimes_deinit(&found);
    return error;
  }
  *ret = found;
  return NULL;
}

void lost_runtimes_deinit(struct lost_runtimes *runtimes) {
  free(runtimes->described);
  free(runtimes->lists);
}
