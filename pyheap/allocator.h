/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * The blocks that the interpreter's allocator holds as in use.
 */
#ifndef PYHEAP_ALLOCATOR_H
#define PYHEAP_ALLOCATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pyheap;

/** One block: SIZE bytes at START, of which the user's part may be less. */
typedef void allocator_block_fn(void *context, uint64_t start, uint64_t size);

/** Calls FN for every block in use of the small-object allocator, on as many
 * threads as the heap has, in no order: with CONTEXT + STRIDE * T on thread T.
 * False when the user canceled, or without memory. */
bool allocator_blocks(struct pyheap *heap, allocator_block_fn *fn,
                      void *context, size_t stride);
/** The same for what begins in one range of memory: pymalloc.c, mimalloc.c. */
void pymalloc_scan_range(struct pyheap *heap, uint64_t start, uint64_t end,
                         allocator_block_fn *fn, void *context);
void mimalloc_scan_range(struct pyheap *heap, uint64_t start, uint64_t end,
                         allocator_block_fn *fn, void *context);
/** The block of mimalloc around ADDRESS, free or in use; false when there is
 * none. */
bool mimalloc_block_at(const struct pyheap *heap, uint64_t address,
                       uint64_t *block, uint64_t *size);

/** What a segment of mimalloc, memory of one thread, says of whom it
 * belongs to. */
struct mimalloc_segment {
  uint64_t heap; /**< Address of one of its pages' heap; 0: no thread's. */
  uint64_t next_abandoned; /**< Another one that a thread has left; 0: none. */
  uint64_t subproc;        /**< Whose, by version 2.5.2; 0 in 2.1.2. */
};
/** The segment that begins at ADDRESS; false when none does. */
bool mimalloc_segment_at(const struct pyheap *heap, uint64_t address,
                         struct mimalloc_segment *ret);
/** The size of most segments and the alignment of all. */
uint64_t mimalloc_segment_size(void);

/** The block of the small-object allocator that ADDRESS is in; false where that
 * has none. */
bool pymalloc_block_at(const struct pyheap *heap, uint64_t address,
                       uint64_t *start, uint64_t *size);
/** Whether an object whose memory begins at START would begin within a block of
 * the small-object allocator: then it is none. */
bool allocator_contradicts(const struct pyheap *heap, uint64_t start);
/** The bytes from START on of the block that begins there, of the small-object
 * allocator or of the C library's malloc(); 0 when there is none. */
uint64_t allocator_block_size(const struct pyheap *heap, uint64_t start);

/** The object that is in the block, behind what its type and the debug
 * allocator put before it; 0 when it looks like none. */
uint64_t allocator_object_in(const struct pyheap *heap, uint64_t start,
                             uint64_t size);

#endif
