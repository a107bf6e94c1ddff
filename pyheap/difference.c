/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "difference.h"

#include <stdlib.h>
#include <string.h>

#include "error.h"

/* Processes --------------------------------------------------------------- */

/** Whether two numbers are different, both being known. */
static bool differ(uint64_t a, uint64_t b) {
  return a && b && a != b;
}

static bool same_program(const struct pyheap_identity *a,
                         const struct pyheap_identity *b) {
  return a->hexversion == b->hexversion && a->debug == b->debug &&
         a->free_threaded == b->free_threaded && a->runtime == b->runtime &&
         (!a->build_id_size || !b->build_id_size ||
          (a->build_id_size == b->build_id_size &&
           memcmp(a->build_id, b->build_id, a->build_id_size) == 0));
}

enum pyheap_kinship pyheap_identity_compare(const struct pyheap_identity *a,
                                            const struct pyheap_identity *b) {
  bool other_start = differ(a->boot, b->boot) || differ(a->started, b->started);

  if (!same_program(a, b))
    return PYHEAP_OTHER_PROCESS;
  if (a->program_start && b->program_start) {
    if (a->program_start != b->program_start)
      return PYHEAP_OTHER_PROCESS;
    return differ((uint64_t)a->pid, (uint64_t)b->pid) || other_start
               ? PYHEAP_RELATED_PROCESSES
               : PYHEAP_SAME_PROCESS;
  }
  return a->pid && a->pid == b->pid && !other_start
             ? PYHEAP_SAME_PROCESS_PROBABLY
             : PYHEAP_OTHER_PROCESS;
}

/* Objects ----------------------------------------------------------------- */

static struct pyheap_error *add(struct pyheap_changed_list *list,
                                pyheap_node before, pyheap_node after) {
  if (list->count == list->capacity) {
    size_t capacity = list->capacity ? 2 * list->capacity : 256;
    struct pyheap_changed *grown =
        reallocarray(list->items, capacity, sizeof *grown);
    if (!grown)
      return &error_no_memory;
    list->items = grown;
    list->capacity = capacity;
  }
  list->items[list->count++] = (struct pyheap_changed){before, after};
  return NULL;
}

struct comparison {
  const struct pyheap_snapshot *before, *after;
  /** For each type before: the same type after, or UINT32_MAX. */
  uint32_t *matching;
  struct pyheap_changes *changes;
};

static bool is_orphan(const struct pyheap_snapshot *snapshot,
                      pyheap_node object) {
  return snapshot->flags[object] & PYHEAP_SNAPSHOT_ORPHAN;
}

/** The object is there before only. */
static struct pyheap_error *add_gone(struct comparison *comparison,
                                     pyheap_node object) {
  if (is_orphan(comparison->before, object))
    return NULL;
  return add(&comparison->changes->kinds[PYHEAP_CHANGE_GONE], object,
             PYHEAP_NO_NODE);
}

static struct pyheap_error *add_new(struct comparison *comparison,
                                    pyheap_node object) {
  if (is_orphan(comparison->after, object))
    return NULL;
  return add(&comparison->changes->kinds[PYHEAP_CHANGE_NEW], PYHEAP_NO_NODE,
             object);
}

/** Whether what is at one address in both is one object. */
static bool is_same(const struct comparison *comparison, pyheap_node before,
                    pyheap_node after) {
  const struct pyheap_snapshot *a = comparison->before, *b = comparison->after;

  return comparison->matching[a->type_of[before]] == b->type_of[after] &&
         a->fingerprints[before] == b->fingerprints[after];
}

static struct pyheap_error *compare_object(struct comparison *comparison,
                                           pyheap_node before,
                                           pyheap_node after) {
  const struct pyheap_snapshot *a = comparison->before, *b = comparison->after;
  struct pyheap_changes *changes = comparison->changes;

  if (!is_same(comparison, before, after)) {
    changes->replaced += !is_orphan(a, before) && !is_orphan(b, after);
    TRY(add_gone(comparison, before));
    return add_new(comparison, after);
  }
  if (is_orphan(a, before))
    return add_new(comparison, after);
  if (is_orphan(b, after))
    return add(&changes->kinds[PYHEAP_CHANGE_LOST], before, after);
  if ((a->flags[before] ^ b->flags[after]) & PYHEAP_SNAPSHOT_TRACKED)
    TRY(add(&changes->retracked, before, after));
  if (a->sizes[before] == b->sizes[after])
    return NULL;
  return add(&changes->kinds[a->sizes[before] < b->sizes[after]
                                 ? PYHEAP_CHANGE_GROWN
                                 : PYHEAP_CHANGE_SHRUNK],
             before, after);
}

static struct pyheap_error *compare_objects(struct comparison *comparison) {
  const struct pyheap_snapshot *a = comparison->before, *b = comparison->after;
  uint32_t i = 0, j = 0;

