/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * The rows of a browser, without a screen: opening, cursor, paging, search,
 * history; and the texts that a screen makes of them.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/browse/model.h"
#include "plugin/browse/screen_text.h"

/* A heap of numbers ------------------------------------------------------- */

enum {
  FEW = 3,
  MANY = 5000000,
  DEEP = 3000,
  KIND_NUMBER, /**< N leads to 10 N + 1, 10 N + 2, 10 N + 3; from 1,000 on to
                    nothing, and 13 leads to itself and 1 too. */
  KIND_MANY,   /**< Leads to as many numbers as MANY. */
  KIND_CHAIN,  /**< N leads to N + 1. */
};

struct browse_children {
  struct browse_item parent;
  uint64_t count;
};

/** How many children are open, and rows that were described. */
static size_t open_count, described;

static uint64_t count_of(struct browse_item item) {
  if (item.kind == KIND_MANY)
    return MANY;
  if (item.kind == KIND_CHAIN)
    return 1;
  return item.number < 1000 ? FEW : 0;
}

static struct browse_children *fake_open(const void *context,
                                         struct browse_item item,
                                         enum browse_direction direction,
                                         uint64_t *count) {
  struct browse_children *children = must_alloc(sizeof *children);

  (void)context;
  (void)direction;
  *children = (struct browse_children){item, count_of(item)};
  *count = children->count;
  open_count++;
  return children;
}

static void fake_close(struct browse_children *children) {
  open_count--;
  free(children);
}

static bool fake_leads(const void *context, struct browse_item item,
                       enum browse_direction direction) {
  (void)context;
  (void)direction;
  return count_of(item) > 0;
}

static struct browse_item fake_child(const void *context,
                                     const struct browse_children *children,
                                     uint64_t index) {
  uint32_t parent = children->parent.number;

  (void)context;
  assert_true(index < children->count);
  if (children->parent.kind == KIND_MANY)
    return (struct browse_item){KIND_NUMBER, (uint32_t)index};
  if (children->parent.kind == KIND_CHAIN)
    return (struct browse_item){KIND_CHAIN, parent + 1};
  if (parent == 13 && index < 2)
    return (struct browse_item){KIND_NUMBER, index ? 1 : 13};
  return (struct browse_item){KIND_NUMBER, parent * 10 + 1 + (uint32_t)index};
}

static void fake_describe(const void *context,
                          const struct browse_children *children,
                          uint64_t index, struct browse_item item,
                          struct browse_text *text) {
  (void)context;
  (void)children;
  (void)index;
  described++;
  buffer_format(&text->text, "Number %" PRIu32, item.number);
}

static const struct browse_source source = {
    .open = fake_open,
    .close = fake_close,
    .leads = fake_leads,
    .child = fake_child,
    .describe = fake_describe,
};

static struct browse_model *create(uint32_t kind, uint32_t number) {
  struct browse_model *model = browse_create(
      &source, (struct browse_item){kind, number}, BROWSE_REFERRERS);

  assert_int_equal(browse_open(model), BROWSE_OPEN);
  return model;
}

/** All rows, each as its depth, its mark and its text. */
static void check_rows(const struct browse_model *model, const char *expected) {
  static const char marks[] = {
      [BROWSE_CLOSED] = '+',
      [BROWSE_OPEN] = '-',
      [BROWSE_LEAF] = '.',
      [BROWSE_CYCLE] = '^',
  };
  cleanup_buffer struct buffer all = {0};

  for (uint64_t i = 0; i < browse_rows(model); i++) {
    struct browse_text text = {0};
    struct browse_row row;
    browse_row(model, i, &row, &text);
    buffer_format(&all, "%s%" PRIu32 "%c%s", i ? ", " : "", row.depth,
                  marks[row.mark], strstr(buffer_string(&text.text), " ") + 1);
    browse_text_deinit(&text);
  }
  assert_string_equal(buffer_string(&all), expected);
}

/* Tests ------------------------------------------------------------------- */

