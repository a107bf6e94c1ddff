/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * Which interpreter a segment of mimalloc belongs to.  Free-threaded builds have
 * no lists of tracked objects: the collector of an interpreter goes through the
 * heaps of its threads, and what ended threads have left to it.
 */
#ifndef PYHEAP_SEGMENTS_H
#define PYHEAP_SEGMENTS_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"

struct pyheap;

struct segments {
  struct segment_place *list; /**< By address. */
  size_t count;
};

/** Finds the segments of the target.
 * @param[out] ret segments_deinit() it.  Errors: NO_MEMORY. */
PYHEAP_MUST_CHECK struct pyheap_error *segments_find(const struct pyheap *heap,
                                                     struct segments *ret);
void segments_deinit(struct segments *segments);
/** The index of the interpreter that the memory at ADDRESS is of, -1 when no
 * segment tells.  *HINT, 0 at first, makes it quick for ascending addresses. */
int32_t segments_interpreter(const struct segments *segments, uint64_t address,
                             size_t *hint);

#endif
