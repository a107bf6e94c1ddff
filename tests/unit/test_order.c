/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * The first of many objects in an order, compared with a sort of all.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pyheap/layout/cpython.h"
#include "pyheap/marks.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static uint64_t next_random(uint64_t *random) {
  *random = *random * 6364136223846793005u + 1442695040888963407u;
  return *random >> 33;
}

enum {
  BATCH = PYHEAP_SELECTION_BATCH,
  OBJECTS = 4 * BATCH + 1000,
  STRIDE = 64, /**< From one object to the next; none is larger. */
  TYPE = 0x1000,
  TYPE_NAME = 0x2000,
  FIRST_OBJECT = 0x100000,
  META = 0x10, /**< What is the type of types is never read. */
};

/** A heap of nothing but objects of various sizes. */
struct sized_heap {
  struct pyheap heap;
  uint8_t type[4096 + 16]; /**< With its name, one page on. */
  uint8_t *objects;
  uint64_t sizes[OBJECTS];
};

static void put(uint8_t *bytes, int32_t offset, uint64_t value) {
  assert_true(offset >= 0);
  memcpy(bytes + offset, &value, sizeof value);
}

/** Few sizes, so that most objects are as large as many others.  The largest of
 * a batch is not that of the next, and the largest but one are in several. */
static uint64_t choose_size(uint32_t number, uint64_t *random) {
  static const unsigned char sizes[] = {3, 17, 9, 17, 1};
  uint64_t size = 24 + next_random(random) % sizes[number / BATCH];

  switch (number) {
  case BATCH + 9:
    return STRIDE;
  case 100:
  case 3 * BATCH + 7:
  case OBJECTS - 1:
    return STRIDE - 8;
  }
  return size;
}

static void sized_heap_fill(struct sized_heap *sized) {
  const struct layout *layout = sized->heap.layout;
  uint64_t random = 1;

  put(sized->type, OFFSET(layout, PyObject, ob_type), META);
  put(sized->type, OFFSET(layout, PyTypeObject, tp_name), TYPE_NAME);
  put(sized->type, OFFSET(layout, PyTypeObject, tp_itemsize), 1);
  put(sized->type, OFFSET(layout, PyTypeObject, tp_basicsize),
      (uint64_t)SIZEOF(layout, PyVarObject));
  memcpy(sized->type + (TYPE_NAME - TYPE), "test.sized", 11);
  for (uint32_t i = 0; i < OBJECTS; i++) {
    uint8_t *object = sized->objects + (size_t)i * STRIDE;
    sized->sizes[i] = choose_size(i, &random);
    put(object, OFFSET(layout, PyObject, ob_refcnt), 1);
    put(object, OFFSET(layout, PyObject, ob_type), TYPE);
    put(object, OFFSET(layout, PyVarObject, ob_size),
        sized->sizes[i] - (uint64_t)SIZEOF(layout, PyVarObject));
  }
}

static struct sized_heap *sized_heap_create(void) {
  struct sized_heap *sized = calloc(1, sizeof *sized);
  assert_non_null(sized);
  struct pyheap *heap = &sized->heap;

  sized->objects = calloc(OBJECTS, STRIDE);
  assert_non_null(sized->objects);
  heap->layout = &layout_cpython_3_12;
  heap->threads = 1;
  uint64_t bit = 0;
  sized_heap_fill(sized);
  assert_null(memory_add(&heap->memory, TYPE, TYPE + sizeof sized->type,
                         sized->type, 0));
  assert_null(memory_add(&heap->memory, FIRST_OBJECT,
                         FIRST_OBJECT + (uint64_t)OBJECTS * STRIDE,
                         sized->objects, MEMORY_OBJECTS));
  assert_null(memory_finish(&heap->memory));
  assert_null(types_init(heap, META));
  assert_non_null(types_get(heap, TYPE));
  heap->marks = calloc(mark_words(heap), sizeof *heap->marks);
  assert_non_null(heap->marks);
  for (uint32_t i = 0; i < OBJECTS; i++)
    assert_true(mark_bit(heap, FIRST_OBJECT + (uint64_t)i * STRIDE, &bit) &&
                mark_set(heap->marks, bit));
  assert_null(number_objects(heap));
  return sized;
}

