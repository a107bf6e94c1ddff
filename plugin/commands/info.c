/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "commands.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/describe.h"
#include "plugin/options.h"
#include "plugin/output.h"
#include "plugin/render/number.h"
#include "plugin/render/table.h"
#include "plugin/render/wrap.h"
#include "plugin/session.h"

enum {
  UNEXPLAINED_TYPES = 10, /**< Types listed whose counts are not explained. */
};

struct info {
  const char *output;
  bool force;
};

const struct command_option info_options[] = {
    OUTPUT_OPTIONS(struct info),
    {0},
};

/** "recognised    TEXT", escaped. */
static void print_text(const struct output *output, const char *title,
                       const char *text) {
  cleanup_buffer struct buffer escaped = {0};

  escape_add(&escaped, text);
  fprintf(output->file, "%-13s ", title);
  print_wrapped(output->file, output->width, 14, buffer_string(&escaped));
}

/** The same for numbers. */
__attribute__((format(printf, 3, 4))) static void
print_line(const struct output *output, const char *title, const char *format,
           ...) {
  char line[256];
  va_list arguments;

  va_start(arguments, format);
  vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  print_text(output, title, line);
}

static void print_interpreter(const struct output *output,
                              const struct pyheap_info *info) {
  cleanup_buffer struct buffer text = {0};
  char present[SIZE_TEXT], missing[SIZE_TEXT];

  buffer_format(&text, "CPython %s, %s%s build (0x%08" PRIx32 ")",
                info->version, info->debug ? "debug" : "release",
                info->free_threaded ? ", free-threaded" : "", info->hexversion);
  print_text(output, "interpreter", buffer_string(&text));
  print_text(output, "read from", info->source);
  if (info->exe)
    print_text(output, "program", info->exe);
  print_text(output, "recognised", info->recognised);
  print_line(output, "_PyRuntime", "0x%" PRIx64, info->runtime);
  print_line(output, "running",
             "interpreters %" PRIu32 ", threads %" PRIu32
             ", running frames %" PRIu32,
             info->interpreters, info->threads, info->frames);
  print_line(output, "memory", "%s readable, %s missing",
             format_size_short(present, info->memory_bytes),
             format_size_short(missing, info->missing_bytes));
}

static void add_set(struct table *table, const char *name, uint64_t count,
                    uint64_t bytes) {
  table_add(table, name);
  table_add_count(table, count);
  table_add_size(table, bytes);
}

/** The collector's own lists are found on the C stack of its thread, where the
 * target tells of that. */
static void print_collecting(FILE *out, const struct pyheap_info *info) {
  fprintf(out, "%-13s a collection was going on: its objects are found ",
          "note");
  if (info->collector_lists)
    fprintf(out,
            "on %" PRIu32 " %s of\n%-13s its own, by reference or as "
            "orphans\n",
            info->collector_lists,
            info->collector_lists == 1 ? "list" : "lists", "");
  else
    fprintf(out, "by reference or as\n%-13s orphans\n", "");
}

static void print_sets(FILE *out, int width, const struct pyheap_info *info) {
  static const struct table_column columns[] = {
      {"set", ALIGN_RIGHT, 2, 0, CUT_END},
      {"# objects", ALIGN_RIGHT, 2, 0, CUT_END},
      {"total size", ALIGN_RIGHT, 2, 0, CUT_END},
  };
  struct table *table = table_create(columns, 3);

  add_set(table, "tracked", info->tracked, info->tracked_bytes);
  add_set(table, "reachable", info->reachable, info->reachable_bytes);
  add_set(table, "orphans", info->orphans, info->orphan_bytes);
  table_print(table, out, width);
  table_destroy(table);
}

/** A row of the table of interpreters; WITH_GIL: it says who has which GIL. */
static void add_interpreter(struct table *table, const struct pyheap *heap,
                            int32_t index, bool with_gil) {
  const struct pyheap_interpreter *interpreter =
      pyheap_interpreter(heap, index);
  cleanup_buffer struct buffer name = {0};

  describe_interpreter(&name, heap, index);
  table_add(table, buffer_string(&name));
  if (index < 0)
    table_add(table, "");
  else
    table_add_count(table, interpreter->threads);
  table_add_count(table, interpreter->tracked);
  table_add_count(table, interpreter->objects);
  table_add_size(table, interpreter->bytes);
  if (with_gil)
    table_add(table, index < 0                            ? ""
                     : interpreter->gil == PYHEAP_GIL_OWN ? "own"
                                                          : "main's");
}

