/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * Options as users type them, addresses that gdb has to evaluate, and the files
 * of -output.
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
#include <sys/stat.h>
#include <unistd.h>

#include "plugin/options.h"
#include "plugin/output.h"
#include "plugin/render/number.h"
#include "plugin/session.h"

/* Options ------------------------------------------------------------------- */

struct values {
  bool exact, extra;
  uint64_t limit, number, size, detail;
  int sort;
  const char *output;
};

static const struct command_option table[] = {
    {"exact", NULL, "", OPTION_FLAG, offsetof(struct values, exact)},
    {"extra", NULL, "", OPTION_FLAG, offsetof(struct values, extra)},
    {"limit", "N|unlimited", "", OPTION_COUNT, offsetof(struct values, limit)},
    {"number", "N", "", OPTION_NUMBER, offsetof(struct values, number)},
    {"min", "SIZE", "", OPTION_SIZE, offsetof(struct values, size)},
    {"sort", "size|count|type", "", OPTION_CHOICE,
     offsetof(struct values, sort)},
    {"output", "FILE", "", OPTION_TEXT, offsetof(struct values, output)},
    {"detail", "N|unlimited", "", OPTION_DETAIL,
     offsetof(struct values, detail)},
    {0},
};

/** A command line cut at its blanks, and what became of it. */
struct line {
  struct session session;
  struct values values;
  char *bytes;
  char *argv[16];
  int operands;
  enum command_status status;
};

static void parse(struct line *line, const char *text) {
  int argc = 0;

  *line = (struct line){0};
  line->bytes = strdup(text);
  for (char *word = strtok(line->bytes, " "); word; word = strtok(NULL, " "))
    line->argv[argc++] = word;
  line->status = options_parse(&line->session, table, argc, line->argv,
                               &line->values, &line->operands);
}

static void finish(struct line *line) {
  session_close(&line->session);
  free(line->bytes);
}

static void check_error(const char *text, const char *part) {
  struct line line;

  parse(&line, text);
  assert_int_equal(line.status, COMMAND_USAGE);
  assert_non_null(line.session.message);
  if (!strstr(line.session.message, part))
    fail_msg("\"%s\" does not say \"%s\"", line.session.message, part);
  finish(&line);
}

static void options_stand_anywhere(void **state) {
  static const char *const lines[] = {
      "filter dict user -limit 20 -exact -sort count -min 2k",
      "filter --limit=20 --exact dict --sort=count --min=2k user",
      "filter -lim 20 -exa dict user -s c --mi 2048",
      "filter -exact -limit=20 -sort count -min 2K -- dict user",
  };

  (void)state;
  for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
    struct line line;
    parse(&line, lines[i]);
    assert_int_equal(line.status, COMMAND_OK);
    assert_int_equal(line.operands, 2);
    assert_string_equal(line.argv[1], "dict");
    assert_string_equal(line.argv[2], "user");
    assert_int_equal(line.values.limit, 20);
    assert_int_equal(line.values.size, 2048);
    assert_int_equal(line.values.sort, 1);
    assert_true(line.values.exact);
    assert_false(line.values.extra);
    finish(&line);
  }
}

static void detail_may_be_none_or_all(void **state) {
  static const struct {
    const char *line;
    uint64_t detail;
  } rows[] = {
      {"sizeof -detail 0", 0},
      {"sizeof -detail 3", 3},
      {"sizeof -detail unlimited", UNLIMITED},
  };

  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct line line;
    parse(&line, rows[i].line);
    assert_int_equal(line.status, COMMAND_OK);
    assert_int_equal(line.values.detail, rows[i].detail);
    finish(&line);
  }
  check_error("sizeof -detail much", "unlimited");
  check_error("sizeof -detail -1", "unlimited");
}

static void two_dashes_end_options(void **state) {
  struct line line;

  (void)state;
  parse(&line, "filter -limit unlimited -- -exact --");
  assert_int_equal(line.status, COMMAND_OK);
  assert_int_equal(line.operands, 2);
  assert_string_equal(line.argv[1], "-exact");
  assert_string_equal(line.argv[2], "--");
  assert_true(line.values.limit == UINT64_MAX);
  assert_false(line.values.exact);
  finish(&line);
}

