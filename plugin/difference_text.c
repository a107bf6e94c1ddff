/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "difference_text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/describe.h"
#include "plugin/identity_text.h"
#include "plugin/render/number.h"
#include "plugin/render/table.h"
#include "plugin/render/wrap.h"
#include "plugin/session.h"

/** The words of -sort. */
enum sort {
  SORT_SIZE,
  SORT_COUNT,
  SORT_TYPE,
  SORT_ADDRESS,
};

enum {
  NUMBER_TEXT = 24,
  BLOCK = 4096, /**< Objects that are printed at a time. */
};

struct difference {
  const struct difference_options *options;
  const struct difference_side *before, *after;
  const struct output *output;
  bool *before_chosen, *after_chosen; /**< NULL: all. */
};

/* What is compared -------------------------------------------------------- */

static void print_side(const struct output *output,
                       const struct difference_side *side) {
  cleanup_buffer struct buffer text = {0};

  escape_add(&text, side->name);
  if (text.length < 6)
    buffer_fill(&text, ' ', 6 - text.length);
  buffer_add(&text, "  ");
  fputs(buffer_string(&text), output->file);
  size_t indent = display_width(buffer_string(&text));
  buffer_clear(&text);
  identity_add(&text, &side->snapshot->identity);
  uint32_t unreadable = pyheap_snapshot_unreadable(side->snapshot);
  if (unreadable) {
    buffer_add(&text, "; ");
    describe_count(&text, unreadable, "object");
    buffer_add(&text, " of an unreadable type, shown as ?");
  }
  print_wrapped(output->file, output->width, indent, buffer_string(&text));
}

/** Whether objects can be compared, and in words why. */
static bool explain(enum pyheap_kinship kinship, bool same, const char **why) {
  switch (kinship) {
  case PYHEAP_SAME_PROCESS:
    *why = "Compared object by object: both are of one process.";
    return true;
  case PYHEAP_SAME_PROCESS_PROBABLY:
    *why = "Compared object by object: both seem to be of one process, by its "
           "id, its\nprogram and the address of its runtime.";
    return true;
  case PYHEAP_RELATED_PROCESSES:
    *why = same
               ? "Compared object by object, as -same says: both come from one "
                 "start of a program,\nthough their process ids differ."
               : "Compared by type: both come from one start of a program, "
                 "but their process ids\ndiffer (a fork, or two PID "
                 "namespaces); -same takes them for one process.";
    return same;
  default:
    *why = "Compared by type: these are two processes, whose addresses have "
           "nothing in common.";
    return false;
  }
}

/* Rows -------------------------------------------------------------------- */

static uint64_t magnitude(int64_t value) {
  return value < 0 ? -(uint64_t)value : (uint64_t)value;
}

/** Adds to a sum of sizes.  A file may hold any numbers: what is too big for a
 * sum makes it wrong, and nothing else. */
static void add_bytes(int64_t *sum, int64_t bytes) {
  *sum = (int64_t)((uint64_t)*sum + (uint64_t)bytes);
}

static int compare_rows(const void *left, const void *right, void *context) {
  const struct difference_options *options = context;
  const struct pyheap_difference_row *a = left, *b = right;
  int order = strcmp(a->name, b->name);

  if (options->sort == SORT_SIZE && a->bytes != b->bytes)
    order = a->bytes < b->bytes ? -1 : 1;
  else if (options->sort == SORT_COUNT && a->count != b->count)
    order = a->count < b->count ? -1 : 1;
  else
    /* Names, and so ties, in one order whatever the direction. */
    return order;
  return options->ascending ? order : -order;
}

static const char *format_count(char buffer[NUMBER_TEXT], int64_t count,
                                bool change) {
  snprintf(buffer, NUMBER_TEXT, change && count > 0 ? "+%" PRId64 : "%" PRId64,
           count);
  return buffer;
}

static void add_row(struct table *table,
                    const struct pyheap_difference_row *row, bool counts,
                    bool sizes) {
  char number[NUMBER_TEXT], size[SIZE_TEXT];
  cleanup_buffer struct buffer name = {0};

  escape_add(&name, row->name);
  table_add(table, buffer_string(&name));
  table_add(table, format_count(number, row->count, counts));
  table_add(table, sizes ? format_change(size, row->bytes)
                         : format_size(size, (uint64_t)row->bytes));
}

