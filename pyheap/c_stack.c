/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "c_stack.h"

#include <stdlib.h>

#include "allocator.h"
#include "marks.h"

const struct memory_stack *c_stack_at(const struct pyheap *heap,
                                      uint64_t address) {
  const struct memory_stack *stack = heap->memory.stacks;
  while (stack->start != address)
    stack++;
  return stack;
}

bool c_stack_holds(const struct pyheap *heap, uint64_t address) {
  for (size_t i = 0; i < heap->memory.stack_count; i++)
    if (address >= heap->memory.stacks[i].start &&
        address < heap->memory.stacks[i].end)
      return true;
  return false;
}

/* References -------------------------------------------------------------- */

enum {
  LIMIT_BLOCKS = 1 << 16,  /**< Blocks that a stack points to. */
  LIMIT_BYTES = 64 << 20,  /**< Of those that are looked into. */
  LIMIT_GARBAGE = 1 << 22, /**< Objects on lists, each for every way there. */
};

/** Where the address of an object or of a block was found. */
struct find {
  uint64_t target;
  uint64_t offset; /**< Of the word on the stack; IN_REGISTER. */
};

static const uint64_t IN_REGISTER = UINT64_MAX;
static const uint64_t IN_GARBAGE = UINT64_MAX - 1; /**< On the list of it. */

struct finds {
  struct find *list;
  size_t count;
  bool out_of_memory;
};

/** Appends a find; out of memory is noted. */
static void add_find(struct finds *finds, struct find find) {
  if (!(finds->count & (finds->count - 1))) {
    struct find *grown = reallocarray(
        finds->list, finds->count ? 2 * finds->count : 1, sizeof *grown);
    finds->out_of_memory |= !grown;
    if (!grown)
      return;
    finds->list = grown;
  }
  finds->list[finds->count++] = find;
}

static int compare_finds(const void *a, const void *b) {
  const struct find *left = a, *right = b;
  if (left->target != right->target)
    return left->target < right->target ? -1 : 1;
  return left->offset < right->offset ? -1 : left->offset > right->offset;
}

/** Immortal objects are left out: what refers to them is of no interest. */
static bool is_of_interest(const struct pyheap *heap, uint64_t word) {
  return word && heap_is_object(heap, word) && heap_refcount(heap, word) >= 0;
}

/** The size of the block at ADDRESS that is none of an object, before which 48
 * bytes may be; else 0. */
static uint64_t block_at(const struct pyheap *heap, uint64_t address) {
  uint64_t size = address ? allocator_block_size(heap, address) : 0;
  return mark_any(heap, address, size < 64 ? size : 64) ? 0 : size;
}

/** Loads what is being destroyed at ADDRESS: it counts no reference any more,
 * and has left the collector's lists (tp_dealloc of the containers). */
static bool load_dying(const struct pyheap *heap, uint64_t address,
                       struct object *object) {
  const struct memory_range *range = memory_range_at(&heap->memory, address);
  const char *why;
  uint64_t start, end;
  if (!range || !(range->flags & MEMORY_OBJECTS) ||
      heap_refcount(heap, address) ||
      !object_load(heap, address, object, &why) ||
      !object_is_gc(heap, object) || object_is_tracked(heap, object))
    return false;
  object_extent(heap, object, &start, &end);
  return !allocator_contradicts(heap, start);
}

/** What the words of a stack are. */
struct stack_finds {
  struct finds objects, dying, blocks;
};

/** A word on the stack: the address of an object, or of a block. */
static void find_word(struct stack_finds *finds, const struct pyheap *heap,
                      uint64_t word, uint64_t offset) {
  struct object object;
  if (is_of_interest(heap, word)) {
    add_find(&finds->objects, (struct find){word, offset});
    return;
  }
  if (load_dying(heap, word, &object)) {
    add_find(&finds->dying, (struct find){word, offset});
    return;
  }
  /* The items of a list are behind their number there (Objects/listobject.c,
   * _PyListArray). */
  if (heap->layout->free_threaded && word % 16 == 8)
    word -= 8;
  if (finds->blocks.count < LIMIT_BLOCKS && block_at(heap, word))
    add_find(&finds->blocks, (struct find){word, offset});
}

static bool is_out_of_memory(const struct stack_finds *finds) {
  return finds->objects.out_of_memory || finds->dying.out_of_memory ||
         finds->blocks.out_of_memory;
}

