/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "commands.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/describe.h"
#include "plugin/node_graph.h"
#include "plugin/options.h"
#include "plugin/output.h"
#include "plugin/reference_names.h"
#include "plugin/render/number.h"
#include "plugin/render/tree.h"
#include "plugin/render/wrap.h"
#include "plugin/select.h"
#include "plugin/session.h"

enum {
  OBJECTS_SHOWN = 50, /**< Of one cycle. */
};

struct cycles {
  struct select_options select;
  bool garbage;
  bool code;
  bool each;
  uint64_t limit;
  const char *dot;
  const char *output;
  bool force;
};

const struct command_option cycles_options[] = {
    {"garbage", NULL, "List only cycles that wait for a garbage collection.",
     OPTION_FLAG, offsetof(struct cycles, garbage)},
    {"code", NULL,
     "Go through types, modules, code and running frames as well.", OPTION_FLAG,
     offsetof(struct cycles, code)},
    {"each", NULL,
     "Show each group, and not only one of all that consist of as many\n"
     "objects of the same types; so does -dot.",
     OPTION_FLAG, offsetof(struct cycles, each)},
    {"limit", "N|unlimited", "Show N cycles (default 10).", OPTION_COUNT,
     offsetof(struct cycles, limit)},
    SELECT_TYPE_OPTION(cycles, select),
    SELECT_OPTIONS(cycles, select),
    DOT_OPTION(struct cycles),
    OUTPUT_OPTIONS(struct cycles),
    {0},
};

/** Where cycles go: they are drawn, or their objects gathered for a graph. */
struct drawing {
  const struct pyheap *heap;
  const struct output *output;
  struct reference_names *names;
  bool graph;
  uint64_t number; /**< Cycles so far. */
  pyheap_node *nodes;
  size_t count, capacity;
  bool cut;
};

static void gather(struct drawing *drawing, const pyheap_node *nodes,
                   size_t count) {
  if (drawing->count + count > NODE_GRAPH_MAX) {
    drawing->cut = true;
    return;
  }
  if (drawing->count + count > drawing->capacity) {
    drawing->capacity = 2 * drawing->capacity + count;
    drawing->nodes = must_realloc(drawing->nodes,
                                  drawing->capacity * sizeof *drawing->nodes);
  }
  memcpy(drawing->nodes + drawing->count, nodes, count * sizeof *nodes);
  drawing->count += count;
}

static int compare_nodes(const void *a, const void *b) {
  pyheap_node left = *(const pyheap_node *)a, right = *(const pyheap_node *)b;

  return left < right ? -1 : left > right;
}

/** Writes the graph of what was gathered. */
static void write_graph(struct session *session, struct drawing *drawing,
                        pyheap_node start) {
  size_t kept = 0;

  if (drawing->count)
    qsort(drawing->nodes, drawing->count, sizeof *drawing->nodes,
          compare_nodes);
  for (size_t i = 0; i < drawing->count; i++)
    if (!kept || drawing->nodes[kept - 1] != drawing->nodes[i])
      drawing->nodes[kept++] = drawing->nodes[i];
  node_graph_among(drawing->heap, "cycles", drawing->nodes, kept, start,
                   drawing->output->file);
  if (drawing->cut)
    fputs(ELLIPSIS " the graph was cut; -limit makes it smaller\n",
          session->out);
}

/** The name of a reference and what it leads to. */
static uint32_t add_node(struct tree *tree, uint32_t parent,
                         const struct drawing *drawing, pyheap_node from,
                         pyheap_node to, bool last) {
  cleanup_buffer struct buffer label = {0};

  describe_reference_names(&label, drawing->names, from, to, 1);
  buffer_add(&label, ": ");
  if (last) {
    /* The first line has its value. */
    describe_identity(&label, drawing->heap, to);
    buffer_add(&label, " (cycle)");
  } else {
    describe_node(&label, drawing->heap, to);
  }
  return tree_add(tree, parent, buffer_string(&label));
}

/** Draws a cycle as the chain of its references, as referents does. */
static void draw(const struct drawing *drawing,
                 const struct pyheap_cycle *cycle) {
  const struct pyheap *heap = drawing->heap;
  cleanup_buffer struct buffer label = {0};
  uint32_t place = 0;

  describe_node(&label, heap, cycle->nodes[0]);
  struct tree *tree = tree_create(buffer_string(&label));
  for (size_t i = 1; i <= cycle->length; i++) {
    if (i == OBJECTS_SHOWN) {
      buffer_clear(&label);
      buffer_add(&label, ELLIPSIS " ");
      describe_count(&label, cycle->length - i, "more object");
      tree_add(tree, place, buffer_string(&label));
      break;
    }
    bool last = i == cycle->length;
    place = add_node(tree, place, drawing, cycle->nodes[i - 1],
                     cycle->nodes[last ? 0 : i], last);
  }
  tree_print(tree, drawing->output->file, drawing->output->width, TREE_BELOW);
  tree_destroy(tree);
}

