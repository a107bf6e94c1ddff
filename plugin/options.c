/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/render/number.h"
#include "plugin/type_match.h"
#include "session.h"

/** What getopt returns for option 0: above every character. */
enum {
  FIRST_VALUE = 256,
  OPERAND = 1, /**< getopt's own, for an operand in its place. */
  PREFIX = 32, /**< Bytes for a command's name in a message. */
};

static size_t option_count(const struct command_option *options) {
  size_t count = 0;

  while (options[count].name)
    count++;
  return count;
}

/** The index of the word VALUE, possibly abbreviated, in "size|count|type"; -1
 * when it is none of them or the start of several.  An only word is not
 * abbreviated: its start may be a word for something else, as json is for what
 * jsonl is not. */
static int choose(const char *words, const char *value) {
  size_t length = strlen(value);
  int found = -1;

  if (!strchr(words, '|'))
    return strcmp(words, value) ? -1 : 0;

  for (int i = 0; *words; i++) {
    size_t word = strcspn(words, "|");
    if (length <= word && length && strncmp(words, value, length) == 0) {
      if (length == word)
        return i;
      found = found == -1 ? i : -2;
    }
    words += word + (words[word] == '|');
  }
  return found < 0 ? -1 : found;
}

static bool store(const struct command_option *option, const char *value,
                  void *values) {
  void *to = (char *)values + option->offset;
  const char *end = value;
  uint64_t number = 0;

  switch (option->kind) {
  case OPTION_FLAG:
    *(bool *)to = true;
    return true;
  case OPTION_COUNT:
    return parse_count(value, to);
  case OPTION_LEVELS:
    return value[strspn(value, "0")] && parse_count(value, to);
  case OPTION_DETAIL:
    if (!parse_count(value, to))
      return false;
    if (!value[strspn(value, "0")])
      *(uint64_t *)to = 0;
    return true;
  case OPTION_NUMBER:
    /* An address in hexadecimal is a number as well, so look at the digits. */
    if (!*value || end[strspn(end, "0123456789")] ||
        !parse_address(value, &number))
      return false;
    *(uint64_t *)to = number;
    return true;
  case OPTION_SIZE:
    return parse_size(value, to);
  case OPTION_CHOICE:
    *(int *)to = choose(option->argument, value);
    return *(int *)to >= 0;
  case OPTION_TEXT:
    *(const char **)to = value;
    return *value != '\0';
  }
  return false;
}

static const char *expected(const struct command_option *option) {
  switch (option->kind) {
  case OPTION_COUNT:
  case OPTION_DETAIL:
    return "a number or \"unlimited\"";
  case OPTION_LEVELS:
    return "a number from 1 on or \"unlimited\"";
  case OPTION_NUMBER:
    return "a number";
  case OPTION_SIZE:
    return "a size in bytes such as 512, 1k or 2M";
  default:
    return option->argument;
  }
}

/** What stands before a message: "filter: ", or nothing for the options of
 * muppy itself, which is named where the message is shown. */
static const char *prefix(char *buffer, size_t size, const char *command) {
  snprintf(buffer, size, "%s: ", command);
  return strcmp(command, "muppy") ? buffer : "";
}

/** The option by which this command says how many levels it goes, when NAME is
 * another command's word for that; or NULL. */
static const char *other_word(const struct command_option *options,
                              const char *name, size_t length) {
  static const char *const words[] = {"depth", "level", "detail"};
  const size_t count = sizeof words / sizeof *words;
  bool asked = false;

  for (size_t i = 0; i < count; i++)
    asked |= length >= 3 && strncmp(words[i], name, length) == 0;
  for (; asked && options->name; options++)
    for (size_t i = 0; i < count; i++)
      if (options->kind != OPTION_CHOICE &&
          strcmp(options->name, words[i]) == 0)
        return options->name;
  return NULL;
}

/** The option of the first LENGTH characters of NAME, or NULL. */
static const struct command_option *
find_option(const struct command_option *options, const char *name,
            size_t length) {
  for (; options && options->name; options++)
    if (strlen(options->name) == length &&
        strncmp(options->name, name, length) == 0)
      return options;
  return NULL;
}

/** The option that NAME of LENGTH characters is nearly, or NULL. */
static const char *nearest(const struct command_option *options,
                           const char *name, size_t length) {
  cleanup_buffer struct buffer typed = {0};
  const char *found = NULL;
  size_t distance = 3;

  buffer_append(&typed, name, length);
  for (; options->name; options++) {
    size_t edits = edit_distance(buffer_string(&typed), options->name, 2);
    /* Half of its letters tell nothing. */
    if (edits < distance && 2 * edits < length) {
      distance = edits;
      found = options->name;
    }
  }
  return found;
}

