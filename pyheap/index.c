/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The index of references: for every object, which nodes refer to it.  Built by
 * counting, adding up and filling: what was collected by source is turned round
 * into lists by target. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "give_back.h"
#include "heap.h"
#include "index_collect.h"
#include "parallel.h"

/* Turning round ------------------------------------------------------------ */

/** Threads take ranges of targets, so that none waits for another and the sources
 * of every object come out in order. */
struct turn {
  struct pyheap *heap;
  struct collected *collected;
  struct shares shares; /**< Of the ranges. */
  uint64_t *starts;     /**< Where in in_sources each range begins. */
  struct counts {
    uint64_t exact, high, low; /**< Reference counts, see pyheap_info. */
  } * counts;                  /**< By range. */
};

/** in_starts[] of the object behind: it counts the references to an object first,
 * tells then where the next one's source goes, and at last where the object's
 * sources end and those of the object behind begin. */
static uint32_t *cursors(const struct turn *turn) {
  return turn->heap->in_starts + 1;
}

static void count_range(const struct turn *turn, uint64_t range) {
  uint32_t *cursor = cursors(turn);

  for (size_t p = 0; p < turn->collected->piece_count; p++) {
    const struct references *list = &turn->collected->pieces[p].ranges[range];
    for (size_t i = 0; i < list->count; i++)
      if (list->targets[i] != NO_TARGET)
        cursor[list->targets[i]]++;
  }
}

static void fill_range(const struct turn *turn, uint64_t range) {
  uint32_t *cursor = cursors(turn);
  uint32_t *sources = turn->heap->in_sources;

  for (size_t p = 0; p < turn->collected->piece_count; p++) {
    const struct piece *piece = &turn->collected->pieces[p];
    struct references *list = &piece->ranges[range];
    uint32_t source = piece->first;
    for (size_t i = 0; i < list->count; i++) {
      uint32_t target = list->targets[i];
      source += list->steps[i];
      if (target != NO_TARGET)
        sources[cursor[target]++] = source;
    }
    references_deinit(list);
  }
}

/** The objects of a range: its first one, and behind its last one. */
static uint32_t range_first(const struct turn *turn, uint64_t range) {
  uint64_t first = range << turn->collected->shift;
  uint32_t count = turn->heap->object_count;
  return first < count ? (uint32_t)first : count;
}

/** Turns counts into starts, and compares every ob_refcnt with the references
 * found. */
static void start_range(const struct turn *turn, uint64_t range) {
  const int32_t *refcounts = turn->collected->refcounts;
  uint32_t *cursor = cursors(turn), end = range_first(turn, range + 1);
  uint64_t start = turn->starts[range];
  struct counts counts = {0};

  for (uint32_t i = range_first(turn, range); i < end; i++) {
    uint32_t references = cursor[i];
    int64_t refcount = refcounts[i];
    bool known = refcount != NO_COUNT;
    counts.exact += known && refcount == references;
    counts.high += known && refcount > references;
    counts.low += known && refcount < references;
    cursor[i] = (uint32_t)start;
    start += references;
  }
  turn->counts[range] = counts;
}

/** How many references to its objects are left. */
static uint64_t sum_range(const struct turn *turn, uint64_t range) {
  const uint32_t *cursor = cursors(turn);
  uint32_t end = range_first(turn, range + 1);
  uint64_t sum = 0;

  for (uint32_t i = range_first(turn, range); i < end; i++)
    sum += cursor[i];
  return sum;
}

static void count_ranges(void *context, unsigned thread) {
  struct turn *turn = context;
  uint64_t range, end;

  (void)thread;
  while (shares_take(&turn->shares, &range, &end)) {
    count_range(turn, range);
    turn->starts[range + 1] = sum_range(turn, range);
  }
}

static void fill_ranges(void *context, unsigned thread) {
  struct turn *turn = context;
  uint64_t range, end;

  (void)thread;
  while (shares_take(&turn->shares, &range, &end)) {
    start_range(turn, range);
    fill_range(turn, range);
  }
}

/* Probable references ------------------------------------------------------ */

