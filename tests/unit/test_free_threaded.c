/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * What free-threaded builds keep differently: counts in several parts,
 * mimalloc's pages with their lists of free blocks, and whose these are.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pyheap/allocator.h"
#include "pyheap/heap.h"
#include "pyheap/layout/cpython.h"
#include "pyheap/segments.h"
#include "tests/unit/elf_writer.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const uint64_t DEFERRED = INT64_MAX / 8;

enum {
  SEGMENT = 32 << 20, /**< Where one starts: a multiple of its size. */
  SLICE = 64 << 10,
  BLOCK_SIZE = 1024,
  BLOCKS = 6,
  BITS_DEFERRED = 1 << 6,
  BITS_TRACKED = 1,
};

static void put(uint8_t *bytes, int32_t offset, uint64_t value, size_t size) {
  assert_true(offset >= 0);
  memcpy(bytes + offset, &value, size);
}

/** A heap of LAYOUT whose only memory is SIZE bytes at SEGMENT. */
static void heap_init(struct pyheap *heap, const struct layout *layout,
                      const uint8_t *bytes, size_t size) {
  const struct elf_segment segment = {
      .address = SEGMENT, .data = bytes, .filesz = size};
  const struct elf_core core = {.segments = &segment, .segment_count = 1};
  size_t length;
  uint8_t *file = elf_core_write(&core, &length);
  char *path = file_write(file, length);
  const struct pyheap_target target = {.core = path};

  memset(heap, 0, sizeof *heap);
  heap->layout = layout;
  assert_null(memory_open_core(&heap->memory, &target));
  file_remove(path);
  free(file);
}

static void heap_deinit(struct pyheap *heap) {
  memory_deinit(&heap->memory);
}

/* Counts ------------------------------------------------------------------- */

struct parts {
  const char *what;
  const struct layout *layout;
  uint32_t local;
  int64_t shared; /**< As it is in memory, with its two flags. */
  uint8_t bits;
  int64_t of_threads;
  int64_t count;
};

static int64_t count_of(const struct parts *parts) {
  const struct layout *layout = parts->layout;
  uint8_t bytes[64] = {0};
  struct pyheap heap;
  struct thread_count of_threads[] = {
      {SEGMENT - 64, 1000}, {SEGMENT, parts->of_threads}, {SEGMENT + 64, 1000}};

  put(bytes, OFFSET(layout, PyObject, ob_ref_local), parts->local, 4);
  put(bytes, OFFSET(layout, PyObject, ob_ref_shared), (uint64_t)parts->shared,
      8);
  put(bytes, OFFSET(layout, PyObject, ob_gc_bits), parts->bits, 1);
  heap_init(&heap, layout, bytes, sizeof bytes);
  heap.thread_counts = of_threads;
  heap.thread_count_count = COUNT(of_threads);
  int64_t count = heap_refcount(&heap, SEGMENT);
  assert_int_equal(heap_refcount_deferred(&heap, SEGMENT),
                   (parts->bits & BITS_DEFERRED) != 0);
  heap_deinit(&heap);
  return count;
}

static void test_counts(void **state) {
  const struct layout *old = &layout_cpython_3_13t;
  const struct layout *new = &layout_cpython_3_14_4t;
  const int64_t mark = (int64_t)(DEFERRED << 2);
  const struct parts cases[] = {
      {"immortal", new, UINT32_MAX, 0, 0, 0, -1},
      {"local", new, 7, 0, BITS_TRACKED, 0, 7},
      {"local and shared", new, 7, 5 << 2, 0, 0, 12},
      {"merged", new, 0, (5 << 2) + 3, 0, 0, 5},
      {"merged, while a collection computes", new, (uint32_t)-2, (5 << 2) + 3,
       BITS_TRACKED, 0, 5},
      {"merged, and as if immortal", new, UINT32_MAX, (5 << 2) + 3, 0, 0, 5},
      {"given up elsewhere", new, 7, -2 * 4, 0, 0, 5},
      {"of threads, but not deferred", new, 1, 0, 0, 10, 1},
      {"deferred", new, 2, mark + (1 << 2), BITS_DEFERRED, 0, 3},
      {"deferred and none", new, 0, mark + 3, BITS_DEFERRED, 0, 0},
      {"counted by threads", new, 1, mark, BITS_DEFERRED, 30, 31},
      {"given up by threads", new, 40, mark, BITS_DEFERRED, -30, 10},
      {"below 0", new, 1, mark, BITS_DEFERRED, -2, INT64_MIN},
      {"of the greatest size", new, UINT32_MAX - 1, INT64_MAX - 3, 0, 0,
       (int64_t)UINT32_MAX - 1 + (INT64_MAX >> 2)},
      {"deferred in 3.13", old, 1, (3 << 2) + 1, BITS_DEFERRED, 0, 3},
      {"immortal in 3.13", old, UINT32_MAX, 1 << 2, BITS_DEFERRED, 0, -1},
  };

  (void)state;
  for (size_t i = 0; i < COUNT(cases); i++)
    if (count_of(&cases[i]) != cases[i].count)
      fail_msg("%s: %lld, not %lld", cases[i].what,
               (long long)count_of(&cases[i]), (long long)cases[i].count);
}