/** The table of types.  Numbers, sizes or both are changes, with a sign. */
static void print_rows(const struct difference *difference,
                       struct pyheap_difference_row *rows, size_t count,
                       bool counts, bool sizes) {
  const struct table_column columns[] = {
      {"types", ALIGN_RIGHT, 2, 16, CUT_START},
      {counts ? "# objects +/-" : "# objects", ALIGN_RIGHT, 2, 0, CUT_END},
      {sizes ? "total size +/-" : "total size", ALIGN_RIGHT, 2, 0, CUT_END},
  };
  struct table *table = table_create(columns, 3);
  struct pyheap_difference_row total = {.name = "total"}, rest = {0};
  uint64_t limit = table_shown(count, difference->options->limit);
  char title[64];

  qsort_r(rows, count, sizeof *rows, compare_rows, (void *)difference->options);
  for (size_t i = 0; i < count; i++) {
    total.count += rows[i].count;
    add_bytes(&total.bytes, rows[i].bytes);
    if (i < limit) {
      add_row(table, &rows[i], counts, sizes);
    } else {
      rest.count += rows[i].count;
      add_bytes(&rest.bytes, rows[i].bytes);
    }
  }
  if (count > limit) {
    snprintf(title, sizeof title, ELLIPSIS " %" PRIu64 " more types",
             count - limit);
    rest.name = title;
    add_row(table, &rest, counts, sizes);
  }
  table_rule(table);
  add_row(table, &total, counts, sizes);
  table_print(table, difference->output->file, difference->output->width);
  table_destroy(table);
}

/* Objects ----------------------------------------------------------------- */

/** The side whose type and reference count are shown. */
static const struct difference_side *
side_of(const struct difference *difference,
        const struct pyheap_changed *changed, pyheap_node *object) {
  bool after = changed->after != PYHEAP_NO_NODE;

  *object = after ? changed->after : changed->before;
  return after ? difference->after : difference->before;
}

/** How much more the object takes; of one that is on one side only, its size.
 */
static int64_t bytes_of(const struct difference *difference,
                        const struct pyheap_changed *changed) {
  uint64_t before = 0, after = 0;

  if (changed->before != PYHEAP_NO_NODE)
    before = difference->before->snapshot->sizes[changed->before];
  if (changed->after != PYHEAP_NO_NODE)
    after = difference->after->snapshot->sizes[changed->after];
  if (changed->after == PYHEAP_NO_NODE)
    return (int64_t)before;
  return (int64_t)(after - before);
}

/** Whether what changed is an object that is meant, before or after. */
static bool is_chosen(const struct difference *difference,
                      const struct pyheap_changed *changed) {
  return !difference->before_chosen ||
         (changed->before != PYHEAP_NO_NODE &&
          difference->before_chosen[changed->before]) ||
         (changed->after != PYHEAP_NO_NODE &&
          difference->after_chosen[changed->after]);
}

/** Leaves those that are meant. */
static void choose(const struct difference *difference,
                   struct pyheap_changes *changes) {
  for (size_t kind = 0; kind < PYHEAP_CHANGES; kind++) {
    struct pyheap_changed_list *list = &changes->kinds[kind];
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++)
      if (is_chosen(difference, &list->items[i]))
        list->items[kept++] = list->items[i];
    list->count = kept;
  }
  /* Of what is lost its size matters, not whether that is another. */
  struct pyheap_changed_list *lost = &changes->kinds[PYHEAP_CHANGE_LOST];
  for (size_t i = 0; i < lost->count; i++)
    lost->items[i].before = PYHEAP_NO_NODE;
}

static int compare_changed(const void *left, const void *right, void *context) {
  const struct difference *difference = context;
  const struct difference_options *options = difference->options;
  const struct pyheap_changed *a = left, *b = right;
  pyheap_node one, other;
  const struct pyheap_snapshot *snapshot =
      side_of(difference, a, &one)->snapshot;
  int order;

  side_of(difference, b, &other);
  if (options->sort == SORT_TYPE) {
    order = strcmp(snapshot->types[snapshot->type_of[one]].name,
                   snapshot->types[snapshot->type_of[other]].name);
    if (order)
      return order;
  } else if (options->sort != SORT_ADDRESS) {
    uint64_t x = magnitude(bytes_of(difference, a));
    uint64_t y = magnitude(bytes_of(difference, b));
    if (x != y)
      return (x < y) == options->ascending ? -1 : 1;
  }
  return one < other ? -1 : one > other;
}

static void add_address(struct table *table, uint64_t address) {
  cleanup_buffer struct buffer text = {0};

  buffer_format(&text, "0x%016" PRIx64, address);
  table_add(table, buffer_string(&text));
}

