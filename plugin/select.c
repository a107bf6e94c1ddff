/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "select.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/render/number.h"
#include "plugin/session.h"
#include "plugin/type_match.h"

/* The options ------------------------------------------------------------- */

enum given {
  GIVEN_TYPE = 1 << 0,
  GIVEN_EXACT = 1 << 1,
  GIVEN_MODULE = 1 << 2,
  GIVEN_SIZE = 1 << 3,
  GIVEN_LENGTH = 1 << 4,
  GIVEN_MIN_REFCOUNT = 1 << 5,
  GIVEN_MAX_REFCOUNT = 1 << 6,
  GIVEN_GENERATION = 1 << 7,
  GIVEN_TRACKED = 1 << 8,
  GIVEN_UNTRACKED = 1 << 9,
  GIVEN_ORPHANS = 1 << 10,
  GIVEN_IMMORTAL = 1 << 11,
  GIVEN_FROM = 1 << 12,
  GIVEN_TO = 1 << 13,
  GIVEN_INTERPRETER = 1 << 14,
};

static unsigned given(const struct select_options *options) {
  const struct {
    enum given bit;
    bool is;
  } rows[] = {
      {GIVEN_TYPE, options->type},
      {GIVEN_EXACT, options->exact},
      {GIVEN_MODULE, options->module},
      {GIVEN_SIZE, options->min_size || options->max_size != UINT64_MAX},
      {GIVEN_LENGTH, options->min_length || options->max_length != UINT64_MAX},
      {GIVEN_MIN_REFCOUNT, options->min_refcount},
      {GIVEN_MAX_REFCOUNT, options->max_refcount != UINT64_MAX},
      {GIVEN_GENERATION, options->generation != SELECT_ANY_GENERATION},
      {GIVEN_TRACKED, options->tracked},
      {GIVEN_UNTRACKED, options->untracked},
      {GIVEN_ORPHANS, options->orphans},
      {GIVEN_IMMORTAL, options->immortal},
      {GIVEN_FROM, options->from},
      {GIVEN_TO, options->to},
      {GIVEN_INTERPRETER, options->interpreter},
  };
  unsigned bits = 0;

  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    bits |= rows[i].is ? rows[i].bit : 0;
  return bits;
}

bool select_is_given(const struct select_options *options) {
  return given(options);
}

bool select_is_tracked(const struct select_options *options) {
  return given(options) == GIVEN_TRACKED;
}

/** What no object can be at once. */
static const struct {
  unsigned both;
  const char *a, *b;
} exclusive[] = {
    {GIVEN_TRACKED | GIVEN_UNTRACKED, "tracked", "untracked"},
    {GIVEN_TRACKED | GIVEN_ORPHANS, "tracked", "orphans"},
    {GIVEN_GENERATION | GIVEN_UNTRACKED, "generation", "untracked"},
    {GIVEN_GENERATION | GIVEN_ORPHANS, "generation", "orphans"},
    {GIVEN_IMMORTAL | GIVEN_MIN_REFCOUNT, "immortal", "min-refcount"},
    {GIVEN_IMMORTAL | GIVEN_MAX_REFCOUNT, "immortal", "max-refcount"},
};

static enum command_status check_ranges(struct session *session,
                                        const char *command,
                                        const struct select_options *options) {
  const struct {
    uint64_t min, max;
    const char *name;
  } ranges[] = {
      {options->min_size, options->max_size, ""},
      {options->min_length, options->max_length, "-length"},
      {options->min_refcount, options->max_refcount, "-refcount"},
  };

  for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
    if (ranges[i].min > ranges[i].max)
      return session_fail(session, COMMAND_USAGE,
                          "%s: -min%s is greater than -max%s", command,
                          ranges[i].name, ranges[i].name);
  return COMMAND_OK;
}

/** An address of -from or -to. */
static enum command_status find_address(struct session *session,
                                        const char *command, const char *option,
                                        const char *text, uint64_t *ret) {
  cleanup_buffer struct buffer what = {0};

  buffer_format(&what, "%s: option -%s", command, option);
  return session_expression(session, buffer_string(&what), text, ret);
}

static enum command_status find_end(struct session *session,
                                    const char *command,
                                    const struct select_options *options,
                                    uint64_t *end) {
  uint64_t length;

  if (options->to[0] != '+')
    return find_address(session, command, "to", options->to, end);
  if (!options->from)
    return session_fail(session, COMMAND_USAGE,
                        "%s: -to +LENGTH needs the address that -from gives",
                        command);
  enum command_status status =
      find_address(session, command, "to", options->to + 1, &length);
  if (status != COMMAND_OK)
    return status;
  if (__builtin_add_overflow(options->from_address, length, end))
    *end = UINT64_MAX;
  return COMMAND_OK;
}

static enum command_status find_addresses(struct session *session,
                                          const char *command,
                                          struct select_options *options) {
  enum command_status status = COMMAND_OK;
  uint64_t end;

  if (options->from)
    status = find_address(session, command, "from", options->from,
                          &options->from_address);
  if (status != COMMAND_OK || !options->to)
    return status;
  status = find_end(session, command, options, &end);
  if (status != COMMAND_OK)
    return status;
  if (end <= options->from_address)
    return session_fail(session, COMMAND_USAGE,
                        "%s: no address is below that of -to%s", command,
                        options->from ? " and not below that of -from" : "");
  options->to_address = end - 1;
  return COMMAND_OK;
}

