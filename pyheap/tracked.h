/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * Counting the objects that the collector tracks, without finding the others.
 */
#ifndef PYHEAP_TRACKED_H
#define PYHEAP_TRACKED_H

#include "error.h"

struct pyheap;
struct pyheap_summary_row;

/**
 * Counts the tracked objects of a heap whose objects were not found yet.
 * @param[out] rows An array of *COUNT rows by type index, some of them empty;
 * free() it.  NULL where the collector's lists do not tell all: in a
 * free-threaded build, while the collector works, in damaged memory.
 * Errors: CANCELED, NO_MEMORY.
 */
struct pyheap_error *tracked_count(struct pyheap *heap,
                                   struct pyheap_summary_row **rows,
                                   size_t *count);

#endif
