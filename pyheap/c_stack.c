/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "c_stack.h"

#include <stdlib.h>
#include <string.h>

const struct memory_stack *c_stack_at(const struct pyheap *heap,
                                      uint64_t address) {
  const struct memory_stack *stack = heap->memory.stacks;
  while (stack->start != address)
    stack++;
  return stack;
}

/* References -------------------------------------------------------------- */

/** Where an object's address was found. */
struct find {
  uint64_t target;
  uint64_t offset; /**< From the stack pointer on; IN_REGISTER. */
};

static const uint64_t IN_REGISTER = UINT64_MAX;

struct finds {
  struct find *list;
  size_t count;
  bool out_of_memory;
};

static int compare_finds(const void *a, const void *b) {
  const struct find *left = a, *right = b;
  if (left->target != right->target)
    return left->target < right->target ? -1 : 1;
  return left->offset < right->offset ? -1 : left->offset > right->offset;
}

/** Immortal objects are left out: what refers to them is of no interest. */
static void find_word(struct finds *finds, const struct pyheap *heap,
                      uint64_t word, uint64_t offset) {
  if (!word || !heap_is_object(heap, word) || heap_refcount(heap, word) < 0)
    return;
  if (!(finds->count & (finds->count - 1))) {
    struct find *grown = reallocarray(
        finds->list, finds->count ? 2 * finds->count : 1, sizeof *grown);
    finds->out_of_memory |= !grown;
    if (!grown)
      return;
    finds->list = grown;
  }
  finds->list[finds->count++] = (struct find){word, offset};
}

void c_stack_visit(struct visit *visit, const struct memory_stack *stack) {
  const struct pyheap *heap = visit->heap;
  uint64_t size = stack->end - stack->start;
  const uint8_t *bytes = memory_at(&heap->memory, stack->start, size);
  struct finds finds = {0};

  for (uint64_t at = 0; bytes && at + 8 <= size && !finds.out_of_memory;
       at += 8)
    find_word(&finds, heap, load_u64(bytes + at), at);
  for (size_t i = 0; i < sizeof stack->registers / sizeof *stack->registers &&
                     !finds.out_of_memory;
       i++)
    find_word(&finds, heap, stack->registers[i], IN_REGISTER);
  if (finds.out_of_memory && visit->problems)
    problems_add(visit->problems, "C stacks too large to be searched",
                 stack->start, 1);
  if (finds.count)
    qsort(finds.list, finds.count, sizeof *finds.list, compare_finds);
  for (size_t i = 0; i < finds.count; i++) {
    const struct find *find = &finds.list[i];
    if (i && find->target == find[-1].target)
      continue;
    if (find->offset == IN_REGISTER)
      visit_named(visit, find->target, PYHEAP_PROBABLE, "register");
    else
      visit_reference(visit, find->target, PYHEAP_PROBABLE, PYHEAP_NAME_OFFSET,
                      find->offset);
  }
  free(finds.list);
}

/* The collector's lists --------------------------------------------------- */

/** Whether the word at NODE is the header of an object that is tracked. */
static bool is_tracked_at(const struct pyheap *heap, uint64_t node) {
  struct object object;
  const char *why;
  return object_load(heap, node + (uint64_t)SIZEOF(heap->layout, PyGC_Head),
                     &object, &why) &&
         object_is_tracked(heap, &object);
}

/** Whether a list that is not empty has its head at ADDRESS: that goes on to an
 * object, and the last one comes back (Modules/gcmodule.c, gc_list_init). */
static bool is_list_head(const struct pyheap *heap, uint64_t address) {
  const uint64_t POINTER = ~3ull;
  int32_t next = OFFSET(heap->layout, PyGC_Head, _gc_next);
  uint64_t first = heap_word(heap, address, next) & POINTER;
  uint64_t last =
      heap_word(heap, address, OFFSET(heap->layout, PyGC_Head, _gc_prev)) &
      POINTER;
  return first && last && first != address &&
         (heap_word(heap, last, next) & POINTER) == address &&
         is_tracked_at(heap, first) && is_tracked_at(heap, last);
}

bool c_stack_next_list(const struct pyheap *heap, size_t *stack,
                       uint64_t *head) {
  for (; *stack < heap->memory.stack_count; ++*stack, *head = 0) {
    const struct memory_stack *stack_now = &heap->memory.stacks[*stack];
    uint64_t address = *head ? *head + 8 : stack_now->start;
    for (; address + 16 <= stack_now->end; address += 8)
      if (is_list_head(heap, address)) {
        *head = address;
        return true;
      }
  }
  return false;
}