/* Free blocks -------------------------------------------------------------- */

/** The two first slices of a segment: its header, and one page. */
struct page {
  const struct layout *layout;
  uint8_t bytes[2 * SLICE];
  uint64_t keys[2];
};

static uint64_t block_at(unsigned block) {
  return (uint64_t)SEGMENT + SLICE + block * BLOCK_SIZE;
}

static uint8_t *page_header(struct page *page) {
  const struct layout *layout = page->layout;
  return page->bytes + OFFSET(layout, mi_segment, slices) +
         OFFSET(layout, mi_page, size);
}

static void page_init(struct page *page, const struct layout *layout,
                      unsigned tag) {
  memset(page, 0, sizeof *page);
  page->layout = layout;
  page->keys[0] = 0x123456789abcdef1;
  page->keys[1] = 0xfedcba9876543210;
  uint8_t *header = page->bytes, *slice = page_header(page);
  put(header, OFFSET(layout, mi_segment, segment_size), 2 * SLICE, 8);
  put(header, OFFSET(layout, mi_segment, segment_slices), 2, 8);
  put(header, OFFSET(layout, mi_segment, segment_info_slices), 1, 8);
  put(header, OFFSET(layout, mi_segment, slice_entries), 2, 8);
  put(slice - OFFSET(layout, mi_page, size),
      OFFSET(layout, mi_page, slice_count), 1, 4);
  put(slice, OFFSET(layout, mi_page, slice_count), 1, 4);
  put(slice, OFFSET(layout, mi_page, capacity), BLOCKS, 2);
  if (OFFSET(layout, mi_page, block_size) != FACT_ABSENT) {
    put(slice, OFFSET(layout, mi_page, block_size), BLOCK_SIZE, 8);
    put(slice, OFFSET(layout, mi_page, page_start), block_at(0), 8);
    put(slice, OFFSET(layout, mi_page, heap_tag), tag, 1);
  } else {
    put(slice, OFFSET(layout, mi_page, xblock_size), BLOCK_SIZE, 4);
    put(slice, OFFSET(layout, mi_page, slice_offset) + 4, tag << 3, 1);
  }
  if (OFFSET(layout, mi_page, keys) != FACT_ABSENT)
    memcpy(slice + OFFSET(layout, mi_page, keys), page->keys,
           sizeof page->keys);
}

static void set_list(struct page *page, int32_t list, uint64_t block) {
  put(page_header(page), list, block, 8);
}

/** Makes NEXT the block behind BLOCK in a list; 0 ends it. */
static void link_free(struct page *page, unsigned block, uint64_t next) {
  if (OFFSET(page->layout, mi_page, keys) != FACT_ABSENT) {
    unsigned shift = page->keys[0] % 64;
    uint64_t null =
        (uint64_t)SEGMENT + (uint64_t)(page_header(page) - page->bytes);
    uint64_t word = (next ? next : null) ^ page->keys[1];
    next = (word << shift | word >> (64 - shift)) + page->keys[0];
  }
  put(page->bytes + SLICE, (int32_t)(block * BLOCK_SIZE), next, 8);
}

static void note_block(void *context, uint64_t start, uint64_t size) {
  unsigned *seen = context;
  assert_int_equal(size, BLOCK_SIZE);
  *seen |= 1u << (start - block_at(0)) / BLOCK_SIZE;
}

