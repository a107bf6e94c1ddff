/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Opening a heap, and what is asked of its nodes. */
#include "config.h"

#include "block_owners.h"
#include "heap.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "marks.h"
#include "static_tables.h"
#include "symbols.h"

/* Problems ---------------------------------------------------------------- */

void problems_add(struct problems *problems, const char *what, uint64_t address,
                  uint64_t count) {
  for (size_t i = 0; i < problems->count; i++)
    if (strcmp(problems->list[i].what, what) == 0) {
      problems->list[i].count += count;
      return;
    }
  if (problems->count < MAX_PROBLEMS)
    problems->list[problems->count++] =
        (struct pyheap_problem){what, address, count};
}

void problems_merge(struct problems *problems, const struct problems *more) {
  for (size_t i = 0; i < more->count; i++)
    problems_add(problems, more->list[i].what, more->list[i].address,
                 more->list[i].count);
}

/* Progress ---------------------------------------------------------------- */

bool heap_canceled(const struct pyheap *heap, const char *stage, uint64_t done,
                   uint64_t total) {
  const struct pyheap_progress *progress = heap->target.progress;
  return progress && !progress->step(progress->context, stage, done, total);
}

bool heap_shares_take(struct heap_shares *work, unsigned thread,
                      uint64_t *start, uint64_t *end) {
  if (__atomic_load_n(&work->canceled, __ATOMIC_RELAXED) ||
      !shares_take(&work->shares, start, end))
    return false;
  if (thread == 0 &&
      heap_canceled(work->heap, work->stage, *start, work->shares.end)) {
    __atomic_store_n(&work->canceled, true, __ATOMIC_RELAXED);
    return false;
  }
  return true;
}

struct pyheap_error *error_canceled(void) {
  return error_create(PYHEAP_ERROR_CANCELED, 0, "interrupted");
}

/* Opening ----------------------------------------------------------------- */

/** Copies the strings of TARGET, which then are the heap's. */
static struct pyheap_error *copy_target(struct pyheap *heap,
                                        const struct pyheap_target *target) {
  heap->target = *target;
  heap->target.core = NULL;
  heap->target.exe = NULL;
  heap->target.sysroot = NULL;
  heap->target.files = NULL;
  heap->target.regions = NULL;
  heap->target.stopped_threads = NULL;
  heap->target.file_count = heap->target.region_count = 0;
  heap->target.stopped_thread_count = 0;
  if (target->core && !(heap->target.core = strdup(target->core)))
    return &error_no_memory;
  if (target->exe && !(heap->target.exe = strdup(target->exe)))
    return &error_no_memory;
  if (target->sysroot && !(heap->target.sysroot = strdup(target->sysroot)))
    return &error_no_memory;
  heap->threads = target->threads ? target->threads : parallel_threads();
  return NULL;
}

/** Whether ERROR says that this process may not read what a debugger can. */
static bool is_refused(const struct pyheap_error *error,
                       const struct pyheap_target *target) {
  return error && error->code == PYHEAP_ERROR_OS && target->reader &&
         target->region_count;
}

static struct pyheap_error *describe_source(struct pyheap *heap,
                                            const char *format, ...) {
  char *source = NULL;
  va_list arguments;
  va_start(arguments, format);
  int length = vasprintf(&source, format, arguments);
  va_end(arguments);
  if (length < 0)
    return &error_no_memory;
  free((char *)heap->info.source);
  heap->info.source = source;
  return NULL;
}

static struct pyheap_error *open_directly(struct pyheap *heap,
                                          const struct pyheap_target *target) {
  if (target->core) {
    TRY(describe_source(heap, "core file %s", target->core));
    return memory_open_core(&heap->memory, target);
  }
  TRY(describe_source(heap, "process %d", (int)target->pid));
  return memory_open_live(&heap->memory, target, heap->threads);
}

static struct pyheap_error *open_memory(struct pyheap *heap,
                                        const struct pyheap_target *target) {
  struct pyheap_error *error = NULL;

  if (target->core || target->pid > 0) {
    error = open_directly(heap, target);
    if (!is_refused(error, target))
      return error;
    pyheap_error_destroy(error);
    memory_deinit(&heap->memory);
  }
  if (!target->reader || !target->region_count)
    return error_create(PYHEAP_ERROR_OS, 0,
                        "there is no core file and no process to read");
  TRY(describe_source(heap, "the debugger's memory"));
  heap->from_reader = true;
  return memory_open_remote(&heap->memory, target);
}

static struct pyheap_error *open_heap(struct pyheap *heap,
                                      const struct pyheap_target *target) {
  TRY(copy_target(heap, target));
  TRY(open_memory(heap, target));
  TRY(memory_find_statics(&heap->memory));
  heap->block_owners = block_owners_create();
  if (!heap->block_owners)
    return &error_no_memory;
  TRY(runtime_find(heap));
  return static_tables_find(heap);
}