/* One object ----------------------------------------------------------------- */

static void take_cycle(void *context, const struct pyheap_cycle *cycle) {
  cleanup_buffer struct buffer text = {0};
  struct drawing *drawing = context;

  if (drawing->graph) {
    gather(drawing, cycle->nodes, cycle->length);
  } else {
    describe_count(&text, cycle->length, "object");
    fprintf(drawing->output->file, "%scycle of %s:\n",
            drawing->number ? "\n" : "", buffer_string(&text));
    draw(drawing, cycle);
  }
  drawing->number++;
}

static void say_none(FILE *out, const struct pyheap *heap, pyheap_node node,
                     bool code) {
  cleanup_buffer struct buffer text = {0};

  describe_node(&text, heap, node);
  fprintf(out, "%s is on no cycle%s\n", buffer_string(&text),
          code ? ""
               : " but those through types, modules, code or running frames, "
                 "if any; -code looks for these");
}

static enum command_status answer_for(struct session *session,
                                      struct pyheap_cycles *found,
                                      pyheap_node node,
                                      const struct cycles *options,
                                      struct drawing *drawing) {
  FILE *out = drawing->output->file;
  uint64_t total;
  struct pyheap_error *error = pyheap_cycles_through(
      found, node, options->limit, &total, take_cycle, drawing);

  if (error)
    return session_error(session, error);
  if (drawing->graph) {
    gather(drawing, &node, 1);
    write_graph(session, drawing, node);
    out = session->out;
  }
  if (!total)
    say_none(out, drawing->heap, node, options->code);
  else if (total > drawing->number)
    fprintf(out,
            ELLIPSIS " %" PRIu64 " more; -limit unlimited shows one for each "
                     "object that it refers to\n",
            total - drawing->number);
  return COMMAND_OK;
}

/* All cycles ----------------------------------------------------------------- */

/** Components that consist of as many objects of the same types. */
struct shape {
  const struct pyheap_component *first; /**< The one that is shown. */
  uint64_t hash;                        /**< Of the types. */
  uint64_t times, bytes;                /**< Of all. */
};

/** What is listed. */
struct list {
  struct shape *shapes;
  size_t count;
  uint64_t components, objects, garbage;
  const struct pyheap_selection *selection; /**< NULL: any. */
};

/** The first selected object of a component, or PYHEAP_NO_NODE. */
static pyheap_node find_selected(const struct pyheap_selection *selection,
                                 const struct pyheap_component *component) {
  for (uint32_t i = 0; i < component->count; i++)
    if (pyheap_is_selected(selection, component->nodes[i]))
      return component->nodes[i];
  return PYHEAP_NO_NODE;
}

static bool is_selected(const struct pyheap_selection *selection,
                        const struct pyheap_component *component) {
  return !selection || find_selected(selection, component) != PYHEAP_NO_NODE;
}

/** The same for the same types, in whatever order. */
static uint64_t hash_types(const struct pyheap *heap,
                           const struct pyheap_component *component) {
  uint64_t sum = 0;

  for (uint32_t i = 0; i < component->count; i++) {
    /* The finalizer of SplitMix64, so that sums of types do not meet. */
    uint64_t bits = pyheap_type_of(heap, component->nodes[i]) + 1ull;
    bits *= 0x9e3779b97f4a7c15;
    bits = (bits ^ bits >> 30) * 0xbf58476d1ce4e5b9;
    bits = (bits ^ bits >> 27) * 0x94d049bb133111eb;
    sum += bits ^ bits >> 31;
  }
  return sum;
}

static int compare_kinds(const struct shape *a, const struct shape *b) {
  if (a->first->garbage != b->first->garbage)
    return a->first->garbage ? -1 : 1;
  if (a->first->count != b->first->count)
    return a->first->count > b->first->count ? -1 : 1;
  return a->hash < b->hash ? -1 : a->hash > b->hash;
}

static int compare_components(const struct shape *a, const struct shape *b) {
  if (a->first->bytes != b->first->bytes)
    return a->first->bytes > b->first->bytes ? -1 : 1;
  return a->first->nodes[0] < b->first->nodes[0] ? -1 : 1;
}

/** Equal ones side by side, the largest component of them first. */
static int compare_for_merge(const void *left, const void *right) {
  int order = compare_kinds(left, right);

  return order ? order : compare_components(left, right);
}