/** A bit for each block that is told to be in use. */
static unsigned used_blocks(struct page *page) {
  struct pyheap heap;
  unsigned seen = 0;
  heap_init(&heap, page->layout, page->bytes, sizeof page->bytes);
  mimalloc_scan_range(&heap, SEGMENT, SEGMENT + sizeof page->bytes, note_block,
                      &seen);
  heap_deinit(&heap);
  return seen;
}

static const struct layout *const page_layouts[] = {
    &layout_cpython_3_13t,    &layout_cpython_3_13t_debug,
    &layout_cpython_3_14_10t, &layout_cpython_3_14_10t_debug,
    &layout_cpython_3_15_2t,  &layout_cpython_3_15_2t_debug,
};

static void test_free_blocks(void **state) {
  struct page page;
  (void)state;
  for (size_t i = 0; i < COUNT(page_layouts); i++) {
    page_init(&page, page_layouts[i], 2);
    assert_int_equal(used_blocks(&page), 0x3f);
    set_list(&page, OFFSET(page.layout, mi_page, free), block_at(4));
    link_free(&page, 4, block_at(1));
    link_free(&page, 1, 0);
    assert_int_equal(used_blocks(&page), 0x2d);
    set_list(&page, OFFSET(page.layout, mi_page, local_free), block_at(0));
    link_free(&page, 0, 0);
    /* With the flag that another thread is to be told. */
    set_list(&page, OFFSET(page.layout, mi_page, xthread_free),
             block_at(5) | 1);
    link_free(&page, 5, 0);
    assert_int_equal(used_blocks(&page), 0x0c);
  }
}

static void test_broken_lists(void **state) {
  struct page page;
  (void)state;
  for (size_t i = 0; i < COUNT(page_layouts); i++) {
    int32_t list = OFFSET(page_layouts[i], mi_page, free);
    page_init(&page, page_layouts[i], 2);
    /* A ring; out of the page; into the middle of a block. */
    set_list(&page, list, block_at(2));
    link_free(&page, 2, block_at(3));
    link_free(&page, 3, block_at(2));
    assert_int_equal(used_blocks(&page), 0x33);
    link_free(&page, 3, block_at(BLOCKS));
    assert_int_equal(used_blocks(&page), 0x33);
    link_free(&page, 3, block_at(1) + 8);
    assert_int_equal(used_blocks(&page), 0x33);
    set_list(&page, list, 8);
    assert_int_equal(used_blocks(&page), 0x3f);
  }
}

static void test_block_at(void **state) {
  struct page page;
  struct pyheap heap;
  uint64_t block, size;
  (void)state;
  for (size_t i = 0; i < COUNT(page_layouts); i++) {
    page_init(&page, page_layouts[i], 0);
    heap_init(&heap, page_layouts[i], page.bytes, sizeof page.bytes);
    assert_true(mimalloc_block_at(&heap, block_at(3) + 24, &block, &size));
    assert_int_equal(block, block_at(3));
    assert_int_equal(size, BLOCK_SIZE);
    /* The header, behind the last block, behind the segment, in none. */
    assert_false(mimalloc_block_at(&heap, SEGMENT + 64, &block, &size));
    assert_false(mimalloc_block_at(&heap, block_at(BLOCKS), &block, &size));
    assert_false(mimalloc_block_at(&heap, SEGMENT + 2 * SLICE, &block, &size));
    assert_false(mimalloc_block_at(&heap, 2 * SEGMENT, &block, &size));
    heap_deinit(&heap);
  }
}

static void test_heap_without_objects(void **state) {
  struct page page;
  (void)state;
  /* Tag 0 is memory that is no object, where there are several heaps. */
  page_init(&page, &layout_cpython_3_14_10t, 0);
  assert_int_equal(used_blocks(&page), 0);
  page_init(&page, &layout_cpython_3_13, 0);
  assert_int_equal(used_blocks(&page), 0x3f);
}

/* Whose memory it is ------------------------------------------------------- */

enum {
  THREAD = 0x1000, /**< A thread of the second interpreter. */
};

/** The interpreter of the only segment.  A member of the second interpreter, at
 * OFFSET, is in the last block. */
