/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The index of references: for every object, which nodes refer to it. */
#include "config.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "heap.h"

/** The highest bit of a number marks a probable reference until it has been
 * held against the target's count. */
static const uint32_t PROBABLE = 1u << 31;

/** Objects are visited by pieces of the bitmap, each with targets of its own,
 * so that threads share nothing. */
struct piece {
  uint32_t first, end;  /**< Its nodes. */
  uint32_t *targets;    /**< Of all its nodes, in order. */
  size_t count, capacity;
  uint32_t *uncounted;  /**< Targets whose counts leave the reference out. */
  size_t uncounted_count;
  uint64_t kinds[3];    /**< References by pyheap_reference_kind. */
  bool out_of_memory;
};

/** References of one node go to the piece that the node is in. */
struct collector {
  struct visit visit;
  struct piece *piece;
};

/** Notes a reference to TARGET that its count leaves out.  They are few. */
static void collect_uncounted(struct piece *piece, uint32_t target) {
  if ((piece->uncounted_count & (piece->uncounted_count - 1)) == 0) {
    size_t capacity = piece->uncounted_count ? 2 * piece->uncounted_count : 1;
    uint32_t *grown =
        reallocarray(piece->uncounted, capacity, sizeof *grown);
    if (!grown) {
      piece->out_of_memory = true;
      return;
    }
    piece->uncounted = grown;
  }
  piece->uncounted[piece->uncounted_count++] = target;
}

static void collect(struct visit *visit) {
  struct collector *collector = visit->context;
  struct piece *piece = collector->piece;

  if (piece->count + visit->count > piece->capacity) {
    size_t capacity = 2 * piece->capacity + 1024;
    uint32_t *grown =
        reallocarray(piece->targets, capacity, sizeof *grown);
    if (!grown) {
      piece->out_of_memory = true;
      return;
    }
    piece->targets = grown;
    piece->capacity = capacity;
  }
  for (size_t i = 0; i < visit->count; i++) {
    uint32_t target = heap_number(visit->heap, visit->references[i].target);
    if (target == PYHEAP_NO_NODE)
      continue;
    enum pyheap_reference_kind kind = visit->references[i].kind;
    piece->targets[piece->count++] =
        kind == PYHEAP_PROBABLE ? target | PROBABLE : target;
    piece->kinds[kind]++;
    if (visit->references[i].uncounted)
      collect_uncounted(piece, target);
  }
}

static void collector_init(struct collector *collector, struct pyheap *heap,
                           struct piece *piece) {
  memset(collector, 0, sizeof *collector);
  collector->visit.heap = heap;
  collector->visit.flush = collect;
  collector->visit.context = collector;
  collector->piece = piece;
}

/** The objects whose bits are in words FIRST .. END-1 of the bitmap. */
static void collect_words(struct pyheap *heap, uint64_t first, uint64_t end,
                          struct piece *piece, uint32_t *counts) {
  struct collector collector;
  uint32_t number = heap->ranks[first];

  collector_init(&collector, heap, piece);
  piece->first = number;
  for (uint64_t word = first; word < end; word++)
    for (uint64_t marks = heap->marks[word]; marks; marks &= marks - 1) {
      uint64_t bit = 64 * word + (unsigned)__builtin_ctzll(marks);
      struct object object;
      const char *why;
      size_t before = piece->count;
      if (object_load(heap, heap_bit_address(heap, bit), &object, &why))
        object_visit(&collector.visit, &object);
      counts[number++] = (uint32_t)(piece->count - before);
    }
  piece->end = number;
}

static void collect_roots(struct pyheap *heap, struct piece *piece,
                          uint32_t *counts) {
  struct collector collector;
  collector_init(&collector, heap, piece);
  piece->first = heap->object_count;
  piece->end = heap->object_count + (uint32_t)heap->root_count;
  for (size_t i = 0; i < heap->root_count; i++) {
    size_t before = piece->count;
    root_visit(&collector.visit, &heap->roots[i]);
    counts[piece->first + i] = (uint32_t)(piece->count - before);
  }
}

/** Turns the targets of all pieces round.  Each thread has a range of targets,
 * so that the sources of every object come out in order. */