/** Garbage first, then what is most in all. */
static int compare_shapes(const void *left, const void *right) {
  const struct shape *a = left, *b = right;

  if (a->first->garbage != b->first->garbage)
    return a->first->garbage ? -1 : 1;
  if (a->bytes != b->bytes)
    return a->bytes > b->bytes ? -1 : 1;
  return compare_components(a, b);
}

static void merge(struct list *list) {
  size_t kept = 0;

  qsort(list->shapes, list->count, sizeof *list->shapes, compare_for_merge);
  for (size_t i = 0; i < list->count; i++) {
    const struct shape *shape = &list->shapes[i];
    if (!kept || compare_kinds(&list->shapes[kept - 1], shape)) {
      list->shapes[kept++] = *shape;
      continue;
    }
    list->shapes[kept - 1].times++;
    list->shapes[kept - 1].bytes += shape->bytes;
  }
  list->count = kept;
  qsort(list->shapes, kept, sizeof *list->shapes, compare_shapes);
}

static void add_component(struct list *list, const struct pyheap *heap,
                          const struct pyheap_component *component) {
  list->shapes[list->count++] = (struct shape){
      component, hash_types(heap, component), 1, component->bytes};
  list->components++;
  list->objects += component->count;
  list->garbage += component->garbage;
}

/** The components that are meant; SELECTION NULL: any. */
static struct list choose(const struct pyheap *heap,
                          const struct pyheap_cycles *found,
                          const struct pyheap_selection *selection,
                          const struct cycles *options) {
  struct list list = {.selection = selection};
  size_t count;
  const struct pyheap_component *all = pyheap_cycle_components(found, &count);

  list.shapes = must_alloc((count + 1) * sizeof *list.shapes);
  for (size_t i = 0; i < count; i++)
    if ((all[i].garbage || !options->garbage) &&
        is_selected(selection, &all[i]))
      add_component(&list, heap, &all[i]);
  /* A graph has all the objects that there is room for. */
  if (!options->each && !options->dot)
    merge(&list);
  return list;
}

/** Draws the example of a component, whose title is still open: a cycle that is
 * all there is to it needs no words. */
static void take_example(void *context, const struct pyheap_cycle *cycle) {
  cleanup_buffer struct buffer text = {0};
  struct drawing *drawing = context;
  bool whole = drawing->number == cycle->length;

  if (drawing->graph) {
    gather(drawing, cycle->nodes, cycle->length);
    return;
  }
  describe_count(&text, cycle->length, "object");
  if (whole)
    fputs(":\n", drawing->output->file);
  else
    fprintf(drawing->output->file, "; %s of %s:\n",
            cycle->exact ? "shortest cycle" : "a cycle", buffer_string(&text));
  draw(drawing, cycle);
  putc('\n', drawing->output->file);
}

static void print_title(FILE *out, const struct shape *shape) {
  cleanup_buffer struct buffer text = {0};
  char size[SIZE_TEXT];

  buffer_add(&text, shape->first->garbage ? "garbage: " : "");
  if (shape->times > 1) {
    describe_count(&text, shape->times, "group");
    buffer_add(&text, " of ");
  }
  describe_count(&text, shape->first->count, "object");
  buffer_format(&text, ", %s", format_size_short(size, shape->bytes));
  if (shape->times > 1)
    buffer_add(&text, " in all; one of them");
  fputs(buffer_string(&text), out);
}

/** Shows a component by its title and shortest cycle, which is one of a selected
 * object if any are; in a graph, with all its
 * objects while there is room. */
static struct pyheap_error *show(struct pyheap_cycles *found,
                                 const struct list *list,
                                 const struct shape *shape,
                                 struct drawing *drawing) {
  const struct pyheap_component *component = shape->first;

  if (drawing->graph && drawing->count + component->count <= NODE_GRAPH_MAX) {
    gather(drawing, component->nodes, component->count);
    return NULL;
  }
  drawing->cut |= drawing->graph;
  if (!drawing->graph)
    print_title(drawing->output->file, shape);
  drawing->number = component->count;
  if (!list->selection)
    return pyheap_shortest_cycle(found, component, take_example, drawing);
  uint64_t total;
  return pyheap_cycles_through(found, find_selected(list->selection, component),
                               1, &total, take_example, drawing);
}