/** "list 0x7f3c5a2b1c40 and 2 more", of an object of a snapshot. */
static void add_holders(struct buffer *text,
                        const struct pyheap_snapshot *snapshot,
                        pyheap_node object) {
  uint64_t start = snapshot->starts[object];
  uint64_t count = snapshot->starts[object + 1] - start;

  if (!count)
    return;
  uint32_t holder = snapshot->referrers[start];
  if (holder >= snapshot->count) {
    escape_add(text, snapshot->roots[holder - snapshot->count].name);
  } else {
    escape_add(text, snapshot->types[snapshot->type_of[holder]].name);
    buffer_format(text, " 0x%" PRIx64, snapshot->addresses[holder]);
  }
  if (count > 1)
    buffer_format(text, " and %" PRIu64 " more", count - 1);
}

/** The last column: the value, as far as there still is one, else what the
 * object was held by. */
static void add_last(struct table *table, const struct difference_side *side,
                     pyheap_node object) {
  cleanup_buffer struct buffer text = {0};

  if (side->heap) {
    pyheap_node node =
        pyheap_node_at(side->heap, side->snapshot->addresses[object]);
    if (node != PYHEAP_NO_NODE)
      describe_value(&text, side->heap, node, SHORT_VALUE);
  } else {
    add_holders(&text, side->snapshot, object);
  }
  table_add(table, buffer_string(&text));
}

static bool has_last(const struct difference_side *side) {
  return side->heap || side->snapshot->starts;
}

static void add_changed(const struct difference *difference,
                        struct table *table,
                        const struct pyheap_changed *changed, bool sizes,
                        bool last) {
  pyheap_node object;
  const struct difference_side *side = side_of(difference, changed, &object);
  const struct pyheap_snapshot *snapshot = side->snapshot;
  bool uncertain = snapshot->flags[object] & PYHEAP_SNAPSHOT_SIZE_UNCERTAIN;
  cleanup_buffer struct buffer text = {0};

  add_address(table, snapshot->addresses[object]);
  buffer_format(&text, "%" PRIu64 "%s", snapshot->sizes[object],
                uncertain ? "+" : "");
  table_add(table, buffer_string(&text));
  if (sizes) {
    char number[NUMBER_TEXT];
    table_add(table, format_count(number, bytes_of(difference, changed), true));
  }
  buffer_clear(&text);
  describe_refcount(&text, snapshot->refcounts[object]);
  table_add(table, buffer_string(&text));
  buffer_clear(&text);
  escape_add(&text, snapshot->types[snapshot->type_of[object]].name);
  table_add(table, buffer_string(&text));
  if (last)
    add_last(table, side, object);
}

/** False when interrupted. */
static bool print_list(struct session *session,
                       const struct difference *difference,
                       struct pyheap_changed_list *list, bool sizes) {
  const struct output *output = difference->output;
  pyheap_node object;
  const struct difference_side *side =
      side_of(difference, &list->items[0], &object);
  struct table_column columns[6] = {{"address", ALIGN_LEFT, 0, 0, CUT_END},
                                    {"size", ALIGN_RIGHT, 0, 0, CUT_END}};
  size_t count = 2;

  if (sizes)
    columns[count++] = (struct table_column){"+/-", ALIGN_RIGHT, 0, 0, CUT_END};
  columns[count++] =
      (struct table_column){"refcount", ALIGN_RIGHT, 0, 0, CUT_END};
  columns[count++] =
      (struct table_column){"type", ALIGN_LEFT, 0, 12, CUT_START};
  if (has_last(side))
    columns[count++] = (struct table_column){side->heap ? "value" : "held by",
                                             ALIGN_LEFT, 0, 12, CUT_END};
  struct table *table = table_create(columns, count);
  qsort_r(list->items, list->count, sizeof *list->items, compare_changed,
          (void *)difference);
  uint64_t limit = difference->options->limit;
  bool complete = true;
  for (size_t i = 0; i < list->count && i < limit && complete; i++) {
    add_changed(difference, table, &list->items[i], sizes, has_last(side));
    if (i % BLOCK != BLOCK - 1)
      continue;
    table_flush(table, output->file, output->width);
    complete = session_continue(session, "listing objects", i, list->count);
  }
  table_flush(table, output->file, output->width);
  table_destroy(table);
  session_done(session);
  if (complete && list->count > limit)
    fprintf(output->file,
            ELLIPSIS " %" PRIu64 " more; -limit unlimited shows all\n",
            list->count - limit);
  return complete;
}