static void leading_options_end_at_the_command(void **state) {
  char *argv[] = {"muppy",   "-number", "7", "--exact",
                  "summary", "-limit",  "3", NULL};
  struct session session = {0};
  struct values values = {0};
  int first;

  (void)state;
  assert_int_equal(
      options_parse_leading(&session, table, 7, argv, &values, &first),
      COMMAND_OK);
  assert_int_equal(first, 4);
  assert_int_equal(values.number, 7);
  assert_true(values.exact);
  assert_int_equal(values.limit, 0);
}

static void errors_name_option_and_value(void **state) {
  (void)state;
  check_error("filter -nope", "no option '-nope'; see muppy help filter");
  check_error("filter -limt 3", "no option '-limt'; did you mean -limit?");
  check_error("filter --limt=3", "did you mean -limit?");
  check_error("filter -mn 3", "see muppy help filter");
  check_error("filter --nope=3", "no option '--nope=3'");
  check_error("filter -ex", "'-ex' could be -exact or -extra");
  check_error("filter -limit", "-limit needs a value");
  check_error("filter -limit 12x", "-limit: '12x'");
  check_error("filter -output=",
              "filter: option -output: the value '' is empty");
  check_error("filter -number -3", "-number: '-3'");
  check_error("filter -number 0x10", "-number: '0x10'");
  check_error("filter -min big", "-min: 'big' is not a size");
  check_error("filter -sort age", "one of size|count|type");
  check_error("filter -exact=1", "-exact takes no value");
  check_error("filter -limit \x1b[31m", "'\\x1b[31m'");
}

static void muppy_itself_is_not_named(void **state) {
  static const char *const wrong[] = {"-number=x", "-number", "-exact=1",
                                      "-nope", "-ex"};

  (void)state;
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    char *argv[] = {"muppy", (char *)wrong[i], NULL};
    struct session session = {0};
    struct values values = {0};
    int first;
    assert_int_equal(
        options_parse_leading(&session, table, 2, argv, &values, &first),
        COMMAND_USAGE);
    assert_non_null(session.message);
    assert_null(strstr(session.message, "muppy: "));
    session_close(&session);
  }
}

/* Addresses ----------------------------------------------------------------- */

static void addresses_are_numbers_or_asked_of_gdb(void **state) {
  char *number[] = {"refs", "0x10"}, *expression[] = {"refs", "$sp", "+", "8"};
  struct session session = {0};
  const uint64_t values[] = {0x7f00};
  uint64_t address = 0;

  (void)state;
  assert_int_equal(session_address(&session, 1, number, &address), COMMAND_OK);
  assert_int_equal(address, 0x10);
  assert_int_equal(session_address(&session, 0, number, &address),
                   COMMAND_USAGE);
  assert_int_equal(session_address(&session, 1, expression, &address),
                   COMMAND_USAGE);
  assert_non_null(strstr(session.message, "expressions need gdb"));
  session.gdb = true;
  assert_int_equal(session_address(&session, 3, expression, &address),
                   COMMAND_EVALUATE);
  assert_string_equal(session.evaluate, "$sp + 8");
  session.evaluated = values;
  session.evaluated_count = 1;
  assert_int_equal(session_address(&session, 3, expression, &address),
                   COMMAND_OK);
  assert_int_equal(address, 0x7f00);
  session_close(&session);
}

/* Files --------------------------------------------------------------------- */

static char directory[] = "/tmp/muppy-test-XXXXXX";
static char path[64], link_path[64];

static int make_directory(void **state) {
  (void)state;
  if (!mkdtemp(directory))
    return -1;
  snprintf(path, sizeof path, "%s/out", directory);
  snprintf(link_path, sizeof link_path, "%s/link", directory);
  return 0;
}

static int remove_directory(void **state) {
  (void)state;
  unlink(link_path);
  unlink(path);
  return rmdir(directory); /* Fails when anything was left behind. */
}

