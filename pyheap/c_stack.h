/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * What the C functions held that were running: their stacks and registers.
 */
#ifndef PYHEAP_C_STACK_H
#define PYHEAP_C_STACK_H

#include "heap.h"

/** The stack that starts at ADDRESS, which a root's does. */
const struct memory_stack *c_stack_at(const struct pyheap *heap,
                                      uint64_t address);
/** Whether ADDRESS is on a stack, where no object is made, though a type may be
 * behind a number. */
bool c_stack_holds(const struct pyheap *heap, uint64_t address);
/** Every object whose address is in a register or on the stack, once, and those
 * in allocated blocks that such words point to: a list is empty while it is
 * sorted, and its items in an array that a variable points to.  Of containers
 * that are being destroyed, which are no objects any more, what they still have.
 * Guesses, for a variable may be through with it, or own nothing. */
void c_stack_visit(struct visit *visit, const struct memory_stack *stack);
/** The next head of a list of the collector on a stack, behind *HEAD on stack
 * number *STACK; both 0 at first.  False when there is none. */
bool c_stack_next_list(const struct pyheap *heap, size_t *stack,
                       uint64_t *head);

#endif