  while (i < a->count || j < b->count) {
    if (j == b->count || (i < a->count && a->addresses[i] < b->addresses[j]))
      TRY(add_gone(comparison, i++));
    else if (i == a->count || a->addresses[i] > b->addresses[j])
      TRY(add_new(comparison, j++));
    else
      TRY(compare_object(comparison, i++, j++));
  }
  return NULL;
}

/** A type by its address, to be sorted. */
struct placed {
  uint64_t address;
  uint32_t index;
};

static int compare_placed(const void *left, const void *right) {
  const struct placed *a = left, *b = right;
  return a->address < b->address ? -1 : a->address > b->address;
}

/** A type is the same when its address and its name are. */
static struct pyheap_error *match_types(struct comparison *comparison) {
  const struct pyheap_snapshot *a = comparison->before, *b = comparison->after;
  cleanup_free struct placed *sorted =
      calloc(b->type_count + 1ull, sizeof *sorted);

  comparison->matching =
      calloc(a->type_count + 1ull, sizeof *comparison->matching);
  if (!sorted || !comparison->matching)
    return &error_no_memory;
  for (uint32_t i = 0; i < b->type_count; i++)
    sorted[i] = (struct placed){b->types[i].address, i};
  qsort(sorted, b->type_count, sizeof *sorted, compare_placed);
  for (uint32_t i = 0; i < a->type_count; i++) {
    const struct placed wanted = {a->types[i].address, 0};
    const struct placed *found =
        bsearch(&wanted, sorted, b->type_count, sizeof *sorted, compare_placed);
    bool same =
        found && strcmp(a->types[i].name, b->types[found->index].name) == 0;
    comparison->matching[i] = same ? found->index : UINT32_MAX;
  }
  return NULL;
}

struct pyheap_error *pyheap_changes_init(const struct pyheap_snapshot *before,
                                         const struct pyheap_snapshot *after,
                                         struct pyheap_changes *ret) {
  struct pyheap_changes changes = {0};
  struct comparison comparison = {
      .before = before, .after = after, .changes = &changes};

  struct pyheap_error *error = match_types(&comparison);
  if (!error)
    error = compare_objects(&comparison);
  free(comparison.matching);
  if (error)
    pyheap_changes_deinit(&changes);
  else
    *ret = changes;
  return error;
}

void pyheap_changes_deinit(struct pyheap_changes *changes) {
  for (size_t kind = 0; kind < PYHEAP_CHANGES; kind++)
    free(changes->kinds[kind].items);
  free(changes->retracked.items);
  *changes = (struct pyheap_changes){0};
}

/* Types ------------------------------------------------------------------- */

/** Adds the rows of one snapshot, SIGN times, a row for each type. */
static void add_rows(const struct pyheap_snapshot *snapshot, const bool *chosen,
                     int64_t sign, struct pyheap_difference_row *rows) {
  for (uint32_t i = 0; i < snapshot->type_count; i++)
    rows[i].name = snapshot->types[i].name;
  for (uint32_t i = 0; i < snapshot->count; i++)
    if (!is_orphan(snapshot, i) && (!chosen || chosen[i])) {
      struct pyheap_difference_row *row = &rows[snapshot->type_of[i]];
      row->count += sign;
      /* A file may hold any size; the sum may be wrong, but not undefined. */
      row->bytes =
          (int64_t)((uint64_t)row->bytes + (uint64_t)sign * snapshot->sizes[i]);
    }
}

static int compare_names(const void *left, const void *right) {
  const struct pyheap_difference_row *a = left, *b = right;
  return strcmp(a->name, b->name);
}

size_t pyheap_merge_rows(struct pyheap_difference_row *rows, size_t count) {
  size_t used = 0;

  qsort(rows, count, sizeof *rows, compare_names);
  for (size_t i = 0; i < count; i++) {
    if (used && strcmp(rows[used - 1].name, rows[i].name) == 0) {
      rows[used - 1].count += rows[i].count;
      rows[used - 1].bytes =
          (int64_t)((uint64_t)rows[used - 1].bytes + (uint64_t)rows[i].bytes);
    } else {
      rows[used++] = rows[i];
    }
  }
  return used;
}

struct pyheap_error *pyheap_compare_types(const struct pyheap_snapshot *before,
                                          const struct pyheap_snapshot *after,
                                          const bool *before_chosen,
                                          const bool *after_chosen,
                                          struct pyheap_difference_row **ret,
                                          size_t *count) {
  size_t all = (size_t)before->type_count + after->type_count;
  struct pyheap_difference_row *rows = calloc(all + 1, sizeof *rows);
  if (!rows)
    return &error_no_memory;
  add_rows(before, before_chosen, -1, rows);
  add_rows(after, after_chosen, 1, rows + before->type_count);
  *ret = rows;
  *count = pyheap_merge_rows(rows, all);
  return NULL;
}
