/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "commands.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/describe.h"
#include "plugin/options.h"
#include "plugin/output.h"
#include "plugin/render/table.h"
#include "plugin/select.h"
#include "plugin/session.h"
#include "plugin/size_note.h"

enum sort {
  SORT_SIZE,
  SORT_COUNT,
  SORT_TYPE,
};

struct summary {
  uint64_t limit;
  int sort;
  bool ascending;
  int detail; /**< Levels above PYHEAP_DETAIL_TYPE. */
  struct select_options select;
  const char *output;
  bool force;
};

const struct command_option summary_options[] = {
    {"limit", "N|unlimited", "Show N types (default 25).", OPTION_COUNT,
     offsetof(struct summary, limit)},
    {"sort", "size|count|type",
     "Largest first (default), most numerous first, or by name from A to Z.",
     OPTION_CHOICE, offsetof(struct summary, sort)},
    {"ascending", NULL, "Smallest or least numerous first.", OPTION_FLAG,
     offsetof(struct summary, ascending)},
    {"detail", "1|2|3",
     "Tell objects apart by type (default); functions and modules by name,\n"
     "dicts, lists and sets by length, frames by function; frames by file.",
     OPTION_CHOICE, offsetof(struct summary, detail)},
    SELECT_TYPE_OPTION(summary, select),
    SELECT_OPTIONS(summary, select),
    OUTPUT_OPTIONS(struct summary),
    {0},
};

/** A line of the table: all objects of one name. */
struct line {
  const char *name;
  uint64_t count;
  uint64_t bytes;
};

static int compare_names(const void *left, const void *right) {
  const struct line *a = left, *b = right;

  return strcmp(a->name, b->name);
}

static int compare_numbers(uint64_t a, uint64_t b) {
  return a < b ? -1 : a > b;
}

static int compare_lines(const void *left, const void *right, void *context) {
  const struct summary *summary = context;
  const struct line *a = left, *b = right;
  int order = 0;

  if (summary->sort == SORT_SIZE)
    order = compare_numbers(a->bytes, b->bytes);
  else if (summary->sort == SORT_COUNT)
    order = compare_numbers(a->count, b->count);
  if (order)
    return summary->ascending ? order : -order;
  /* Names, and so ties, in one order whatever the direction. */
  return strcmp(a->name, b->name);
}

/** One line for each name: a class made anew by every call of a function is
 * one kind of object to who reads the table. */
static size_t merge(struct line *lines, size_t count) {
  size_t kept = 0;

  qsort(lines, count, sizeof *lines, compare_names);
  for (size_t i = 0; i < count; i++) {
    if (kept && strcmp(lines[kept - 1].name, lines[i].name) == 0) {
      lines[kept - 1].count += lines[i].count;
      lines[kept - 1].bytes += lines[i].bytes;
    } else {
      lines[kept++] = lines[i];
    }
  }
  return kept;
}

static void add_line(struct table *table, const struct line *line) {
  cleanup_buffer struct buffer name = {0};

  escape_add(&name, line->name);
  table_add(table, buffer_string(&name));
  table_add_count(table, line->count);
  table_add_size(table, line->bytes);
}

static void print_lines(FILE *out, int width, const struct line *lines,
                        size_t count, uint64_t limit, const char *what) {
  static const struct table_column columns[] = {
      {"types", ALIGN_RIGHT, 2, 16, CUT_START},
      {"# objects", ALIGN_RIGHT, 2, 0, CUT_END},
      {"total size", ALIGN_RIGHT, 2, 0, CUT_END},
  };
  struct table *table = table_create(columns, 3);
  struct line total = {0}, rest = {0};
  char title[64];

  limit = table_shown(count, limit);
  for (size_t i = 0; i < count; i++) {
    total.count += lines[i].count;
    total.bytes += lines[i].bytes;
    if (i < limit) {
      add_line(table, &lines[i]);
    } else {
      rest.count += lines[i].count;
      rest.bytes += lines[i].bytes;
    }
  }
  if (count > limit) {
    snprintf(title, sizeof title, ELLIPSIS " %" PRIu64 " more %ss",
             count - limit, what);
    rest.name = title;
    add_line(table, &rest);
  }
  table_rule(table);
  total.name = "total";
  add_line(table, &total);
  table_print(table, out, width);
  table_destroy(table);
}

/** What is counted: the names of the lines are those of types, or of groups. */
struct lines {
  struct line *list;
  size_t count;
  struct pyheap_group *groups;
  size_t group_count;
  struct size_note note;
};

