/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * The bits, numbers and addresses of objects, compared with the simplest programs
 * that tell the same.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pyheap/marks.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/** A range of memory, and how far apart objects are in it. */
struct place {
  uint64_t start, end;
  uint32_t flags;
  bool missing;
  unsigned apart; /**< Granules from one to the next, on average. */
};

static const struct place places[] = {
    /* The granule that these two share has a bit of each. */
    {0x10000c, 0x10800c, MEMORY_OBJECTS, false, 3},
    {0x10800c, 0x109000, MEMORY_OBJECTS, false, 2},
    {0x109000, 0x10b000, MEMORY_WRITABLE, false, 0},
    /* An object everywhere: whole words of set bits, and several shares. */
    {0x10b000, 0x30b018, MEMORY_OBJECTS, false, 1},
    {0x400000, 0x410000, MEMORY_OBJECTS, true, 0},
    {0x500004, 0x600004, MEMORY_OBJECTS, false, 100},
    /* Another part of the lookup table, and further from one object to the next
     * than a search goes step by step. */
    {0x600000000000, 0x600001000000, MEMORY_OBJECTS, false, 150000},
    {0x600100000000, 0x600100000008, MEMORY_OBJECTS, false, 1},
    {0x600100001000, 0x600100002000, 0, false, 0},
};

/** A heap, and what it should answer. */
struct model {
  struct pyheap heap;
  uint8_t *bytes[COUNT(places)];
  uint64_t *addresses; /**< Of the objects, ascending. */
  uint32_t count;
};

static bool has_objects(const struct place *place) {
  return (place->flags & MEMORY_OBJECTS) && !place->missing;
}

static uint64_t next_random(uint64_t *random) {
  *random = *random * 6364136223846793005u + 1442695040888963407u;
  return *random >> 33;
}

static uint64_t *bitmap_create(const struct pyheap *heap) {
  uint64_t *marks = calloc(mark_words(heap), sizeof *marks);
  assert_non_null(marks);
  return marks;
}

/** The bit of ADDRESS, where an object can be. */
static uint64_t bit_of(const struct pyheap *heap, uint64_t address) {
  uint64_t bit = 0;
  assert_true(mark_bit(heap, address, &bit));
  return bit;
}

static void set_address(const struct pyheap *heap, uint64_t *marks,
                        uint64_t address) {
  assert_true(mark_set(marks, bit_of(heap, address)));
}

static void put_objects(struct model *model) {
  uint64_t random = 1;

  model->addresses = calloc(model->heap.memory.bit_count, 8);
  assert_non_null(model->addresses);
  for (size_t i = 0; i < COUNT(places); i++) {
    if (!has_objects(&places[i]))
      continue;
    uint64_t address = (places[i].start + 7) / 8 * 8;
    while (address < places[i].end) {
      set_address(&model->heap, model->heap.marks, address);
      model->addresses[model->count++] = address;
      address += 8 * (1 + next_random(&random) % (2 * places[i].apart - 1));
    }
  }
}

static void model_init(struct model *model) {
  struct memory *memory = &model->heap.memory;

  memset(model, 0, sizeof *model);
  model->heap.threads = 1;
  for (size_t i = 0; i < COUNT(places); i++) {
    const struct place *place = &places[i];
    if (!place->missing) {
      model->bytes[i] = calloc(1, place->end - place->start);
      assert_non_null(model->bytes[i]);
    }
    assert_null(memory_add(memory, place->start, place->end, model->bytes[i],
                           place->flags));
  }
  assert_null(memory_finish(memory));
  model->heap.marks = bitmap_create(&model->heap);
  put_objects(model);
  assert_null(number_objects(&model->heap));
  assert_int_equal(model->heap.object_count, model->count);
}

static void model_deinit(struct model *model) {
  memory_deinit(&model->heap.memory);
  free(model->heap.marks);
  free(model->heap.ranks);
  free(model->addresses);
  for (size_t i = 0; i < COUNT(places); i++)
    free(model->bytes[i]);
}

