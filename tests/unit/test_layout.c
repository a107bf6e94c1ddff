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
  assert_int_equal(candidates(0x030b02f0, false, &layout), 2);
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
        if (*fact_member(fact) &&
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

int main(void) {
  const struct CMUnitTest layout[] = {
      cmocka_unit_test(test_find),
      cmocka_unit_test(test_unknown),
      cmocka_unit_test(test_each_is_named),
      cmocka_unit_test(test_offsets_inside),
      cmocka_unit_test(test_eternal),
  };
  return cmocka_run_group_tests(layout, NULL, NULL);
}
