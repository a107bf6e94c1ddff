/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Taking a snapshot of an opened heap. */
#include "config.h"

#include "snapshot.h"

#include <stdlib.h>
#include <string.h>

#include "fingerprint.h"
#include "heap.h"
#include "identity.h"

enum {
  PART = 65536, /**< Objects that one thread takes at a time. */
};

/* Names and types --------------------------------------------------------- */

/** Types by how many objects they have. */
struct ranked {
  uint64_t objects;
  uint32_t index; /**< In the heap. */
};

static int compare_ranked(const void *left, const void *right) {
  const struct ranked *a = left, *b = right;
  if (a->objects != b->objects)
    return a->objects < b->objects ? 1 : -1;
  return a->index < b->index ? -1 : 1;
}

static struct pyheap_error *rank_types(struct pyheap *heap, uint32_t count,
                                       struct ranked **ret) {
  enum pyheap_set sets[] = {PYHEAP_REACHABLE, PYHEAP_ORPHANS};
  cleanup_free struct ranked *ranked = calloc(count + 1ull, sizeof *ranked);
  if (!ranked)
    return &error_no_memory;
  for (uint32_t i = 0; i < count; i++)
    ranked[i].index = i;
  for (size_t set = 0; set < 2; set++) {
    struct pyheap_summary_row *rows;
    size_t row_count;
    TRY(pyheap_summarize(heap, sets[set], &rows, &row_count));
    for (size_t i = 0; i < row_count; i++)
      if (rows[i].type < count)
        ranked[rows[i].type].objects += rows[i].count;
    free(rows);
  }
  qsort(ranked, count, sizeof *ranked, compare_ranked);
  *ret = take(ranked);
  return NULL;
}

static char *put_name(char **end, const char *name) {
  char *start = *end;
  *end = stpcpy(start, name) + 1;
  return start;
}

/** Copies the types and the names of the roots.  NUMBERS becomes the place in
 * the snapshot of every type of the heap. */
static struct pyheap_error *copy_types(struct pyheap *heap,
                                       const struct ranked *ranked,
                                       struct pyheap_snapshot *snapshot,
                                       uint32_t *numbers) {
  uint32_t count = snapshot->type_count;
  uint64_t mro_total = 0, name_total = 0;

  for (uint32_t i = 0; i < count; i++) {
    const struct pyheap_type *type = pyheap_type(heap, i);
    mro_total += type->mro_count;
    name_total += strlen(type->name) + 1;
    numbers[ranked[i].index] = i;
  }
  for (uint32_t i = 0; i < snapshot->root_count; i++)
    name_total +=
        strlen(pyheap_root_name(heap, pyheap_object_count(heap) + i)) + 1;
  snapshot->types = calloc(count + 1ull, sizeof *snapshot->types);
  snapshot->mros = reallocarray(NULL, mro_total + 1, sizeof *snapshot->mros);
  snapshot->names = malloc(name_total + 1);
  if (!snapshot->types || !snapshot->mros || !snapshot->names)
    return &error_no_memory;
  uint32_t *mro = snapshot->mros;
  char *name = snapshot->names;
  for (uint32_t i = 0; i < count; i++) {
    const struct pyheap_type *type = pyheap_type(heap, ranked[i].index);
    snapshot->types[i] = *type;
    snapshot->types[i].name = put_name(&name, type->name);
    snapshot->types[i].base =
        type->base < count ? numbers[type->base] : UINT32_MAX;
    snapshot->types[i].mro = mro;
    for (uint32_t j = 0; j < type->mro_count; j++)
      *mro++ = type->mro[j] < count ? numbers[type->mro[j]] : i;
  }
  for (uint32_t i = 0; i < snapshot->root_count; i++) {
    pyheap_node node = pyheap_object_count(heap) + i;
    snapshot->roots[i] = (struct pyheap_snapshot_root){
        .address = pyheap_address(heap, node),
        .name = put_name(&name, pyheap_root_name(heap, node)),
        .kind = pyheap_root_kind(heap, node)};
  }
  return NULL;
}

/** Makes the type of unreadable objects one of the list; copy_types() has left
 * room for it. */
static void add_unknown_type(struct pyheap_snapshot *snapshot) {
  uint32_t *mro = snapshot->mros;

  for (uint32_t i = 0; i < snapshot->type_count; i++)
    mro += snapshot->types[i].mro_count;
  *mro = snapshot->type_count;
  snapshot->types[snapshot->type_count++] = (struct pyheap_type){
      .name = "?", .base = UINT32_MAX, .mro = mro, .mro_count = 1};
  snapshot->identity.incomplete = true;
}