/* Bits --------------------------------------------------------------------- */

static void check_bit(const struct pyheap *heap, uint64_t address,
                      uint64_t expected) {
  uint64_t bit;
  assert_int_equal(bit_of(heap, address), expected);
  assert_int_equal(heap_bit_address(heap, expected), address);
  assert_false(mark_bit(heap, address + 1, &bit));
  assert_false(mark_bit(heap, address + 4, &bit));
  assert_false(mark_bit(heap, address + 7, &bit));
}

/** Every granule that a range with objects touches has the next bit; that of
 * one which begins before its range is nobody's. */
static void test_bits(void **state) {
  struct model model;
  uint64_t expected = 0, bit;

  (void)state;
  model_init(&model);
  for (size_t i = 0; i < COUNT(places); i++)
    for (uint64_t address = places[i].start / 8 * 8; address < places[i].end;
         address += 8) {
      if (!has_objects(&places[i])) {
        assert_false(mark_bit(&model.heap, address, &bit));
        continue;
      }
      if (address >= places[i].start)
        check_bit(&model.heap, address, expected);
      expected++;
    }
  assert_int_equal(model.heap.memory.bit_count, expected);
  model_deinit(&model);
}

static void test_no_bits(void **state) {
  const uint64_t outside[] = {
      0,          8,        0x100008,       0x30b018,       0x3ffff8,
      0x500000,   0x600008, 0x600001000000, 0x600100000008, 0x700000000000,
      1ull << 47, ~7ull};
  struct model model;
  uint64_t bit;

  (void)state;
  model_init(&model);
  for (size_t i = 0; i < COUNT(outside); i++) {
    assert_false(mark_bit(&model.heap, outside[i], &bit));
    assert_false(heap_is_marked(&model.heap, outside[i]));
    assert_int_equal(heap_number(&model.heap, outside[i]), PYHEAP_NO_NODE);
  }
  model_deinit(&model);
}

static void test_set_and_clear(void **state) {
  const uint64_t bits[] = {0, 1, 62, 63, 64, 65, 127, 128, 191};
  uint64_t marks[3];

  (void)state;
  for (int filled = 0; filled < 2; filled++) {
    memset(marks, filled ? 0xff : 0, sizeof marks);
    for (size_t i = 0; i < COUNT(bits); i++) {
      assert_int_equal(mark_get(marks, bits[i]), filled);
      assert_int_equal(mark_set(marks, bits[i]), !filled);
      assert_false(mark_set(marks, bits[i]));
      for (uint64_t bit = 0; bit < 64 * COUNT(marks); bit++)
        assert_int_equal(mark_get(marks, bit), filled || bit == bits[i]);
      mark_clear(marks, bits[i]);
      mark_clear(marks, bits[i]);
      for (uint64_t bit = 0; bit < 64 * COUNT(marks); bit++)
        assert_int_equal(mark_get(marks, bit), filled && bit != bits[i]);
      if (filled)
        assert_true(mark_set(marks, bits[i]));
    }
  }
}

static void test_count(void **state) {
  uint64_t random = 1;

  (void)state;
  assert_int_equal(mark_count(0), 0);
  assert_int_equal(mark_count(UINT64_MAX), 64);
  for (int round = 0; round < 10000; round++) {
    uint64_t word = next_random(&random) << 32 ^ next_random(&random);
    unsigned count = 0;
    for (int bit = 0; bit < 64; bit++)
      count += word >> bit & 1;
    assert_int_equal(mark_count(word), count);
  }
}

/* Numbers ------------------------------------------------------------------ */