/** Why getopt did not take the argument GIVEN. */
static enum command_status refuse(struct session *session,
                                  const struct command_option *options,
                                  const char *command, const char *given) {
  char before[PREFIX];
  const char *name = given + strspn(given, "-");
  size_t length = strcspn(name, "=");
  int shown = (int)(name - given + (ptrdiff_t)length);
  const char *candidates[2] = {NULL, NULL};
  size_t found = 0;

  for (const struct command_option *option = options; option->name; option++)
    if (strncmp(option->name, name, length) == 0 && found < 2)
      candidates[found++] = option->name;
  if (found == 2)
    return session_fail(session, COMMAND_USAGE,
                        "%soption '%.*s' could be -%s or -%s",
                        prefix(before, sizeof before, command), shown, given,
                        candidates[0], candidates[1]);
  const struct command_option *leading =
      find_option(session->leading_options, name, length);
  if (leading)
    return session_fail(session, COMMAND_USAGE,
                        "%soption --%s goes before the command: muppy "
                        "--%s%s%s %s",
                        prefix(before, sizeof before, command), leading->name,
                        leading->name, leading->argument ? "=" : "",
                        leading->argument ? leading->argument : "", command);
  const char *near = other_word(options, name, length);
  if (!near)
    near = nearest(options, name, length);
  bool own = strcmp(command, "muppy") == 0;
  if (near)
    return session_fail(
        session, COMMAND_USAGE, "%sthere is no option '%s'; did you mean %s%s?",
        prefix(before, sizeof before, command), given, own ? "--" : "-", near);
  return session_fail(session, COMMAND_USAGE,
                      "%sthere is no option '%s'; see muppy %s%s",
                      prefix(before, sizeof before, command), given,
                      own ? "" : "help ", own ? "--help" : command);
}

/** Stores the value that getopt found of OPTION, which is not to be SEEN yet. */
static enum command_status take_option(struct session *session,
                                       const struct command_option *option,
                                       const char *before, bool *seen,
                                       void *values) {
  /* One of the two would go unheeded. */
  if (option->argument && *seen)
    return session_fail(session, COMMAND_USAGE, "%soption -%s is given twice",
                        before, option->name);
  *seen = true;
  if (store(option, optarg, values))
    return COMMAND_OK;
  return session_fail(
      session, COMMAND_USAGE,
      *optarg ? "%soption -%s: '%s' is not %s%s"
              : "%soption -%s: the value '%s' is empty; give %s%s",
      before, option->name, optarg,
      option->kind == OPTION_CHOICE ? "one of " : "", expected(option));
}

static enum command_status parse(struct session *session,
                                 const struct command_option *options,
                                 const char *mode, int argc, char **argv,
                                 void *values, int *operands) {
  size_t count = option_count(options);
  struct option *longs = must_alloc((count + 1) * sizeof *longs);
  bool *seen = must_alloc((count + 1) * sizeof *seen);
  enum command_status status = COMMAND_OK;
  const char *command = argv[0];
  int kept = 0;
  char buffer[PREFIX];
  const char *before = prefix(buffer, sizeof buffer, command);

  for (size_t i = 0; i < count; i++)
    longs[i] = (struct option){
        .name = options[i].name,
        .has_arg = options[i].argument ? required_argument : no_argument,
        .val = FIRST_VALUE + (int)i,
    };
  longs[count] = (struct option){0};
  memset(seen, 0, (count + 1) * sizeof *seen);
  optind = 0; /* glibc: forget the last command line. */
  while (status == COMMAND_OK) {
    int value = getopt_long_only(argc, argv, mode, longs, NULL);
    if (value == -1)
      break;
    if (value == OPERAND)
      argv[1 + kept++] = optarg;
    else if (value == ':')
      status =
          session_fail(session, COMMAND_USAGE, "%soption -%s needs a value: %s",
                       before, options[optopt - FIRST_VALUE].name,
                       expected(&options[optopt - FIRST_VALUE]));
    else if (value == '?' && optopt >= FIRST_VALUE)
      status =
          session_fail(session, COMMAND_USAGE, "%soption -%s takes no value",
                       before, options[optopt - FIRST_VALUE].name);
    else if (value == '?')
      status = refuse(session, options, command, argv[optind - 1]);
    else
      status = take_option(session, &options[value - FIRST_VALUE], before,
                           &seen[value - FIRST_VALUE], values);
  }
  free(longs);
  free(seen);
  if (status != COMMAND_OK)
    return status;
  if (*mode == '+') {
    *operands = optind;
    return COMMAND_OK;
  }
  while (optind < argc)
    argv[1 + kept++] = argv[optind++];
  *operands = kept;
  return COMMAND_OK;
}

enum command_status options_parse(struct session *session,
                                  const struct command_option *options,
                                  int argc, char **argv, void *values,
                                  int *operands) {
  return parse(session, options, "-:", argc, argv, values, operands);
}

enum command_status options_parse_leading(struct session *session,
                                          const struct command_option *options,
                                          int argc, char **argv, void *values,
                                          int *first) {
  return parse(session, options, "+:", argc, argv, values, first);
}