static void sized_heap_destroy(struct sized_heap *sized) {
  memory_deinit(&sized->heap.memory);
  types_deinit(&sized->heap.types);
  free(sized->heap.marks);
  free(sized->heap.ranks);
  free(sized->objects);
  free(sized);
}

/** Of equals, the first one comes first whatever the direction. */
static int compare_nodes(const struct sized_heap *sized, pyheap_node a,
                         pyheap_node b, bool ascending) {
  if (sized->sizes[a] != sized->sizes[b])
    return (sized->sizes[a] < sized->sizes[b]) == ascending ? -1 : 1;
  return a < b ? -1 : a > b;
}

static int compare_descending(const void *left, const void *right,
                              void *sized) {
  return compare_nodes(sized, *(const pyheap_node *)left,
                       *(const pyheap_node *)right, false);
}

static int compare_ascending(const void *left, const void *right, void *sized) {
  return compare_nodes(sized, *(const pyheap_node *)left,
                       *(const pyheap_node *)right, true);
}

/** Notes in NODES what is of MIN .. MAX bytes, and how large the largest of
 * each batch is. */
static size_t choose(const struct sized_heap *sized, uint64_t min, uint64_t max,
                     pyheap_node *nodes, uint64_t *largest) {
  size_t count = 0;

  for (uint32_t i = 0; i < OBJECTS; i++) {
    if (sized->sizes[i] < min || sized->sizes[i] > max)
      continue;
    nodes[count++] = i;
    if (largest[i / BATCH] < sized->sizes[i])
      largest[i / BATCH] = sized->sizes[i];
  }
  return count;
}

static void check_order(struct sized_heap *sized,
                        const struct pyheap_selection *selection,
                        bool ascending, const pyheap_node *expected) {
  const uint64_t limits[] = {0, 1, 3, 5, 1000, selection->count, UINT64_MAX};

  for (size_t i = 0; i < COUNT(limits); i++) {
    uint64_t most = limits[i] < selection->count ? limits[i] : selection->count;
    pyheap_node *nodes;
    size_t count;
    assert_null(pyheap_order_selected(&sized->heap, selection, PYHEAP_BY_SIZE,
                                      ascending, limits[i], &nodes, &count));
    assert_int_equal(count, most);
    for (size_t j = 0; j < count; j++)
      assert_int_equal(nodes[j], expected[j]);
    free(nodes);
  }
}

/** Selects what is of MIN .. MAX bytes, and puts it in order. */
static void check_selection(struct sized_heap *sized, uint64_t min,
                            uint64_t max) {
  struct pyheap_filter filter = PYHEAP_ANY_OBJECT;
  struct pyheap_selection selection;
  uint64_t largest[OBJECTS / BATCH + 1] = {0};
  pyheap_node *expected = calloc(OBJECTS, sizeof *expected);

  assert_non_null(expected);
  size_t count = choose(sized, min, max, expected, largest);
  filter.min_size = min;
  filter.max_size = max;
  assert_null(pyheap_select(&sized->heap, &filter, &selection));
  assert_int_equal(selection.count, count);
  assert_memory_equal(selection.largest, largest, sizeof largest);
  qsort_r(expected, count, sizeof *expected, compare_descending, sized);
  check_order(sized, &selection, false, expected);
  qsort_r(expected, count, sizeof *expected, compare_ascending, sized);
  check_order(sized, &selection, true, expected);
  pyheap_selection_deinit(&selection);
  free(expected);
}

static void test_order(void **state) {
  const unsigned threads[] = {1, 3};
  struct sized_heap *sized = sized_heap_create();

  (void)state;
  for (size_t i = 0; i < COUNT(threads); i++) {
    sized->heap.threads = threads[i];
    check_selection(sized, 0, UINT64_MAX);
    /* The largest of all have many equals, in two batches. */
    check_selection(sized, 0, STRIDE - 9);
    /* Four objects; none in one of the batches. */
    check_selection(sized, STRIDE - 8, UINT64_MAX);
    check_selection(sized, STRIDE + 1, UINT64_MAX);
  }
  sized_heap_destroy(sized);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_order),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