static void check_ranks(const struct pyheap *heap) {
  uint64_t words = mark_words(heap);
  uint32_t rank = 0;

  for (uint64_t word = 0; word < words; word++) {
    assert_int_equal(heap->ranks[word], rank);
    for (unsigned bit = 0; bit < 64; bit++)
      rank += heap->marks[word] >> bit & 1;
  }
  assert_int_equal(heap->ranks[words], rank);
  assert_int_equal(heap->object_count, rank);
}

static void test_threads(void **state) {
  const unsigned threads[] = {1, 3, 100};
  struct model model;

  (void)state;
  model_init(&model);
  size_t size = (mark_words(&model.heap) + 1) * sizeof *model.heap.ranks;
  uint32_t *first = malloc(size);
  assert_non_null(first);
  memcpy(first, model.heap.ranks, size);
  for (size_t i = 0; i < COUNT(threads); i++) {
    free(model.heap.ranks);
    model.heap.ranks = NULL;
    model.heap.object_count = 0;
    model.heap.threads = threads[i];
    assert_null(number_objects(&model.heap));
    check_ranks(&model.heap);
    assert_int_equal(model.heap.object_count, model.count);
    assert_memory_equal(model.heap.ranks, first, size);
  }
  free(first);
  model_deinit(&model);
}

static void test_numbered_again(void **state) {
  struct model model;

  (void)state;
  model_init(&model);
  uint64_t bit = bit_of(&model.heap, model.addresses[0]);
  model.heap.threads = 3;
  mark_clear(model.heap.marks, bit);
  assert_null(number_objects(&model.heap));
  check_ranks(&model.heap);
  assert_int_equal(model.heap.object_count, model.count - 1);
  assert_int_equal(heap_number(&model.heap, model.addresses[0]),
                   PYHEAP_NO_NODE);
  assert_int_equal(heap_number(&model.heap, model.addresses[1]), 0);
  assert_true(mark_set(model.heap.marks, bit));
  assert_null(number_objects(&model.heap));
  check_ranks(&model.heap);
  assert_int_equal(heap_number(&model.heap, model.addresses[1]), 1);
  model_deinit(&model);
}

/** Objects and roots together have 31 bits. */
static void test_too_many(void **state) {
  struct model model;

  (void)state;
  model_init(&model);
  model.heap.root_count = INT32_MAX - model.count;
  assert_null(number_objects(&model.heap));
  model.heap.root_count++;
  struct pyheap_error *error = number_objects(&model.heap);
  assert_non_null(error);
  assert_int_equal(error->code, PYHEAP_ERROR_LIMIT);
  pyheap_error_destroy(error);
  model_deinit(&model);
}

static void test_numbers(void **state) {
  struct model model;
  uint32_t number = 0;

  (void)state;
  model_init(&model);
  for (uint64_t bit = 0; bit < model.heap.memory.bit_count; bit++)
    assert_int_equal(mark_number(&model.heap, bit),
                     mark_get(model.heap.marks, bit) ? number++
                                                     : PYHEAP_NO_NODE);
  assert_int_equal(number, model.count);
  for (uint32_t i = 0; i < model.count; i++) {
    assert_true(heap_is_marked(&model.heap, model.addresses[i]));
    assert_int_equal(heap_number(&model.heap, model.addresses[i]), i);
  }
  model_deinit(&model);
}

/** No memory that may hold objects, and memory without one. */
static void test_empty(void **state) {
  static const uint8_t bytes[4096];
  (void)state;
  for (int ranges = 0; ranges < 2; ranges++) {
    struct pyheap heap = {.threads = 3};
    uint64_t addresses[1];
    if (ranges)
      assert_null(
          memory_add(&heap.memory, 0x1000, 0x2000, bytes, MEMORY_OBJECTS));
    assert_null(memory_finish(&heap.memory));
    heap.marks = bitmap_create(&heap);
    assert_null(number_objects(&heap));
    check_ranks(&heap);
    assert_int_equal(heap.object_count, 0);
    assert_int_equal(heap_number(&heap, 0x1000), PYHEAP_NO_NODE);
    assert_int_equal(
        marks_list(&heap, heap.marks, 0, mark_words(&heap), addresses), 0);
    assert_false(mark_any(&heap, 0x1000, 0x1000));
    memory_deinit(&heap.memory);
    free(heap.marks);
    free(heap.ranks);
  }
}