static void rows_open_and_close(void **state) {
  struct browse_model *model = create(KIND_NUMBER, 1);

  (void)state;
  check_rows(model, "0-1, 1+11, 1+12, 1+13");
  browse_move_to(model, 2);
  assert_int_equal(browse_open(model), BROWSE_OPEN);
  check_rows(model, "0-1, 1+11, 1-12, 2+121, 2+122, 2+123, 1+13");
  browse_move_to(model, 1);
  assert_int_equal(browse_open(model), BROWSE_OPEN);
  browse_move_to(model, 7);
  assert_int_equal(browse_open(model), BROWSE_OPEN);
  check_rows(model, "0-1, 1-11, 2+111, 2+112, 2+113, 1-12, 2+121, 2-122, "
                    "3.1221, 3.1222, 3.1223, 2+123, 1+13");
  browse_move_to(model, 9);
  assert_int_equal(browse_open(model), BROWSE_LEAF);
  assert_false(browse_close(model));
  /* What is open below a row goes with it. */
  browse_move_to(model, 5);
  assert_true(browse_close(model));
  assert_int_equal(browse_cursor(model), 5);
  check_rows(model, "0-1, 1-11, 2+111, 2+112, 2+113, 1+12, 1+13");
  assert_int_equal(open_count, 2);
  browse_move_to(model, 0);
  assert_true(browse_close(model));
  check_rows(model, "0+1");
  browse_destroy(model);
  assert_int_equal(open_count, 0);
}

static void cycles_are_marked_and_not_opened(void **state) {
  struct browse_model *model = create(KIND_NUMBER, 1);

  (void)state;
  browse_move_to(model, 3);
  assert_int_equal(browse_open(model), BROWSE_OPEN);
  check_rows(model, "0-1, 1+11, 1+12, 1-13, 2^13 (cycle), 2^1 (cycle), 2+133");
  browse_move_to(model, 4);
  assert_int_equal(browse_open(model), BROWSE_CYCLE);
  assert_int_equal(browse_rows(model), 7);
  browse_destroy(model);
}

static void the_cursor_stays_on_rows(void **state) {
  struct browse_model *model = create(KIND_NUMBER, 1);

  (void)state;
  browse_move(model, -1);
  assert_int_equal(browse_cursor(model), 0);
  assert_false(browse_move_up(model));
  browse_move(model, INT64_MIN);
  assert_int_equal(browse_cursor(model), 0);
  browse_move(model, 2);
  browse_open(model);
  browse_move(model, 2);
  browse_open(model);
  browse_move(model, 3);
  assert_int_equal(browse_cursor(model), 7);
  assert_true(browse_move_up(model));
  assert_int_equal(browse_cursor(model), 4);
  assert_true(browse_move_up(model));
  assert_int_equal(browse_cursor(model), 2);
  assert_true(browse_move_up(model));
  assert_int_equal(browse_cursor(model), 0);
  browse_move(model, INT64_MAX);
  assert_int_equal(browse_cursor(model), browse_rows(model) - 1);
  browse_move_to(model, UINT64_MAX);
  assert_int_equal(browse_cursor(model), browse_rows(model) - 1);
  browse_destroy(model);
}

static void millions_of_rows_cost_nothing(void **state) {
  struct browse_model *model = create(KIND_MANY, 0);
  struct browse_row row;

  (void)state;
  assert_int_equal(browse_rows(model), MANY + 1);
  /* One in the middle, open, moves those behind it. */
  browse_move_to(model, 501);
  assert_int_equal(browse_open(model), BROWSE_OPEN);
  described = 0;
  browse_row(model, 505, &row, NULL);
  assert_int_equal(row.item.number, 501);
  browse_row(model, 504, &row, NULL);
  assert_int_equal(row.item.number, 5003);
  browse_row(model, MANY + FEW, &row, NULL);
  assert_int_equal(row.item.number, MANY - 1);
  assert_int_equal(described, 0);
  browse_move_to(model, UINT64_MAX);
  assert_int_equal(browse_first(model, 24), MANY + FEW + 1 - 24);
  browse_destroy(model);
}

static void the_screen_follows_the_cursor(void **state) {
  struct browse_model *model = create(KIND_MANY, 0);

  (void)state;
  assert_int_equal(browse_first(model, 10), 0);
  browse_move_to(model, 10);
  assert_int_equal(browse_first(model, 10), 1);
  browse_move_to(model, 5);
  assert_int_equal(browse_first(model, 10), 1);
  browse_move_to(model, 0);
  assert_int_equal(browse_first(model, 10), 0);
  /* The wheel takes the cursor along only where it would leave. */
  browse_scroll(model, 3, 10);
  assert_int_equal(browse_first(model, 10), 3);
  assert_int_equal(browse_cursor(model), 3);
  browse_move_to(model, 8);
  browse_scroll(model, 3, 10);
  assert_int_equal(browse_cursor(model), 8);
  browse_scroll(model, -6, 10);
  assert_int_equal(browse_first(model, 10), 0);
  browse_scroll(model, -6, 10);
  assert_int_equal(browse_first(model, 10), 0);
  browse_scroll(model, INT64_MAX, 10);
  assert_int_equal(browse_first(model, 10), MANY + 1 - 10);
  /* A larger screen shows no free rows. */
  assert_int_equal(browse_first(model, 20), MANY + 1 - 20);
  assert_int_equal(browse_first(model, UINT64_MAX / 2), 0);
  browse_first(model, 0);
  browse_destroy(model);
}

