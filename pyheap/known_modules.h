/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * The functions behind the rows of known_modules.c.
 */
#ifndef PYHEAP_KNOWN_MODULES_H
#define PYHEAP_KNOWN_MODULES_H

#include "known_type.h"

/** A member that tp_traverse visits since VERSION, and that the object owns
 * before that as well. */
#define VISITED_FROM(version, structure, member, name)                         \
  VISITED_SINCE(version, structure, member, name),                             \
      OWNED_BEFORE(version, structure, member, name)

/* known_modules_visit.c, known_modules_visit_text.c: references outside the
 * object or under a condition. */
void visit_ctypes_plain_type(struct visit *visit, const struct object *object);
void visit_ctypes_type(struct visit *visit, const struct object *object);
void visit_curses_panel(struct visit *visit, const struct object *object);
void visit_datetime_datetime(struct visit *visit, const struct object *object);
void visit_datetime_time(struct visit *visit, const struct object *object);
void visit_deque(struct visit *visit, const struct object *object);
void visit_future_iterator(struct visit *visit, const struct object *object);
void visit_element(struct visit *visit, const struct object *object);
void visit_element_iterator(struct visit *visit, const struct object *object);
void visit_expat_parser(struct visit *visit, const struct object *object);
void visit_io_stringio(struct visit *visit, const struct object *object);
void visit_lru_cache(struct visit *visit, const struct object *object);
void visit_lsprof_profiler(struct visit *visit, const struct object *object);
void visit_methodcaller(struct visit *visit, const struct object *object);
void visit_multibyte_codec(struct visit *visit, const struct object *object);
void visit_pickle_data(struct visit *visit, const struct object *object);
void visit_pickler(struct visit *visit, const struct object *object);
void visit_simple_queue(struct visit *visit, const struct object *object);
void visit_sqlite_cache(struct visit *visit, const struct object *object);
void visit_sqlite_connection(struct visit *visit, const struct object *object);
void visit_sre_template(struct visit *visit, const struct object *object);
void visit_tee_data(struct visit *visit, const struct object *object);
void visit_unpickler(struct visit *visit, const struct object *object);
void visit_zoneinfo(struct visit *visit, const struct object *object);

/* known_modules_size.c: what weighs more than basic size and items. */
uint64_t size_array_array(const struct pyheap *heap,
                          const struct object *object);
uint64_t size_ctypes_stgdict(const struct pyheap *heap,
                             const struct object *object);
uint64_t size_ctypes_type(const struct pyheap *heap,
                          const struct object *object);
uint64_t size_decimal(const struct pyheap *heap, const struct object *object);
uint64_t size_deque(const struct pyheap *heap, const struct object *object);
uint64_t size_element(const struct pyheap *heap, const struct object *object);
uint64_t size_io_buffered(const struct pyheap *heap,
                          const struct object *object);
uint64_t size_io_bytesio(const struct pyheap *heap,
                         const struct object *object);
uint64_t size_itertools_combinations(const struct pyheap *heap,
                                     const struct object *object);
uint64_t size_itertools_cwr(const struct pyheap *heap,
                            const struct object *object);
uint64_t size_itertools_permutations(const struct pyheap *heap,
                                     const struct object *object);
uint64_t size_itertools_product(const struct pyheap *heap,
                                const struct object *object);
uint64_t size_parser_st(const struct pyheap *heap, const struct object *object);
uint64_t size_pickler(const struct pyheap *heap, const struct object *object);
uint64_t size_simple_queue(const struct pyheap *heap,
                           const struct object *object);
uint64_t size_struct_struct(const struct pyheap *heap,
                            const struct object *object);
uint64_t size_unpickler(const struct pyheap *heap, const struct object *object);

/** The StgInfo of a ctypes type, SIZEOF(layout, StgInfo) bytes; NULL when it has
 * none, or the version keeps none there. */
const uint8_t *ctypes_info(const struct pyheap *heap,
                           const struct object *object);

/** Addresses still to be looked at: of trees that may be as deep as large. */
struct address_stack {
  uint64_t *addresses;
  size_t count, capacity;
};
/** Leaves out a NULL address.  False when memory ran out. */
bool address_stack_push(struct address_stack *stack, uint64_t address);
void address_stack_deinit(struct address_stack *stack);

/* Blocks of memory that an object points to. */

/** COUNT entries of SIZE bytes at ADDRESS, or NULL when not all can be read;
 * a COUNT from the target may be anything. */
const uint8_t *memory_array(const struct pyheap *heap, uint64_t address,
                            uint64_t count, int32_t size);
/** A word of a block at BYTES; 0 for an absent fact. */
static inline uint64_t load_member(const uint8_t *bytes, int32_t offset) {
  return offset < 0 ? 0 : load_u64(bytes + offset);
}
/** An int of the object itself; 0 for an absent fact. */
int32_t object_int(const struct object *object, int32_t offset);

#endif
