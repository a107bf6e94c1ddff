/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * What the commands draw: numbers, escaping, tables, trees; and how types are
 * found by name.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/render/escape.h"
#include "plugin/render/json.h"
#include "plugin/render/number.h"
#include "plugin/render/table.h"
#include "plugin/render/tree.h"
#include "plugin/render/wrap.h"
#include "plugin/type_match.h"

/* Numbers ------------------------------------------------------------------- */

static void sizes_scale_at_every_unit(void **state) {
  static const struct {
    uint64_t bytes;
    const char *aligned, *brief;
  } cases[] = {
      {0, "   0     B", "0 B"},
      {1, "   1     B", "1 B"},
      {1023, "1023     B", "1023 B"},
      {1024, "   1.00 KB", "1.00 KB"},
      {1025, "   1.00 KB", "1.00 KB"},
      {976179, " 953.30 KB", "953.30 KB"},
      {1048576 - 6, "1023.99 KB", "1023.99 KB"},
      {1048576 - 1, "   1.00 MB", "1.00 MB"},
      {1048576, "   1.00 MB", "1.00 MB"},
      {UINT64_C(3) << 30, "   3.00 GB", "3.00 GB"},
      {UINT64_C(3) << 40, "   3.00 TB", "3.00 TB"},
      {UINT64_C(3) << 50, "   3.00 PB", "3.00 PB"},
      {UINT64_MAX, "  16.00 EB", "16.00 EB"},
  };
  char buffer[SIZE_TEXT];

  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    assert_string_equal(format_size(buffer, cases[i].bytes), cases[i].aligned);
    assert_string_equal(format_size_short(buffer, cases[i].bytes),
                        cases[i].brief);
  }
}

static void counts_are_parsed(void **state) {
  static const char *const bad[] = {
      "", "-1", "1x", " 1", "+1", "0x1", "unlimit3", "99999999999999999999"};
  uint64_t value = 7;

  (void)state;
  assert_true(parse_count("25", &value));
  assert_int_equal(value, 25);
  assert_true(parse_count("unlimited", &value));
  assert_true(value == UNLIMITED);
  assert_true(parse_count("unl", &value));
  assert_true(parse_count("0", &value));
  assert_true(value == UNLIMITED);
  value = 7;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    assert_false(parse_count(bad[i], &value));
  assert_int_equal(value, 7);
}

static void sizes_are_parsed(void **state) {
  static const struct {
    const char *text;
    uint64_t bytes;
  } good[] = {
      {"0", 0},
      {"512", 512},
      {"512b", 512},
      {"1k", 1024},
      {"1K", 1024},
      {"1kb", 1024},
      {"1KiB", 1024},
      {"2M", 2 << 20},
      {"1g", 1 << 30},
      {"1.5k", 1536},
      {"1T", 1ULL << 40},
      {"2P", 2ULL << 50},
      {"0.5M", 1 << 19},
      {"18446744073709551615", UINT64_MAX},
      {"8191P", 8191ULL << 50},
  };
  static const char *const bad[] = {
      "",
      "k",
      "-1",
      "1q",
      "1.k",
      "1.5",
      "1kx",
      "1 k",
      "0x10",
      "1ib",
      "18446744073709551616",
      "16384P",
      "18014398509481984k",
  };
  uint64_t value = 7;

  (void)state;
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    assert_true(parse_size(good[i].text, &value));
    assert_true(value == good[i].bytes);
  }
  value = 7;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    assert_false(parse_size(bad[i], &value));
  assert_int_equal(value, 7);
}

static void addresses_are_parsed(void **state) {
  uint64_t value = 7;

  (void)state;
  assert_true(parse_address("0x7f3c5a2b1c40", &value));
  assert_true(value == 0x7f3c5a2b1c40);
  assert_true(parse_address("0XFF", &value));
  assert_int_equal(value, 255);
  assert_true(parse_address("010", &value));
  assert_int_equal(value, 10);
  assert_true(parse_address("0xffffffffffffffff", &value));
  assert_true(value == UINT64_MAX);
  assert_false(parse_address("0x10000000000000000", &value));
  assert_false(parse_address("0x", &value));
  assert_false(parse_address("self", &value));
  assert_false(parse_address("", &value));
  assert_false(parse_address("12x", &value));
}