/** One of the probable references, which are few. */
struct guess {
  uint32_t target;
  uint32_t piece;
  size_t place; /**< In the piece's references of the target's range. */
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
    for (size_t i = 0; i < piece->probable_count; i++)
      guesses[used++] = (struct guess){piece->probable[i].target, (uint32_t)p,
                                       piece->probable[i].place};
  }
  qsort(guesses, used, sizeof *guesses, compare_guesses);
  *ret = guesses;
  *count = used;
  return NULL;
}

/** Of the probable references to one object, keeps as many as its count has
 * room for; the others go to no object. */
static void refute(const struct turn *turn, const struct guess *guesses,
                   size_t count) {
  const struct collected *collected = turn->collected;
  struct pyheap *heap = turn->heap;
  uint32_t target = guesses->target, range = target >> collected->shift;
  uint32_t *references = &cursors(turn)[target];
  int64_t known = collected->refcounts[target];
  if (known == NO_COUNT)
    return;
  int64_t room = known - (int64_t)(*references - count);
  size_t kept = room <= 0 ? 0 : (uint64_t)room < count ? (size_t)room : count;
  for (size_t i = kept; i < count; i++)
    collected->pieces[guesses[i].piece]
        .ranges[range]
        .targets[guesses[i].place] = NO_TARGET;
  *references -= (uint32_t)(count - kept);
  turn->starts[range + 1] -= count - kept;
  heap->info.probable_references -= count - kept;
  heap->info.refuted_references += count - kept;
  heap->info.refcount_guessed += kept && (int64_t)kept == room;
}

/** A probable reference that would be one more than the target's count is none:
 * on the stack of a frame that runs it is a value that was popped, in static
 * memory a pointer that owns nothing.  While there are counts. */
static struct pyheap_error *refute_guesses(const struct turn *turn) {
  cleanup_free struct guess *guesses = NULL;
  size_t count, end;

  TRY(list_guesses(turn->collected, &guesses, &count));
  for (size_t i = 0; i < count; i = end) {
    for (end = i; end < count && guesses[end].target == guesses[i].target;)
      end++;
    refute(turn, guesses + i, end - i);
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

/* The index ---------------------------------------------------------------- */

static void add_infos(struct pyheap_info *info, const struct turn *turn) {
  for (size_t p = 0; p < turn->collected->piece_count; p++) {
    const uint64_t *kinds = turn->collected->pieces[p].kinds;
    info->visited_references += kinds[PYHEAP_VISITED];
    info->owned_references += kinds[PYHEAP_OWNED];
    info->probable_references += kinds[PYHEAP_PROBABLE];
  }
}

static void add_counts(struct pyheap_info *info, const struct turn *turn) {
  for (uint32_t range = 0; range < turn->collected->range_count; range++) {
    info->refcount_exact += turn->counts[range].exact;
    info->refcount_high += turn->counts[range].high;
    info->refcount_low += turn->counts[range].low;
  }
}

static struct pyheap_error *turn_round(struct turn *turn) {
  struct pyheap *heap = turn->heap;
  uint32_t ranges = turn->collected->range_count;

  turn->shares = (struct shares){.end = ranges, .size = 1};
  parallel_run(heap->threads, count_ranges, turn);
  TRY(merge_uncounted(heap, turn->collected));
  TRY(refute_guesses(turn));
  for (uint32_t range = 0; range < ranges; range++)
    turn->starts[range + 1] += turn->starts[range];
  heap->in_sources =
      reallocarray(NULL, turn->starts[ranges] + 1, sizeof *heap->in_sources);
  if (!heap->in_sources)
    return &error_no_memory;
  turn->shares = (struct shares){.end = ranges, .size = 1};
  parallel_run(heap->threads, fill_ranges, turn);
  return NULL;
}

static struct pyheap_error *build(struct pyheap *heap,
                                  struct collected *collected) {
  cleanup_free uint64_t *starts =
      calloc(collected->range_count + 1, sizeof *starts);
  cleanup_free struct counts *counts =
      calloc(collected->range_count, sizeof *counts);
  struct turn turn = {
      .heap = heap, .collected = collected, .starts = starts, .counts = counts};

  heap->in_starts = calloc(heap->object_count + 1ull, sizeof *heap->in_starts);
  if (!starts || !counts || !heap->in_starts)
    return &error_no_memory;
  add_infos(&heap->info, &turn);
  TRY(turn_round(&turn));
  add_counts(&heap->info, &turn);
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
  give_back_freed();
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
  free(take(heap->object_types));
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