static void print_totals(FILE *out, int width,
                         const struct pyheap_cycles *found,
                         const struct list *list) {
  cleanup_buffer struct buffer text = {0};
  struct pyheap_cycle_totals totals = pyheap_cycle_totals(found);
  char size[SIZE_TEXT];

  describe_count(&text, list->components, "group");
  buffer_add(&text, " of cycles, ");
  describe_count(&text, list->objects, "object");
  fprintf(out, "%s; %" PRIu64 " garbage\n", buffer_string(&text),
          list->garbage);
  buffer_clear(&text);
  if (totals.garbage_objects && !list->selection) {
    buffer_add(&text, "garbage with all that only it holds: ");
    describe_count(&text, totals.garbage_objects, "object");
    buffer_format(&text,
                  " (%" PRIu64 " tracked), %s, which a collection would "
                  "free",
                  totals.garbage_tracked,
                  format_size_short(size, totals.garbage_bytes));
    print_wrapped(out, width, 0, buffer_string(&text));
  }
  buffer_clear(&text);
  if (!totals.program_objects)
    return;
  /* How many of them are selected nobody has counted. */
  if (list->selection)
    buffer_add(&text, "left out:");
  else
    describe_count(&text, totals.program_objects, "more object");
  buffer_add(&text, list->selection ? " " : " in ");
  buffer_add(&text, "cycles through types, modules, code or running frames; "
                    "-code shows those");
  print_wrapped(out, width, 0, buffer_string(&text));
}

static enum command_status print_list(struct session *session,
                                      struct pyheap_cycles *found,
                                      const struct list *list,
                                      const struct cycles *options,
                                      struct drawing *drawing) {
  FILE *out = drawing->output->file;

  for (size_t i = 0; i < list->count && i < options->limit; i++) {
    if (!session_continue(session, "drawing cycles", i, list->count))
      return session_canceled(session);
    struct pyheap_error *error = show(found, list, &list->shapes[i], drawing);
    if (error)
      return session_error(session, error);
  }
  if (drawing->graph) {
    write_graph(session, drawing, PYHEAP_NO_NODE);
    out = session->out;
  }
  if (list->count > options->limit)
    fprintf(out, ELLIPSIS " %" PRIu64 " more; -limit unlimited shows all\n",
            list->count - options->limit);
  print_totals(out, drawing->graph ? session->width : drawing->output->width,
               found, list);
  return COMMAND_OK;
}

static enum command_status answer_all(struct session *session,
                                      struct pyheap_cycles *found,
                                      const struct cycles *options,
                                      struct drawing *drawing) {
  struct pyheap_selection selection;
  enum command_status status = COMMAND_OK;
  bool selects = select_is_given(&options->select);

  if (selects &&
      !select_objects(session, &options->select, &selection, &status))
    return status;
  struct list list =
      choose(drawing->heap, found, selects ? &selection : NULL, options);
  status = print_list(session, found, &list, options, drawing);
  free(list.shapes);
  if (selects)
    pyheap_selection_deinit(&selection);
  return status;
}

/* Both ----------------------------------------------------------------------- */

/** ADDRESS NULL: all cycles. */
static enum command_status run(struct session *session,
                               const struct cycles *options,
                               const uint64_t *address,
                               const struct output *output) {
  enum command_status status;
  pyheap_node node = PYHEAP_NO_NODE;
  struct pyheap_cycles *found;
  struct pyheap *heap = session_references_of(session, address, &node, &status);

  if (!heap)
    return status;
  /* A type is asked about for the sake of the program. */
  bool code = options->code || (address && pyheap_is_program(heap, node));
  struct pyheap_error *error = pyheap_find_cycles(heap, code, &found);
  session_done(session);
  if (error)
    return session_error(session, error);
  struct drawing drawing = {
      .heap = heap,
      .output = output,
      .names = reference_names_create(heap),
      .graph = options->dot,
  };
  status = address ? answer_for(session, found, node, options, &drawing)
                   : answer_all(session, found, options, &drawing);
  free(drawing.nodes);
  reference_names_destroy(drawing.names);
  pyheap_cycles_destroy(found);
  session_done(session);
  return status;
}

static enum command_status check(struct session *session,
                                 struct cycles *options, int operands) {
  if (operands && (options->garbage || select_is_given(&options->select)))
    return session_fail(session, COMMAND_USAGE,
                        "cycles: either an address or options that select "
                        "objects");
  return select_check(session, "cycles", &options->select);
}

enum command_status cycles_run(struct session *session, int argc, char **argv) {
  struct cycles options = {.select = SELECT_ALL, .limit = 10};
  const char *path = NULL;
  struct output output;
  uint64_t address = 0;
  int operands;
  enum command_status status =
      options_parse(session, cycles_options, argc, argv, &options, &operands);

  if (status == COMMAND_OK)
    status = check(session, &options, operands);
  if (status == COMMAND_OK)
    status =
        output_choose(session, argv[0], options.output, options.dot, &path);
  if (status == COMMAND_OK && operands)
    status = session_address(session, operands, argv, &address);
  if (status == COMMAND_OK)
    status = output_open(session, path, options.force, &output);
  if (status != COMMAND_OK)
    return status;
  return output_close(
      session, &output,
      run(session, &options, operands ? &address : NULL, &output));
}