static void digits_are_put(void **state) {
  static const uint64_t values[] = {
      0, 9, 10, 15, 16, 255, 0x7f3c5a2b1c40, UINT64_MAX};
  char mine[32], theirs[32];

  (void)state;
  for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
    *put_decimal(mine, values[i]) = '\0';
    snprintf(theirs, sizeof theirs, "%llu", (unsigned long long)values[i]);
    assert_string_equal(mine, theirs);
    *put_hex(mine, values[i]) = '\0';
    snprintf(theirs, sizeof theirs, "%llx", (unsigned long long)values[i]);
    assert_string_equal(mine, theirs);
  }
}

/* Escaping ------------------------------------------------------------------ */

static void check_escape(const char *bytes, size_t length,
                         const char *expected) {
  cleanup_buffer struct buffer text = {0};

  escape_append(&text, bytes, length);
  assert_string_equal(buffer_string(&text), expected);
}

#define CHECK_ESCAPE(literal, expected)                                        \
  check_escape(literal, sizeof(literal) - 1, expected)

static void control_bytes_are_escaped(void **state) {
  (void)state;
  CHECK_ESCAPE("plain \\n stays", "plain \\n stays");
  CHECK_ESCAPE("\x1b[31mred", "\\x1b[31mred");
  CHECK_ESCAPE("a\nb\tc\rd", "a\\x0ab\\x09c\\x0dd");
  CHECK_ESCAPE("nul\0byte", "nul\\x00byte");
  CHECK_ESCAPE("\x7f", "\\x7f");
  CHECK_ESCAPE("\xc2\x9b"
               "31m",
               "\\x9b31m"); /* CSI in C1 */
}

static void utf8_is_kept(void **state) {
  (void)state;
  CHECK_ESCAPE("héllo", "héllo");
  CHECK_ESCAPE("你好", "你好");
  CHECK_ESCAPE("€ 𝄞", "€ 𝄞");
}

static void bad_utf8_is_escaped(void **state) {
  (void)state;
  CHECK_ESCAPE("\xff", "\\xff");
  CHECK_ESCAPE("a\xc3", "a\\xc3");                          /* cut */
  CHECK_ESCAPE("\xc0\xaf", "\\xc0\\xaf");                   /* overlong */
  CHECK_ESCAPE("\xe0\x80\xaf", "\\xe0\\x80\\xaf");          /* overlong */
  CHECK_ESCAPE("\xed\xa0\x80", "\\xed\\xa0\\x80");          /* surrogate */
  CHECK_ESCAPE("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"); /* too large */
}

static void formatting_characters_are_escaped(void **state) {
  (void)state;
  CHECK_ESCAPE("\xe2\x80\xae"
               "exe",
               "\\u202eexe");                      /* right-to-left */
  CHECK_ESCAPE("\xe2\x80\x8b", "\\u200b");         /* zero width */
  CHECK_ESCAPE("\xe2\x80\xa8", "\\u2028");         /* line separator */
  CHECK_ESCAPE("\xf3\xa0\x80\x81", "\\U000e0001"); /* tag */
}

static void widths_are_columns(void **state) {
  (void)state;
  assert_int_equal(display_width(""), 0);
  assert_int_equal(display_width("abc"), 3);
  assert_int_equal(display_width("é…"), 2);
  assert_int_equal(display_width("你好"), 4);
  assert_int_equal(display_width("e\xcc\x81"), 1); /* combining */
}

static void check_cut(const char *text, size_t columns, enum cut cut,
                      const char *expected) {
  cleanup_buffer struct buffer result = {0};
  size_t used = cut_append(&result, text, columns, cut);

  assert_string_equal(buffer_string(&result), expected);
  assert_int_equal(used, display_width(expected));
}

static void long_text_is_cut(void **state) {
  (void)state;
  check_cut("abcdef", 6, CUT_END, "abcdef");
  check_cut("abcdef", 5, CUT_END, "abcd…");
  check_cut("abcdef", 5, CUT_START, "…cdef");
  check_cut("abcdef", 1, CUT_END, "…");
  check_cut("abcdef", 1, CUT_START, "…");
  check_cut("abcdef", 0, CUT_END, "");
  check_cut("你好你好", 6, CUT_END, "你好…");
  check_cut("你好你好", 6, CUT_START, "…你好");
  check_cut("你好你好", 5, CUT_START, "…你好");
}

