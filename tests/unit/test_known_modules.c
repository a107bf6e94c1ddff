/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * Objects of extension modules that grew within a version: where their members
 * are then.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "pyheap/heap.h"
#include "pyheap/known_modules.h"

enum {
  MOST_WORDS = 12,
  HEADER = 64, /**< Room for any PyObject. */
};

/** Visits an XML parser of LAYOUT whose words behind the header, WORDS of them,
 * hold their own number plus one, but for the last, its handlers: 0. */
static void visit_parser(struct visit *visit, struct pyheap *heap,
                         const struct layout *layout, unsigned words) {
  uint64_t memory[HEADER / 8 + MOST_WORDS] = {0};
  uint64_t header = (uint64_t)SIZEOF(layout, PyObject);
  const struct type type = {.basicsize = header + 8 * words};
  const struct object object = {.address = 0x1000,
                                .bytes = (const uint8_t *)memory,
                                .available = sizeof memory,
                                .type = &type};

  assert_true(header <= HEADER);
  for (unsigned i = 0; i + 1 < words; i++)
    memory[header / 8 + i] = i + 1;
  memset(heap, 0, sizeof *heap);
  heap->layout = layout;
  memset(visit, 0, sizeof *visit);
  visit->heap = heap;
  visit->problems = &heap->problems;
  visit_expat_parser(visit, &object);
}

static const struct pyheap_reference *named(const struct visit *visit,
                                            const char *name) {
  for (size_t i = 0; i < visit->count; i++)
    if (strcmp((const char *)(uintptr_t)visit->references[i].name.value,
               name) == 0)
      return &visit->references[i];
  return NULL;
}

static void test_expat_parser(void **state) {
  struct visit visit;
  struct pyheap heap;
  (void)state;
  for (size_t i = 0; layouts[i]; i++)
    for (unsigned words = 7; words <= 9; words++) {
      visit_parser(&visit, &heap, layouts[i], words);
      const struct pyheap_reference *parent = named(&visit, "parent");
      const struct pyheap_reference *intern = named(&visit, ".intern");
      assert_int_equal(heap.problems.count, 0);
      assert_int_equal(visit.count, words == 9 ? 2 : 1);
      assert_non_null(intern);
      assert_int_equal(intern->target, words - 1);
      assert_int_equal(intern->kind, PYHEAP_OWNED);
      assert_int_equal(parent != NULL, words == 9);
      if (!parent)
        continue;
      assert_int_equal(parent->target, 2);
      assert_int_equal(parent->kind, PYHEAP_VISITED);
    }
}

static void test_unknown_expat_parser(void **state) {
  struct visit visit;
  struct pyheap heap;
  (void)state;
  for (size_t i = 0; layouts[i]; i++) {
    visit_parser(&visit, &heap, layouts[i], 10);
    assert_int_equal(visit.count, 0);
    assert_int_equal(heap.problems.count, 1);
    visit_parser(&visit, &heap, layouts[i], 6);
    assert_int_equal(visit.count, 0);
    assert_int_equal(heap.problems.count, 1);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_expat_parser),
      cmocka_unit_test(test_unknown_expat_parser),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
