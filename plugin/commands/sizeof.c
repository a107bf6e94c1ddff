/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "commands.h"

#include <inttypes.h>
#include <stdlib.h>

#include "plugin/describe.h"
#include "plugin/options.h"
#include "plugin/output.h"
#include "plugin/render/table.h"
#include "plugin/session.h"

enum {
  DETAIL_MAX = 100,  /**< Levels. */
  ROWS_MAX = 100000, /**< Beyond these nobody reads a table. */
};

struct sizeof_options {
  bool code;
  bool bytes;
  uint64_t detail;
  uint64_t limit;
  const char *output;
  bool force;
};

const struct command_option sizeof_options[] = {
    {"detail", "N|unlimited",
     "Show what it consists of, over N levels (default 0, at most 100).",
     OPTION_DETAIL, offsetof(struct sizeof_options, detail)},
    {"limit", "N|unlimited",
     "With -detail: show the N largest parts of each object (default 10).",
     OPTION_COUNT, offsetof(struct sizeof_options, limit)},
    {"code", NULL,
     "Follow references to types, modules, code and running frames as well.",
     OPTION_FLAG, offsetof(struct sizeof_options, code)},
    {"bytes", NULL, "Write sizes as numbers of bytes.", OPTION_FLAG,
     offsetof(struct sizeof_options, bytes)},
    OUTPUT_OPTIONS(struct sizeof_options),
    {0},
};

static const struct table_column columns[] = {
    {"flat size", ALIGN_RIGHT, 0, 0, CUT_END},
    {"total size", ALIGN_RIGHT, 0, 0, CUT_END},
    {"# objects", ALIGN_RIGHT, 0, 0, CUT_END},
    {"only it holds", ALIGN_RIGHT, 0, 0, CUT_END},
    {"object", ALIGN_LEFT, 0, 24, CUT_END},
};

/** The answer as it grows. */
struct answer {
  const struct sizeof_options *options;
  struct table *table;
  uint64_t size;                     /**< Of all operands by themselves. */
  struct pyheap_reach_totals totals; /**< Of the last row. */
  bool cut;
};

/** What the rows below an operand are made of. */
struct detail {
  struct session *session;
  const struct pyheap *heap;
  const struct pyheap_reach *reach;
  struct answer *answer;
  uint64_t rows;
  struct part *pending; /**< The next is the last. */
  size_t count, capacity;
};

/** A row that is to be written. */
struct part {
  pyheap_node node;
  struct pyheap_name name;
  uint64_t bytes;
  uint64_t level;
  uint64_t others; /**< Not 0: a row that stands for so many references. */
  bool shared;     /**< A row for what several parts lead to. */
};

/** The parts of one object, as they are collected. */
struct parts {
  const struct detail *detail;
  pyheap_node whole;
  struct part *items;
  size_t count, capacity;
};

static void add_size(const struct answer *answer, uint64_t bytes) {
  if (answer->options->bytes)
    table_add_count(answer->table, bytes);
  else
    table_add_size(answer->table, bytes);
}

static void push(struct detail *detail, struct part part) {
  if (detail->count == detail->capacity) {
    detail->capacity = detail->capacity ? 2 * detail->capacity : 64;
    detail->pending = must_realloc(detail->pending,
                                   detail->capacity * sizeof *detail->pending);
  }
  detail->pending[detail->count++] = part;
}

/** Takes a reference to what only WHOLE leads to. */
static bool take_part(void *context, const struct pyheap_reference *reference) {
  struct parts *parts = context;
  struct pyheap_share share;
  pyheap_node node = pyheap_node_at(parts->detail->heap, reference->target);

  if (node == PYHEAP_NO_NODE || node == parts->whole ||
      !pyheap_reach_share(parts->detail->reach, node, &share) ||
      share.owner != parts->whole)
    return true;
  if (parts->count == parts->capacity) {
    parts->capacity = parts->capacity ? 2 * parts->capacity : 64;
    parts->items =
        must_realloc(parts->items, parts->capacity * sizeof *parts->items);
  }
  parts->items[parts->count++] = (struct part){
      .node = node, .name = reference->name, .bytes = share.bytes};
  return true;
}

/** The largest first; several references to one object side by side. */
static int compare_parts(const void *left, const void *right) {
  const struct part *a = left, *b = right;

  if (a->bytes != b->bytes)
    return a->bytes < b->bytes ? 1 : -1;
  return a->node < b->node ? -1 : a->node > b->node;
}

/** Leaves the first of several references to the same object, sorted. */
static void drop_repetitions(struct parts *parts) {
  size_t kept = 0;

  for (size_t i = 0; i < parts->count; i++)
    if (!kept || parts->items[kept - 1].node != parts->items[i].node)
      parts->items[kept++] = parts->items[i];
  parts->count = kept;
}