/** Writes TEXT as a command that ends with STATUS would. */
static enum command_status write_text(struct session *session, const char *file,
                                      bool force, const char *text,
                                      enum command_status status) {
  struct output output;
  enum command_status opened = output_open(session, file, force, &output);

  if (opened != COMMAND_OK)
    return opened;
  assert_int_equal(output.width, 0);
  fputs(text, output.file);
  return output_close(session, &output, status);
}

static void check_content(const char *expected) {
  char content[64] = "";
  FILE *file = fopen(path, "r");

  assert_non_null(file);
  assert_true(fread(content, 1, sizeof content - 1, file) < sizeof content);
  fclose(file);
  assert_string_equal(content, expected);
}

static void files_are_never_lost(void **state) {
  struct session session = {.out = stdout, .width = 80};

  (void)state;
  assert_int_equal(write_text(&session, path, false, "one", COMMAND_CANCELED),
                   COMMAND_CANCELED);
  assert_int_not_equal(access(path, F_OK), 0);
  assert_int_equal(write_text(&session, path, false, "one", COMMAND_OK),
                   COMMAND_OK);
  check_content("one");
  assert_int_equal(write_text(&session, path, false, "two", COMMAND_OK),
                   COMMAND_FAILED);
  assert_non_null(strstr(session.message, "exists already"));
  assert_int_equal(write_text(&session, path, true, "two", COMMAND_FAILED),
                   COMMAND_FAILED);
  check_content("one");
  assert_int_equal(write_text(&session, path, true, "two", COMMAND_OK),
                   COMMAND_OK);
  check_content("two");
  session_close(&session);
}

static void a_file_made_meanwhile_is_kept(void **state) {
  struct session session = {.out = stdout};
  struct output output;

  (void)state;
  unlink(path);
  assert_int_equal(output_open(&session, path, false, &output), COMMAND_OK);
  FILE *other = fopen(path, "w");
  fputs("other", other);
  fclose(other);
  fputs("mine", output.file);
  assert_int_equal(output_close(&session, &output, COMMAND_OK), COMMAND_FAILED);
  check_content("other");
  session_close(&session);
}

static void links_and_devices_stay_what_they_are(void **state) {
  struct session session = {.out = stdout};
  struct stat status;

  (void)state;
  assert_int_equal(symlink(path, link_path), 0);
  assert_int_equal(write_text(&session, link_path, true, "three", COMMAND_OK),
                   COMMAND_OK);
  check_content("three");
  assert_int_equal(lstat(link_path, &status), 0);
  assert_true(S_ISLNK(status.st_mode));
  assert_int_equal(write_text(&session, "/dev/null", false, "x", COMMAND_OK),
                   COMMAND_OK);
  assert_int_equal(stat("/dev/null", &status), 0);
  assert_true(S_ISCHR(status.st_mode));
  session_close(&session);
}

static void failures_say_why(void **state) {
  struct session session = {.out = stdout};

  (void)state;
  assert_int_equal(
      write_text(&session, "/nonexistent/x", false, "", COMMAND_OK),
      COMMAND_FAILED);
  assert_non_null(strstr(session.message, "No such file or directory"));
  assert_int_equal(write_text(&session, "/dev/full", false, "x", COMMAND_OK),
                   COMMAND_FAILED);
  assert_non_null(strstr(session.message, "No space left"));
  session_close(&session);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(options_stand_anywhere),
      cmocka_unit_test(detail_may_be_none_or_all),
      cmocka_unit_test(two_dashes_end_options),
      cmocka_unit_test(leading_options_end_at_the_command),
      cmocka_unit_test(errors_name_option_and_value),
      cmocka_unit_test(muppy_itself_is_not_named),
      cmocka_unit_test(addresses_are_numbers_or_asked_of_gdb),
      cmocka_unit_test(files_are_never_lost),
      cmocka_unit_test(a_file_made_meanwhile_is_kept),
      cmocka_unit_test(links_and_devices_stay_what_they_are),
      cmocka_unit_test(failures_say_why),
  };

  return cmocka_run_group_tests_name("options", tests, make_directory,
                                     remove_directory);
}
