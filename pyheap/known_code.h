/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * Code objects: what they hold, and what frames that run them look like.
 */
#ifndef PYHEAP_KNOWN_CODE_H
#define PYHEAP_KNOWN_CODE_H

#include "known_type.h"

/** What a code object says about the frames that run it. */
struct frame_shape {
  uint64_t locals;     /**< Local, cell and free variables. */
  uint64_t stack_size; /**< Entries of the value stack, at most. */
  /** Tuples of the names of the locals, one behind the other: from 3.11 on one
   * of all, before of local, cell and free variables. */
  uint64_t names[3];
};

/** False when CODE cannot be read or makes no sense. */
bool frame_shape_read(const struct pyheap *heap, uint64_t code,
                      struct frame_shape *ret);
/** The name of local I, a str; 0 when it cannot be read. */
uint64_t frame_local_name(const struct pyheap *heap,
                          const struct frame_shape *shape, uint64_t i);

/* Row. */
void visit_code(struct visit *visit, const struct object *code);
uint64_t code_size(const struct pyheap *heap, const struct object *code);

#endif