/** Tells before ERROR what the core file lacks, which may be the reason. */
static struct pyheap_error *add_damage(const struct memory *memory,
                                       struct pyheap_error *error) {
  struct pyheap_error *whole;
  size_t count = memory->damage_count;

  if (!count || error->code == PYHEAP_ERROR_NO_MEMORY ||
      error->code == PYHEAP_ERROR_CANCELED)
    return error;
  /* The last is about how much is missing, the first about what; behind a
   * semicolon is what that means for answers, of which there will be none. */
  const char *first = memory->notes[0], *last = memory->notes[count - 1];
  whole = error_create(
      error->code, error->address, "%.*s%s%.*s; perhaps therefore: %s",
      (int)strcspn(last, ";"), last, count > 1 ? "; " : "",
      count > 1 ? (int)strcspn(first, ";") : 0, first, error->message);
  pyheap_error_destroy(error);
  return whole;
}

struct pyheap_error *pyheap_open(const struct pyheap_target *target,
                                 struct pyheap **ret) {
  struct pyheap *heap = calloc(1, sizeof *heap);
  if (!heap)
    return &error_no_memory;
  struct pyheap_error *error = open_heap(heap, target);
  if (error) {
    error = add_damage(&heap->memory, error);
    pyheap_close(heap);
    return error;
  }
  *ret = heap;
  return NULL;
}

void pyheap_close(struct pyheap *heap) {
  if (!heap)
    return;
  for (size_t i = 0; i < heap->root_count; i++)
    free(heap->roots[i].name);
  free(heap->roots);
  free(heap->running);
  free(heap->block_owners);
  free(heap->thread_counts);
  types_deinit(&heap->types);
  saved_index_close(heap);
  free(heap->marks);
  free(heap->ranks);
  free(heap->tracked_rows);
  free(heap->reachable_rows);
  free(heap->orphans);
  free(heap->orphan_rows);
  free(heap->in_starts);
  free(heap->in_sources);
  free(heap->uncounted);
  free(heap->object_types);
  free(heap->generations);
  free(heap->owners);
  free(heap->interned);
  free(heap->static_tables);
  free(heap->interpreters);
  symbols_close(heap->symbols);
  memory_give_back(&heap->memory, heap->threads);
  memory_deinit(&heap->memory);
  free((char *)heap->info.source);
  free((char *)heap->target.core);
  free((char *)heap->target.exe);
  free((char *)heap->target.sysroot);
  free(heap);
}

bool pyheap_is_current(const struct pyheap *heap) {
  if (heap->target.pid <= 0 || heap->from_reader)
    return !heap->from_reader;
  return memory_is_current(&heap->memory, heap->target.progress, heap->threads);
}

const struct pyheap_info *pyheap_info(struct pyheap *heap) {
  struct pyheap_info *info = &heap->info;
  info->memory_bytes = heap->memory.present_bytes;
  info->missing_bytes = heap->memory.missing_bytes;
  info->notes = (const char *const *)heap->memory.notes;
  info->note_count = heap->memory.note_count;
  info->problems = heap->problems.list;
  info->problem_count = heap->problems.count;
  info->incomplete = heap->problems.count || heap->memory.truncated;
  return info;
}

/* Nodes ------------------------------------------------------------------- */

pyheap_node pyheap_object_count(const struct pyheap *heap) {
  return heap->object_count;
}

pyheap_node pyheap_node_count(const struct pyheap *heap) {
  return heap->object_count + (pyheap_node)heap->root_count;
}

bool pyheap_is_root(const struct pyheap *heap, pyheap_node node) {
  return node >= heap->object_count && node < pyheap_node_count(heap);
}

const struct root *heap_root(const struct pyheap *heap, pyheap_node node) {
  return &heap->roots[node - heap->object_count];
}

pyheap_node pyheap_node_at(const struct pyheap *heap, uint64_t address) {
  if (!heap->objects_found)
    return PYHEAP_NO_NODE;
  pyheap_node number = heap_number(heap, address);
  if (number != PYHEAP_NO_NODE)
    return number;
  for (size_t i = 0; i < heap->root_count; i++)
    if (heap->roots[i].address == address)
      return heap->object_count + (pyheap_node)i;
  return PYHEAP_NO_NODE;
}

uint64_t pyheap_address(const struct pyheap *heap, pyheap_node node) {
  return pyheap_is_root(heap, node) ? heap_root(heap, node)->address
                                    : heap_number_address(heap, node);
}

void pyheap_nodes_near(const struct pyheap *heap, uint64_t address,
                       pyheap_node *before, pyheap_node *after) {
  pyheap_node place = (pyheap_node)SORTED_PLACE(
      0, heap->object_count, i,
      heap_number_address(heap, (pyheap_node)i) <= address);

  *before = place ? place - 1 : PYHEAP_NO_NODE;
  *after = place < heap->object_count ? place : PYHEAP_NO_NODE;
}

enum pyheap_root_kind pyheap_root_kind(const struct pyheap *heap,
                                       pyheap_node root) {
  return heap_root(heap, root)->kind;
}

