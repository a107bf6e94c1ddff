/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * The bitmaps of the heap: a bit for each granule of the memory that may hold
 * objects.
 */
#ifndef PYHEAP_MARKS_H
#define PYHEAP_MARKS_H

#include "error.h"

struct pyheap;

/** How many words of 64 bits a bitmap has. */
uint64_t mark_words(const struct pyheap *heap);
/** The bit of ADDRESS; false when no object can be there. */
bool mark_bit(const struct pyheap *heap, uint64_t address, uint64_t *bit);
/** Sets a bit; true when it was clear.  Any thread may call it. */
bool mark_set(uint64_t *marks, uint64_t bit);
bool mark_get(const uint64_t *marks, uint64_t bit);
/** Whether any object starts in LENGTH bytes at ADDRESS, of one range. */
bool mark_any(const struct pyheap *heap, uint64_t address, uint64_t length);
/** Numbers the objects of heap->marks, once more when there are new ones. */
struct pyheap_error *number_objects(struct pyheap *heap);

#endif