/* Addresses ---------------------------------------------------------------- */

/** MARKS, listed SHARE words at a time, are every STEP-th object from number
 * FIRST on. */
static void check_list(const struct model *model, const uint64_t *marks,
                       uint64_t share, uint32_t first, uint32_t step) {
  const struct pyheap *heap = &model->heap;
  uint64_t words = mark_words(heap), number = first;
  uint64_t *addresses = calloc(64 * share, sizeof *addresses);

  assert_non_null(addresses);
  for (uint64_t word = 0; word < words; word += share) {
    uint64_t end = words - word < share ? words : word + share;
    size_t count = marks_list(heap, marks, word, end, addresses);
    assert_true(count <= 64 * share);
    for (size_t i = 0; i < count; i++, number += step) {
      assert_true(number < model->count);
      assert_int_equal(addresses[i], model->addresses[number]);
    }
  }
  assert_true(number >= model->count);
  free(addresses);
}

static void test_list(void **state) {
  struct model model;
  uint64_t addresses[1];

  (void)state;
  model_init(&model);
  /* Several shares, of which some are full. */
  assert_true(mark_words(&model.heap) > 4 * MARK_SHARE);
  assert_true(model.count > 4 * MARK_SHARE_BITS);
  check_list(&model, model.heap.marks, MARK_SHARE, 0, 1);
  check_list(&model, model.heap.marks, 1, 0, 1);
  check_list(&model, model.heap.marks, mark_words(&model.heap), 0, 1);
  assert_int_equal(marks_list(&model.heap, model.heap.marks, 3, 3, addresses),
                   0);
  model_deinit(&model);
}

/** Any bitmap can be listed, with or without numbers. */
static void test_list_others(void **state) {
  enum {
    STEP = 77
  };
  struct model model;

  (void)state;
  model_init(&model);
  uint64_t *marks = bitmap_create(&model.heap);
  for (uint32_t i = 5; i < model.count; i += STEP)
    set_address(&model.heap, marks, model.addresses[i]);
  check_list(&model, marks, MARK_SHARE, 5, STEP);
  free(marks);
  model_deinit(&model);
}

/** Every STEP-th object from number FIRST on. */
static void check_cursor(const struct model *model, uint32_t first,
                         uint32_t step) {
  const struct pyheap *heap = &model->heap;
  struct mark_cursor cursor = mark_cursor_at(heap, first);

  for (uint32_t i = first; i < model->count; i += step) {
    uint64_t address = mark_cursor_address(heap, &cursor, i);
    assert_int_equal(address, model->addresses[i]);
    assert_int_equal(mark_cursor_address(heap, &cursor, i), address);
    assert_int_equal(heap_number_address(heap, i), address);
    assert_int_equal(heap_number(heap, address), i);
  }
}

static void test_cursor(void **state) {
  struct model model;

  (void)state;
  model_init(&model);
  check_cursor(&model, 0, 1);
  check_cursor(&model, 0, 100);
  check_cursor(&model, 99, 100);
  check_cursor(&model, 0, model.count - 1);
  for (uint32_t first = 0; first < model.count; first += 997)
    check_cursor(&model, first, 10007);
  for (uint32_t left = 1; left < 50; left++)
    check_cursor(&model, model.count - left, 1);
  model_deinit(&model);
}

/** In any order. */
static void test_addresses(void **state) {
  struct model model;
  uint64_t random = 1;

  (void)state;
  model_init(&model);
  for (uint32_t i = model.count; i-- > 0;)
    assert_int_equal(heap_number_address(&model.heap, i), model.addresses[i]);
  for (int round = 0; round < 100000; round++) {
    uint32_t number = (uint32_t)(next_random(&random) % model.count);
    assert_int_equal(heap_number_address(&model.heap, number),
                     model.addresses[number]);
  }
  model_deinit(&model);
}