/** Loads an object by number; false for a root. */
bool heap_load_node(const struct pyheap *heap, pyheap_node node,
                    struct object *object) {
  const char *why;
  return node < heap->object_count &&
         object_load(heap, heap_number_address(heap, node), object, &why);
}

uint64_t pyheap_size(const struct pyheap *heap, pyheap_node node) {
  struct object object;
  return heap_load_node(heap, node, &object) ? object_getsizeof(heap, &object)
                                             : 0;
}

bool pyheap_size_certain(const struct pyheap *heap, pyheap_node node) {
  struct object object;
  uint64_t size;
  return !heap_load_node(heap, node, &object) ||
         object_measure(heap, &object, &size);
}

bool pyheap_extent(const struct pyheap *heap, pyheap_node node, uint64_t *start,
                   uint64_t *end) {
  struct object object;
  if (!heap_load_node(heap, node, &object))
    return false;
  object_extent(heap, &object, start, end);
  return true;
}

int64_t pyheap_refcount(const struct pyheap *heap, pyheap_node node) {
  if (node >= heap->object_count)
    return 0;
  return heap_refcount(heap, heap_number_address(heap, node));
}

/** Whether OBJECT's count leaves out references: static objects that are no
 * types.  Those that begin with 999999999 (_PyObject_IMMORTAL_REFCNT of 3.11)
 * never had a right one, and what static data refers to, as the constants of
 * frozen modules do to None, it does without counting. */
static bool is_uncounted(const struct pyheap *heap,
                         const struct object *object) {
  const struct memory_range *range =
      memory_range_at(&heap->memory, object->address);
  return (range->flags & MEMORY_FILE) &&
         !(object->type->flags & TPFLAGS_TYPE_SUBCLASS);
}

/** How many references to the object NODE its count leaves out. */
static int64_t uncounted(const struct pyheap *heap, pyheap_node node) {
  uint64_t first =
      SORTED_PLACE(0, heap->uncounted_count, i, heap->uncounted[i] < node);
  uint64_t end = first;
  while (end < heap->uncounted_count && heap->uncounted[end] == node)
    end++;
  return (int64_t)(end - first);
}

bool object_refcount_known(const struct pyheap *heap,
                           const struct object *object, int64_t *count) {
  if (is_uncounted(heap, object))
    return false;
  int64_t refcount = heap_refcount(heap, object->address);
  if (refcount < 0)
    return false;
  *count = refcount;
  return true;
}

bool heap_refcount_excess(const struct pyheap *heap, pyheap_node node,
                          int64_t *excess) {
  struct object object;
  int64_t count;
  /* A count near 2^63 is damaged, and says nothing. */
  if (!heap_load_node(heap, node, &object) ||
      !object_refcount_known(heap, &object, &count) ||
      __builtin_add_overflow(count, uncounted(heap, node), &count))
    return false;
  *excess =
      count - (int64_t)(heap->in_starts[node + 1] - heap->in_starts[node]);
  return true;
}

bool pyheap_refcount_excess(const struct pyheap *heap, pyheap_node node,
                            int64_t *excess) {
  return heap->references_indexed && node < heap->object_count &&
         heap_refcount_excess(heap, node, excess);
}

bool pyheap_is_orphan(const struct pyheap *heap, pyheap_node node) {
  uint64_t bit;
  return heap->orphans && node < heap->object_count &&
         mark_bit(heap, heap_number_address(heap, node), &bit) &&
         mark_get(heap->orphans, bit);
}

bool pyheap_is_tracked(const struct pyheap *heap, pyheap_node node) {
  struct object object;
  return heap_load_node(heap, node, &object) &&
         object_is_tracked(heap, &object);
}

/** Writes down which generation every object is in. */
static void find_generations(struct pyheap *heap) {
  heap->generations = malloc(heap->object_count);
  if (!heap->generations)
    return;
  memset(heap->generations, -1, heap->object_count);
  for (size_t i = 0; i < heap->root_count; i++) {
    if (heap->roots[i].kind != PYHEAP_ROOT_INTERPRETER)
      continue;
    for (int generation = 0; generation < 4; generation++)
      heap_walk_generation(heap, heap->roots[i].address, generation,
                           heap->generations);
  }
}

int pyheap_generation(const struct pyheap *heap, pyheap_node node) {
  if (node >= heap->object_count)
    return -1;
  if (!heap->generations)
    find_generations((struct pyheap *)heap);
  return heap->generations ? heap->generations[node] : -1;
}

uint32_t pyheap_type_count(const struct pyheap *heap) {
  return heap->types.count;
}

const struct pyheap_type *pyheap_type(const struct pyheap *heap,
                                      uint32_t index) {
  return &heap->types.list[index]->public;
}

uint32_t pyheap_type_of(const struct pyheap *heap, pyheap_node node) {
  struct object object;
  return heap_load_node(heap, node, &object) ? object.type->index : UINT32_MAX;
}

bool pyheap_type_sizes_itself(const struct pyheap *heap, uint32_t index) {
  return type_sizes_itself(heap, heap->types.list[index]);
}