enum command_status select_check(struct session *session, const char *command,
                                 struct select_options *options) {
  unsigned bits = given(options);

  if (bits & GIVEN_EXACT && !(bits & GIVEN_TYPE))
    return session_fail(session, COMMAND_USAGE, "%s: -exact needs a type",
                        command);
  for (size_t i = 0; i < sizeof exclusive / sizeof *exclusive; i++)
    if ((bits & exclusive[i].both) == exclusive[i].both)
      return session_fail(session, COMMAND_USAGE,
                          "%s: -%s and -%s exclude each other", command,
                          exclusive[i].a, exclusive[i].b);
  enum command_status status = check_ranges(session, command, options);
  return status == COMMAND_OK ? find_addresses(session, command, options)
                              : status;
}

/* What they mean ---------------------------------------------------------- */

/** Leaves only the types of the module; false when none is of it at all. */
static bool match_module(const struct pyheap *heap, const char *module,
                         bool *types, uint32_t count) {
  bool any = false;

  for (uint32_t i = 0; i < count; i++) {
    bool of_module = type_module_matches(module, pyheap_type(heap, i));
    types[i] &= of_module;
    any |= of_module;
  }
  return any;
}

static bool *all_types(uint32_t count) {
  bool *types = must_alloc(count * sizeof *types);

  memset(types, true, count * sizeof *types);
  return types;
}

static enum command_status find_types(struct session *session,
                                      const struct select_options *options,
                                      struct pyheap_filter *filter,
                                      bool **ret) {
  const struct pyheap *heap = session->heap;
  uint32_t count = pyheap_type_count(heap);

  if (!options->type && !options->module)
    return COMMAND_OK;
  bool *types = options->type ? type_match(heap, options->type, !options->exact)
                              : all_types(count);
  if (!types) {
    cleanup_buffer struct buffer near = {0};
    type_suggest(&near, heap, options->type);
    return session_fail(session, COMMAND_FAILED, "no type is named '%s'%s",
                        options->type, buffer_string(&near));
  }
  if (options->module && !match_module(heap, options->module, types, count)) {
    free(types);
    return session_fail(session, COMMAND_FAILED,
                        "no type is of a module named '%s'", options->module);
  }
  filter->types = *ret = types;
  filter->type_count = count;
  return COMMAND_OK;
}

/** The interpreter of -interpreter. */
static enum command_status find_interpreter(struct session *session,
                                            const char *word,
                                            struct pyheap_filter *filter) {
  const struct pyheap *heap = session->heap;
  cleanup_buffer struct buffer ids = {0};
  char *end;

  filter->of_interpreter = true;
  filter->interpreter = strcmp(word, "shared") == 0
                            ? PYHEAP_INTERPRETER_SHARED
                            : PYHEAP_INTERPRETER_UNKNOWN;
  if (filter->interpreter == PYHEAP_INTERPRETER_SHARED ||
      strcmp(word, "unknown") == 0)
    return COMMAND_OK;
  long long id = strtoll(word, &end, 10);
  for (uint32_t i = 0; i < pyheap_interpreter_count(heap); i++) {
    int64_t of_this = pyheap_interpreter(heap, (int32_t)i)->id;
    filter->interpreter = (int32_t)i;
    if (!*end && of_this == id)
      return COMMAND_OK;
    buffer_format(&ids, "%s%" PRId64, i ? ", " : "", of_this);
  }
  return session_fail(session, COMMAND_FAILED,
                      "there is no interpreter '%s'; give one of %s, or "
                      "shared, or unknown",
                      word, buffer_string(&ids));
}

static enum pyheap_wanted only(bool is) {
  return is ? PYHEAP_ONLY : PYHEAP_EITHER;
}

static void set_filter(const struct select_options *options,
                       struct pyheap_filter *filter) {
  *filter = (struct pyheap_filter){
      .min_size = options->min_size,
      .max_size = options->max_size,
      .min_length = options->min_length,
      .max_length = options->max_length,
      .min_refcount = options->min_refcount,
      .max_refcount = options->max_refcount,
      .from = options->from_address,
      .to = options->to_address,
      .tracked = options->untracked ? PYHEAP_WITHOUT : only(options->tracked),
      .immortal = only(options->immortal),
      .orphans = options->orphans ? PYHEAP_ONLY : PYHEAP_WITHOUT,
  };
  if (options->generation != SELECT_ANY_GENERATION)
    filter->generations = 1u << (options->generation - SELECT_GENERATION_0);
}

/** The heap with what the options need to be known of it. */
static struct pyheap *prepare(struct session *session,
                              const struct select_options *options,
                              enum command_status *status) {
  struct pyheap *heap = session_objects(session, status);

  if (!heap)
    return NULL;
  if (options->generation != SELECT_ANY_GENERATION &&
      pyheap_info(heap)->free_threaded)
    *status = session_fail(session, COMMAND_FAILED,
                           "the collector of a free-threaded interpreter has "
                           "no generations");
  else if (options->orphans)
    *status = session_orphans(session, heap);
  if (*status == COMMAND_OK && options->interpreter)
    *status = session_interpreters(session);
  return *status == COMMAND_OK ? heap : NULL;
}

struct pyheap *select_objects(struct session *session,
                              const struct select_options *options,
                              struct pyheap_selection *ret,
                              enum command_status *status) {
  struct pyheap_filter filter;
  bool *types = NULL;
  struct pyheap *heap = prepare(session, options, status);

  if (!heap)
    return NULL;
  set_filter(options, &filter);
  if (options->interpreter)
    *status = find_interpreter(session, options->interpreter, &filter);
  if (*status != COMMAND_OK)
    return NULL;
  *status = find_types(session, options, &filter, &types);
  if (*status != COMMAND_OK)
    return NULL;
  struct pyheap_error *error = pyheap_select(heap, &filter, ret);
  session_done(session);
  free(types);
  if (!error)
    return heap;
  *status = session_error(session, error);
  return NULL;
}
