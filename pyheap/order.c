/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The first of many objects, in an order: the largest, the most referred to. */
#include "config.h"

#include <string.h>

#include "ahead.h"
#include "heap.h"
#include "marks.h"
#include "value.h"

struct candidate {
  uint64_t key; /**< What comes first has the greatest. */
  pyheap_node node;
};

/** What one thread found to come first: once there are LIMIT of them, a heap
 * whose top is the last of all, so that millions of objects cost no memory. */
struct candidates {
  struct candidate *list;
  size_t count, capacity;
  bool out_of_memory;
};

struct ordering {
  const struct pyheap *heap;
  enum pyheap_order order;
  bool ascending;
  size_t limit;
  uint32_t *type_ranks; /**< By type index, for the order of their names. */
  uint32_t type_count;
};

/* The key of an object ---------------------------------------------------- */

static int compare_type_names(const void *left, const void *right,
                              void *context) {
  const struct pyheap *heap = context;
  return strcmp(pyheap_type(heap, *(const uint32_t *)left)->name,
                pyheap_type(heap, *(const uint32_t *)right)->name);
}

/** Types of one name have one rank, so that their objects go by address. */
static struct pyheap_error *rank_types(struct ordering *ordering) {
  const struct pyheap *heap = ordering->heap;
  uint32_t count = pyheap_type_count(heap), rank = 0;
  cleanup_free uint32_t *sorted = reallocarray(NULL, count + 1ull, 4);

  ordering->type_ranks = reallocarray(NULL, count + 1ull, 4);
  if (!sorted || !ordering->type_ranks)
    return &error_no_memory;
  for (uint32_t i = 0; i < count; i++)
    sorted[i] = i;
  qsort_r(sorted, count, sizeof *sorted, compare_type_names, (void *)heap);
  for (uint32_t i = 0; i < count; i++) {
    if (i && compare_type_names(&sorted[i - 1], &sorted[i], (void *)heap))
      rank++;
    ordering->type_ranks[sorted[i]] = rank;
  }
  ordering->type_count = count;
  return NULL;
}

/** What cannot be read comes last. */
static uint64_t key_of(const struct ordering *ordering,
                       const struct object *object) {
  const struct pyheap *heap = ordering->heap;
  uint64_t key = 0;

  switch (object->address ? ordering->order : PYHEAP_BY_ADDRESS) {
  case PYHEAP_BY_ADDRESS:
    return 0;
  case PYHEAP_BY_TYPE:
    return object->type->index < ordering->type_count
               ? ~(uint64_t)ordering->type_ranks[object->type->index]
               : 0;
  case PYHEAP_BY_SIZE:
    key = object_getsizeof(heap, object);
    break;
  case PYHEAP_BY_REFCOUNT:
    /* An immortal object's -1 is the greatest of all this way. */
    key = (uint64_t)heap_refcount(heap, object->address);
    break;
  case PYHEAP_BY_LENGTH:
    /* What has no length comes behind what has one of 0. */
    key = (uint64_t)(object_length(heap, object) + 1);
    return key && ordering->ascending ? ~key : key;
  }
  return ordering->ascending ? ~key : key;
}

/* The first of them ------------------------------------------------------- */

static bool comes_first(const struct candidate *a, const struct candidate *b) {
  return a->key != b->key ? a->key > b->key : a->node < b->node;
}

static int compare_candidates(const void *left, const void *right) {
  return comes_first(left, right) ? -1 : 1;
}

static void swap(struct candidate *a, struct candidate *b) {
  struct candidate moved = *a;
  *a = *b;
  *b = moved;
}

/** Puts the candidate AT below those that come behind it. */
static void sift_down(struct candidates *found, size_t at) {
  struct candidate *list = found->list;

  for (;;) {
    size_t last = at, child = 2 * at + 1;
    for (size_t i = child; i < child + 2 && i < found->count; i++)
      if (comes_first(&list[last], &list[i]))
        last = i;
    if (last == at)
      return;
    swap(&list[at], &list[last]);
    at = last;
  }
}

static bool grow(struct candidates *found) {
  size_t capacity = found->capacity ? found->capacity * 2 : 64;
  struct candidate *list = reallocarray(found->list, capacity, sizeof *list);

  if (!list) {
    found->out_of_memory = true;
    return false;
  }
  found->list = list;
  found->capacity = capacity;
  return true;
}

static void keep(struct candidates *found, size_t limit,
                 struct candidate candidate) {
  if (found->count == limit) {
    if (!comes_first(&candidate, &found->list[0]))
      return;
    found->list[0] = candidate;
    sift_down(found, 0);
    return;
  }
  if (found->count == found->capacity && !grow(found))
    return;
  found->list[found->count++] = candidate;
  if (found->count == limit)
    for (size_t i = limit / 2; i-- > 0;)
      sift_down(found, i);
}

static void keep_next(const struct ordering *ordering,
                      const struct ahead_object *next,
                      struct candidates *found) {
  keep(found, ordering->limit,
       (struct candidate){key_of(ordering, &next->object), next->node});
}

