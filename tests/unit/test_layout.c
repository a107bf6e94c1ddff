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

static void test_find(void **state) {
  (void)state;
  const struct layout *release = layout_find(0x030b02f0, false, false);
  const struct layout *debug = layout_find(0x030b02f0, true, false);
  assert_non_null(release);
  assert_non_null(debug);
  assert_ptr_not_equal(release, debug);
  assert_int_equal(release->version, 0x030b);
  assert_false(release->debug);
  assert_true(debug->debug);
}

/** Never the nearest one, never the latest one. */
static void test_unknown(void **state) {
  (void)state;
  assert_null(layout_find(0, false, false));
  assert_null(layout_find(UINT32_MAX, false, false));
  assert_null(layout_find(0x02071200, false, false));
  assert_null(layout_find(0x03630000, false, false));
  assert_null(layout_find(0x030b02f0, false, true));
}

/** Every table can be found, by what it says of itself. */
static void test_each_is_found(void **state) {
  (void)state;
  for (size_t i = 0; layouts[i]; i++) {
    const struct layout *layout = layouts[i];
    assert_ptr_equal(layout_find((uint32_t)layout->version << 16, layout->debug,
                                 layout->free_threaded),
                     layout);
    assert_true(strlen(layout->name) > 0);
    assert_true(strlen(layout->source) > 0);
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
      cmocka_unit_test(test_each_is_found),
      cmocka_unit_test(test_offsets_inside),
      cmocka_unit_test(test_eternal),
  };
  return cmocka_run_group_tests(layout, NULL, NULL);
}