static int32_t interpreter_of_page(const struct page *page, int32_t offset) {
  struct pyheap heap;
  struct segments segments;
  size_t hint = 0;

  heap_init(&heap, page->layout, page->bytes, sizeof page->bytes);
  const uint64_t second = block_at(BLOCKS - 1) - (uint64_t)offset;
  struct pyheap_interpreter interpreters[] = {{.id = 0, .address = 8},
                                              {.id = 1, .address = second}};
  struct root thread = {
      .kind = PYHEAP_ROOT_THREAD, .address = THREAD, .interpreter = second};
  heap.interpreters = interpreters;
  heap.info.interpreters = COUNT(interpreters);
  heap.roots = &thread;
  heap.root_count = 1;
  assert_null(segments_find(&heap, &segments));
  int32_t index = segments_interpreter(&segments, block_at(1), &hint);
  assert_int_equal(
      segments_interpreter(&segments, SEGMENT + 2ull * SEGMENT, &hint), -1);
  assert_int_equal(segments_interpreter(&segments, block_at(2), &hint), index);
  segments_deinit(&segments);
  heap_deinit(&heap);
  return index;
}

static void test_threads(void **state) {
  struct page page;
  (void)state;
  for (size_t i = 0; i < COUNT(page_layouts); i++) {
    const struct layout *layout = page_layouts[i];
    int32_t heaps = OFFSET(layout, PyThreadState, mimalloc_heaps);
    int32_t end = OFFSET(layout, PyThreadState, mimalloc_tld);
    int32_t xheap = OFFSET(layout, mi_page, xheap);
    page_init(&page, layout, 2);
    assert_int_equal(interpreter_of_page(&page, 0), -1);
    put(page_header(&page), xheap, (uint64_t)(THREAD + heaps), 8);
    assert_int_equal(interpreter_of_page(&page, 0), 1);
    put(page_header(&page), xheap, (uint64_t)(THREAD + end - 8), 8);
    assert_int_equal(interpreter_of_page(&page, 0), 1);
    /* Another's. */
    put(page_header(&page), xheap, (uint64_t)(THREAD + heaps - 8), 8);
    assert_int_equal(interpreter_of_page(&page, 0), -1);
    put(page_header(&page), xheap, (uint64_t)(THREAD + end), 8);
    assert_int_equal(interpreter_of_page(&page, 0), -1);
  }
}

static void test_ended_threads(void **state) {
  struct page page;
  (void)state;
  for (size_t i = 0; i < COUNT(page_layouts); i++) {
    const struct layout *layout = page_layouts[i];
    const int32_t lists[] = {
        OFFSET(layout, PyInterpreterState, abandoned),
        OFFSET(layout, PyInterpreterState, abandoned_visited)};
    int32_t subproc = OFFSET(layout, PyInterpreterState, subproc);
    int32_t next = OFFSET(layout, mi_segment, abandoned_next);
    /* A version has either. */
    assert_true((subproc == FACT_ABSENT) != (next == FACT_ABSENT));
    for (size_t j = 0; next != FACT_ABSENT && j < COUNT(lists); j++) {
      page_init(&page, layout, 2);
      /* The list counts its changes; the segment comes twice. */
      put(page.bytes + SLICE, (BLOCKS - 1) * BLOCK_SIZE, SEGMENT + 7, 8);
      put(page.bytes, next, SEGMENT, 8);
      assert_int_equal(interpreter_of_page(&page, lists[j]), 1);
      put(page.bytes + SLICE, (BLOCKS - 1) * BLOCK_SIZE, 2ull * SEGMENT, 8);
      assert_int_equal(interpreter_of_page(&page, lists[j]), -1);
    }
    if (subproc == FACT_ABSENT)
      continue;
    page_init(&page, layout, 2);
    put(page.bytes, OFFSET(layout, mi_segment, subproc), 0xabc0, 8);
    assert_int_equal(interpreter_of_page(&page, subproc), -1);
    put(page.bytes + SLICE, (BLOCKS - 1) * BLOCK_SIZE, 0xabc0, 8);
    assert_int_equal(interpreter_of_page(&page, subproc), 1);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_counts),
      cmocka_unit_test(test_free_blocks),
      cmocka_unit_test(test_broken_lists),
      cmocka_unit_test(test_block_at),
      cmocka_unit_test(test_heap_without_objects),
      cmocka_unit_test(test_threads),
      cmocka_unit_test(test_ended_threads),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