static void turn_round(struct pyheap *heap, const struct piece *pieces,
                       size_t piece_count, const uint32_t *counts) {
  uint64_t *starts = heap->in_starts;
  unsigned threads = heap->threads;

#pragma omp parallel for num_threads(threads)
  for (unsigned t = 0; t < threads; t++) {
    uint32_t low = (uint32_t)((uint64_t)heap->object_count * t / threads);
    uint32_t high =
        (uint32_t)((uint64_t)heap->object_count * (t + 1) / threads);
    for (size_t p = 0; p < piece_count; p++)
      for (size_t i = 0; i < pieces[p].count; i++) {
        uint32_t target = pieces[p].targets[i] & ~PROBABLE;
        if (target - low < high - low)
          starts[target]++;
      }
  }
  uint64_t sum = 0;
  for (uint32_t i = 0; i <= heap->object_count; i++) {
    uint64_t count = starts[i];
    starts[i] = sum;
    sum += count;
  }
#pragma omp parallel for num_threads(threads)
  for (unsigned t = 0; t < threads; t++) {
    uint32_t low = (uint32_t)((uint64_t)heap->object_count * t / threads);
    uint32_t high =
        (uint32_t)((uint64_t)heap->object_count * (t + 1) / threads);
    for (size_t p = 0; p < piece_count; p++) {
      const uint32_t *target = pieces[p].targets;
      for (uint32_t source = pieces[p].first; source < pieces[p].end; source++)
        for (uint32_t left = counts[source]; left; left--, target++) {
          uint32_t number = *target & ~PROBABLE;
          if (number - low < high - low)
            heap->in_sources[starts[number]++] = source | (*target & PROBABLE);
        }
    }
  }
  /* Filling has moved every start to the next one's place. */
  memmove(starts + 1, starts, heap->object_count * sizeof *starts);
  starts[0] = 0;
}

/** Copies the referrers START .. END-1 of an object to *OUT, without the
 * probable ones that its count has no room for, and unmarked. */
static uint32_t *keep_plausible(struct pyheap *heap, uint32_t object,
                                uint64_t start, uint64_t end, uint32_t *out) {
  int64_t room = INT64_MAX;
  uint64_t certain = 0;
  for (uint64_t i = start; i < end; i++)
    certain += !(heap->in_sources[i] & PROBABLE);
  if (certain == end - start) {
    memmove(out, heap->in_sources + start, certain * sizeof *out);
    return out + certain;
  }
  bool counted = heap_refcount_known(heap, object, &room), guessed = false;
  room -= (int64_t)certain;
  for (uint64_t i = start; i < end; i++) {
    uint32_t source = heap->in_sources[i];
    if (!(source & PROBABLE)) {
      *out++ = source;
      continue;
    }
    if (room > 0) {
      *out++ = source & ~PROBABLE;
      room--;
      guessed = true;
    } else {
      heap->info.probable_references--;
      heap->info.refuted_references++;
    }
  }
  heap->info.refcount_guessed += counted && guessed && !room;
  return out;
}

/** A probable reference that would be one more than the target's count is none:
 * on the stack of a frame that runs it is a value that was popped, in static
 * memory a pointer that owns nothing. */
static void refute_probable(struct pyheap *heap) {
  uint32_t *out = heap->in_sources;
  uint64_t start = 0;

  for (uint32_t object = 0; object < heap->object_count; object++) {
    uint64_t end = heap->in_starts[object + 1];
    out = keep_plausible(heap, object, start, end, out);
    start = end;
    heap->in_starts[object + 1] = (uint64_t)(out - heap->in_sources);
  }
}

/** Compares every ob_refcnt with the references found. */
static void check_refcounts(struct pyheap *heap) {
  uint64_t exact = 0, high = 0, low = 0;

#pragma omp parallel for num_threads(heap->threads)                            \
    reduction(+ : exact, high, low) schedule(static)
  for (uint32_t i = 0; i < heap->object_count; i++) {
    int64_t excess;
    if (!heap_refcount_excess(heap, i, &excess))
      continue;
    exact += excess == 0;
    high += excess > 0;
    low += excess < 0;
  }
  heap->info.refcount_exact = exact;
  heap->info.refcount_high = high;
  heap->info.refcount_low = low;
}

static int compare_numbers(const void *a, const void *b) {
  uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
  return left < right ? -1 : left > right;
}

