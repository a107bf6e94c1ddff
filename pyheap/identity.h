/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * Whose heap it is: what of a process stays the same while it lives.
 */
#ifndef PYHEAP_IDENTITY_H
#define PYHEAP_IDENTITY_H

#include "snapshot.h"

/** Fills IDENTITY from an opened heap.  Error: NO_MEMORY. */
struct pyheap_error *identity_init(struct pyheap_identity *identity,
                                   struct pyheap *heap);
void identity_deinit(struct pyheap_identity *identity);

/** snapshot.c: makes the columns, zeroed where what is read may leave gaps;
 * false when memory is short. */
bool snapshot_allocate(struct pyheap_snapshot *snapshot, uint32_t count,
                       uint32_t root_count);

#endif