/* Objects ----------------------------------------------------------------- */

static void take_object(const struct pyheap *heap, const uint32_t *numbers,
                        uint32_t number, struct pyheap_snapshot *snapshot,
                        bool *unreadable) {
  uint64_t address = heap_number_address(heap, number), size = 0;
  struct object object;
  const char *why;
  uint8_t flags = 0;

  snapshot->addresses[number] = address;
  /* What was found was loaded before, and its type is one of the list; but where
   * objects are may come from a file. */
  if (object_load(heap, address, &object, &why) &&
      object.type->index < snapshot->type_count) {
    snapshot->type_of[number] = numbers[object.type->index];
    if (!object_measure(heap, &object, &size))
      flags |= PYHEAP_SNAPSHOT_SIZE_UNCERTAIN;
    if (object_is_tracked(heap, &object))
      flags |= PYHEAP_SNAPSHOT_TRACKED;
    snapshot->fingerprints[number] = fingerprint(heap, &object);
  } else {
    snapshot->type_of[number] = snapshot->type_count;
    flags |= PYHEAP_SNAPSHOT_SIZE_UNCERTAIN;
    *unreadable = true;
  }
  if (pyheap_is_orphan(heap, number))
    flags |= PYHEAP_SNAPSHOT_ORPHAN;
  snapshot->sizes[number] = size;
  snapshot->refcounts[number] = heap_refcount(heap, address);
  snapshot->flags[number] = flags;
}

struct taking {
  const uint32_t *numbers;
  struct pyheap_snapshot *snapshot;
  bool unreadable; /**< Any of the objects. */
  struct heap_shares work;
};

static void take_shares(void *context, unsigned thread) {
  struct taking *taking = context;
  uint64_t first, end;
  bool unreadable = false;

  while (heap_shares_take(&taking->work, thread, &first, &end))
    for (uint64_t number = first; number < end; number++)
      take_object(taking->work.heap, taking->numbers, (uint32_t)number,
                  taking->snapshot, &unreadable);
  if (unreadable)
    __atomic_store_n(&taking->unreadable, true, __ATOMIC_RELAXED);
}

static struct pyheap_error *take_objects(struct pyheap *heap,
                                         const uint32_t *numbers,
                                         struct pyheap_snapshot *snapshot) {
  struct taking taking = {
      .numbers = numbers,
      .snapshot = snapshot,
      .work = {.heap = heap,
               .stage = "taking a snapshot",
               .shares = {.end = snapshot->count, .size = PART}}};

  parallel_run(heap->threads, take_shares, &taking);
  if (taking.unreadable)
    add_unknown_type(snapshot);
  return taking.work.canceled ? error_canceled() : NULL;
}

struct copying {
  const struct pyheap *heap;
  struct pyheap_snapshot *snapshot;
};

static void copy_referrers(void *context, unsigned thread) {
  struct copying *copying = context;
  struct pyheap_snapshot *snapshot = copying->snapshot;
  unsigned threads = copying->heap->threads;
  uint64_t end = parallel_share(snapshot->count, thread + 1, threads);

  for (uint64_t i = parallel_share(snapshot->count, thread, threads); i < end;
       i++) {
    size_t count;
    const pyheap_node *nodes =
        pyheap_referrers(copying->heap, (pyheap_node)i, &count);
    if (count)
      memcpy(snapshot->referrers + snapshot->starts[i], nodes,
             count * sizeof *nodes);
  }
}

static struct pyheap_error *take_references(struct pyheap *heap,
                                            struct pyheap_snapshot *snapshot) {
  uint32_t count = snapshot->count;
  size_t referrers;
  uint64_t total = 0;

  snapshot->starts = reallocarray(NULL, count + 1ull, sizeof *snapshot->starts);
  if (!snapshot->starts)
    return &error_no_memory;
  for (uint32_t i = 0; i < count; i++) {
    snapshot->starts[i] = total;
    pyheap_referrers(heap, i, &referrers);
    total += referrers;
  }
  snapshot->starts[count] = total;
  snapshot->referrers =
      reallocarray(NULL, total + 1, sizeof *snapshot->referrers);
  if (!snapshot->referrers)
    return &error_no_memory;
  parallel_run(heap->threads, copy_referrers,
               &(struct copying){heap, snapshot});
  return NULL;
}

