/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Finds every object: those on the collector's lists, then all that these and
 * the roots lead to.  An object is found when its bit is set. */
#include "config.h"

#include <omp.h>
#include <string.h>

#include "allocator.h"
#include "heap.h"
#include "marks.h"

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
    if (!mark_set(heap->marks, bit))
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

/** What a search of the allocator's blocks has found. */
struct block_search {
  struct pyheap *heap;
  struct addresses *found;
  bool out_of_memory;
};

static void consider_tracked(void *context, uint64_t start, uint64_t size) {
  struct block_search *search = context;
  uint64_t address = allocator_object_in(search->heap, start, size), bit;
  struct object object;
  const char *why;
  if (address && object_load(search->heap, address, &object, &why) &&
      object_is_tracked(search->heap, &object) &&
      mark_bit(search->heap, address, &bit) &&
      mark_set(search->heap->marks, bit) &&
      !addresses_push(search->found, address))
    search->out_of_memory = true;
}

/** Free-threaded builds have no lists: an object says itself whether it is
 * tracked, and its allocator where it is. */
static struct pyheap_error *search_tracked(struct pyheap *heap,
                                           struct addresses *found) {
  struct block_search search = {heap, found, false};
  if (!allocator_blocks(heap, consider_tracked, &search))
    return error_canceled();
  return search.out_of_memory ? &error_no_memory : NULL;
}

static struct pyheap_error *walk_generations(struct pyheap *heap,
                                             struct addresses *found) {
  if (heap->layout->free_threaded)
    return search_tracked(heap, found);
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
  bool orphans;           /**< What is found now, nothing else leads to. */
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
  if (mark_get(worker->heap->marks, bit))
    return;
  if (!object_load(worker->heap, address, &object, &why)) {
    problems_add(&worker->problems, why, address, 1);
    return;
  }
  if (!mark_set(worker->heap->marks, bit))
    return;
  if (worker->orphans)
    mark_set(worker->heap->orphans, bit);
  if (!addresses_push(&worker->stack, address))
    worker->out_of_memory = true;
}

/** Notes that an object refers to what is none. */
static void check_references(struct visit *visit) {
  bool *sound = visit->context;
  for (size_t i = 0; i < visit->count; i++) {
    const struct pyheap_reference *reference = &visit->references[i];
    struct object target;
    const char *why;
    if (reference->kind != PYHEAP_PROBABLE &&
        !object_load(visit->heap, reference->target, &target, &why))
      *sound = false;
  }
  visit->stop = !*sound;
}

/** Whether what a probable reference leads to has references that make sense:
 * chance makes headers of objects, but hardly more. */
static bool is_sound(const struct pyheap *heap, uint64_t address) {
  bool sound = true;
  struct object object;
  const char *why;
  struct visit visit = {
      .heap = heap, .flush = check_references, .context = &sound};
  if (!object_load(heap, address, &object, &why))
    return false;
  object_visit(&visit, &object);
  return sound;
}