static void check_cut_around(const char *text, const char *kept, size_t columns,
                             const char *expected) {
  cleanup_buffer struct buffer result = {0};
  size_t start = (size_t)(strstr(text, kept) - text);
  size_t used = cut_append_around(&result, text, columns,
                                  (struct span){start, start + strlen(kept)});

  assert_string_equal(buffer_string(&result), expected);
  assert_int_equal(used, display_width(expected));
}

static void what_is_kept_is_not_cut(void **state) {
  static const char text[] = "['a key'] in dict 0x1234 len=7";

  (void)state;
  check_cut_around(text, "0x1234", 30, text);
  check_cut_around(text, "0x1234", 29, "['a key'] in dict 0x1234 len…");
  check_cut_around(text, "0x1234", 25, "['a key'] in dict 0x1234…");
  check_cut_around(text, "0x1234", 24, "['a key'] in di… 0x1234…");
  check_cut_around(text, "0x1234", 9, "… 0x1234…");
  check_cut_around(text, "0x1234", 8, "0x1234…");
  check_cut_around(text, "0x1234", 7, "0x1234…");
  check_cut_around(text, "0x1234", 6, "['a k…");
  check_cut_around("['key'] in set 0x1", "0x1", 12, "['key']… 0x1");
  check_cut_around("['你好'] in set 0x1", "0x1", 9, "['你… 0x1");
  check_cut_around("no address here", "", 9, "no addre…");
}

static void json_is_valid(void **state) {
  static const struct {
    const char *string, *json;
  } cases[] = {
      {"", "\"\""},
      {"a\"b\\c", "\"a\\\"b\\\\c\""},
      {"\x1b\n", "\"\\u001b\\u000a\""},
      {"é你𝄞", "\"é你𝄞\""},
      {"\xed\xa0\xbd", "\"\\ud83d\""},
      {"\xed\xbf\xbf", "\"\\udfff\""},
      {"a\xff", "\"a\xef\xbf\xbd\""},
      {"\xed\xa0", "\"\xef\xbf\xbd\xef\xbf\xbd\""},
  };

  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    cleanup_buffer struct buffer text = {0};
    json_string(&text, cases[i].string);
    assert_string_equal(buffer_string(&text), cases[i].json);
  }
}

/* Tables -------------------------------------------------------------------- */

/** What was printed into the stream of open_memstream(). */
struct capture {
  FILE *file;
  char *bytes;
  size_t length;
};

static void capture_begin(struct capture *capture) {
  capture->file = open_memstream(&capture->bytes, &capture->length);
  assert_non_null(capture->file);
}

static void capture_check(struct capture *capture, const char *expected) {
  fclose(capture->file);
  assert_string_equal(capture->bytes, expected);
  free(capture->bytes);
}

static const struct table_column summary_columns[] = {
    {"types", ALIGN_RIGHT, 2, 8, CUT_START},
    {"# objects", ALIGN_RIGHT, 2, 0, CUT_END},
    {"total size", ALIGN_RIGHT, 2, 0, CUT_END},
};

static struct table *make_table(void) {
  struct table *table = table_create(summary_columns, 3);

  table_add(table, "collections.OrderedDict");
  table_add(table, "12345678901");
  table_add(table, " 953.30 KB");
  table_add(table, "int");
  table_add(table, "1");
  table_add(table, "  28     B");
  return table;
}

static void tables_look_as_pymplers(void **state) {
  struct table *table = make_table();
  struct capture capture;

  (void)state;
  capture_begin(&capture);
  table_print(table, capture.file, 0);
  capture_check(&capture,
                "                    types |     # objects |   total size\n"
                "========================= | ============= | ============\n"
                "  collections.OrderedDict |   12345678901 |    953.30 KB\n"
                "                      int |             1 |     28     B\n");
  table_destroy(table);
}

