/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "node_graph.h"

#include <inttypes.h>
#include <stdlib.h>

#include "plugin/describe.h"
#include "plugin/render/dot.h"
#include "plugin/render/number.h"
#include "plugin/session.h"

/** What stands for neighbours left out, and for addresses that are no object,
 * has numbers behind those of all nodes. */
struct graph {
  struct session *session;
  const struct pyheap *heap;
  const struct node_tree_kind *kind;
  const struct node_tree_options *options;
  FILE *out;
  struct reference_names *names;
  pyheap_node *queue;
  size_t count, capacity;
  uint8_t *queued; /**< A bit for each node that is in the queue. */
  uint64_t next_id;
  struct edges edges;
  size_t edge_capacity;
  bool cut;
};

/** Type and address, value, size. */
static void put_node(FILE *out, const struct pyheap *heap, pyheap_node node,
                     bool start) {
  cleanup_buffer struct buffer label = {0};
  char size[SIZE_TEXT];

  describe_identity(&label, heap, node);
  if (!pyheap_is_root(heap, node)) {
    size_t before = label.length;
    buffer_add(&label, "\n");
    describe_value(&label, heap, node, SHORT_VALUE);
    if (label.length == before + 1)
      buffer_truncate(&label, before);
    buffer_format(&label, "\n%s",
                  format_size_short(size, pyheap_size(heap, node)));
  }
  dot_node(out, node, buffer_string(&label),
           start                        ? DOT_START
           : pyheap_is_root(heap, node) ? DOT_ROOT
                                        : DOT_PLAIN);
}

/** An arrow in the direction of the reference. */
static void put_edge(const struct graph *graph, pyheap_node node,
                     uint64_t neighbour, const char *label) {
  if (graph->kind->backward)
    dot_edge(graph->out, neighbour, node, label);
  else
    dot_edge(graph->out, node, neighbour, label);
}

static void put_stand_in(struct graph *graph, pyheap_node node,
                         const char *edge, const char *label) {
  dot_node(graph->out, graph->next_id, label, DOT_MORE);
  put_edge(graph, node, graph->next_id++, edge);
}

static void enqueue(struct graph *graph, pyheap_node node) {
  uint8_t bit = (uint8_t)(1u << (node % 8));

  if (graph->queued[node / 8] & bit)
    return;
  graph->queued[node / 8] |= bit;
  if (graph->count == graph->capacity) {
    graph->capacity = graph->capacity ? 2 * graph->capacity : 64;
    graph->queue =
        must_realloc(graph->queue, graph->capacity * sizeof *graph->queue);
  }
  graph->queue[graph->count++] = node;
}

static bool is_queued(const struct graph *graph, pyheap_node node) {
  return graph->queued[node / 8] >> (node % 8) & 1;
}

static void put_neighbour(struct graph *graph, pyheap_node node,
                          const struct edge *edge, bool deeper) {
  cleanup_buffer struct buffer name = {0}, address = {0};

  graph->kind->name(&name, graph->names, node, edge);
  if (edge->node == PYHEAP_NO_NODE) {
    buffer_format(&address, "0x%" PRIx64 " (no object)", edge->address);
    put_stand_in(graph, node, buffer_string(&name), buffer_string(&address));
    return;
  }
  if (deeper)
    enqueue(graph, edge->node);
  if (is_queued(graph, edge->node))
    put_edge(graph, node, edge->node, buffer_string(&name));
}

/** The arrows of a node.  Those of the last level lead only to nodes that are
 * there already; how many do not is said. */
static void put_neighbours(struct graph *graph, pyheap_node node, bool deeper) {
  cleanup_buffer struct buffer more = {0};
  uint64_t left_out = 0;

  edges_find(&graph->edges, &graph->edge_capacity, graph->kind, graph->heap,
             node, graph->options->limit);
  const struct edges *edges = &graph->edges;
  for (size_t i = 0; i < edges->count; i++) {
    put_neighbour(graph, node, &edges->items[i], deeper);
    left_out += edges->items[i].node != PYHEAP_NO_NODE &&
                !is_queued(graph, edges->items[i].node);
  }
  left_out += edges->total - edges->count;
  if (!left_out)
    return;
  buffer_add(&more, ELLIPSIS " ");
  describe_count(&more, left_out, graph->kind->neighbour);
  put_stand_in(graph, node, "", buffer_string(&more));
}

/** Level by level; false when canceled. */
static bool put_levels(struct graph *graph) {
  size_t level_end = 1;
  uint64_t level = 0;

  for (size_t at = 0; at < graph->count; at++) {
    if (at == level_end) {
      level++;
      level_end = graph->count;
    }
    if (at % 256 == 0 &&
        !session_continue(graph->session, graph->kind->stage, at, graph->count))
      return false;
    put_node(graph->out, graph->heap, graph->queue[at], at == 0);
    graph->cut |= graph->count >= NODE_GRAPH_MAX;
    put_neighbours(graph, graph->queue[at],
                   level < graph->options->depth &&
                       graph->count < NODE_GRAPH_MAX);
  }
  return true;
}

bool node_graph_write(struct session *session, const struct pyheap *heap,
                      pyheap_node node, const struct node_tree_kind *kind,
                      const struct node_tree_options *options, FILE *out,
                      bool *cut) {
  cleanup_buffer struct buffer title = {0};
  struct graph graph = {
      .session = session,
      .heap = heap,
      .kind = kind,
      .options = options,
      .out = out,
      .names = reference_names_create(heap),
      .queued = calloc(pyheap_node_count(heap) / 8 + 1, 1),
      .next_id = pyheap_node_count(heap),
  };
  bool complete = false;

  buffer_add(&title, kind->neighbour);
  buffer_add(&title, "s of ");
  describe_node(&title, heap, node);
  dot_begin(out, buffer_string(&title));
  if (graph.queued) {
    enqueue(&graph, node);
    complete = put_levels(&graph);
  }
  dot_end(out);
  session_done(session);
  *cut = graph.cut;
  free(graph.queued);
  free(graph.queue);
  free(graph.edges.items);
  reference_names_destroy(graph.names);
  return complete;
}

/** The nodes of a graph, and one whose references are written. */
struct among {
  const struct pyheap *heap;
  const pyheap_node *nodes;
  size_t count;
  pyheap_node from;
  FILE *out;
};

static int compare_nodes(const void *a, const void *b) {
  pyheap_node left = *(const pyheap_node *)a, right = *(const pyheap_node *)b;

  return left < right ? -1 : left > right;
}

static bool put_reference(void *context,
                          const struct pyheap_reference *reference) {
  const struct among *among = context;
  cleanup_buffer struct buffer name = {0};
  pyheap_node to = pyheap_node_at(among->heap, reference->target);

  if (to == PYHEAP_NO_NODE || !bsearch(&to, among->nodes, among->count,
                                       sizeof *among->nodes, compare_nodes))
    return true;
  describe_name(&name, among->heap, reference->name);
  dot_edge(among->out, among->from, to, buffer_string(&name));
  return true;
}

void node_graph_among(const struct pyheap *heap, const char *title,
                      const pyheap_node *nodes, size_t count, pyheap_node start,
                      FILE *out) {
  struct among among = {heap, nodes, count, PYHEAP_NO_NODE, out};

  dot_begin(out, title);
  for (size_t i = 0; i < count; i++) {
    put_node(out, heap, nodes[i], nodes[i] == start);
    among.from = nodes[i];
    pyheap_referents(heap, nodes[i], put_reference, &among);
  }
  dot_end(out);
}