/** Makes the rows below NODE pending: its parts, what is left of them, and what
 * several of them lead to, which add up to its total size. */
static void push_parts(struct detail *detail, pyheap_node node,
                       uint64_t level) {
  struct parts parts = {.detail = detail, .whole = node};
  struct pyheap_share share;
  struct part rest = {.level = level},
              shared = {.level = level, .shared = true};

  if (!pyheap_reach_share(detail->reach, node, &share))
    return;
  pyheap_referents(detail->heap, node, take_part, &parts);
  if (parts.count)
    qsort(parts.items, parts.count, sizeof *parts.items, compare_parts);
  drop_repetitions(&parts);
  uint64_t shown = table_shown(parts.count, detail->answer->options->limit);
  shared.bytes = share.bytes - share.size;
  for (size_t i = 0; i < parts.count; i++) {
    shared.bytes -= parts.items[i].bytes;
    if (i < shown)
      continue;
    rest.others++;
    rest.bytes += parts.items[i].bytes;
  }
  if (shared.bytes)
    push(detail, shared);
  if (rest.others)
    push(detail, rest);
  for (size_t i = (size_t)shown; i--;) {
    parts.items[i].level = level;
    push(detail, parts.items[i]);
  }
  free(parts.items);
}

static void add_indent(struct buffer *text, uint64_t level) {
  for (uint64_t i = 1; i < level; i++)
    buffer_add(text, "  ");
  if (level)
    buffer_add(text, "+-");
}

static void add_remark(struct detail *detail, const struct part *part) {
  cleanup_buffer struct buffer text = {0};

  table_add(detail->answer->table, "");
  add_size(detail->answer, part->bytes);
  table_add(detail->answer->table, "");
  table_add(detail->answer->table, "");
  add_indent(&text, part->level);
  if (part->shared)
    buffer_add(&text, "what more than one of these leads to");
  else
    buffer_format(&text, ELLIPSIS " %" PRIu64 " more", part->others);
  table_add(detail->answer->table, buffer_string(&text));
}

static void add_part(struct detail *detail, const struct part *part) {
  cleanup_buffer struct buffer text = {0};
  struct pyheap_share share;

  detail->rows++;
  if (part->shared || part->others) {
    add_remark(detail, part);
    return;
  }
  pyheap_reach_share(detail->reach, part->node, &share);
  add_size(detail->answer, share.size);
  add_size(detail->answer, share.bytes);
  table_add(detail->answer->table, "");
  add_size(detail->answer, share.retained);
  add_indent(&text, part->level);
  describe_name(&text, detail->heap, part->name);
  buffer_add(&text, ": ");
  struct span address = describe_node(&text, detail->heap, part->node);
  table_add_around(detail->answer->table, buffer_string(&text), address);
  if (part->level < detail->answer->options->detail)
    push_parts(detail, part->node, part->level + 1);
}

/** The rows below the operand; false when canceled. */
static bool add_parts(struct detail *detail, pyheap_node node) {
  if (detail->answer->options->detail)
    push_parts(detail, node, 1);
  while (detail->count) {
    if (detail->rows >= ROWS_MAX) {
      detail->answer->cut = true;
      break;
    }
    if (detail->rows % 256 == 0 &&
        !session_continue(detail->session, "looking into objects", detail->rows,
                          0))
      return false;
    struct part part = detail->pending[--detail->count];
    add_part(detail, &part);
  }
  return true;
}

static void add_row(struct answer *answer, uint64_t size, const char *title,
                    struct span kept) {
  const struct pyheap_reach_totals *totals = &answer->totals;

  add_size(answer, size);
  add_size(answer, totals->bytes);
  table_add_count(answer->table, totals->objects);
  add_size(answer, totals->retained_bytes);
  table_add_around(answer->table, title, kept);
}

static enum command_status add_operand(struct session *session,
                                       struct pyheap *heap, pyheap_node node,
                                       struct answer *answer) {
  cleanup_buffer struct buffer text = {0};
  struct pyheap_reach *reach;
  struct pyheap_error *error =
      pyheap_reach_create(heap, &node, 1, answer->options->code, &reach);

  if (error)
    return session_error(session, error);
  if (answer->options->detail)
    error = pyheap_reach_divide(reach);
  if (error) {
    pyheap_reach_destroy(reach);
    return session_error(session, error);
  }
  answer->totals = pyheap_reach_totals(reach);
  uint64_t size = pyheap_size(heap, node);
  answer->size += size;
  struct span address = describe_node(&text, heap, node);
  add_row(answer, size, buffer_string(&text), address);
  struct detail detail = {
      .session = session, .heap = heap, .reach = reach, .answer = answer};
  bool complete = add_parts(&detail, node);
  free(detail.pending);
  pyheap_reach_destroy(reach);
  return complete ? COMMAND_OK : session_canceled(session);
}