static void tables_fit_the_screen(void **state) {
  struct table *table = make_table();
  struct capture capture;

  (void)state;
  table_rule(table);
  table_add(table, "total");
  table_add(table, "2");
  table_add(table, " 953.32 KB");
  capture_begin(&capture);
  table_print(table, capture.file, 45);
  capture_check(&capture, "         types |     # objects |   total size\n"
                          "============== | ============= | ============\n"
                          "  …OrderedDict |   12345678901 |    953.30 KB\n"
                          "           int |             1 |     28     B\n"
                          "============== | ============= | ============\n"
                          "         total |             2 |    953.32 KB\n");
  capture_begin(&capture);
  table_print(table, capture.file, 1); /* no narrower than its minimum */
  capture_check(&capture, "     types |     # objects |   total size\n"
                          "========== | ============= | ============\n"
                          "  …redDict |   12345678901 |    953.30 KB\n"
                          "       int |             1 |     28     B\n"
                          "========== | ============= | ============\n"
                          "     total |             2 |    953.32 KB\n");
  table_destroy(table);
}

static void left_columns_have_no_trailing_blanks(void **state) {
  static const struct table_column columns[] = {
      {"size", ALIGN_RIGHT, 0, 0, CUT_END},
      {"value", ALIGN_LEFT, 0, 4, CUT_END},
  };
  struct table *table = table_create(columns, 2);
  struct capture capture;

  (void)state;
  table_add(table, "12");
  table_add(table, "你好吗");
  table_add(table, "7");
  table_add(table, "");
  capture_begin(&capture);
  table_print(table, capture.file, 12);
  capture_check(&capture, "size | value\n"
                          "==== | =====\n"
                          "  12 | 你好…\n"
                          "   7 |\n");
  table_destroy(table);
}

static void addresses_in_tables_are_not_cut(void **state) {
  static const struct table_column columns[] = {
      {"size", ALIGN_RIGHT, 0, 0, CUT_END},
      {"object", ALIGN_LEFT, 0, 4, CUT_END},
  };
  struct table *table = table_create(columns, 2);
  struct capture capture;

  (void)state;
  table_add(table, "12");
  table_add_around(table, "dict 0x7f5c len=3", (struct span){5, 11});
  table_add(table, "7");
  table_add_around(table, "  +-['name']: str 0x7f60", (struct span){18, 24});
  table_add(table, "1");
  table_add_around(table, "and nothing more", (struct span){0});
  capture_begin(&capture);
  table_print(table, capture.file, 20);
  capture_check(&capture, "size | object\n"
                          "==== | =============\n"
                          "  12 | dict 0x7f5c …\n"
                          "   7 |   +-[… 0x7f60\n"
                          "   1 | and nothing …\n");
  capture_begin(&capture);
  table_print(table, capture.file, 1); /* no narrower than an address */
  capture_check(&capture, "size | object\n"
                          "==== | ========\n"
                          "  12 | 0x7f5c…\n"
                          "   7 | … 0x7f60\n"
                          "   1 | and not…\n");
  table_destroy(table);
}

/* Sentences ----------------------------------------------------------------- */

static void no_row_stands_for_one_row(void **state) {
  (void)state;
  assert_int_equal(table_shown(0, 10), 0);
  assert_int_equal(table_shown(10, 10), 10);
  assert_int_equal(table_shown(11, 10), 11);
  assert_int_equal(table_shown(12, 10), 10);
  assert_int_equal(table_shown(12, UINT64_MAX), 12);
}

static void sentences_break_between_words(void **state) {
  struct capture capture;

  (void)state;
  capture_begin(&capture);
  fputs("note  ", capture.file);
  print_wrapped(capture.file, 20, 6,
                "the core is truncated: averylongpath/x no");
  print_wrapped(capture.file, 0, 0, "as long as it  takes");
  print_wrapped(capture.file, 10, 0, "");
  print_wrapped(capture.file, 10, 0, "0123456789 0");
  capture_check(&capture, "note  the core is\n"
                          "      truncated:\n"
                          "      averylongpath/x\n"
                          "      no\n"
                          "as long as it  takes\n"
                          "\n"
                          "0123456789\n"
                          "0\n");
}

/* Trees --------------------------------------------------------------------- */