/** What belongs to which interpreter, where there are several. */
static void print_interpreters(const struct output *output,
                               const struct pyheap *heap) {
  static const struct table_column columns[] = {
      {"interpreter", ALIGN_RIGHT, 2, 0, CUT_END},
      {"# threads", ALIGN_RIGHT, 2, 0, CUT_END},
      {"# tracked", ALIGN_RIGHT, 2, 0, CUT_END},
      {"# objects", ALIGN_RIGHT, 2, 0, CUT_END},
      {"total size", ALIGN_RIGHT, 2, 0, CUT_END},
      {"GIL", ALIGN_RIGHT, 2, 0, CUT_END}, /* Only where they may differ. */
  };
  uint32_t count = pyheap_interpreter_count(heap);
  bool with_gil = pyheap_interpreter(heap, 0)->gil != PYHEAP_GIL_ONE;

  if (count < 2)
    return;
  struct table *table = table_create(columns, with_gil ? 6 : 5);
  for (uint32_t i = 0; i < count; i++)
    add_interpreter(table, heap, (int32_t)i, with_gil);
  add_interpreter(table, heap, PYHEAP_INTERPRETER_SHARED, with_gil);
  if (pyheap_interpreter(heap, PYHEAP_INTERPRETER_UNKNOWN)->objects)
    add_interpreter(table, heap, PYHEAP_INTERPRETER_UNKNOWN, with_gil);
  fputc('\n', output->file);
  table_print(table, output->file, output->width);
  table_destroy(table);
}

/** How far the counts of one type's objects are from the references found. */
struct unexplained {
  uint32_t type;
  uint64_t objects;
  uint64_t high, low; /**< References too few, and too many, were found. */
};

static int compare_unexplained(const void *left, const void *right,
                               void *context) {
  const struct unexplained *a = left, *b = right;
  const struct pyheap *heap = context;

  if (a->objects != b->objects)
    return a->objects > b->objects ? -1 : 1;
  int order = strcmp(pyheap_type(heap, a->type)->name,
                     pyheap_type(heap, b->type)->name);
  return order ? order : a->type < b->type ? -1 : a->type > b->type;
}

/** Compares the counts of all objects with the references to them; false when
 * canceled. */
static bool find_unexplained(struct session *session, const struct pyheap *heap,
                             struct unexplained *types, uint32_t type_count) {
  pyheap_node count = pyheap_object_count(heap);

  for (uint32_t i = 0; i < type_count; i++)
    types[i] = (struct unexplained){.type = i};
  for (pyheap_node node = 0; node < count; node++) {
    if (node % 65536 == 0 &&
        !session_continue(session, "comparing reference counts", node, count))
      return false;
    uint32_t type = pyheap_type_of(heap, node);
    int64_t excess;
    if (type >= type_count || !pyheap_refcount_excess(heap, node, &excess) ||
        !excess)
      continue;
    types[type].objects++;
    if (excess > 0)
      types[type].high += (uint64_t)excess;
    else
      types[type].low += -(uint64_t)excess;
  }
  return true;
}

static void print_unexplained(const struct output *output,
                              const struct pyheap *heap,
                              const struct unexplained *types,
                              uint32_t type_count) {
  static const struct table_column columns[] = {
      {"not explained", ALIGN_RIGHT, 2, 16, CUT_START},
      {"# objects", ALIGN_RIGHT, 2, 0, CUT_END},
      {"not found", ALIGN_RIGHT, 2, 0, CUT_END},
      {"too many", ALIGN_RIGHT, 2, 0, CUT_END},
  };
  struct table *table = table_create(columns, 4);
  struct unexplained rest = {0};
  uint32_t count = 0;

  while (count < type_count && types[count].objects)
    count++;
  uint32_t shown = (uint32_t)table_shown(count, UNEXPLAINED_TYPES);
  for (uint32_t i = 0; i < count; i++) {
    if (i >= shown) {
      rest.objects += types[i].objects;
      rest.high += types[i].high;
      rest.low += types[i].low;
      continue;
    }
    cleanup_buffer struct buffer name = {0};
    describe_type(&name, heap, types[i].type);
    table_add(table, buffer_string(&name));
    table_add_count(table, types[i].objects);
    table_add_count(table, types[i].high);
    table_add_count(table, types[i].low);
  }
  if (count > shown) {
    cleanup_buffer struct buffer title = {0};
    buffer_format(&title, ELLIPSIS " %" PRIu32 " more types", count - shown);
    table_add(table, buffer_string(&title));
    table_add_count(table, rest.objects);
    table_add_count(table, rest.high);
    table_add_count(table, rest.low);
  }
  fputc('\n', output->file);
  table_print(table, output->file, output->width);
  table_destroy(table);
}