static void what_opens_comes_onto_the_screen(void **state) {
  struct browse_model *model = create(KIND_MANY, 0);

  (void)state;
  browse_move_to(model, 9);
  browse_first(model, 10);
  browse_open(model);
  browse_show_below(model, 10);
  assert_int_equal(browse_first(model, 10), FEW);
  assert_int_equal(browse_cursor(model), 9);
  browse_move_to(model, 0);
  browse_show_below(model, 10);
  assert_int_equal(browse_first(model, 10), 0);
  browse_show_below(model, 1);
  browse_destroy(model);
}

static void back_is_the_tree_before(void **state) {
  struct browse_model *model = create(KIND_NUMBER, 1);

  (void)state;
  browse_move_to(model, 2);
  browse_open(model);
  browse_visit(model, (struct browse_item){KIND_NUMBER, 2}, BROWSE_REFERENTS);
  check_rows(model, "0-2, 1+21, 1+22, 1+23");
  assert_int_equal(browse_direction(model), BROWSE_REFERENTS);
  assert_int_equal(browse_cursor(model), 0);
  assert_true(browse_back(model));
  check_rows(model, "0-1, 1+11, 1-12, 2+121, 2+122, 2+123, 1+13");
  assert_int_equal(browse_direction(model), BROWSE_REFERRERS);
  assert_int_equal(browse_cursor(model), 2);
  assert_false(browse_back(model));
  for (uint32_t i = 0; i < 250; i++)
    browse_visit(model, (struct browse_item){KIND_NUMBER, i}, BROWSE_REFERRERS);
  size_t steps = 0;
  while (browse_back(model))
    steps++;
  assert_int_equal(steps, 99);
  browse_destroy(model);
  assert_int_equal(open_count, 0);
}

static bool go_on(void *context, uint64_t done, uint64_t total) {
  uint64_t *limit = context;

  assert_true(done < total);
  return !limit || done < *limit;
}

static void search_goes_round(void **state) {
  struct browse_model *model = create(KIND_MANY, 0);
  uint64_t limit = 100000;

  (void)state;
  assert_int_equal(browse_search(model, "number 4711", true, go_on, NULL),
                   BROWSE_FOUND);
  assert_int_equal(browse_cursor(model), 4712);
  assert_int_equal(browse_search(model, "number 4711", true, go_on, NULL),
                   BROWSE_FOUND);
  assert_int_equal(browse_cursor(model), 47111);
  assert_int_equal(browse_search(model, "NUMBER 4711", false, go_on, NULL),
                   BROWSE_FOUND);
  assert_int_equal(browse_cursor(model), 4712);
  browse_move_to(model, MANY);
  assert_int_equal(browse_search(model, "ber 7", true, go_on, NULL),
                   BROWSE_FOUND_WRAPPED);
  assert_int_equal(browse_cursor(model), 8);
  assert_int_equal(browse_search(model, "4999999", false, go_on, NULL),
                   BROWSE_FOUND_WRAPPED);
  assert_int_equal(browse_cursor(model), MANY);
  browse_move_to(model, 3);
  assert_int_equal(browse_search(model, "nowhere", true, go_on, &limit),
                   BROWSE_STOPPED);
  assert_int_equal(browse_cursor(model), 3);
  browse_destroy(model);
  model = create(KIND_NUMBER, 1);
  assert_int_equal(browse_search(model, "nowhere", true, go_on, NULL),
                   BROWSE_NOT_FOUND);
  browse_move_to(model, 2);
  assert_int_equal(browse_search(model, "Number 12", true, go_on, NULL),
                   BROWSE_FOUND_WRAPPED);
  assert_int_equal(browse_cursor(model), 2);
  browse_destroy(model);
}

