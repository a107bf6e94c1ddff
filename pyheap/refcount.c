/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How many references an object counts: ob_refcnt, or what free-threaded builds
 * keep in several places. */
#include "config.h"

#include <stdlib.h>

#include "heap.h"

/** The count of an object with a reference count of 64 bits, or of the lower 32
 * of them from 3.14 on; -1 for an immortal object (Include/refcount.h of 3.14,
 * Include/object.h of 3.12, _Py_IsImmortal). */
static int64_t plain_refcount(const struct layout *layout, uint64_t word) {
  if (layout->version < 0x030c)
    return (int64_t)word;
  if ((int32_t)(uint32_t)word < 0)
    return -1;
  return (int64_t)(layout->version < 0x030e ? word : (uint32_t)word);
}

/** pycore_gc.h, _PyGC_BITS_DEFERRED */
enum {
  GC_BITS_DEFERRED = 1 << 6
};

static bool is_deferred(const struct layout *layout, const uint8_t *bytes) {
  return bytes[OFFSET(layout, PyObject, ob_gc_bits)] & GC_BITS_DEFERRED;
}

bool heap_refcount_deferred(const struct pyheap *heap, uint64_t address) {
  const struct layout *layout = heap->layout;
  if (!layout->free_threaded)
    return false;
  const uint8_t *bytes =
      memory_at(&heap->memory, address, (uint64_t)SIZEOF(layout, PyObject));
  return bytes && is_deferred(layout, bytes);
}

bool heap_refcount_may_be_0(const struct pyheap *heap, uint64_t address) {
  struct object object;
  const char *why;
  return heap_refcount_deferred(heap, address) ||
         (heap->layout->free_threaded && heap->info.collecting &&
          object_load(heap, address, &object, &why) &&
          object_is_tracked(heap, &object));
}

/** Both flags of the shared count: it is the whole count. */
enum {
  MERGED = 3
};

uint64_t heap_next_garbage(const struct pyheap *heap, uint64_t address) {
  const struct layout *layout = heap->layout;
  if (!layout->free_threaded || !heap->info.collecting)
    return 0;
  const uint8_t *bytes =
      memory_at(&heap->memory, address, (uint64_t)SIZEOF(layout, PyObject));
  if (!bytes ||
      (bytes[OFFSET(layout, PyObject, ob_ref_shared)] & MERGED) != MERGED)
    return 0;
  /* ob_tid, with which a free-threaded object begins: no thread owns one that
   * is merged, and the collector has it for its lists. */
  return load_u64(bytes);
}

/** What threads have counted of the object at ADDRESS by themselves. */
static int64_t count_of_threads(const struct pyheap *heap, uint64_t address) {
  const struct thread_count *counts = heap->thread_counts;
  uint64_t place =
      SORTED_PLACE(0, heap->thread_count_count, i, counts[i].address < address);
  return place < heap->thread_count_count && counts[place].address == address
             ? counts[place].count
             : 0;
}

/** Free-threaded: a local count and, above two flag bits, a shared one
 * (Include/refcount.h, Py_REFCNT).  Objects with deferred counting have a large
 * number added to the shared count (pycore_object.h, _Py_REF_DEFERRED), or in
 * 3.13 one (Objects/object.c, _PyObject_SetDeferredRefcount); since 3.14 threads
 * count references to some of them on their own.  Each part may be negative.
 * The local one of a merged object says nothing: it is 0 but for what a collection
 * computes there (Python/gc_free_threading.c, handle_resurrected_objects). */
static int64_t split_refcount(const struct pyheap *heap, uint64_t address,
                              const uint8_t *bytes) {
  static const int64_t deferred = INT64_MAX / 8;
  const struct layout *layout = heap->layout;
  uint32_t local = load_u32(bytes + OFFSET(layout, PyObject, ob_ref_local));
  int64_t shared = load_i64(bytes + OFFSET(layout, PyObject, ob_ref_shared));
  bool merged = (shared & MERGED) == MERGED;
  if (local == UINT32_MAX && !merged)
    return -1;
  int64_t count = (merged ? 0 : (int64_t)local) + (shared >> 2);
  if (is_deferred(layout, bytes)) {
    count -= layout->version < 0x030e ? 1 : deferred;
    count += count_of_threads(heap, address);
  }
  return count < 0 ? INT64_MIN : count;
}