/** Brings together what no count counts. */
static struct pyheap_error *merge_uncounted(struct pyheap *heap,
                                            const struct piece *pieces,
                                            size_t piece_count) {
  size_t total = 0;
  for (size_t p = 0; p < piece_count; p++)
    total += pieces[p].uncounted_count;
  heap->uncounted = reallocarray(NULL, total + 1, sizeof *heap->uncounted);
  if (!heap->uncounted)
    return &error_no_memory;
  for (size_t p = 0; p < piece_count; p++) {
    if (pieces[p].uncounted_count)
      memcpy(heap->uncounted + heap->uncounted_count, pieces[p].uncounted,
             pieces[p].uncounted_count * sizeof *heap->uncounted);
    heap->uncounted_count += pieces[p].uncounted_count;
  }
  qsort(heap->uncounted, total, sizeof *heap->uncounted, compare_numbers);
  return NULL;
}

static struct pyheap_error *index_pieces(struct pyheap *heap,
                                         const struct piece *pieces,
                                         size_t piece_count,
                                         const uint32_t *counts) {
  uint64_t total = 0;
  for (size_t p = 0; p < piece_count; p++) {
    if (pieces[p].out_of_memory)
      return &error_no_memory;
    total += pieces[p].count;
    heap->info.visited_references += pieces[p].kinds[PYHEAP_VISITED];
    heap->info.owned_references += pieces[p].kinds[PYHEAP_OWNED];
    heap->info.probable_references += pieces[p].kinds[PYHEAP_PROBABLE];
  }
  heap->in_starts =
      calloc((size_t)heap->object_count + 2, sizeof *heap->in_starts);
  heap->in_sources =
      reallocarray(NULL, total + 1, sizeof *heap->in_sources);
  if (!heap->in_starts || !heap->in_sources) {
    free(take(heap->in_starts));
    free(take(heap->in_sources));
    return &error_no_memory;
  }
  turn_round(heap, pieces, piece_count, counts);
  TRY(merge_uncounted(heap, pieces, piece_count));
  if (heap->info.probable_references)
    refute_probable(heap);
  return NULL;
}

struct pyheap_error *pyheap_index_references(struct pyheap *heap) {
  enum { PIECES = 256 };

  if (heap->references_indexed)
    return NULL;
  TRY(pyheap_find_objects(heap));
  struct piece *pieces = calloc(PIECES + 1, sizeof *pieces);
  uint32_t *counts =
      reallocarray(NULL, pyheap_node_count(heap) + 1ull, sizeof *counts);
  struct pyheap_error *error = pieces && counts ? NULL : &error_no_memory;
  uint64_t words = heap->memory.bit_count / 64 + 1;
  bool stop = false;
  unsigned done = 0;

#pragma omp parallel for schedule(dynamic, 1) num_threads(heap->threads)
  for (unsigned p = 0; p < PIECES; p++) {
    if (error || __atomic_load_n(&stop, __ATOMIC_RELAXED))
      continue;
    collect_words(heap, words * p / PIECES, words * (p + 1) / PIECES,
                  &pieces[p], counts);
    unsigned so_far = __atomic_add_fetch(&done, 1, __ATOMIC_RELAXED);
    if (omp_get_thread_num() == 0 &&
        heap_canceled(heap, "indexing references", so_far, PIECES))
      __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
  }
  if (!error && stop)
    error = error_canceled();
  if (!error) {
    collect_roots(heap, &pieces[PIECES], counts);
    error = index_pieces(heap, pieces, PIECES + 1, counts);
  }
  for (unsigned p = 0; pieces && p <= PIECES; p++) {
    free(pieces[p].targets);
    free(pieces[p].uncounted);
  }
  free(pieces);
  free(counts);
  TRY(error);
  check_refcounts(heap);
  heap->references_indexed = true;
  return NULL;
}

void index_forget(struct pyheap *heap) {
  struct pyheap_info *info = &heap->info;
  free(take(heap->in_starts));
  free(take(heap->in_sources));
  free(take(heap->uncounted));
  heap->uncounted_count = 0;
  free(take(heap->generations));
  interpreters_forget(heap);
  heap->references_indexed = false;
  info->visited_references = info->owned_references = 0;
  info->probable_references = info->refuted_references = 0;
  info->refcount_exact = info->refcount_high = info->refcount_low = 0;
  info->refcount_guessed = 0;
}

const pyheap_node *pyheap_referrers(const struct pyheap *heap,
                                    pyheap_node object, size_t *count) {
  if (!heap->references_indexed || object >= heap->object_count) {
    *count = 0;
    return NULL;
  }
  *count = heap->in_starts[object + 1] - heap->in_starts[object];
  return heap->in_sources + heap->in_starts[object];
}
