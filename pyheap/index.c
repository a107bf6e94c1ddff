/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The index of references: for every object, which nodes refer to it.  Built by
 * counting, adding up and filling: what was collected by source is turned round
 * into lists by target. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "heap.h"
#include "index_collect.h"
#include "parallel.h"

enum {
  NEAR =
      16,   /**< So many references ahead, memory is asked for what to write, */
  FAR = 32, /**< … and where to. */
};

/* Turning round ------------------------------------------------------------ */

/** Each thread has a range of targets, so that none waits for another and the
 * sources of every object come out in order.  What is not in its range it counts
 * and writes as well, into a bin: a branch that nobody can foretell costs more. */
struct turn {
  struct pyheap *heap;
  const struct collected *collected;
  unsigned threads;
};

struct bin {
  uint32_t starts[8]; /**< Several, so that one needs not wait for another. */
  uint32_t sources[8];
};

struct target_range {
  uint32_t low, span;
};

static struct target_range range_of(const struct turn *turn, unsigned thread) {
  uint64_t count = turn->heap->object_count + 1ull;
  uint64_t low = parallel_share(count, thread, turn->threads);
  uint64_t end = parallel_share(count, thread + 1, turn->threads);
  return (struct target_range){(uint32_t)low, (uint32_t)(end - low)};
}

static void count_range(void *context, unsigned thread) {
  const struct turn *turn = context;
  struct target_range range = range_of(turn, thread);
  uint32_t *starts = turn->heap->in_starts;
  struct bin bin = {0};

  for (size_t p = 0; p < turn->collected->piece_count; p++) {
    const struct piece *piece = &turn->collected->pieces[p];
    for (size_t i = 0; i < piece->count; i++) {
      uint32_t target = piece->targets[i];
      bool mine = target - range.low < range.span;
      if (i + NEAR < piece->count)
        __builtin_prefetch(&starts[piece->targets[i + NEAR]], 1);
      ++*(mine ? &starts[target] : &bin.starts[i % 8]);
    }
  }
}

static void fill_range(void *context, unsigned thread) {
  const struct turn *turn = context;
  struct target_range range = range_of(turn, thread);
  uint32_t *starts = turn->heap->in_starts;
  uint32_t *sources = turn->heap->in_sources;
  struct bin bin = {.starts = {0, 1, 2, 3, 4, 5, 6, 7}};

  for (size_t p = 0; p < turn->collected->piece_count; p++) {
    const struct piece *piece = &turn->collected->pieces[p];
    size_t i = 0;
    for (uint32_t source = piece->first; source < piece->end; source++)
      for (uint32_t left = turn->collected->counts[source]; left; left--, i++) {
        uint32_t target = piece->targets[i];
        bool mine = target - range.low < range.span;
        if (i + FAR < piece->count) {
          uint32_t near = piece->targets[i + NEAR];
          bool near_mine = near - range.low < range.span;
          __builtin_prefetch(&starts[piece->targets[i + FAR]], 1);
          __builtin_prefetch(
              &sources[*(near_mine ? &starts[near] : &bin.starts[0])], 1);
        }
        uint32_t *start = mine ? &starts[target] : &bin.starts[i % 8];
        uint32_t *out = mine ? sources : bin.sources;
        out[*start] = source;
        *start += mine;
      }
  }
}

/** Turns counts into starts; the sum. */
static uint64_t add_up(uint32_t *starts, uint32_t count) {
  uint64_t sum = 0;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t here = starts[i];
    starts[i] = (uint32_t)sum;
    sum += here;
  }
  return sum;
}

/* Probable references ------------------------------------------------------ */

/** One of the probable references, which are few. */
struct guess {
  uint32_t target;
  uint32_t piece;
  size_t place; /**< In the piece's targets. */
};

static int compare_guesses(const void *a, const void *b) {
  const struct guess *left = a, *right = b;
  if (left->target != right->target)
    return left->target < right->target ? -1 : 1;
  if (left->piece != right->piece)
    return left->piece < right->piece ? -1 : 1;
  return left->place < right->place ? -1 : left->place > right->place;
}

static struct pyheap_error *list_guesses(const struct collected *collected,
                                         struct guess **ret, size_t *count) {
  size_t all = 0, used = 0;
  for (size_t p = 0; p < collected->piece_count; p++)
    all += collected->pieces[p].probable_count;
  struct guess *guesses = reallocarray(NULL, all + 1, sizeof *guesses);
  if (!guesses)
    return &error_no_memory;
  for (size_t p = 0; p < collected->piece_count; p++) {
    const struct piece *piece = &collected->pieces[p];
    for (size_t i = 0; i < piece->probable_count; i++) {
      size_t place = piece->probable[i];
      guesses[used++] =
          (struct guess){piece->targets[place], (uint32_t)p, place};
    }
  }
  qsort(guesses, used, sizeof *guesses, compare_guesses);
  *ret = guesses;
  *count = used;
  return NULL;
}

/** Of the probable references to one object, keeps as many as its count has
 * room for; the others go to no object. */
