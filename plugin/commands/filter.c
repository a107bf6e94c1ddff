/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "commands.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/describe.h"
#include "plugin/options.h"
#include "plugin/output.h"
#include "plugin/render/number.h"
#include "plugin/render/table.h"
#include "plugin/select.h"
#include "plugin/session.h"

enum sort {
  SORT_SIZE,
  SORT_ADDRESS,
  SORT_REFCOUNT,
};

struct filter {
  struct select_options select;
  int sort;
  uint64_t limit;
  const char *output;
  bool force;
};

const struct command_option filter_options[] = {
    SELECT_OPTIONS(filter, select),
    {"sort", "size|address|refcount",
     "Largest first (default), by address, or most referred to first.",
     OPTION_CHOICE, offsetof(struct filter, sort)},
    {"limit", "N|unlimited", "Show N objects (default 25).", OPTION_COUNT,
     offsetof(struct filter, limit)},
    OUTPUT_OPTIONS(struct filter),
    {0},
};

struct match {
  uint64_t key; /**< What comes first has the greatest. */
  pyheap_node node;
};

/** The first of all matches so far, at most `limit`: a heap whose top is the
 * last of them, so that millions of matches cost no memory. */
struct matches {
  struct match *best;
  size_t kept, capacity;
  uint64_t limit;
};

/** Whether A is listed before B. */
static bool comes_first(const struct match *a, const struct match *b) {
  return a->key != b->key ? a->key > b->key : a->node < b->node;
}

static int compare_matches(const void *left, const void *right) {
  return comes_first(left, right) ? -1 : 1;
}

static void sift_down(struct matches *matches) {
  struct match *best = matches->best;
  size_t at = 0;

  for (;;) {
    size_t last = at, child = 2 * at + 1;
    for (size_t i = child; i < child + 2 && i < matches->kept; i++)
      if (comes_first(&best[last], &best[i]))
        last = i;
    if (last == at)
      return;
    struct match moved = best[at];
    best[at] = best[last];
    best[last] = moved;
    at = last;
  }
}

static void sift_up(struct matches *matches) {
  struct match *best = matches->best;

  for (size_t at = matches->kept - 1; at;) {
    size_t parent = (at - 1) / 2;
    if (!comes_first(&best[parent], &best[at]))
      return;
    struct match moved = best[at];
    best[at] = best[parent];
    best[parent] = moved;
    at = parent;
  }
}

static void keep(struct matches *matches, struct match match) {
  if (matches->kept < matches->limit) {
    if (matches->kept == matches->capacity) {
      matches->capacity = matches->capacity ? matches->capacity * 2 : 64;
      matches->best = must_realloc(matches->best,
                                   matches->capacity * sizeof *matches->best);
    }
    matches->best[matches->kept++] = match;
    sift_up(matches);
  } else if (comes_first(&match, &matches->best[0])) {
    matches->best[0] = match;
    sift_down(matches);
  }
}

static uint64_t sort_key(const struct pyheap *heap, pyheap_node node,
                         int sort) {
  if (sort == SORT_SIZE)
    return pyheap_size(heap, node);
  if (sort == SORT_ADDRESS)
    return 0;
  /* An immortal object's -1 is the greatest of all this way. */
  return (uint64_t)pyheap_refcount(heap, node);
}

/** The selected objects that come first; false when canceled. */
static bool collect(struct session *session, const struct pyheap *heap,
                    const struct pyheap_selection *selection,
                    const struct filter *filter, struct matches *matches) {
  uint64_t seen = 0;

  SELECT_EACH(selection, node) {
    if (seen++ % 65536 == 0 &&
        !session_continue(session, "ordering objects", seen, selection->count))
      return false;
    keep(matches, (struct match){sort_key(heap, node, filter->sort), node});
  }
  return true;
}

static void add_row(struct table *table, const struct pyheap *heap,
                    pyheap_node node) {
  cleanup_buffer struct buffer text = {0};

  buffer_format(&text, "0x%016" PRIx64, pyheap_address(heap, node));
  table_add(table, buffer_string(&text));
  buffer_clear(&text);
  buffer_format(&text, "%" PRIu64 "%s", pyheap_size(heap, node),
                pyheap_size_certain(heap, node) ? "" : "+");
  table_add(table, buffer_string(&text));
  buffer_clear(&text);
  describe_refcount(&text, pyheap_refcount(heap, node));
  table_add(table, buffer_string(&text));
  buffer_clear(&text);
  describe_type(&text, heap, pyheap_type_of(heap, node));
  table_add(table, buffer_string(&text));
  buffer_clear(&text);
  describe_value(&text, heap, node, SHORT_VALUE);
  table_add(table, buffer_string(&text));
}

static void print_matches(const struct output *output,
                          const struct pyheap *heap,
                          const struct pyheap_selection *selection,
                          struct matches *matches) {
  static const struct table_column columns[] = {
      {"address", ALIGN_LEFT, 0, 0, CUT_END},
      {"size", ALIGN_RIGHT, 0, 0, CUT_END},
      {"refcount", ALIGN_RIGHT, 0, 0, CUT_END},
      {"type", ALIGN_LEFT, 0, 12, CUT_START},
      {"value", ALIGN_LEFT, 0, 12, CUT_END},
  };
  cleanup_buffer struct buffer totals = {0};
  char buffer[SIZE_TEXT];

  if (matches->kept) {
    struct table *table = table_create(columns, 5);
    qsort(matches->best, matches->kept, sizeof *matches->best, compare_matches);
    for (size_t i = 0; i < matches->kept; i++)
      add_row(table, heap, matches->best[i].node);
    table_print(table, output->file, output->width);
    table_destroy(table);
  }
  if (selection->count > matches->kept)
    fprintf(output->file,
            ELLIPSIS " %" PRIu64 " more; -limit unlimited shows all\n",
            selection->count - matches->kept);
  describe_count(&totals, selection->count, "object");
  fprintf(output->file, "%s, %s\n", buffer_string(&totals),
          format_size_short(buffer, selection->bytes));
}

static enum command_status check(struct session *session, struct filter *filter,
                                 int operands, char **argv) {
  if (operands == 0)
    return session_fail(session, COMMAND_USAGE,
                        "filter: which type? Give a name, such as dict, "
                        "app.models.User or '*Error'");
  if (operands > 1)
    return session_fail(session, COMMAND_USAGE,
                        "filter: one type, please; '%s' is too much", argv[2]);
  filter->select.type = argv[1];
  return select_check(session, argv[0], &filter->select);
}

static enum command_status run(struct session *session,
                               const struct filter *filter,
                               const struct output *output) {
  enum command_status status;
  struct pyheap_selection selection;
  struct matches matches = {.limit = filter->limit};
  struct pyheap *heap =
      select_objects(session, &filter->select, &selection, &status);

  if (!heap)
    return status;
  bool complete = collect(session, heap, &selection, filter, &matches);
  session_done(session);
  if (complete)
    print_matches(output, heap, &selection, &matches);
  free(matches.best);
  pyheap_selection_deinit(&selection);
  return complete ? COMMAND_OK : session_canceled(session);
}

enum command_status filter_run(struct session *session, int argc, char **argv) {
  struct filter filter = {.select = SELECT_ALL, .limit = 25};
  struct output output;
  int operands;
  enum command_status status =
      options_parse(session, filter_options, argc, argv, &filter, &operands);

  if (status == COMMAND_OK)
    status = check(session, &filter, operands, argv);
  if (status == COMMAND_OK)
    status = output_open(session, filter.output, filter.force, &output);
  if (status != COMMAND_OK)
    return status;
  return output_close(session, &output, run(session, &filter, &output));
}