/** What was asked about. */
struct operands {
  pyheap_node *nodes;
  size_t count;
};

/** The row of all operands together, in which nothing counts twice. */
static enum command_status add_together(struct session *session,
                                        struct pyheap *heap,
                                        const struct operands *operands,
                                        struct answer *answer) {
  struct pyheap_reach *reach;
  struct pyheap_error *error = pyheap_reach_create(
      heap, operands->nodes, operands->count, answer->options->code, &reach);

  if (error)
    return session_error(session, error);
  answer->totals = pyheap_reach_totals(reach);
  pyheap_reach_destroy(reach);
  table_rule(answer->table);
  add_row(answer, answer->size, "together", (struct span){0});
  return COMMAND_OK;
}

static void print_notes(FILE *out, const struct answer *answer) {
  cleanup_buffer struct buffer text = {0};
  const struct pyheap_reach_totals *totals = &answer->totals;

  if (answer->cut)
    fputs(ELLIPSIS " cut; -detail or -limit make the answer smaller\n", out);
  if (totals->left_out)
    fprintf(out,
            "not followed: %" PRIu64 " of types, modules, code and running "
            "frames; -code does\n",
            totals->left_out);
  if (totals->sizing_themselves) {
    describe_count(&text, totals->sizing_themselves, "object");
    fprintf(out,
            "not all known: the size of %s with a __sizeof__ of their own\n",
            buffer_string(&text));
    buffer_clear(&text);
  }
  if (!totals->uncertain)
    return;
  describe_count(&text, totals->uncertain, "damaged object");
  fprintf(out, "%s counted with the least size possible\n",
          buffer_string(&text));
}

static enum command_status give_answer(struct session *session,
                                       struct pyheap *heap,
                                       const struct sizeof_options *options,
                                       const struct operands *operands,
                                       const struct output *output) {
  struct answer answer = {.options = options,
                          .table = table_create(columns, 5)};
  enum command_status status = COMMAND_OK;

  for (size_t i = 0; i < operands->count && status == COMMAND_OK; i++)
    status = add_operand(session, heap, operands->nodes[i], &answer);
  if (status == COMMAND_OK && operands->count > 1)
    status = add_together(session, heap, operands, &answer);
  session_done(session);
  if (status == COMMAND_OK) {
    table_print(answer.table, output->file, output->width);
    print_notes(output->file, &answer);
  }
  table_destroy(answer.table);
  return status;
}

/** An object that is named twice is one. */
static void add_node(struct operands *operands, pyheap_node node) {
  for (size_t i = 0; i < operands->count; i++)
    if (operands->nodes[i] == node)
      return;
  operands->nodes[operands->count++] = node;
}

static enum command_status find_nodes(struct session *session,
                                      struct pyheap *heap,
                                      const uint64_t *addresses, size_t count,
                                      struct operands *operands) {
  for (size_t i = 0; i < count; i++) {
    pyheap_node node;
    enum command_status status =
        session_node(session, heap, addresses[i], &node);
    if (status != COMMAND_OK)
      return status;
    add_node(operands, node);
  }
  return COMMAND_OK;
}

static enum command_status run(struct session *session,
                               const struct sizeof_options *options,
                               const uint64_t *addresses, size_t count,
                               const struct output *output) {
  enum command_status status;
  struct pyheap *heap = session_references(session, &status);

  if (!heap)
    return status;
  struct operands operands = {.nodes = must_alloc(count * sizeof(pyheap_node))};
  status = find_nodes(session, heap, addresses, count, &operands);
  if (status == COMMAND_OK)
    status = give_answer(session, heap, options, &operands, output);
  free(operands.nodes);
  return status;
}

enum command_status sizeof_run(struct session *session, int argc, char **argv) {
  struct sizeof_options options = {.limit = 10};
  struct output output;
  int count;
  enum command_status status =
      options_parse(session, sizeof_options, argc, argv, &options, &count);

  if (status != COMMAND_OK)
    return status;
  if (options.detail > DETAIL_MAX)
    options.detail = DETAIL_MAX;
  uint64_t *addresses = must_alloc(((size_t)count + 1) * sizeof *addresses);
  status = session_addresses(session, count, argv, addresses);
  if (status == COMMAND_OK)
    status = output_open(session, options.output, options.force, &output);
  if (status == COMMAND_OK)
    status =
        output_close(session, &output,
                     run(session, &options, addresses, (size_t)count, &output));
  free(addresses);
  return status;
}
