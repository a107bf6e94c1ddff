/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One bit for every place where an object may start, and the objects' numbers:
 * the rank of their bits. */
#include "config.h"

#include "marks.h"

#include "error.h"
#include "parallel.h"

bool heap_is_marked(const struct pyheap *heap, uint64_t address) {
  uint64_t bit;
  return heap->marks && mark_bit(heap, address, &bit) &&
         mark_get(heap->marks, bit);
}

bool mark_any(const struct pyheap *heap, uint64_t address, uint64_t length) {
  uint64_t bit, end;
  if (!mark_bit(heap, address, &bit))
    return false;
  /* Of damaged memory, not all may be there. */
  const struct memory_range *range = memory_range_at(&heap->memory, address);
  end = bit + length / MEMORY_GRANULE;
  if (end > range->bit + memory_granules(range))
    end = range->bit + memory_granules(range);
  while (bit < end) {
    uint64_t left = 64 - bit % 64;
    uint64_t take = end - bit < left ? end - bit : left;
    uint64_t mask = take == 64 ? UINT64_MAX : (1ull << take) - 1;
    if (heap->marks[bit / 64] >> (bit % 64) & mask)
      return true;
    bit += take;
  }
  return false;
}

/* Numbers ----------------------------------------------------------------- */

/** The bitmap in pieces, of which each thread takes some. */
struct numbering {
  struct pyheap *heap;
  uint64_t counts[64]; /**< By piece: marks in it, then those before it. */
};

enum {
  PIECES = sizeof((struct numbering *)0)->counts / sizeof(uint64_t)
};

static void count_piece(void *context, uint64_t piece) {
  struct numbering *numbering = context;
  const uint64_t *marks = numbering->heap->marks;
  uint64_t words = mark_words(numbering->heap), count = 0;
  uint64_t end = parallel_share(words, piece + 1, PIECES);

  for (uint64_t i = parallel_share(words, piece, PIECES); i < end; i++)
    count += mark_count(marks[i]);
  numbering->counts[piece] = count;
}

static void rank_piece(void *context, uint64_t piece) {
  struct numbering *numbering = context;
  struct pyheap *heap = numbering->heap;
  uint64_t words = mark_words(heap), count = numbering->counts[piece];
  uint64_t end = parallel_share(words, piece + 1, PIECES);

  for (uint64_t i = parallel_share(words, piece, PIECES); i < end; i++) {
    heap->ranks[i] = (uint32_t)count;
    count += mark_count(heap->marks[i]);
  }
}

struct pyheap_error *number_objects(struct pyheap *heap) {
  struct numbering numbering = {.heap = heap};
  uint64_t words = mark_words(heap), total = 0;

  if (!heap->ranks)
    heap->ranks = reallocarray(NULL, words + 1, sizeof *heap->ranks);
  if (!heap->ranks)
    return &error_no_memory;
  parallel_each(heap->threads, PIECES, count_piece, &numbering);
  for (size_t i = 0; i < PIECES; i++) {
    uint64_t count = numbering.counts[i];
    numbering.counts[i] = total;
    total += count;
  }
  /* Objects and roots share 31 bits: the index needs one more. */
  if (total + heap->root_count > INT32_MAX)
    return error_create(PYHEAP_ERROR_LIMIT, 0, "more than %d objects",
                        INT32_MAX);
  parallel_each(heap->threads, PIECES, rank_piece, &numbering);
  heap->ranks[words] = (uint32_t)total;
  heap->object_count = (uint32_t)total;
  return NULL;
}

uint32_t heap_number(const struct pyheap *heap, uint64_t address) {
  uint64_t bit;
  return mark_bit(heap, address, &bit) ? mark_number(heap, bit)
                                       : PYHEAP_NO_NODE;
}

const struct memory_range *mark_range(const struct pyheap *heap, uint64_t bit) {
  const struct memory_range *ranges = heap->memory.ranges;
  uint64_t place =
      SORTED_PLACE(0, heap->memory.range_count, i, ranges[i].bit <= bit);
  return &ranges[place - 1];
}

/** The address of a granule's bit. */
uint64_t heap_bit_address(const struct pyheap *heap, uint64_t bit) {
  const struct memory_range *found = mark_range(heap, bit);
  return (found->start / MEMORY_GRANULE + bit - found->bit) * MEMORY_GRANULE;
}

/** The word that holds the bit of object NUMBER.  Who asks for one number often
 * asks for the next: the search begins where the last one ended. */
uint64_t mark_word(const struct pyheap *heap, uint32_t number) {
  enum {
    NEAR = 64
  };
  static __thread uint64_t last;
  uint64_t low = 0, high = mark_words(heap);

  if (last < high && heap->ranks[last] <= number)
    for (uint64_t word = last; word < high && word < last + NEAR; word++)
      if (heap->ranks[word + 1] > number)
        return last = word;
  while (high - low > 1) {
    uint64_t middle = low + (high - low) / 2;
    if (heap->ranks[middle] <= number)
      low = middle;
    else
      high = middle;
  }
  return last = low;
}

uint64_t heap_number_address(const struct pyheap *heap, uint32_t number) {
  struct mark_cursor cursor = mark_cursor_at(heap, number);
  return mark_cursor_address(heap, &cursor, number);
}

size_t marks_list(const struct pyheap *heap, const uint64_t *marks,
                  uint64_t word, uint64_t end, uint64_t *addresses) {
  struct mark_run run = {0};
  size_t count = 0;

  for (; word < end; word++)
    for (uint64_t bits = marks[word]; bits; bits &= bits - 1)
      addresses[count++] = mark_run_address(
          heap, 64 * word + (unsigned)__builtin_ctzll(bits), &run);
  return count;
}
