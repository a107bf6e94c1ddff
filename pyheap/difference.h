/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * Two snapshots compared.
 *
 * Of one process object by object, for CPython's objects do not move: what has
 * one address and one type in both is one object, unless what cannot change
 * while it lives (its fingerprint) differs; then, as with another type, the old
 * one is gone and a new one is in its place.  Of an object that is mutable,
 * that another of its type was put where it was cannot be seen.
 *
 * Of two processes type by type, types being known by their names.
 */
#ifndef PYHEAP_DIFFERENCE_H
#define PYHEAP_DIFFERENCE_H

#include "snapshot.h"

/** How the processes of two snapshots are related. */
enum pyheap_kinship {
  PYHEAP_SAME_PROCESS,
  /** It looks so, but what the kernel gave the program is not to be had in
   * both: process id, program and the address of its runtime are the same. */
  PYHEAP_SAME_PROCESS_PROBABLY,
  /** Started as one program, but the process ids differ: one comes from the
   * other by fork(), or they were asked for in different PID namespaces. */
  PYHEAP_RELATED_PROCESSES,
  PYHEAP_OTHER_PROCESS,
};

enum pyheap_kinship pyheap_identity_compare(const struct pyheap_identity *a,
                                            const struct pyheap_identity *b);

enum pyheap_change {
  PYHEAP_CHANGE_NEW,
  PYHEAP_CHANGE_GONE,
  PYHEAP_CHANGE_GROWN,
  PYHEAP_CHANGE_SHRUNK,
  PYHEAP_CHANGE_LOST, /**< Still in memory, but nothing leads to it any more. */
  PYHEAP_CHANGES,
};

/** An object that changed: its numbers in the snapshots before and after, or
 * PYHEAP_NO_NODE where it is not. */
struct pyheap_changed {
  pyheap_node before, after;
};

struct pyheap_changed_list {
  struct pyheap_changed *items; /**< By ascending address. */
  size_t count, capacity;
};

struct pyheap_changes {
  struct pyheap_changed_list kinds[PYHEAP_CHANGES];
  /** The same objects before and after, which the collector tracked at one of the
   * two moments only: a collection gives up dicts and tuples that can be on no
   * cycle.  They may be among the grown and the shrunk, too. */
  struct pyheap_changed_list retracked;
  /** Of the new and the gone: objects that stand where there was, or is now,
   * another. */
  uint64_t replaced;
};

/**
 * Compares object by object.  Orphans are no objects here, but for those that
 * were none before.
 * @param[out] ret To be cleaned up with pyheap_changes_deinit().
 * Error: NO_MEMORY.
 */
PYHEAP_MUST_CHECK struct pyheap_error *
pyheap_changes_init(const struct pyheap_snapshot *before,
                    const struct pyheap_snapshot *after,
                    struct pyheap_changes *ret);
void pyheap_changes_deinit(struct pyheap_changes *changes);

/** All types of one name: how much more there is after than before. */
struct pyheap_difference_row {
  const char *name; /**< Of one of the snapshots. */
  int64_t count;
  int64_t bytes;
};

/** Makes one row of those that have one name; rows are then sorted by name.
 * Returns how many are left. */
size_t pyheap_merge_rows(struct pyheap_difference_row *rows, size_t count);

/**
 * Compares type by type, as muppy's summary.get_diff().  Orphans are left out.
 * @param before_chosen For each object before whether it counts; NULL: all do.
 * @param after_chosen The same for those after.
 * @param[out] ret Array of *COUNT rows by name, those where nothing differs too;
 *   free() it.  Valid as long as the snapshots are.
 * Error: NO_MEMORY.
 */
PYHEAP_MUST_CHECK struct pyheap_error *
pyheap_compare_types(const struct pyheap_snapshot *before,
                     const struct pyheap_snapshot *after,
                     const bool *before_chosen, const bool *after_chosen,
                     struct pyheap_difference_row **ret, size_t *count);

#endif