static void discover_all(struct visit *visit) {
  for (size_t i = 0; i < visit->count; i++) {
    const struct pyheap_reference *reference = &visit->references[i];
    if (reference->kind == PYHEAP_PROBABLE &&
        !heap_is_marked(visit->heap, reference->target) &&
        !is_sound(visit->heap, reference->target))
      continue;
    discover(visit->context, reference->target);
  }
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
/** While the collector works, objects are on lists of its own, whose heads are
 * on its stack: one that a reference has led to leads to its neighbour. */
static void discover_neighbour(struct worker *worker, uint64_t address) {
  const struct pyheap *heap = worker->heap;
  uint64_t header = (uint64_t)SIZEOF(heap->layout, PyGC_Head);
  uint64_t next = gc_link(heap, address - header,
                          OFFSET(heap->layout, PyGC_Head, _gc_next));
  struct object object;
  const char *why;
  uint64_t bit;
  if (next && mark_bit(heap, next + header, &bit) &&
      object_load(heap, next + header, &object, &why) &&
      object_is_tracked(heap, &object))
    discover(worker, next + header);
}

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
  if (!tracked && !worker->heap->layout->free_threaded &&
      object_is_tracked(worker->heap, &object)) {
    tracked = true;
    discover_neighbour(worker, address);
  }
  uint64_t bytes;
  if (!object_measure(worker->heap, &object, &bytes))
    problems_add(&worker->problems, "objects whose size makes no sense",
                 address, 1);
  if (tracked) {
    worker->tracked[index].count++;
    worker->tracked[index].bytes += bytes;
  }
  /* Types that have no instances are known by name all the same. */
  if (object.type->flags & TPFLAGS_TYPE_SUBCLASS)
    types_get(worker->heap, address);
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
  TRY(roots_find_interned(heap));
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

/* Orphans ----------------------------------------------------------------- */

/** An allocated block that is an object which nothing was found to refer to. */
static void consider_block(void *context, uint64_t start, uint64_t size) {
  struct worker *worker = context;
  struct pyheap *heap = worker->heap;
  heap->info.allocator_blocks++;
  /* What stands before an object takes 48 bytes at the most. */
  if (mark_any(heap, start, size < 64 ? size : 64))
    return;
  uint64_t object = allocator_object_in(heap, start, size);
  if (!object || heap_is_marked(heap, object) || worker->out_of_memory ||
      !is_sound(heap, object))
    return;
  discover(worker, object);
  drain(worker);
}

static struct pyheap_error *add_orphans(struct pyheap *heap,
                                        const struct worker *worker) {
  struct pyheap_summary_row *rows =
      calloc(heap->types.count + 1, sizeof *rows);
  if (!rows || worker->out_of_memory) {
    free(rows);
    return &error_no_memory;
  }
  heap->orphan_rows = rows;
  heap->orphan_row_count = heap->types.count;
  for (size_t i = 0; i < heap->orphan_row_count; i++) {
    rows[i].type = (uint32_t)i;
    if (i >= worker->total_count)
      continue;
    rows[i].count = worker->reachable[i].count;
    rows[i].bytes = worker->reachable[i].bytes;
    heap->info.orphans += rows[i].count;
    heap->info.orphan_bytes += rows[i].bytes;
  }
  problems_merge(&heap->problems, &worker->problems);
  return number_objects(heap);
}

/** Undoes a search for orphans that was not finished. */
static struct pyheap_error *forget_orphans(struct pyheap *heap) {
  for (uint64_t i = 0; i < mark_words(heap); i++)
    heap->marks[i] &= ~heap->orphans[i];
  free(take(heap->orphans));
  free(take(heap->orphan_rows));
  heap->info.orphans = heap->info.orphan_bytes = 0;
  heap->info.allocator_blocks = 0;
  return number_objects(heap);
}

struct pyheap_error *pyheap_find_orphans(struct pyheap *heap) {
  struct worker worker;

  TRY(pyheap_find_objects(heap));
  if (heap->orphans)
    return NULL;
  heap->orphans = calloc(mark_words(heap), sizeof *heap->orphans);
  if (!heap->orphans)
    return &error_no_memory;
  worker_init(&worker, heap);
  worker.orphans = true;
  bool whole = allocator_blocks(heap, consider_block, &worker);
  struct pyheap_error *error =
      whole ? add_orphans(heap, &worker) : error_canceled();
  worker_deinit(&worker);
  /* The objects have other numbers now. */
  index_forget(heap);
  if (!error)
    return NULL;
  struct pyheap_error *second = forget_orphans(heap);
  pyheap_error_destroy(second);
  return error;
}

static const struct pyheap_summary_row *rows_of(const struct pyheap *heap,
                                                enum pyheap_set set,
                                                size_t *count) {
  *count = set == PYHEAP_ORPHANS ? heap->orphan_row_count : heap->row_count;
  switch (set) {
  case PYHEAP_TRACKED:
    return heap->tracked_rows;
  case PYHEAP_ORPHANS:
    return heap->orphan_rows;
  default:
    return heap->reachable_rows;
  }
}

struct pyheap_error *pyheap_summarize(struct pyheap *heap, enum pyheap_set set,
                                      struct pyheap_summary_row **ret,
                                      size_t *count) {
  size_t all, used = 0;

  TRY(set == PYHEAP_ORPHANS ? pyheap_find_orphans(heap)
                            : pyheap_find_objects(heap));
  const struct pyheap_summary_row *rows = rows_of(heap, set, &all);
  struct pyheap_summary_row *copy = reallocarray(NULL, all + 1, sizeof *copy);
  if (!copy)
    return &error_no_memory;
  for (size_t i = 0; i < all; i++)
    if (rows[i].count)
      copy[used++] = rows[i];
  *ret = copy;
  *count = used;
  return NULL;
}