bool snapshot_allocate(struct pyheap_snapshot *snapshot, uint32_t count,
                       uint32_t root_count) {
  size_t rows = count + 1ull;

  snapshot->count = count;
  snapshot->root_count = root_count;
  snapshot->addresses = reallocarray(NULL, rows, sizeof *snapshot->addresses);
  snapshot->type_of = calloc(rows, sizeof *snapshot->type_of);
  snapshot->sizes = reallocarray(NULL, rows, sizeof *snapshot->sizes);
  snapshot->refcounts = reallocarray(NULL, rows, sizeof *snapshot->refcounts);
  snapshot->flags = malloc(rows);
  snapshot->fingerprints = calloc(rows, sizeof *snapshot->fingerprints);
  snapshot->roots = calloc(root_count + 1ull, sizeof *snapshot->roots);
  return snapshot->addresses && snapshot->type_of && snapshot->sizes &&
         snapshot->refcounts && snapshot->flags && snapshot->fingerprints &&
         snapshot->roots;
}

static struct pyheap_error *fill(struct pyheap *heap, bool references,
                                 struct pyheap_snapshot *snapshot) {
  cleanup_free struct ranked *ranked = NULL;

  TRY(pyheap_find_orphans(heap));
  if (references)
    TRY(pyheap_index_references(heap));
  TRY(identity_init(&snapshot->identity, heap));
  if (!snapshot_allocate(snapshot, pyheap_object_count(heap),
                         pyheap_node_count(heap) - pyheap_object_count(heap)))
    return &error_no_memory;
  snapshot->type_count = pyheap_type_count(heap);
  TRY(rank_types(heap, snapshot->type_count, &ranked));
  cleanup_free uint32_t *numbers =
      calloc(snapshot->type_count + 1ull, sizeof *numbers);
  if (!numbers)
    return &error_no_memory;
  TRY(copy_types(heap, ranked, snapshot, numbers));
  TRY(take_objects(heap, numbers, snapshot));
  return references ? take_references(heap, snapshot) : NULL;
}

struct pyheap_error *pyheap_snapshot_take(struct pyheap *heap, bool references,
                                          struct pyheap_snapshot **ret) {
  struct pyheap_snapshot *snapshot = calloc(1, sizeof *snapshot);
  if (!snapshot)
    return &error_no_memory;
  struct pyheap_error *error = fill(heap, references, snapshot);
  if (error) {
    pyheap_snapshot_destroy(snapshot);
    return error;
  }
  *ret = snapshot;
  return NULL;
}

void pyheap_snapshot_destroy(struct pyheap_snapshot *snapshot) {
  if (!snapshot)
    return;
  identity_deinit(&snapshot->identity);
  free(snapshot->types);
  free(snapshot->mros);
  free(snapshot->names);
  free(snapshot->addresses);
  free(snapshot->type_of);
  free(snapshot->sizes);
  free(snapshot->refcounts);
  free(snapshot->flags);
  free(snapshot->fingerprints);
  free(snapshot->starts);
  free(snapshot->referrers);
  free(snapshot->roots);
  free(snapshot);
}

/* Questions --------------------------------------------------------------- */

uint64_t pyheap_snapshot_memory(const struct pyheap_snapshot *snapshot) {
  uint64_t row = sizeof *snapshot->addresses + sizeof *snapshot->type_of +
                 sizeof *snapshot->sizes + sizeof *snapshot->refcounts +
                 sizeof *snapshot->flags + sizeof *snapshot->fingerprints;
  uint64_t bytes = snapshot->count * row +
                   snapshot->type_count * sizeof *snapshot->types +
                   snapshot->root_count * sizeof *snapshot->roots;
  if (snapshot->starts)
    bytes += snapshot->count * sizeof *snapshot->starts +
             snapshot->starts[snapshot->count] * sizeof *snapshot->referrers;
  return bytes;
}

uint32_t pyheap_snapshot_unreadable(const struct pyheap_snapshot *snapshot) {
  uint32_t unknown = snapshot->type_count - 1, count = 0;

  if (!snapshot->type_count || snapshot->types[unknown].address)
    return 0;
  for (uint32_t i = 0; i < snapshot->count; i++)
    count += snapshot->type_of[i] == unknown;
  return count;
}

pyheap_node pyheap_snapshot_at(const struct pyheap_snapshot *snapshot,
                               uint64_t address) {
  pyheap_node place = (pyheap_node)SORTED_PLACE(
      0, snapshot->count, i, snapshot->addresses[i] < address);
  return place < snapshot->count && snapshot->addresses[place] == address
             ? place
             : PYHEAP_NO_NODE;
}