static void a_lone_root_is_a_line(void **state) {
  struct tree *tree = tree_create("root");
  struct capture capture;

  (void)state;
  capture_begin(&capture);
  tree_print(tree, capture.file, 0, TREE_BESIDE);
  capture_check(&capture, "root\n");
  tree_destroy(tree);
}

/** root(list(dict, dict), tuple, set(a(b))) */
static struct tree *make_tree(void) {
  struct tree *tree = tree_create("root");
  uint32_t list = tree_add(tree, 0, "list");

  tree_add(tree, 0, "tuple");
  uint32_t set = tree_add(tree, 0, "set");
  tree_add(tree, list, "dict1");
  tree_add(tree, list, "dict2");
  uint32_t a = tree_add(tree, set, "a");
  tree_add(tree, a, "b");
  assert_int_equal(tree_count(tree), 8);
  return tree;
}

static void trees_look_as_console_browsers(void **state) {
  struct tree *tree = make_tree();
  struct capture capture;

  (void)state;
  capture_begin(&capture);
  tree_print(tree, capture.file, 0, TREE_BESIDE);
  capture_check(&capture, "root-+-list-+-dict1\n"
                          "     |      +-dict2\n"
                          "     |\n"
                          "     +-tuple\n"
                          "     +-set--a--b\n");
  tree_destroy(tree);
}

static void trees_go_below_on_a_narrow_screen(void **state) {
  struct tree *tree = make_tree();
  struct capture capture;

  (void)state;
  capture_begin(&capture);
  tree_print(tree, capture.file, 0, TREE_BELOW);
  capture_check(&capture, "root\n"
                          "+-list\n"
                          "| +-dict1\n"
                          "| +-dict2\n"
                          "|\n"
                          "+-tuple\n"
                          "+-set\n"
                          "  +-a\n"
                          "    +-b\n");
  tree_destroy(tree);
}

static void trees_mix_both_where_it_fits(void **state) {
  struct tree *tree = tree_create("a root with a rather long label");
  struct capture capture;

  (void)state;
  uint32_t child = tree_add(tree, 0, "a child with a long label");
  tree_add(tree, child, "leaf");
  tree_add(tree, 0, "你好, a label that does not fit on any line of it");
  capture_begin(&capture);
  tree_print(tree, capture.file, 36, TREE_BESIDE);
  capture_check(&capture, "a root with a rather long label\n"
                          "+-a child with a long label--leaf\n"
                          "+-你好, a label that does not fit o…\n");
  tree_destroy(tree);
}

static void addresses_in_trees_are_not_cut(void **state) {
  struct tree *tree = tree_create("0x1");
  struct capture capture;

  (void)state;
  uint32_t child =
      tree_add(tree, 0, "['a long key of a dict'] in dict 0x7f3c len=2");
  tree_keep(tree, child, (struct span){33, 39});
  capture_begin(&capture);
  tree_print(tree, capture.file, 30, TREE_BELOW);
  capture_check(&capture, "0x1\n"
                          "+-['a long key of a d… 0x7f3c…\n");
  tree_destroy(tree);
}

static void nested_branches_end_in_one_free_line(void **state) {
  struct tree *tree = tree_create("root");
  struct capture capture;

  (void)state;
  uint32_t first = tree_add(tree, 0, "first");
  tree_add(tree, 0, "second");
  tree_add(tree, first, "a");
  uint32_t last = tree_add(tree, first, "b");
  tree_add(tree, last, "c");
  tree_add(tree, last, "d");
  capture_begin(&capture);
  tree_print(tree, capture.file, 0, TREE_BESIDE);
  capture_check(&capture, "root-+-first-+-a\n"
                          "     |       +-b-+-c\n"
                          "     |           +-d\n"
                          "     |\n"
                          "     +-second\n");
  tree_destroy(tree);
}

static void deep_trees_are_drawn_without_recursion(void **state) {
  struct tree *tree = tree_create("0");
  FILE *null = fopen("/dev/null", "w");

  (void)state;
  assert_non_null(null);
  for (uint32_t i = 0; i < 20000; i++)
    assert_int_equal(tree_add(tree, i, "x"), i + 1);
  tree_print(tree, null, 80, TREE_BESIDE);
  fclose(null);
  tree_destroy(tree);
}

/* Types by name ------------------------------------------------------------- */