static void keep_batch(const struct ordering *ordering,
                       const struct pyheap_selection *selection,
                       pyheap_node first, pyheap_node end,
                       struct candidates *found) {
  const struct pyheap *heap = ordering->heap;
  struct mark_cursor cursor = mark_cursor_at(heap, first);
  struct ahead ahead = {.heap = heap};
  const struct ahead_object *next;

  for (pyheap_node node = pyheap_next_selected(selection, first);
       node < end && !found->out_of_memory;
       node = pyheap_next_selected(selection, node + 1)) {
    ahead_take(&ahead, node, mark_cursor_address(heap, &cursor, node));
    if ((next = ahead_give(&ahead, true)))
      keep_next(ordering, next, found);
  }
  while ((next = ahead_give(&ahead, false)))
    keep_next(ordering, next, found);
}

/** Whether no object of a batch is as large as those that were found, in batches
 * before it: of equals, the lower address comes first. */
static bool is_outdone(const struct ordering *ordering,
                       const struct pyheap_selection *selection,
                       pyheap_node first, const struct candidates *found) {
  return ordering->order == PYHEAP_BY_SIZE && !ordering->ascending &&
         found->count == ordering->limit &&
         selection->largest[first / PYHEAP_SELECTION_BATCH] <=
             found->list[0].key;
}

struct keeping {
  const struct ordering *ordering;
  const struct pyheap_selection *selection;
  struct candidates *found; /**< By thread. */
  struct heap_shares work;
};

static void keep_shares(void *context, unsigned thread) {
  struct keeping *keeping = context;
  uint64_t first, end;

  while (heap_shares_take(&keeping->work, thread, &first, &end))
    if (!is_outdone(keeping->ordering, keeping->selection, (pyheap_node)first,
                    &keeping->found[thread]))
      keep_batch(keeping->ordering, keeping->selection, (pyheap_node)first,
                 (pyheap_node)end, &keeping->found[thread]);
}

/** Looks at all that are selected; false when canceled. */
static bool keep_all(const struct ordering *ordering,
                     const struct pyheap_selection *selection,
                     struct candidates *found) {
  struct keeping keeping = {
      .ordering = ordering,
      .selection = selection,
      .found = found,
      .work = {
          .heap = ordering->heap,
          .stage = "ordering objects",
          .shares = {.end = selection->end, .size = PYHEAP_SELECTION_BATCH}}};

  parallel_run(ordering->heap->threads, keep_shares, &keeping);
  return !keeping.work.canceled;
}

/** All that the threads found, in order, the first LIMIT of them. */
static struct pyheap_error *merge(const struct ordering *ordering,
                                  const struct candidates *found,
                                  pyheap_node **ret, size_t *count) {
  size_t total = 0, kept = 0;

  for (unsigned i = 0; i < ordering->heap->threads; i++) {
    if (found[i].out_of_memory)
      return &error_no_memory;
    total += found[i].count;
  }
  cleanup_free struct candidate *list =
      reallocarray(NULL, total + 1, sizeof *list);
  if (!list)
    return &error_no_memory;
  for (unsigned i = 0; i < ordering->heap->threads; i++) {
    if (found[i].count)
      memcpy(list + kept, found[i].list, found[i].count * sizeof *list);
    kept += found[i].count;
  }
  qsort(list, total, sizeof *list, compare_candidates);
  if (total > ordering->limit)
    total = ordering->limit;
  pyheap_node *nodes = reallocarray(NULL, total + 1, sizeof *nodes);
  if (!nodes)
    return &error_no_memory;
  for (size_t i = 0; i < total; i++)
    nodes[i] = list[i].node;
  *ret = nodes;
  *count = total;
  return NULL;
}

static struct pyheap_error *find_first(struct ordering *ordering,
                                       const struct pyheap_selection *selection,
                                       pyheap_node **ret, size_t *count) {
  unsigned threads = ordering->heap->threads;

  if (ordering->order == PYHEAP_BY_TYPE)
    TRY(rank_types(ordering));
  struct candidates *found = calloc(threads, sizeof *found);
  if (!found)
    return &error_no_memory;
  struct pyheap_error *error = keep_all(ordering, selection, found)
                                   ? merge(ordering, found, ret, count)
                                   : error_canceled();
  for (unsigned i = 0; i < threads; i++)
    free(found[i].list);
  free(found);
  return error;
}

/** By address they are in order. */
static struct pyheap_error *take_first(const struct pyheap_selection *selection,
                                       size_t limit, pyheap_node **ret,
                                       size_t *count) {
  pyheap_node *nodes = reallocarray(NULL, limit + 1, sizeof *nodes);
  size_t used = 0;

  if (!nodes)
    return &error_no_memory;
  for (pyheap_node node = pyheap_next_selected(selection, 0);
       node != PYHEAP_NO_NODE && used < limit;
       node = pyheap_next_selected(selection, node + 1))
    nodes[used++] = node;
  *ret = nodes;
  *count = used;
  return NULL;
}

struct pyheap_error *
pyheap_order_selected(struct pyheap *heap,
                      const struct pyheap_selection *selection,
                      enum pyheap_order order, bool ascending, uint64_t limit,
                      pyheap_node **ret, size_t *count) {
  struct ordering ordering = {
      .heap = heap,
      .order = order,
      .ascending = ascending,
      .limit = limit < selection->count ? limit : selection->count,
  };

  if (order == PYHEAP_BY_ADDRESS || !ordering.limit)
    return take_first(selection, ordering.limit, ret, count);
  struct pyheap_error *error = find_first(&ordering, selection, ret, count);
  free(ordering.type_ranks);
  return error;
}