static void refute(struct pyheap *heap, const struct collected *collected,
                   const struct guess *guesses, size_t count) {
  uint32_t target = guesses->target, nothing = heap->object_count;
  int64_t known = collected->refcounts[target];
  if (known == NO_COUNT)
    return;
  int64_t room = known - (int64_t)(heap->in_starts[target] - count);
  size_t kept = room <= 0 ? 0 : (uint64_t)room < count ? (size_t)room : count;
  for (size_t i = kept; i < count; i++)
    collected->pieces[guesses[i].piece].targets[guesses[i].place] = nothing;
  heap->in_starts[target] -= (uint32_t)(count - kept);
  heap->in_starts[nothing] += (uint32_t)(count - kept);
  heap->info.probable_references -= count - kept;
  heap->info.refuted_references += count - kept;
  heap->info.refcount_guessed += kept && (int64_t)kept == room;
}

/** A probable reference that would be one more than the target's count is none:
 * on the stack of a frame that runs it is a value that was popped, in static
 * memory a pointer that owns nothing.  While in_starts holds counts. */
static struct pyheap_error *refute_guesses(struct pyheap *heap,
                                           const struct collected *collected) {
  cleanup_free struct guess *guesses = NULL;
  size_t count, end;

  TRY(list_guesses(collected, &guesses, &count));
  for (size_t i = 0; i < count; i = end) {
    for (end = i; end < count && guesses[end].target == guesses[i].target;)
      end++;
    refute(heap, collected, guesses + i, end - i);
  }
  return NULL;
}

/* What no count counts ----------------------------------------------------- */

static int compare_numbers(const void *a, const void *b) {
  uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
  return left < right ? -1 : left > right;
}

/** Brings together the targets of references that no ob_refcnt counts, and adds
 * each to the count of its target. */
static struct pyheap_error *merge_uncounted(struct pyheap *heap,
                                            const struct collected *collected) {
  size_t total = 0;
  for (size_t p = 0; p < collected->piece_count; p++)
    total += collected->pieces[p].uncounted_count;
  heap->uncounted = reallocarray(NULL, total + 1, sizeof *heap->uncounted);
  if (!heap->uncounted)
    return &error_no_memory;
  for (size_t p = 0; p < collected->piece_count; p++) {
    const struct piece *piece = &collected->pieces[p];
    for (size_t i = 0; i < piece->uncounted_count; i++) {
      uint32_t target = piece->uncounted[i];
      int32_t *count = &collected->refcounts[target];
      heap->uncounted[heap->uncounted_count++] = target;
      if (*count != NO_COUNT && *count != INT32_MAX)
        ++*count;
    }
  }
  qsort(heap->uncounted, total, sizeof *heap->uncounted, compare_numbers);
  return NULL;
}

/** Compares every ob_refcnt with the references found. */
static void check_refcounts(struct pyheap *heap, const int32_t *refcounts) {
  uint64_t exact = 0, high = 0, low = 0;

  for (uint32_t i = 0; i < heap->object_count; i++) {
    int64_t references = heap->in_starts[i + 1] - heap->in_starts[i];
    bool known = refcounts[i] != NO_COUNT;
    exact += known && refcounts[i] == references;
    high += known && refcounts[i] > references;
    low += known && refcounts[i] < references;
  }
  heap->info.refcount_exact = exact;
  heap->info.refcount_high = high;
  heap->info.refcount_low = low;
}

/* The index ---------------------------------------------------------------- */

static struct pyheap_error *build(struct pyheap *heap,
                                  const struct collected *collected) {
  struct turn turn = {heap, collected, heap->threads};
  uint32_t bins = heap->object_count + 1; /**< The last for what is refuted. */

  for (size_t p = 0; p < collected->piece_count; p++) {
    const uint64_t *kinds = collected->pieces[p].kinds;
    heap->info.visited_references += kinds[PYHEAP_VISITED];
    heap->info.owned_references += kinds[PYHEAP_OWNED];
    heap->info.probable_references += kinds[PYHEAP_PROBABLE];
  }
  heap->in_starts = calloc(bins + 1ull, sizeof *heap->in_starts);
  if (!heap->in_starts)
    return &error_no_memory;
  parallel_run(turn.threads, count_range, &turn);
  TRY(merge_uncounted(heap, collected));
  TRY(refute_guesses(heap, collected));
  uint64_t total = add_up(heap->in_starts, bins);
  heap->in_sources = reallocarray(NULL, total + 1, sizeof *heap->in_sources);
  if (!heap->in_sources)
    return &error_no_memory;
  parallel_run(turn.threads, fill_range, &turn);
  /* Filling has moved every start to the next one's place. */
  memmove(heap->in_starts + 1, heap->in_starts, bins * sizeof(uint32_t));
  heap->in_starts[0] = 0;
  check_refcounts(heap, collected->refcounts);
  return NULL;
}

struct pyheap_error *pyheap_index_references(struct pyheap *heap) {
  struct collected collected;

  if (heap->references_indexed)
    return NULL;
  TRY(pyheap_find_objects(heap));
  TRY(index_collect(heap, &collected));
  struct pyheap_error *error = build(heap, &collected);
  collected_deinit(&collected);
  if (error) {
    index_forget(heap);
    return error;
  }
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

uint32_t index_multiplicity(const struct pyheap *heap, uint32_t target,
                            uint32_t source) {
  const uint32_t *sources = heap->in_sources;
  uint64_t high = heap->in_starts[target + 1];
  uint64_t first =
      SORTED_PLACE(heap->in_starts[target], high, i, sources[i] < source);
  return (uint32_t)(SORTED_PLACE(first, high, i, sources[i] <= source) - first);
}
