/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * Whose the blocks of memory are that objects of unknown layout point to.
 *
 * What such a block has is guessed to be the object's.  A block that several
 * objects point to, a table or a state of the module, is nobody's: it would be
 * looked through for each of them, and what it has be credited to any of them.
 */
#ifndef PYHEAP_BLOCK_OWNERS_H
#define PYHEAP_BLOCK_OWNERS_H

#include <stdbool.h>
#include <stdint.h>

struct block_owner {
  uint64_t block, owner;
};

enum block_ownership {
  BLOCK_OWN,
  BLOCK_SHARED,
  BLOCK_UNKNOWN, /**< There are more blocks than can be remembered. */
};

/** An empty table; NULL without memory.  free() it. */
struct block_owner *block_owners_create(void);
/** Notes that the object at OWNER points to BLOCK, and tells whether no other
 * object was seen to.  Any thread may call it.  When all objects were visited
 * once, the answer is the same from then on. */
enum block_ownership block_owners_note(struct block_owner *owners,
                                       uint64_t block, uint64_t owner);

#endif
