/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Finds every object: those on the collector's lists, then all that these and
 * the roots lead to.  An object is found when its bit is set. */
#include "config.h"

#include <omp.h>
#include <string.h>

#include "heap.h"

/* Marks ------------------------------------------------------------------- */

/** The bit of ADDRESS; false when no object can be there. */
static bool mark_bit(const struct pyheap *heap, uint64_t address,
                     uint64_t *bit) {
  const struct memory_range *range = memory_range_at(&heap->memory, address);
  if (!range || !(range->flags & MEMORY_OBJECTS) || address % MEMORY_GRANULE)
    return false;
  *bit = range->bit + address / MEMORY_GRANULE - range->start / MEMORY_GRANULE;
  return true;
}

bool heap_is_marked(const struct pyheap *heap, uint64_t address) {
  uint64_t bit;
  return heap->marks && mark_bit(heap, address, &bit) &&
         __atomic_load_n(&heap->marks[bit / 64], __ATOMIC_RELAXED) >>
                 (bit % 64) &
             1;
}

/** Sets the bit; true when it was clear. */
static bool set_mark(struct pyheap *heap, uint64_t bit) {
  uint64_t mask = 1ull << (bit % 64);
  return !(__atomic_fetch_or(&heap->marks[bit / 64], mask, __ATOMIC_RELAXED) &
           mask);
}

/* Numbers ----------------------------------------------------------------- */

static uint64_t mark_words(const struct pyheap *heap) {
  return heap->memory.bit_count / 64 + 1;
}

static struct pyheap_error *number_objects(struct pyheap *heap) {
  uint64_t words = mark_words(heap), count = 0;
  heap->ranks = reallocarray(NULL, words + 1, sizeof *heap->ranks);
  if (!heap->ranks)
    return &error_no_memory;
  for (uint64_t i = 0; i < words; i++) {
    heap->ranks[i] = (uint32_t)count;
    count += (unsigned)__builtin_popcountll(heap->marks[i]);
  }
  heap->ranks[words] = (uint32_t)count;
  /* Objects and roots share 31 bits: the index needs one more. */
  if (count + heap->root_count > INT32_MAX)
    return error_create(PYHEAP_ERROR_LIMIT, 0, "more than %d objects",
                        INT32_MAX);
  heap->object_count = (uint32_t)count;
  return NULL;
}

uint32_t heap_number(const struct pyheap *heap, uint64_t address) {
  uint64_t bit;
  if (!mark_bit(heap, address, &bit))
    return PYHEAP_NO_NODE;
  uint64_t marks = heap->marks[bit / 64];
  if (!(marks >> (bit % 64) & 1))
    return PYHEAP_NO_NODE;
  return heap->ranks[bit / 64] +
         (unsigned)__builtin_popcountll(marks & ((1ull << (bit % 64)) - 1));
}

