/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "object_list.h"

#include <inttypes.h>
#include <stdlib.h>

#include "plugin/describe.h"
#include "plugin/render/number.h"
#include "plugin/render/table.h"
#include "plugin/session.h"
#include "plugin/size_note.h"

enum {
  USUAL_LIMIT = 25,
  BLOCK = 4096, /**< Rows that are printed at a time. */
};

/* A table ----------------------------------------------------------------- */

static void add_row(struct table *table, const struct pyheap *heap,
                    pyheap_node node) {
  cleanup_buffer struct buffer text = {0};
  uint32_t type = pyheap_type_of(heap, node);
  bool whole = pyheap_size_certain(heap, node) &&
               (type >= pyheap_type_count(heap) ||
                !pyheap_type_sizes_itself(heap, type));

  buffer_format(&text, "0x%016" PRIx64, pyheap_address(heap, node));
  table_add(table, buffer_string(&text));
  buffer_clear(&text);
  buffer_format(&text, "%" PRIu64 "%s", pyheap_size(heap, node),
                whole ? "" : "+");
  table_add(table, buffer_string(&text));
  buffer_clear(&text);
  describe_refcount(&text, pyheap_refcount(heap, node));
  table_add(table, buffer_string(&text));
  buffer_clear(&text);
  describe_type(&text, heap, type);
  table_add(table, buffer_string(&text));
  buffer_clear(&text);
  describe_value(&text, heap, node, SHORT_VALUE);
  table_add(table, buffer_string(&text));
}

/** False when interrupted. */
static bool print_table(struct session *session, const struct output *output,
                        const struct pyheap *heap, const pyheap_node *nodes,
                        size_t count) {
  static const struct table_column columns[] = {
      {"address", ALIGN_LEFT, 0, 0, CUT_END},
      {"size", ALIGN_RIGHT, 0, 0, CUT_END},
      {"refcount", ALIGN_RIGHT, 0, 0, CUT_END},
      {"type", ALIGN_LEFT, 0, 12, CUT_START},
      {"value", ALIGN_LEFT, 0, 12, CUT_END},
  };
  struct table *table = table_create(columns, 5);
  bool complete = true;

  for (size_t i = 0; i < count && complete; i++) {
    add_row(table, heap, nodes[i]);
    if (i % BLOCK != BLOCK - 1)
      continue;
    table_flush(table, output->file, output->width);
    complete = session_continue(session, "listing objects", i, count);
  }
  table_flush(table, output->file, output->width);
  table_destroy(table);
  return complete;
}

static void print_totals(const struct output *output, const struct pyheap *heap,
                         const struct pyheap_selection *selection,
                         size_t shown) {
  cleanup_buffer struct buffer totals = {0};
  char buffer[SIZE_TEXT];

  if (shown < selection->count)
    fprintf(output->file,
            ELLIPSIS " %" PRIu64 " more; -limit unlimited shows all\n",
            selection->count - shown);
  describe_count(&totals, selection->count, "object");
  fprintf(output->file, "%s, %s\n", buffer_string(&totals),
          format_size_short(buffer, selection->bytes));
  size_note_print_rows(output, heap, selection->rows, selection->row_count);
}

/* Addresses --------------------------------------------------------------- */

static void print_address(FILE *out, const struct pyheap *heap,
                          pyheap_node node) {
  char line[24] = "0x";
  char *end = put_hex(line + 2, pyheap_address(heap, node));

  *end++ = '\n';
  fwrite(line, 1, (size_t)(end - line), out);
}

/** False when interrupted. */
static bool print_addresses(struct session *session,
                            const struct output *output,
                            const struct pyheap *heap, const pyheap_node *nodes,
                            size_t count) {
  for (size_t i = 0; i < count; i++) {
    print_address(output->file, heap, nodes[i]);
    if (i % BLOCK == BLOCK - 1 &&
        !session_continue(session, "listing addresses", i, count))
      return false;
  }
  return true;
}

/* Either ------------------------------------------------------------------ */

static enum command_status print_list(struct session *session,
                                      const struct object_list *list,
                                      const struct output *output,
                                      struct pyheap *heap,
                                      struct pyheap_selection *selection) {
  enum pyheap_order usual =
      list->addresses ? PYHEAP_BY_ADDRESS : PYHEAP_BY_SIZE;
  uint64_t limit = list->limit       ? list->limit
                   : list->addresses ? UNLIMITED
                                     : USUAL_LIMIT;
  pyheap_node *nodes;
  size_t count;
  struct pyheap_error *error = pyheap_order_selected(
      heap, selection,
      list->sort == OBJECT_LIST_SORT ? usual : (enum pyheap_order)list->sort,
      list->ascending, limit, &nodes, &count);

  session_done(session);
  if (error)
    return session_error(session, error);
  bool complete = list->addresses
                      ? print_addresses(session, output, heap, nodes, count)
                      : print_table(session, output, heap, nodes, count);
  session_done(session);
  free(nodes);
  if (!complete)
    return session_canceled(session);
  if (!list->addresses)
    print_totals(output, heap, selection, count);
  return COMMAND_OK;
}

static enum command_status answer(struct session *session,
                                  const struct object_list *list,
                                  const struct output *output) {
  enum command_status status;
  struct pyheap_selection selection;
  struct pyheap *heap =
      select_objects(session, &list->select, &selection, &status);

  if (!heap)
    return status;
  if (list->count)
    print_totals(output, heap, &selection, selection.count);
  else
    status = print_list(session, list, output, heap, &selection);
  pyheap_selection_deinit(&selection);
  return status;
}

enum command_status object_list_run(struct session *session,
                                    const char *command,
                                    struct object_list *list) {
  struct output output;

  if (list->count && list->addresses)
    return session_fail(session, COMMAND_USAGE,
                        "%s: -count and -addresses exclude each other",
                        command);
  enum command_status status = select_check(session, command, &list->select);
  if (status == COMMAND_OK)
    status = output_open(session, list->output, list->force, &output);
  if (status != COMMAND_OK)
    return status;
  return output_close(session, &output, answer(session, list, &output));
}
