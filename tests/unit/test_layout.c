/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * The tables of CPython's layouts: found by version and build, refused when
 * unknown, and free of the mistakes that a generator can make.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pyheap/layout/layout.h"

/** The layouts that may be those of a build; how many there are. */
static size_t candidates(uint32_t hexversion, bool free_threaded,
                         const struct layout **last) {
  size_t count = 0;
  for (size_t i = 0; layouts[i]; i++)
    if (layout_is_for(layouts[i], hexversion, free_threaded)) {
      *last = layouts[i];
      count++;
    }
  return count;
}

static void test_find(void **state) {
  (void)state;
  const struct layout *layout = NULL;
  /* Release, debug, Py_TRACE_REFS. */
  assert_int_equal(candidates(0x030b02f0, false, &layout), 3);
  assert_int_equal(layout->version, 0x030b);
}

/** Never the nearest one, never the latest one. */
static void test_unknown(void **state) {
  (void)state;
  const struct layout *layout;
  assert_int_equal(candidates(0, false, &layout), 0);
  assert_int_equal(candidates(UINT32_MAX, false, &layout), 0);
  assert_int_equal(candidates(0x02071200, false, &layout), 0);
  assert_int_equal(candidates(0x03630000, false, &layout), 0);
  assert_int_equal(candidates(0x030b02f0, true, &layout), 0);
}

/** Every table says what it is. */
static void test_each_is_named(void **state) {
  (void)state;
  for (size_t i = 0; layouts[i]; i++) {
    assert_true(strlen(layouts[i]->name) > 0);
    assert_true(strlen(layouts[i]->source) > 0);
  }
}

/** Whether a fact is about the larger _PyThreadStateImpl, behind the struct. */
static bool is_behind_thread(int fact) {
  static const int behind[] = {
      FACT_PyThreadState__asyncio_running_loop,
      FACT_PyThreadState__asyncio_running_task,
      FACT_PyThreadState__refcounts_values,
      FACT_PyThreadState__refcounts_size,
      FACT_PyThreadState__objects_to_merge,
      FACT_PyThreadState__local_objects_to_merge,
      FACT_PyThreadState__mimalloc_heaps,
      FACT_PyThreadState__mimalloc_tld,
  };
  for (size_t i = 0; i < sizeof behind / sizeof *behind; i++)
    if (behind[i] == fact)
      return true;
  return false;
}

/** An offset lies within its struct, where the struct's size is a fact. */
static void test_offsets_inside(void **state) {
  (void)state;
  for (size_t i = 0; layouts[i]; i++)
    for (int size = 0; size < FACT_COUNT; size++) {
      int32_t limit = layouts[i]->facts[size];
      if (*fact_member(size) || limit == FACT_ABSENT)
        continue;
      assert_true(limit > 0);
      for (int fact = 0; fact < FACT_COUNT; fact++)
        if (*fact_member(fact) && !is_behind_thread(fact) &&
            !strcmp(fact_structure(fact), fact_structure(size)))
          /* Arrays of variable length begin at the end. */
          assert_in_range(layouts[i]->facts[fact] + 1, 0, limit + 1);
    }
}

/** What no version of CPython has changed yet. */
static void test_eternal(void **state) {
  (void)state;
  for (size_t i = 0; layouts[i]; i++) {
    const struct layout *layout = layouts[i];
    if (layout->free_threaded)
      continue;
    assert_int_equal(OFFSET(layout, PyObject, ob_type),
                     OFFSET(layout, PyObject, ob_refcnt) + 8);
    assert_int_equal(SIZEOF(layout, PyObject),
                     OFFSET(layout, PyObject, ob_type) + 8);
  }
}

/** Ranges of versions that make sense. */
static void test_ranges(void **state) {
  (void)state;
  for (size_t i = 0; layouts[i]; i++) {
    const struct layout *layout = layouts[i];
    assert_int_equal(layout->hex_first >> 16, layout->version);
    assert_int_equal(layout->hex_last >> 16, layout->version);
    assert_true(layout_in_range(layout, layout->hex_first));
    assert_true(layout_in_range(layout, layout->hex_last));
    assert_false(layout_in_range(layout, layout->hex_first - 1));
    assert_false(layout_in_range(layout, layout->hex_last + 1));
  }
}

/** The words with which a runtime of this layout describes itself. */
static void describe(const struct layout *layout, uint64_t *words) {
#define FACT_SELF(group, member, structure, fact)                              \
  if (layout->facts[FACT__Py_DebugOffsets__##group##_##member] >= 0)           \
    words[layout->facts[FACT__Py_DebugOffsets__##group##_##member] / 8] =      \
        (uint64_t)layout->facts[FACT_##structure##__##fact];
#include "pyheap/layout/facts_self.def"
#undef FACT_SELF
}

/** A layout is held against what a runtime says of itself, from 3.13 on. */
static void test_contradiction(void **state) {
  (void)state;
  for (size_t i = 0; layouts[i]; i++) {
    const struct layout *layout = layouts[i];
    uint64_t words[128] = {0};
    const uint8_t *bytes = (const uint8_t *)words;
    describe(layout, words);
    assert_int_equal(layout_contradiction(layout, bytes, sizeof words, true),
                     FACT_COUNT);
    int32_t gc = OFFSET(layout, _Py_DebugOffsets, gc_size);
    int32_t size = OFFSET(layout, _Py_DebugOffsets, runtime_state_size);
    if (layout->version < 0x030d) {
      assert_int_equal(gc, FACT_ABSENT);
      continue;
    }
    words[size / 8] += 8;
    assert_int_equal(layout_contradiction(layout, bytes, sizeof words, true),
                     FACT_pyruntimestate__SIZE);
    assert_int_equal(layout_contradiction(layout, bytes, sizeof words, false),
                     FACT_COUNT);
    words[gc / 8] += 8;
    assert_int_equal(layout_contradiction(layout, bytes, sizeof words, false),
                     FACT__gc_runtime_state__SIZE);
  }
}

int main(void) {
  const struct CMUnitTest layout[] = {
      cmocka_unit_test(test_find),
      cmocka_unit_test(test_unknown),
      cmocka_unit_test(test_each_is_named),
      cmocka_unit_test(test_offsets_inside),
      cmocka_unit_test(test_eternal),
      cmocka_unit_test(test_ranges),
      cmocka_unit_test(test_contradiction),
  };
  return cmocka_run_group_tests(layout, NULL, NULL);
}