int64_t heap_refcount(const struct pyheap *heap, uint64_t address) {
  const struct layout *layout = heap->layout;
  const uint8_t *bytes =
      memory_at(&heap->memory, address, (uint64_t)SIZEOF(layout, PyObject));
  if (!bytes)
    return 0;
  return layout->free_threaded
             ? split_refcount(heap, address, bytes)
             : plain_refcount(layout, load_u64(bytes + OFFSET(layout, PyObject,
                                                              ob_refcnt)));
}

/* What threads count ------------------------------------------------------- */

/** More objects with a number than any program has. */
static const uint64_t MAX_NUMBERED = 1 << 26;

/** Adds what THREAD has counted to SUMS, one for each of SIZE objects
 * (pycore_tstate.h of 3.14, refcounts). */
static void add_thread(struct pyheap *heap, uint64_t thread, int64_t *sums,
                       uint64_t size) {
  const struct layout *layout = heap->layout;
  uint64_t count =
      heap_word(heap, thread, OFFSET(layout, PyThreadState, refcounts_size));
  uint64_t values =
      heap_word(heap, thread, OFFSET(layout, PyThreadState, refcounts_values));
  if (!count)
    return;
  const uint8_t *bytes =
      count <= size ? memory_at(&heap->memory, values, 8 * count) : NULL;
  if (!bytes) {
    problems_add(&heap->problems, "counts of threads that cannot be read",
                 thread, 1);
    return;
  }
  for (uint64_t i = 0; i < count; i++)
    sums[i] = (int64_t)((uint64_t)sums[i] + load_u64(bytes + 8 * i));
}

/** Writes down the counts SUMS of the objects that TABLE numbers. */
static struct pyheap_error *keep_sums(struct pyheap *heap, const int64_t *sums,
                                      const uint8_t *table, uint64_t size) {
  struct thread_count *grown = reallocarray(
      heap->thread_counts, heap->thread_count_count + size, sizeof *grown);
  if (!grown)
    return &error_no_memory;
  heap->thread_counts = grown;
  for (uint64_t i = 0; i < size; i++)
    if (sums[i])
      grown[heap->thread_count_count++] =
          (struct thread_count){load_u64(table + 8 * i), sums[i]};
  return NULL;
}

/** The counts of an interpreter's threads.  An entry of its table that no object
 * has is a link to the next such entry, and has a count of 0. */
static struct pyheap_error *add_interpreter(struct pyheap *heap,
                                            uint64_t interpreter) {
  const struct layout *layout = heap->layout;
  uint64_t size = heap_word(
      heap, interpreter, OFFSET(layout, PyInterpreterState, unique_ids_size));
  uint64_t table = heap_word(
      heap, interpreter, OFFSET(layout, PyInterpreterState, unique_ids_table));
  if (!size)
    return NULL;
  const uint8_t *bytes =
      size <= MAX_NUMBERED ? memory_at(&heap->memory, table, 8 * size) : NULL;
  if (!bytes) {
    problems_add(&heap->problems,
                 "tables of what threads count that cannot be read",
                 interpreter, 1);
    return NULL;
  }
  int64_t *sums = calloc(size, sizeof *sums);
  if (!sums)
    return &error_no_memory;
  for (size_t i = 0; i < heap->root_count; i++)
    if (heap->roots[i].kind == PYHEAP_ROOT_THREAD &&
        heap->roots[i].interpreter == interpreter)
      add_thread(heap, heap->roots[i].address, sums, size);
  struct pyheap_error *error = keep_sums(heap, sums, bytes, size);
  free(sums);
  return error;
}

static int compare_addresses(const void *a, const void *b) {
  const struct thread_count *left = a, *right = b;
  return left->address < right->address ? -1 : left->address > right->address;
}

struct pyheap_error *refcount_sum_threads(struct pyheap *heap) {
  for (size_t i = 0; i < heap->root_count; i++)
    if (heap->roots[i].kind == PYHEAP_ROOT_INTERPRETER)
      TRY(add_interpreter(heap, heap->roots[i].address));
  if (heap->thread_count_count)
    qsort(heap->thread_counts, heap->thread_count_count,
          sizeof *heap->thread_counts, compare_addresses);
  return NULL;
}
