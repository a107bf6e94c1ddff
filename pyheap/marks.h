/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * The bitmaps of the heap: a bit for each granule of the memory that may hold
 * objects.
 */
#ifndef PYHEAP_MARKS_H
#define PYHEAP_MARKS_H

#include "heap.h"

/** How many words of 64 bits a bitmap has. */
static inline uint64_t mark_words(const struct pyheap *heap) {
  return heap->memory.bit_count / 64 + 1;
}

/** The bit of ADDRESS, at which an object may start, in RANGE. */
static inline uint64_t mark_range_bit(const struct memory_range *range,
                                      uint64_t address) {
  return address / MEMORY_GRANULE + range->bit_offset;
}

/** The bit of ADDRESS; false when no object can be there. */
static inline bool mark_bit(const struct pyheap *heap, uint64_t address,
                            uint64_t *bit) {
  const struct memory_range *range = memory_range_at(&heap->memory, address);
  if (!range || !(range->flags & MEMORY_OBJECTS) || address % MEMORY_GRANULE)
    return false;
  *bit = mark_range_bit(range, address);
  return true;
}

/** Sets a bit; true when it was clear.  Any thread may call it. */
static inline bool mark_set(uint64_t *marks, uint64_t bit) {
  uint64_t mask = 1ull << (bit % 64);
  return !(__atomic_fetch_or(&marks[bit / 64], mask, __ATOMIC_RELAXED) & mask);
}

static inline void mark_clear(uint64_t *marks, uint64_t bit) {
  __atomic_fetch_and(&marks[bit / 64], ~(1ull << (bit % 64)), __ATOMIC_RELAXED);
}

static inline bool mark_get(const uint64_t *marks, uint64_t bit) {
  return __atomic_load_n(&marks[bit / 64], __ATOMIC_RELAXED) >> (bit % 64) & 1;
}

/** How many bits of WORD are set.  __builtin_popcountll() is a call and a table
 * where the program must run on every x86-64. */
static inline unsigned mark_count(uint64_t word) {
  word -= word >> 1 & 0x5555555555555555;
  word = (word & 0x3333333333333333) + (word >> 2 & 0x3333333333333333);
  word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0f;
  return (unsigned)(word * 0x0101010101010101 >> 56);
}

/** The number of the object whose bit is BIT; PYHEAP_NO_NODE when it is clear.
 */
static inline uint32_t mark_number(const struct pyheap *heap, uint64_t bit) {
  uint64_t marks = heap->marks[bit / 64];
  if (!(marks >> (bit % 64) & 1))
    return PYHEAP_NO_NODE;
  return heap->ranks[bit / 64] + mark_count(marks & ((1ull << (bit % 64)) - 1));
}

/** Bits that follow each other in one range of the target's memory. */
struct mark_run {
  uint64_t end;    /**< Behind the last bit. */
  uint64_t offset; /**< Of the address of a bit from MEMORY_GRANULE times it. */
};

/** The range that BIT is of. */
const struct memory_range *mark_range(const struct pyheap *heap, uint64_t bit);

/** The address of BIT, of which RUN, at first all zero, may know the range. */
static inline uint64_t mark_run_address(const struct pyheap *heap, uint64_t bit,
                                        struct mark_run *run) {
  if (bit >= run->end) {
    const struct memory_range *range = mark_range(heap, bit);
    run->end = range->bit + memory_granules(range);
    run->offset = -MEMORY_GRANULE * range->bit_offset;
  }
  return MEMORY_GRANULE * bit + run->offset;
}

/** Objects that are asked for by ascending numbers. */
struct mark_cursor {
  uint64_t word; /**< Of the last one. */
  struct mark_run run;
};
/** The word with the bit of object NUMBER. */
uint64_t mark_word(const struct pyheap *heap, uint32_t number);
/** Where a search for NUMBER and those behind it begins. */
static inline struct mark_cursor mark_cursor_at(const struct pyheap *heap,
                                                uint32_t number) {
  return (struct mark_cursor){.word = mark_word(heap, number)};
}

/** The address of object NUMBER, no less than the last one; there must be so
 * many. */
static inline uint64_t mark_cursor_address(const struct pyheap *heap,
                                           struct mark_cursor *cursor,
                                           uint32_t number) {
  enum {
    NEAR = 64
  };
  for (int i = 0; i < NEAR && heap->ranks[cursor->word + 1] <= number; i++)
    cursor->word++;
  if (heap->ranks[cursor->word + 1] <= number)
    cursor->word = mark_word(heap, number);
  uint64_t marks = heap->marks[cursor->word];
  for (uint32_t skip = number - heap->ranks[cursor->word]; skip; skip--)
    marks &= marks - 1;
  return mark_run_address(
      heap, 64 * cursor->word + (unsigned)__builtin_ctzll(marks), &cursor->run);
}

enum {
  MARK_SHARE = 512, /**< Words of a bitmap that a thread takes at a time, */
  MARK_SHARE_BITS = 64 * MARK_SHARE, /**< … and the addresses they may be. */
};
/** Writes to ADDRESSES where the bits of words WORD .. END-1 of MARKS, a bitmap of
 * the heap, are set, and returns how many that are. */
size_t marks_list(const struct pyheap *heap, const uint64_t *marks,
                  uint64_t word, uint64_t end, uint64_t *addresses);

/** Whether any object starts in LENGTH bytes at ADDRESS, as far as they are of one
 * range. */
bool mark_any(const struct pyheap *heap, uint64_t address, uint64_t length);
/** Numbers the objects of heap->marks, once more when there are new ones. */
struct pyheap_error *number_objects(struct pyheap *heap);

#endif
