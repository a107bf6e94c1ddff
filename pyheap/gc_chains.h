/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * The collector's lists, walked from many places at once.
 */
#ifndef PYHEAP_GC_CHAINS_H
#define PYHEAP_GC_CHAINS_H

#include "addresses.h"
#include "heap.h"

/** Marks the objects of all lists in heap->marks, where nothing may be marked
 * yet.
 * @param heads Where the lists' heads are.
 * @param[out] done False when nothing was marked: there are few objects, no
 * allocator that tells where some are, or links that disagree.  Each list is to
 * be walked from its ends then.
 * Errors: CANCELED, NO_MEMORY.
 */
struct pyheap_error *gc_chains_walk(struct pyheap *heap,
                                    const struct addresses *heads, bool *done);

#endif