static void long_paths_are_walked_without_recursion(void **state) {
  struct browse_model *model = create(KIND_CHAIN, 0);
  struct browse_row row;

  (void)state;
  for (uint32_t i = 1; i < DEEP; i++) {
    browse_move(model, 1);
    assert_int_equal(browse_open(model), BROWSE_OPEN);
  }
  browse_row(model, DEEP, &row, NULL);
  assert_int_equal(row.item.number, DEEP);
  assert_int_equal(row.depth, DEEP);
  browse_move_to(model, 0);
  assert_true(browse_close(model));
  assert_int_equal(open_count, 0);
  browse_destroy(model);
}

static void many_open_rows_close_at_once(void **state) {
  struct browse_model *model = create(KIND_MANY, 0);

  (void)state;
  for (uint64_t i = 1; i < 2000; i += 2) {
    browse_move_to(model, i + (i - 1) / 2 * FEW);
    browse_open(model);
  }
  assert_int_equal(browse_rows(model), MANY + 1 + (1000 - 500) * FEW);
  browse_move_to(model, 0);
  assert_true(browse_close(model));
  assert_int_equal(browse_rows(model), 1);
  assert_int_equal(open_count, 0);
  browse_destroy(model);
}

/* Texts ------------------------------------------------------------------- */

static void check_fit(const char *text, struct span kept, size_t columns,
                      bool unicode, const char *expected) {
  cleanup_buffer struct buffer result = {0};

  screen_text_fit(&result, text, kept, columns, unicode);
  assert_string_equal(buffer_string(&result), expected);
}

static void texts_fit(void **state) {
  (void)state;
  check_fit("['ü'] in set 0x12 …", (struct span){14, 18}, 40, true,
            "['ü'] in set 0x12 …");
  check_fit("['ü'] in set 0x12 …", (struct span){14, 18}, 40, false,
            "['\\xfc'] in set 0x12 ~");
  check_fit("['ü'] in set 0x12 …", (struct span){14, 18}, 12, false,
            "['\\xf~ 0x12~");
  check_fit("你好", (struct span){0}, 3, true, "你…");
  check_fit("你𝄞", (struct span){0}, 40, false, "\\u4f60\\U0001d11e");
  check_fit("", (struct span){0}, 0, false, "");
}

static void texts_are_typed(void **state) {
  static const int32_t codes[] = {'a',  0xfc, 0x4f60, 0x1d11e,
                                  '\n', 0x9b, 0xd800, 0x110000};
  cleanup_buffer struct buffer text = {0};

  (void)state;
  for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
    screen_text_add_code(&text, codes[i]);
  assert_string_equal(buffer_string(&text), "aü你𝄞");
  screen_text_drop_last(&text);
  assert_string_equal(buffer_string(&text), "aü你");
  for (int i = 0; i < 5; i++)
    screen_text_drop_last(&text);
  assert_string_equal(buffer_string(&text), "");
}

static void texts_are_lines(void **state) {
  struct screen_lines lines;

  (void)state;
  screen_lines_init(&lines, must_copy("one\n\ntwo"));
  assert_int_equal(lines.count, 3);
  assert_string_equal(lines.items[1], "");
  assert_string_equal(lines.items[2], "two");
  screen_lines_deinit(&lines);
  screen_lines_init(&lines, NULL);
  assert_int_equal(lines.count, 0);
  screen_lines_deinit(&lines);
  screen_lines_wrap(&lines, "abc你好", 4, true);
  assert_int_equal(lines.count, 2);
  assert_string_equal(lines.items[0], "abc");
  assert_string_equal(lines.items[1], "你好");
  screen_lines_deinit(&lines);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rows_open_and_close),
      cmocka_unit_test(cycles_are_marked_and_not_opened),
      cmocka_unit_test(the_cursor_stays_on_rows),
      cmocka_unit_test(millions_of_rows_cost_nothing),
      cmocka_unit_test(the_screen_follows_the_cursor),
      cmocka_unit_test(what_opens_comes_onto_the_screen),
      cmocka_unit_test(back_is_the_tree_before),
      cmocka_unit_test(search_goes_round),
      cmocka_unit_test(many_open_rows_close_at_once),
      cmocka_unit_test(long_paths_are_walked_without_recursion),
      cmocka_unit_test(texts_fit),
      cmocka_unit_test(texts_are_typed),
      cmocka_unit_test(texts_are_lines),
  };

  return cmocka_run_group_tests_name("browse", tests, NULL, NULL);
}