/** PART of WHOLE in percent; never rounded up to 100. */
static double percent(uint64_t part, uint64_t whole) {
  double share = whole ? 100.0 * (double)part / (double)whole : 100.0;

  return part < whole && share > 99.99 ? 99.99 : share;
}

/** The first version in which objects are immortal. */
static const uint32_t FIRST_IMMORTAL = 0x030c0000;

static void print_references(const struct output *output,
                             const struct pyheap_info *info) {
  cleanup_buffer struct buffer text = {0};
  uint64_t counted =
      info->refcount_exact + info->refcount_high + info->refcount_low;

  buffer_format(&text,
                "%" PRIu64 " visited, %" PRIu64 " owned, %" PRIu64 " probable",
                info->visited_references, info->owned_references,
                info->probable_references);
  if (info->refuted_references)
    buffer_format(&text, " (and %" PRIu64 " refuted)",
                  info->refuted_references);
  print_text(output, "references", buffer_string(&text));
  print_line(output, "refcounts",
             "%.2f %% of %" PRIu64 " objects exactly explained; %" PRIu64
             " have more than",
             percent(info->refcount_exact, counted), counted,
             info->refcount_high);
  print_line(output, "", "references were found, %" PRIu64 " fewer",
             info->refcount_low);
  if (info->refcount_guessed)
    print_line(output, "",
               "%" PRIu64 " of the explained only with probable references",
               info->refcount_guessed);
  uint64_t objects = info->reachable + info->orphans;
  if (objects > counted)
    print_line(output, "",
               "%" PRIu64 " more not compared: %s, whose counts are not kept",
               objects - counted,
               info->hexversion < FIRST_IMMORTAL ? "static ones"
                                                 : "static and immortal ones");
}

static void print_problems(const struct output *output,
                           const struct pyheap_info *info) {
  for (size_t i = 0; i < info->note_count; i++)
    print_text(output, "note", info->notes[i]);
  for (size_t i = 0; i < info->problem_count; i++) {
    const struct pyheap_problem *problem = &info->problems[i];
    cleanup_buffer struct buffer text = {0};
    buffer_format(&text, "%s: %" PRIu64 ", first at 0x%" PRIx64, problem->what,
                  problem->count, problem->address);
    print_text(output, "problem", buffer_string(&text));
  }
}

static enum command_status run(struct session *session,
                               const struct output *output) {
  enum command_status status;
  struct pyheap *heap = session_references(session, &status);

  if (!heap)
    return status;
  status = session_interpreters(session);
  if (status != COMMAND_OK)
    return status;
  uint32_t type_count = pyheap_type_count(heap);
  struct unexplained *types = must_alloc(type_count * sizeof *types);
  bool complete = find_unexplained(session, heap, types, type_count);
  session_done(session);
  if (complete) {
    const struct pyheap_info *info = pyheap_info(heap);
    qsort_r(types, type_count, sizeof *types, compare_unexplained, heap);
    print_interpreter(output, info);
    print_references(output, info);
    if (info->index_loaded)
      print_text(output, "index", "saved by an earlier session");
    if (!info->allocator_blocks) {
      print_text(output, "note",
                 "the interpreter's allocator has no pools "
                 "(PYTHONMALLOC=malloc?): orphans");
      print_text(output, "", "cannot be found");
    }
    if (info->collecting)
      print_collecting(output->file, info);
    print_problems(output, info);
    fputc('\n', output->file);
    print_sets(output->file, output->width, info);
    print_interpreters(output, heap);
    if (type_count && types[0].objects)
      print_unexplained(output, heap, types, type_count);
  }
  free(types);
  return complete ? COMMAND_OK : session_canceled(session);
}

enum command_status info_run(struct session *session, int argc, char **argv) {
  struct info info = {0};
  struct output output;
  int operands;
  enum command_status status =
      options_parse(session, info_options, argc, argv, &info, &operands);

  if (status == COMMAND_OK && operands)
    status = session_fail(session, COMMAND_USAGE,
                          "info: '%s' is one too many; info takes no operand",
                          argv[1]);
  if (status == COMMAND_OK)
    status = output_open(session, info.output, info.force, &output);
  if (status != COMMAND_OK)
    return status;
  return output_close(session, &output, run(session, &output));
}