/** The address of a granule's bit. */
uint64_t heap_bit_address(const struct pyheap *heap, uint64_t bit) {
  const struct memory *memory = &heap->memory;
  size_t low = 0, high = memory->range_count;
  const struct memory_range *found = NULL;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (memory->ranges[middle].bit <= bit) {
      found = &memory->ranges[middle];
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return (found->start / MEMORY_GRANULE + bit - found->bit) * MEMORY_GRANULE;
}

uint64_t heap_number_address(const struct pyheap *heap, uint32_t number) {
  uint64_t low = 0, high = mark_words(heap);
  while (high - low > 1) {
    uint64_t middle = low + (high - low) / 2;
    if (heap->ranks[middle] <= number)
      low = middle;
    else
      high = middle;
  }
  uint64_t marks = heap->marks[low];
  for (uint32_t skip = number - heap->ranks[low]; skip; skip--)
    marks &= marks - 1;
  return heap_bit_address(heap, 64 * low + (unsigned)__builtin_ctzll(marks));
}

/* The collector's lists --------------------------------------------------- */

/** Low bits of _gc_next and _gc_prev are flags. */
static const uint64_t GC_FLAGS = 3;

struct addresses {
  uint64_t *list;
  size_t count, capacity;
};

static bool addresses_push(struct addresses *addresses, uint64_t address) {
  if (addresses->count == addresses->capacity) {
    size_t capacity = addresses->capacity ? 2 * addresses->capacity : 1024;
    uint64_t *grown =
        reallocarray(addresses->list, capacity, sizeof *grown);
    if (!grown)
      return false;
    addresses->list = grown;
    addresses->capacity = capacity;
  }
  addresses->list[addresses->count++] = address;
  return true;
}

static uint64_t gc_link(const struct pyheap *heap, uint64_t node,
                        int32_t offset) {
  const uint8_t *bytes =
      memory_at(&heap->memory, node + (uint64_t)offset, 8);
  return bytes ? load_u64(bytes) & ~GC_FLAGS : 0;
}

/** Walks from the list's HEAD along the links at OFFSET until the head comes
 * again.  Objects already found end the walk: another walk was there. */
static struct pyheap_error *walk_list(struct pyheap *heap, uint64_t head,
                                      int32_t offset, struct addresses *found,
                                      bool *closed) {
  uint64_t header = (uint64_t)SIZEOF(heap->layout, PyGC_Head);
  uint64_t node = gc_link(heap, head, offset), last = head;

  *closed = false;
  while (node != head) {
    struct object object;
    const char *why;
    uint64_t bit;
    if (!object_load(heap, node + header, &object, &why) ||
        !mark_bit(heap, node + header, &bit)) {
      problems_add(&heap->problems, "breaks in the collector's lists", last, 1);
      return NULL;
    }
    if (!set_mark(heap, bit))
      return NULL;
    if (!addresses_push(found, node + header))
      return &error_no_memory;
    if (found->count % (1 << 20) == 0 &&
        heap_canceled(heap, "walking the collector's lists", found->count, 0))
      return error_canceled();
    last = node;
    node = gc_link(heap, node, offset);
  }
  *closed = true;
  return NULL;
}

/** The objects of one list; what lies behind a break is reached from the other
 * end. */
static struct pyheap_error *walk_generation(struct pyheap *heap, uint64_t head,
                                            struct addresses *found) {
  bool closed;
  if (!head)
    return NULL;
  TRY(walk_list(heap, head, OFFSET(heap->layout, PyGC_Head, _gc_next), found,
                &closed));
  if (closed)
    return NULL;
  return walk_list(heap, head, OFFSET(heap->layout, PyGC_Head, _gc_prev), found,
                   &closed);
}

static struct pyheap_error *walk_generations(struct pyheap *heap,
                                             struct addresses *found) {
  for (size_t i = 0; i < heap->root_count; i++) {
    if (heap->roots[i].kind != PYHEAP_ROOT_INTERPRETER)
      continue;
    for (int generation = 0; generation < 4; generation++)
      TRY(walk_generation(
          heap, runtime_generation(heap, heap->roots[i].address, generation),
          found));
  }
  return NULL;
}

void heap_walk_generation(const struct pyheap *heap, uint64_t interpreter,
                          int generation, int8_t *generations) {
  uint64_t header = (uint64_t)SIZEOF(heap->layout, PyGC_Head);
  uint64_t head = runtime_generation(heap, interpreter, generation);
  int32_t offset = OFFSET(heap->layout, PyGC_Head, _gc_next);

  for (uint64_t node = head ? gc_link(heap, head, offset) : head; node != head;
       node = gc_link(heap, node, offset)) {
    uint32_t number = heap_number(heap, node + header);
    if (number == PYHEAP_NO_NODE || generations[number] >= 0)
      return;
    generations[number] = (int8_t)generation;
  }
}

/* Following references ---------------------------------------------------- */

struct total {
  uint64_t count, bytes;
};

/** What one thread needs. */
struct worker {
  struct visit visit;
  struct pyheap *heap;
  struct addresses stack; /**< Found and not yet visited. */
  struct total *tracked, *reachable; /**< By type index. */
  size_t total_count;
  struct problems problems;
  bool out_of_memory;
};

static void discover(struct worker *worker, uint64_t address) {
  struct object object;
  const char *why;
  uint64_t bit;

  if (!mark_bit(worker->heap, address, &bit)) {
    problems_add(&worker->problems, "references to memory that cannot be read",
                 address, 1);
    return;
  }
  if (worker->heap->marks[bit / 64] >> (bit % 64) & 1)
    return;
  if (!object_load(worker->heap, address, &object, &why)) {
    problems_add(&worker->problems, why, address, 1);
    return;
  }
  if (set_mark(worker->heap, bit) && !addresses_push(&worker->stack, address))
    worker->out_of_memory = true;
}

static void discover_all(struct visit *visit) {
  for (size_t i = 0; i < visit->count; i++)
    discover(visit->context, visit->references[i].target);
}

static bool grow_totals(struct worker *worker, uint32_t index) {
  if (index < worker->total_count)
    return true;
  size_t count = (size_t)index * 2 + 64;
  struct total *tracked =
      reallocarray(worker->tracked, count, sizeof *tracked);
  if (tracked)
    worker->tracked = tracked;
  struct total *reachable =
      reallocarray(worker->reachable, count, sizeof *reachable);
  if (reachable)
    worker->reachable = reachable;
  if (!tracked || !reachable)
    return false;
  size_t added = count - worker->total_count;
  memset(tracked + worker->total_count, 0, added * sizeof *tracked);
  memset(reachable + worker->total_count, 0, added * sizeof *reachable);
  worker->total_count = count;
  return true;
}

/** Counts one object that was found, and finds what it refers to. */
static void visit_found(struct worker *worker, uint64_t address, bool tracked) {
  struct object object;
  const char *why;

  if (!object_load(worker->heap, address, &object, &why))
    return;
  uint32_t index = object.type->index;
  if (!grow_totals(worker, index)) {
    worker->out_of_memory = true;
    return;
  }
  uint64_t bytes = object_getsizeof(worker->heap, &object);
  if (tracked) {
    worker->tracked[index].count++;
    worker->tracked[index].bytes += bytes;
  }
  /* A static type is referred to by its instances without a count. */
  if (!worker->reachable[index].count)
    discover(worker, object.type->public.address);
  worker->reachable[index].count++;
  worker->reachable[index].bytes += bytes;
  object_visit(&worker->visit, &object);
}

static void drain(struct worker *worker) {
  while (worker->stack.count && !worker->out_of_memory) {
    uint64_t address = worker->stack.list[--worker->stack.count];
    visit_found(worker, address, false);
  }
}

static void worker_init(struct worker *worker, struct pyheap *heap) {
  *worker = (struct worker){.heap = heap};
  worker->visit.heap = heap;
  worker->visit.flush = discover_all;
  worker->visit.context = worker;
  worker->visit.problems = &worker->problems;
}

static void worker_deinit(struct worker *worker) {
  free(worker->stack.list);
  free(worker->tracked);
  free(worker->reachable);
}

/** Visits the objects of the collector's lists, and all that is new from
 * there, in parallel. */
static bool visit_tracked(struct pyheap *heap, struct worker *workers,
                          const struct addresses *tracked) {
  bool stop = false;
  size_t done = 0;
  enum { BATCH = 4096 };

#pragma omp parallel for schedule(dynamic, 1) num_threads(heap->threads)
  for (size_t start = 0; start < tracked->count; start += BATCH) {
    struct worker *worker = &workers[omp_get_thread_num()];
    if (__atomic_load_n(&stop, __ATOMIC_RELAXED) || worker->out_of_memory)
      continue;
    size_t end =
        start + BATCH < tracked->count ? start + BATCH : tracked->count;
    for (size_t i = start; i < end; i++) {
      visit_found(worker, tracked->list[i], true);
      drain(worker);
    }
    size_t so_far =
        __atomic_add_fetch(&done, end - start, __ATOMIC_RELAXED);
    if (omp_get_thread_num() == 0 &&
        heap_canceled(heap, "finding objects", so_far, tracked->count))
      __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
  }
  return !stop;
}

/** Visits the roots: again as long as they find anything, for what the static
 * memory is taken to refer to depends on which types are known. */
static void visit_roots(struct pyheap *heap, struct worker *worker) {
  for (size_t i = 0; i < heap->root_count; i++)
    if (heap->roots[i].kind != PYHEAP_ROOT_RUNTIME) {
      root_visit(&worker->visit, &heap->roots[i]);
      drain(worker);
    }
  for (size_t i = 0; i < heap->root_count; i++)
    if (heap->roots[i].kind == PYHEAP_ROOT_RUNTIME) {
      root_visit(&worker->visit, &heap->roots[i]);
      drain(worker);
    }
}

static struct pyheap_error *add_totals(struct pyheap *heap,
                                       const struct worker *workers) {
  heap->row_count = heap->types.count;
  heap->tracked_rows = calloc(heap->row_count, sizeof *heap->tracked_rows);
  heap->reachable_rows = calloc(heap->row_count, sizeof *heap->reachable_rows);
  if (!heap->tracked_rows || !heap->reachable_rows)
    return &error_no_memory;
  for (size_t i = 0; i < heap->row_count; i++) {
    struct pyheap_summary_row *tracked = &heap->tracked_rows[i];
    struct pyheap_summary_row *reachable = &heap->reachable_rows[i];
    tracked->type = reachable->type = (uint32_t)i;
    for (unsigned w = 0; w < heap->threads; w++) {
      if (i >= workers[w].total_count)
        continue;
      tracked->count += workers[w].tracked[i].count;
      tracked->bytes += workers[w].tracked[i].bytes;
      reachable->count += workers[w].reachable[i].count;
      reachable->bytes += workers[w].reachable[i].bytes;
    }
    heap->info.tracked += tracked->count;
    heap->info.tracked_bytes += tracked->bytes;
    heap->info.reachable += reachable->count;
    heap->info.reachable_bytes += reachable->bytes;
  }
  return NULL;
}

static struct pyheap_error *find_with(struct pyheap *heap,
                                      struct worker *workers,
                                      const struct addresses *tracked) {
  heap->interned = roots_find_interned(heap);
  if (!visit_tracked(heap, workers, tracked))
    return error_canceled();
  visit_roots(heap, &workers[0]);
  for (unsigned w = 0; w < heap->threads; w++) {
    if (workers[w].out_of_memory)
      return &error_no_memory;
    problems_merge(&heap->problems, &workers[w].problems);
  }
  TRY(number_objects(heap));
  return add_totals(heap, workers);
}

/** Forgets what an unfinished search has left. */
static void forget(struct pyheap *heap) {
  free(take(heap->marks));
  free(take(heap->ranks));
  free(take(heap->tracked_rows));
  free(take(heap->reachable_rows));
}

struct pyheap_error *pyheap_find_objects(struct pyheap *heap) {
  struct addresses tracked = {0};

  if (heap->objects_found)
    return NULL;
  heap->marks = calloc(mark_words(heap), sizeof *heap->marks);
  struct worker *workers = calloc(heap->threads, sizeof *workers);
  if (!heap->marks || !workers) {
    free(workers);
    forget(heap);
    return &error_no_memory;
  }
  for (unsigned w = 0; w < heap->threads; w++)
    worker_init(&workers[w], heap);
  struct pyheap_error *error = walk_generations(heap, &tracked);
  if (!error)
    error = find_with(heap, workers, &tracked);
  free(tracked.list);
  for (unsigned w = 0; w < heap->threads; w++)
    worker_deinit(&workers[w]);
  free(workers);
  if (error) {
    forget(heap);
    return error;
  }
  heap->info.roots = heap->root_count;
  heap->objects_found = true;
  return NULL;
}

struct pyheap_error *pyheap_summarize(struct pyheap *heap, bool tracked_only,
                                      struct pyheap_summary_row **ret,
                                      size_t *count) {
  TRY(pyheap_find_objects(heap));
  const struct pyheap_summary_row *rows =
      tracked_only ? heap->tracked_rows : heap->reachable_rows;
  struct pyheap_summary_row *copy =
      reallocarray(NULL, heap->row_count + 1, sizeof *copy);
  if (!copy)
    return &error_no_memory;
  size_t used = 0;
  for (size_t i = 0; i < heap->row_count; i++)
    if (rows[i].count)
      copy[used++] = rows[i];
  *ret = copy;
  *count = used;
  return NULL;
}