static void lines_deinit(struct lines *lines) {
  free(lines->list);
  free(lines->note.types);
  pyheap_groups_destroy(lines->groups, lines->group_count);
}

static void add_rows(struct lines *lines, const struct pyheap *heap,
                     const struct pyheap_summary_row *rows, size_t count) {
  lines->list = must_alloc(count * sizeof *lines->list);
  lines->count = count;
  for (size_t i = 0; i < count; i++) {
    lines->list[i] = (struct line){
        .name = pyheap_type(heap, rows[i].type)->name,
        .count = rows[i].count,
        .bytes = rows[i].bytes,
    };
    size_note_add(&lines->note, heap, rows[i].type, rows[i].count);
  }
}

/** The objects of a set that the library has counted, or counts more quickly
 * than it selects. */
static enum command_status count_set(struct session *session,
                                     enum pyheap_set set, struct lines *lines) {
  enum command_status status;
  struct pyheap_summary_row *rows;
  size_t count;
  struct pyheap *heap = session_open(session, &status);

  if (!heap)
    return status;
  struct pyheap_error *error = pyheap_summarize(heap, set, &rows, &count);
  session_done(session);
  if (error)
    return session_error(session, error);
  add_rows(lines, heap, rows, count);
  free(rows);
  return COMMAND_OK;
}

static enum command_status
group_selected(struct session *session, enum pyheap_detail detail,
               const struct pyheap_selection *selection, struct lines *lines) {
  struct pyheap *heap = session->heap;
  struct pyheap_error *error = pyheap_group_selected(
      heap, selection, detail, &lines->groups, &lines->group_count);

  session_done(session);
  if (error)
    return session_error(session, error);
  lines->count = lines->group_count;
  lines->list = must_alloc(lines->count * sizeof *lines->list);
  for (size_t i = 0; i < lines->count; i++) {
    const struct pyheap_group *group = &lines->groups[i];
    lines->list[i] = (struct line){
        .name =
            group->name ? group->name : pyheap_type(heap, group->type)->name,
        .count = group->count,
        .bytes = group->bytes,
    };
    size_note_add(&lines->note, heap, group->type, group->count);
  }
  return COMMAND_OK;
}

static enum command_status count_objects(struct session *session,
                                         const struct summary *summary,
                                         struct lines *lines) {
  enum command_status status;
  struct pyheap_selection selection;

  if (!summary->detail && !select_is_given(&summary->select))
    return count_set(session, PYHEAP_REACHABLE, lines);
  if (!summary->detail && select_is_tracked(&summary->select))
    return count_set(session, PYHEAP_TRACKED, lines);
  struct pyheap *heap =
      select_objects(session, &summary->select, &selection, &status);
  if (!heap)
    return status;
  if (summary->detail)
    status = group_selected(session, PYHEAP_DETAIL_TYPE + summary->detail,
                            &selection, lines);
  else
    add_rows(lines, heap, selection.rows, selection.row_count);
  pyheap_selection_deinit(&selection);
  return status;
}

static enum command_status run(struct session *session, struct summary *summary,
                               const struct output *output) {
  struct lines lines = {0};
  enum command_status status = count_objects(session, summary, &lines);

  if (status == COMMAND_OK) {
    lines.count = merge(lines.list, lines.count);
    qsort_r(lines.list, lines.count, sizeof *lines.list, compare_lines,
            summary);
    print_lines(output->file, output->width, lines.list, lines.count,
                summary->limit, summary->detail ? "line" : "type");
    size_note_print(&lines.note, output);
  }
  lines_deinit(&lines);
  return status;
}

enum command_status summary_run(struct session *session, int argc,
                                char **argv) {
  struct summary summary = {.limit = 25, .select = SELECT_ALL};
  struct output output;
  int operands;
  enum command_status status =
      options_parse(session, summary_options, argc, argv, &summary, &operands);

  if (status != COMMAND_OK)
    return status;
  if (operands)
    return session_fail(
        session, COMMAND_USAGE,
        "summary: '%s' is one too many; the objects of one type "
        "are listed by filter",
        argv[1]);
  status = select_check(session, argv[0], &summary.select);
  if (status == COMMAND_OK)
    status = output_open(session, summary.output, summary.force, &output);
  if (status != COMMAND_OK)
    return status;
  return output_close(session, &output, run(session, &summary, &output));
}