static void types_match_by_any_part(void **state) {
  (void)state;
  assert_true(type_name_matches("User", "app.models.User"));
  assert_true(type_name_matches("models.User", "app.models.User"));
  assert_true(type_name_matches("app.models.User", "app.models.User"));
  assert_true(type_name_matches("app.*", "app.models.User"));
  assert_true(type_name_matches("*Error", "KeyError"));
  assert_true(type_name_matches("dict", "dict"));
  assert_true(type_name_matches("builtins.dict", "dict"));
  assert_false(type_name_matches("builtins.User", "app.models.User"));
  assert_false(type_name_matches("app", "app.models.User"));
  assert_false(type_name_matches("ser", "app.models.User"));
  assert_false(type_name_matches("Dict", "dict"));
  assert_false(type_name_matches("", "dict"));
}

static void brackets_in_types_are_themselves(void **state) {
  static const char name[] = "app.Reply[app.User]";

  (void)state;
  assert_true(type_name_matches("app.Reply[app.User]", name));
  assert_true(type_name_matches("Reply[app.User]", name));
  assert_true(type_name_matches("Reply[*]", name));
  assert_true(type_name_matches("Reply*User]", name));
  assert_true(type_name_matches("Reply?app.User?", name));
  assert_false(type_name_matches("Reply[User]", name));
  assert_false(type_name_matches("User]", name));
  assert_false(type_name_matches("[D]ict", "Dict"));
  assert_false(type_name_matches("D\\ict", "Dict"));
  assert_true(type_name_matches("*a*ab", "aaab"));
  assert_true(type_name_matches("M?tze", "M\xc3\xbctze"));
  assert_true(type_name_matches("**", "dict"));
  assert_false(type_name_matches("dict?", "dict"));
}

static void edits_are_counted(void **state) {
  (void)state;
  assert_int_equal(edit_distance("dict", "dict", 3), 0);
  assert_int_equal(edit_distance("DICT", "dict", 3), 0);
  assert_int_equal(edit_distance("dcit", "dict", 3), 1);
  assert_int_equal(edit_distance("dct", "dict", 3), 1);
  assert_int_equal(edit_distance("dicts", "dict", 3), 1);
  assert_int_equal(edit_distance("", "dict", 3), 4);
  assert_int_equal(edit_distance("abc", "xyz", 2), 3);
  assert_int_equal(edit_distance("kitten", "sitting", 9), 3);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(sizes_scale_at_every_unit),
      cmocka_unit_test(counts_are_parsed),
      cmocka_unit_test(sizes_are_parsed),
      cmocka_unit_test(addresses_are_parsed),
      cmocka_unit_test(digits_are_put),
      cmocka_unit_test(control_bytes_are_escaped),
      cmocka_unit_test(utf8_is_kept),
      cmocka_unit_test(bad_utf8_is_escaped),
      cmocka_unit_test(formatting_characters_are_escaped),
      cmocka_unit_test(widths_are_columns),
      cmocka_unit_test(long_text_is_cut),
      cmocka_unit_test(what_is_kept_is_not_cut),
      cmocka_unit_test(json_is_valid),
      cmocka_unit_test(tables_look_as_pymplers),
      cmocka_unit_test(tables_fit_the_screen),
      cmocka_unit_test(left_columns_have_no_trailing_blanks),
      cmocka_unit_test(addresses_in_tables_are_not_cut),
      cmocka_unit_test(no_row_stands_for_one_row),
      cmocka_unit_test(sentences_break_between_words),
      cmocka_unit_test(a_lone_root_is_a_line),
      cmocka_unit_test(trees_look_as_console_browsers),
      cmocka_unit_test(trees_go_below_on_a_narrow_screen),
      cmocka_unit_test(trees_mix_both_where_it_fits),
      cmocka_unit_test(addresses_in_trees_are_not_cut),
      cmocka_unit_test(nested_branches_end_in_one_free_line),
      cmocka_unit_test(deep_trees_are_drawn_without_recursion),
      cmocka_unit_test(types_match_by_any_part),
      cmocka_unit_test(brackets_in_types_are_themselves),
      cmocka_unit_test(edits_are_counted),
  };

  return cmocka_run_group_tests_name("render", tests, NULL, NULL);
}