static void find_all(struct stack_finds *finds, const struct pyheap *heap,
                     const struct memory_stack *stack) {
  uint64_t size = stack->end - stack->start;
  const uint8_t *bytes = memory_at(&heap->memory, stack->start, size);
  size_t count = sizeof stack->registers / sizeof *stack->registers;

  for (uint64_t at = 0; bytes && at + 8 <= size && !is_out_of_memory(finds);
       at += 8)
    find_word(finds, heap, load_u64(bytes + at), at);
  for (size_t i = 0; i < count; i++)
    find_word(finds, heap, stack->registers[i], IN_REGISTER);
}

/** The lists of garbage that the collector of a free-threaded build has: the
 * stack holds the first object of each.  What is being freed there may look like
 * no object any more, and leads on all the same. */
static void find_garbage(struct finds *finds, const struct pyheap *heap) {
  size_t direct = finds->count, left = LIMIT_GARBAGE;
  for (size_t i = 0; i < direct; i++)
    for (uint64_t object = heap_next_garbage(heap, finds->list[i].target);
         object && left && !finds->out_of_memory;
         object = heap_next_garbage(heap, object), left--)
      if (is_of_interest(heap, object))
        add_find(finds, (struct find){object, IN_GARBAGE});
}

static void tell(struct visit *visit, uint64_t target, uint64_t offset) {
  if (offset == IN_REGISTER)
    visit_named(visit, target, PYHEAP_PROBABLE, "register");
  else if (offset == IN_GARBAGE)
    visit_named(visit, target, PYHEAP_PROBABLE, "collector's list of garbage");
  else
    visit_reference(visit, target, PYHEAP_PROBABLE, PYHEAP_NAME_OFFSET, offset);
}

/** Every object on the stack and in registers, once. */
static void tell_finds(struct visit *visit, const struct finds *finds) {
  for (size_t i = 0; i < finds->count; i++)
    if (!i || finds->list[i].target != finds->list[i - 1].target)
      tell(visit, finds->list[i].target, finds->list[i].offset);
}

/** Every object in the blocks, of which each is looked into once. */
static void tell_blocks(struct visit *visit, const struct finds *blocks) {
  const struct pyheap *heap = visit->heap;
  uint64_t left = LIMIT_BYTES;

  for (size_t i = 0; i < blocks->count; i++) {
    uint64_t block = blocks->list[i].target;
    uint64_t size = block_at(heap, block);
    const uint8_t *bytes = heap_memory(heap, block, size);
    if (!size || !bytes || size > left ||
        (i && block == blocks->list[i - 1].target))
      continue;
    left -= size;
    for (uint64_t at = 0; at + 8 <= size; at += 8)
      if (is_of_interest(heap, load_u64(bytes + at)))
        tell(visit, load_u64(bytes + at), blocks->list[i].offset);
  }
}

/** Tells what an object that is being destroyed has not given up yet; what it
 * has may be gone, or live on with others. */
static void tell_left(struct visit *visit) {
  for (size_t i = 0; i < visit->count; i++)
    if (is_of_interest(visit->heap, visit->references[i].target))
      visit_named(visit->context, visit->references[i].target, PYHEAP_PROBABLE,
                  "object being destroyed");
}

/** What is held by objects that are being destroyed, of each once. */
static void tell_dying(struct visit *visit, const struct finds *finds) {
  struct object object;
  for (size_t i = 0; i < finds->count; i++) {
    uint64_t address = finds->list[i].target;
    struct visit inner = {
        .heap = visit->heap, .flush = tell_left, .context = visit};
    if ((!i || address != finds->list[i - 1].target) &&
        load_dying(visit->heap, address, &object))
      object_visit(&inner, &object);
  }
}

static void sort_finds(struct finds *finds) {
  if (finds->count)
    qsort(finds->list, finds->count, sizeof *finds->list, compare_finds);
}

void c_stack_visit(struct visit *visit, const struct memory_stack *stack) {
  struct stack_finds finds = {0};

  find_all(&finds, visit->heap, stack);
  find_garbage(&finds.objects, visit->heap);
  if (is_out_of_memory(&finds) && visit->problems)
    problems_add(visit->problems, "C stacks too large to be searched",
                 stack->start, 1);
  sort_finds(&finds.objects);
  sort_finds(&finds.dying);
  sort_finds(&finds.blocks);
  tell_finds(visit, &finds.objects);
  tell_dying(visit, &finds.dying);
  tell_blocks(visit, &finds.blocks);
  free(finds.objects.list);
  free(finds.dying.list);
  free(finds.blocks.list);
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