/** Where a search in one heap ended is behind all of a smaller one. */
static void test_two_heaps(void **state) {
  static const uint8_t bytes[0x1000];
  const uint64_t addresses[] = {0x1000, 0x1008, 0x1ff8};
  struct pyheap small = {.threads = 1};
  struct model large;

  (void)state;
  model_init(&large);
  assert_null(memory_add(&small.memory, 0x1000, 0x2000, bytes, MEMORY_OBJECTS));
  assert_null(memory_finish(&small.memory));
  small.marks = bitmap_create(&small);
  for (size_t i = 0; i < COUNT(addresses); i++)
    set_address(&small, small.marks, addresses[i]);
  assert_null(number_objects(&small));
  for (uint32_t i = 0; i < COUNT(addresses); i++) {
    uint32_t last = large.count - 1 - i;
    assert_int_equal(heap_number_address(&large.heap, last),
                     large.addresses[last]);
    assert_int_equal(heap_number_address(&small, i), addresses[i]);
    assert_int_equal(heap_number_address(&large.heap, i), large.addresses[i]);
  }
  memory_deinit(&small.memory);
  free(small.marks);
  free(small.ranks);
  model_deinit(&large);
}

/* Any object --------------------------------------------------------------- */

/** Whether an object is in FIRST .. END-1, of granules from 0x1000 on. */
static bool any_granule(const struct pyheap *heap, unsigned first,
                        unsigned end) {
  return mark_any(heap, 0x1000 + 8 * first, 8ull * (end - first));
}

static void test_any(void **state) {
  enum {
    GRANULES = 200 /**< Several words, and a part of one. */
  };
  static const uint8_t bytes[8 * GRANULES];
  struct pyheap heap = {.threads = 1};

  (void)state;
  /* A range before it, so that its words do not begin where it does. */
  assert_null(
      memory_add(&heap.memory, 0x800, 0x800 + 8 * 61, bytes, MEMORY_OBJECTS));
  assert_null(memory_add(&heap.memory, 0x1000, 0x1000 + sizeof bytes, bytes,
                         MEMORY_OBJECTS));
  assert_null(memory_finish(&heap.memory));
  heap.marks = bitmap_create(&heap);
  set_address(&heap, heap.marks, 0x800 + 8 * 60);
  assert_false(any_granule(&heap, 0, GRANULES));
  for (unsigned object = 0; object < GRANULES; object++) {
    uint64_t bit = bit_of(&heap, 0x1000 + 8 * object);
    mark_set(heap.marks, bit);
    for (unsigned first = 0; first < GRANULES; first++)
      for (unsigned end = first; end <= GRANULES; end++)
        if (any_granule(&heap, first, end) != (object >= first && object < end))
          fail_msg("object %u in %u .. %u", object, first, end);
    mark_clear(heap.marks, bit);
  }
  assert_false(mark_any(&heap, 0x1000 + sizeof bytes, 8));
  memory_deinit(&heap.memory);
  free(heap.marks);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_bits),
      cmocka_unit_test(test_no_bits),
      cmocka_unit_test(test_set_and_clear),
      cmocka_unit_test(test_count),
      cmocka_unit_test(test_threads),
      cmocka_unit_test(test_numbered_again),
      cmocka_unit_test(test_too_many),
      cmocka_unit_test(test_numbers),
      cmocka_unit_test(test_empty),
      cmocka_unit_test(test_list),
      cmocka_unit_test(test_list_others),
      cmocka_unit_test(test_cursor),
      cmocka_unit_test(test_addresses),
      cmocka_unit_test(test_two_heaps),
      cmocka_unit_test(test_any),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
