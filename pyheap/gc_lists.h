/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * The lists of objects that the collector keeps, one a generation.
 */
#ifndef PYHEAP_GC_LISTS_H
#define PYHEAP_GC_LISTS_H

#include "heap.h"

/** Low bits of _gc_next and _gc_prev are flags. */
static const uint64_t GC_FLAGS = 3;

/** Marks the objects of all lists in heap->marks, where nothing may be marked
 * yet.
 * @param[out] whole Whether every list could be walked from one end to the other
 * and its links agree in both directions: what is not marked then is tracked in
 * no way.  Never while the collector works, for then some objects are on lists of
 * its own.
 * Errors: CANCELED, NO_MEMORY.  What is damaged becomes a problem of the heap.
 */
struct pyheap_error *gc_lists_walk(struct pyheap *heap, bool *whole);
/** Free-threaded builds have no lists: an object says itself whether it is
 * tracked, and its allocator where it is. */
struct pyheap_error *gc_search_tracked(struct pyheap *heap);
/** The object behind OBJECT on its list; 0 when that cannot be read. */
uint64_t gc_next_object(const struct pyheap *heap, uint64_t object);

#endif