/** The rows of the types of a list. */
static struct pyheap_difference_row *
sum_list(const struct difference *difference,
         const struct pyheap_changed_list *list, size_t *count) {
  pyheap_node object;
  const struct pyheap_snapshot *snapshot =
      side_of(difference, &list->items[0], &object)->snapshot;
  struct pyheap_difference_row *rows =
      must_alloc(snapshot->type_count * sizeof *rows);
  size_t used = 0;

  for (uint32_t i = 0; i < snapshot->type_count; i++)
    rows[i] = (struct pyheap_difference_row){.name = snapshot->types[i].name};
  for (size_t i = 0; i < list->count; i++) {
    side_of(difference, &list->items[i], &object);
    rows[snapshot->type_of[object]].count++;
    add_bytes(&rows[snapshot->type_of[object]].bytes,
              bytes_of(difference, &list->items[i]));
  }
  for (uint32_t i = 0; i < snapshot->type_count; i++)
    if (rows[i].count)
      rows[used++] = rows[i];
  *count = pyheap_merge_rows(rows, used);
  return rows;
}

static const struct {
  const char *title;
  const char *word; /**< Behind a number. */
  bool sizes;       /**< What matters is by how much it grew. */
} change_texts[PYHEAP_CHANGES] = {
    [PYHEAP_CHANGE_NEW] = {"New", "new", false},
    [PYHEAP_CHANGE_GONE] = {"Gone", "gone", false},
    [PYHEAP_CHANGE_GROWN] = {"Grown", "grown", true},
    [PYHEAP_CHANGE_SHRUNK] = {"Shrunk", "shrunk", true},
    [PYHEAP_CHANGE_LOST] = {"Lost (in memory, but nothing leads to them)",
                            "lost", false},
};

/** "12 new, 3 gone, 1 grown". */
static void print_counts(const struct difference *difference,
                         const struct pyheap_changes *changes) {
  cleanup_buffer struct buffer text = {0};

  for (size_t kind = 0; kind < PYHEAP_CHANGES; kind++)
    if (changes->kinds[kind].count)
      buffer_format(&text, "%s%zu %s", text.length ? ", " : "",
                    changes->kinds[kind].count, change_texts[kind].word);
  if (!text.length)
    fputs("No object is new, gone, grown or shrunk.\n",
          difference->output->file);
  else
    fprintf(difference->output->file, "Objects: %s%s\n", buffer_string(&text),
            difference->options->objects ? "" : "; -objects lists them");
}

/** False when interrupted. */
static bool print_objects(struct session *session,
                          const struct difference *difference,
                          struct pyheap_changes *changes) {
  FILE *out = difference->output->file;

  for (size_t kind = 0; kind < PYHEAP_CHANGES; kind++) {
    struct pyheap_changed_list *list = &changes->kinds[kind];
    bool sizes = change_texts[kind].sizes;
    size_t count;
    if (!list->count)
      continue;
    struct pyheap_difference_row *rows = sum_list(difference, list, &count);
    fprintf(out, "\n%s:\n", change_texts[kind].title);
    print_rows(difference, rows, count, false, sizes);
    free(rows);
    fputc('\n', out);
    if (!print_list(session, difference, list, sizes))
      return false;
  }
  return true;
}

/* Both -------------------------------------------------------------------- */

/** The table of the types of which there are more or fewer. */
static enum command_status print_types(struct session *session,
                                       const struct difference *difference) {
  struct pyheap_difference_row *rows;
  size_t count, used = 0;
  struct pyheap_error *error = pyheap_compare_types(
      difference->before->snapshot, difference->after->snapshot,
      difference->before_chosen, difference->after_chosen, &rows, &count);

  if (error)
    return session_error(session, error);
  for (size_t i = 0; i < count; i++)
    if (rows[i].count || rows[i].bytes)
      rows[used++] = rows[i];
  if (used)
    print_rows(difference, rows, used, true, true);
  else
    fputs("There is as much of every type.\n", difference->output->file);
  free(rows);
  return COMMAND_OK;
}

