/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * Ranges of memory laid over each other, compared byte for byte with the
 * simplest program that does the same.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pyheap/memory.h"

enum {
  SPACE = 64, /**< Addresses from BASE on that a test uses. */
  MOST = 12,  /**< Ranges of one test. */
  ROUNDS = 3000,
};
/** At a border of the lookup table, so that ranges cross it. */
static const uint64_t BASE = ((uint64_t)1 << 36) - SPACE / 2;

static uint64_t next_random(uint64_t *random) {
  *random = *random * 6364136223846793005u + 1442695040888963407u;
  return *random >> 33;
}

/** What a byte is at best: saved, of a file, known to be missing, unmapped. */
enum rank {
  SAVED,
  OF_FILE,
  MISSING,
  UNMAPPED
};

struct model {
  enum rank rank[SPACE];
};

static void model_add(struct model *model, uint64_t start, uint64_t end,
                      enum rank rank) {
  for (uint64_t i = start; i < end; i++)
    if (rank < model->rank[i])
      model->rank[i] = rank;
}

static void check(const struct memory *memory, const struct model *model,
                  const uint8_t *saved, const uint8_t *of_file) {
  uint64_t present = 0, missing = 0;
  for (uint64_t i = 0; i < SPACE; i++) {
    const uint8_t *byte = memory_at(memory, BASE + i, 1);
    const struct memory_range *range = memory_range_at(memory, BASE + i);
    switch (model->rank[i]) {
    case SAVED:
      assert_ptr_equal(byte, saved + i);
      present++;
      break;
    case OF_FILE:
      assert_ptr_equal(byte, of_file + i);
      assert_true(range->flags & MEMORY_FROM_FILE);
      present++;
      break;
    case MISSING:
      assert_null(byte);
      assert_true(memory_is_mapped(memory, BASE + i, 1));
      missing++;
      break;
    case UNMAPPED:
      assert_null(byte);
      assert_null(range);
    }
  }
  assert_true(memory->present_bytes == present);
  assert_true(memory->missing_bytes == missing);
  for (size_t i = 1; i < memory->range_count; i++)
    assert_true(memory->ranges[i - 1].end <= memory->ranges[i].start);
}

static void test_overlay(void **state) {
  (void)state;
  uint8_t saved[SPACE], of_file[SPACE];
  uint64_t random = 1;
  for (int round = 0; round < ROUNDS; round++) {
    struct memory memory = {0};
    struct model model;
    for (size_t i = 0; i < SPACE; i++)
      model.rank[i] = UNMAPPED;
    size_t count = 1 + next_random(&random) % MOST;
    for (size_t i = 0; i < count; i++) {
      uint64_t start = next_random(&random) % SPACE;
      uint64_t end = start + next_random(&random) % (SPACE - start + 1);
      enum rank rank = (enum rank)(next_random(&random) % UNMAPPED);
      const uint8_t *bytes = rank == SAVED     ? saved + start
                             : rank == OF_FILE ? of_file + start
                                               : NULL;
      assert_null(memory_add(&memory, BASE + start, BASE + end, bytes,
                             rank == OF_FILE ? MEMORY_FROM_FILE : 0));
      model_add(&model, start, end, rank);
    }
    assert_null(memory_finish(&memory));
    check(&memory, &model, saved, of_file);
    memory_deinit(&memory);
  }
}

static void test_empty(void **state) {
  (void)state;
  struct memory memory = {0};
  assert_null(memory_add(&memory, BASE, BASE, NULL, 0));
  assert_null(memory_add(&memory, BASE + 1, BASE, NULL, 0));
  assert_null(memory_finish(&memory));
  assert_null(memory_at(&memory, BASE, 1));
  memory_deinit(&memory);
  memory_deinit(&memory);
}

/** Text ends within its range and within the limit, or there is none. */
static void test_string(void **state) {
  (void)state;
  static const char bytes[] = "list\0unended";
  const uint64_t end = BASE + sizeof bytes - 1;
  struct memory memory = {0};
  assert_null(memory_add(&memory, BASE, end, (const uint8_t *)bytes, 0));
  assert_null(memory_finish(&memory));
  assert_string_equal(memory_string(&memory, BASE, 100), "list");
  assert_string_equal(memory_string(&memory, BASE, 5), "list");
  assert_null(memory_string(&memory, BASE, 4));
  assert_null(memory_string(&memory, BASE + 5, 100));
  assert_null(memory_string(&memory, end, 100));
  memory_deinit(&memory);
}

/** Objects are counted in granules, and only where there are bytes. */
static void test_granules(void **state) {
  (void)state;
  static const uint8_t bytes[64];
  struct memory memory = {0};
  assert_null(memory_add(&memory, 0x1000, 0x1000 + 20, bytes, MEMORY_OBJECTS));
  assert_null(memory_add(&memory, 0x2000, 0x2000 + 64, NULL, MEMORY_OBJECTS));
  assert_null(memory_add(&memory, 0x3000, 0x3000 + 16, bytes, MEMORY_OBJECTS));
  assert_null(memory_add(&memory, 0x4000, 0x4000 + 16, bytes, 0));
  assert_null(memory_finish(&memory));
  assert_true(memory.bit_count == 3 + 2);
  assert_true(memory_range_at(&memory, 0x1000)->bit == 0);
  assert_true(memory_range_at(&memory, 0x3000)->bit == 3);
  assert_null(memory_range_at(&memory, 0x2000));
  memory_deinit(&memory);
}

int main(void) {
  const struct CMUnitTest memory[] = {
      cmocka_unit_test(test_overlay),
      cmocka_unit_test(test_empty),
      cmocka_unit_test(test_string),
      cmocka_unit_test(test_granules),
  };
  return cmocka_run_group_tests(memory, NULL, NULL);
}