/** Says which objects are meant by -tracked or -untracked in one of both only. */
static void print_retracked(const struct difference *difference,
                            const struct pyheap_changes *changes) {
  const struct select_options *options = &difference->options->select;
  const struct pyheap_changed_list *list = &changes->retracked;
  uint64_t now = 0, before = 0;

  if (!options->tracked && !options->untracked)
    return;
  for (size_t i = 0; i < list->count; i++) {
    pyheap_node after = list->items[i].after;
    if (!difference->after_chosen[after])
      continue;
    if (difference->after->snapshot->flags[after] & PYHEAP_SNAPSHOT_TRACKED)
      now++;
    else
      before++;
  }
  if (before)
    fprintf(difference->output->file,
            "No longer tracked: %" PRIu64 " (counted in both)\n", before);
  if (now)
    fprintf(difference->output->file,
            "Tracked only now: %" PRIu64 " (counted in both)\n", now);
}

static enum command_status print_changes(struct session *session,
                                         const struct difference *difference,
                                         struct pyheap_changes *changes) {
  choose(difference, changes);
  print_counts(difference, changes);
  print_retracked(difference, changes);
  if (difference->options->objects &&
      !print_objects(session, difference, changes))
    return session_canceled(session);
  return COMMAND_OK;
}

/** What is meant before or after and is there in both counts in both: a list
 * that grew beyond -min is no new one, and a dict that the collector gave up is
 * not gone. */
static void choose_both(const struct difference *difference,
                        const struct pyheap_changes *changes) {
  const struct pyheap_changed_list *const lists[] = {
      &changes->kinds[PYHEAP_CHANGE_GROWN],
      &changes->kinds[PYHEAP_CHANGE_SHRUNK],
      &changes->retracked,
  };

  for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
    for (size_t j = 0; j < lists[i]->count; j++) {
      bool *before = &difference->before_chosen[lists[i]->items[j].before];
      bool *after = &difference->after_chosen[lists[i]->items[j].after];
      *before = *after = *before || *after;
    }
}

/** The types, and behind them the objects. */
static enum command_status print_exact(struct session *session,
                                       const struct difference *difference) {
  struct pyheap_changes changes;
  struct pyheap_error *error = pyheap_changes_init(
      difference->before->snapshot, difference->after->snapshot, &changes);

  if (error)
    return session_error(session, error);
  if (difference->before_chosen)
    choose_both(difference, &changes);
  enum command_status status = print_types(session, difference);
  if (status == COMMAND_OK) {
    fputc('\n', difference->output->file);
    status = print_changes(session, difference, &changes);
  }
  pyheap_changes_deinit(&changes);
  return status;
}

static enum command_status select_both(struct session *session,
                                       struct difference *difference) {
  const struct select_options *options = &difference->options->select;
  bool known_before, known_after;

  difference->before_chosen =
      snapshot_select(difference->before->snapshot, options, &known_before);
  difference->after_chosen =
      snapshot_select(difference->after->snapshot, options, &known_after);
  if (known_before || known_after)
    return COMMAND_OK;
  return session_fail(session, COMMAND_FAILED,
                      "no type is %s '%s', before or after",
                      options->type ? "named" : "of a module named",
                      options->type ? options->type : options->module);
}

static enum command_status show(struct session *session, const char *command,
                                const struct difference *difference) {
  FILE *out = difference->output->file;
  const char *why;
  enum pyheap_kinship kinship =
      pyheap_identity_compare(&difference->before->snapshot->identity,
                              &difference->after->snapshot->identity);
  bool exact = explain(kinship, difference->options->same, &why);

  if (difference->options->same && !exact)
    return session_fail(session, COMMAND_FAILED,
                        "%s: -same: these are two processes, whose addresses "
                        "have nothing in common",
                        command);
  if (difference->options->objects && !exact)
    return session_fail(
        session, COMMAND_FAILED, "%s: -objects: %s", command,
        kinship == PYHEAP_RELATED_PROCESSES
            ? "these have two process ids; with -same they are taken for one "
              "process"
            : "these are two processes, whose addresses have nothing in "
              "common; without -objects they are compared by type");
  print_side(difference->output, difference->before);
  print_side(difference->output, difference->after);
  fprintf(out, "%s\n\n", why);
  return exact ? print_exact(session, difference)
               : print_types(session, difference);
}

enum command_status difference_show(struct session *session,
                                    const char *command,
                                    const struct difference_options *options,
                                    const struct difference_side *before,
                                    const struct difference_side *after,
                                    const struct output *output) {
  struct difference difference = {
      .options = options, .before = before, .after = after, .output = output};
  enum command_status status = select_both(session, &difference);

  if (status == COMMAND_OK)
    status = show(session, command, &difference);
  free(difference.before_chosen);
  free(difference.after_chosen);
  return status;
}
