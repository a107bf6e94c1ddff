/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "commands.h"

#include <inttypes.h>

#include "plugin/commands/one_node.h"
#include "plugin/describe.h"
#include "plugin/node_tree.h"
#include "plugin/output.h"
#include "plugin/session.h"

enum repeat {
  REPEAT_ON,
  REPEAT_OFF,
};

struct refs {
  uint64_t depth;
  uint64_t limit;
  int repeat;
  const char *dot;
  const char *output;
  bool force;
};

const struct command_option refs_options[] = {
    {"depth", "N|unlimited",
     "Follow referrers over N levels (default 3, at most 1000).", OPTION_LEVELS,
     offsetof(struct refs, depth)},
    {"limit", "N|unlimited",
     "Show N referrers of each node (default 10), roots first.", OPTION_COUNT,
     offsetof(struct refs, limit)},
    {"repeat", "on|off",
     "Draw what refers to an object at each place where the object appears\n"
     "(on, the default), or once, where it is nearest.",
     OPTION_CHOICE, offsetof(struct refs, repeat)},
    DOT_OPTION(struct refs),
    OUTPUT_OPTIONS(struct refs),
    {0},
};

/** The referrers [first, end) of an ascending array, repetitions counted. */
static void add_range(const struct pyheap *heap, const pyheap_node *referrers,
                      size_t first, size_t end, uint64_t limit,
                      struct edges *edges) {
  while (first < end) {
    size_t next = first + 1;
    while (next < end && referrers[next] == referrers[first])
      next++;
    if (edges->count < limit)
      edges->items[edges->count++] = (struct edge){
          .node = referrers[first],
          .address = pyheap_address(heap, referrers[first]),
          .count = next - first,
      };
    edges->total++;
    first = next;
  }
}

/** Roots come first: a frame or the interpreter is what explains an object
 * best, and must not be lost behind a thousand tuples. */
static void find_referrers(const struct pyheap *heap, pyheap_node node,
                           uint64_t limit, struct edges *edges) {
  size_t count, roots;

  if (pyheap_is_root(heap, node))
    return;
  const pyheap_node *referrers = pyheap_referrers(heap, node, &count);
  for (roots = count; roots && pyheap_is_root(heap, referrers[roots - 1]);)
    roots--;
  add_range(heap, referrers, roots, count, limit, edges);
  add_range(heap, referrers, 0, roots, limit, edges);
}

static void add_names(struct buffer *text, struct reference_names *names,
                      pyheap_node from, const struct edge *edge) {
  describe_references(text, names, edge->node, from, edge->count);
}

static void add_names_alone(struct buffer *text, struct reference_names *names,
                            pyheap_node from, const struct edge *edge) {
  describe_reference_names(text, names, edge->node, from, edge->count);
}

static void add_nothing(struct buffer *text, const struct edge *edge) {
  (void)text;
  (void)edge;
}

static const struct node_tree_kind referrers = {
    .neighbour = "referrer",
    .stage = "following referrers",
    .find = find_referrers,
    .before = add_names,
    .name = add_names_alone,
    .backward = true,
    .after = add_nothing,
};

/** What the tree does not show: references that nobody found. */
static void print_count(FILE *out, const struct pyheap *heap,
                        pyheap_node node) {
  cleanup_buffer struct buffer text = {0};
  int64_t excess;
  size_t found;

  if (pyheap_is_root(heap, node)) {
    fputs("a root of the heap: nothing refers to it\n", out);
    return;
  }
  pyheap_referrers(heap, node, &found);
  bool counted = pyheap_refcount_excess(heap, node, &excess);
  if (found && (!counted || !excess))
    return;
  if (found)
    describe_count(&text, found, "reference");
  else
    buffer_add(&text, "no references");
  buffer_add(&text, " found; refcount ");
  describe_refcount(&text, pyheap_refcount(heap, node));
  fprintf(out, "%s\n", buffer_string(&text));
}

static enum command_status answer(struct session *session,
                                  const struct pyheap *heap, pyheap_node node,
                                  const void *values,
                                  const struct output *output) {
  const struct refs *refs = values;
  struct node_tree_options options = {
      .depth = refs->depth,
      .limit = refs->limit,
      .repeat = refs->repeat == REPEAT_ON,
  };
  bool cut;
  if (refs->dot)
    return one_node_dot(session, heap, node, &referrers, &options, output);
  struct tree *tree =
      node_tree_build(session, heap, node, &referrers, &options, &cut);
  if (!tree)
    return session_canceled(session);
  tree_print(tree, output->file, output->width, TREE_BESIDE);
  if (cut)
    fprintf(output->file,
            ELLIPSIS " cut at %" PRIu32 " nodes; -depth, -limit or -repeat off "
                     "make the tree smaller\n",
            tree_count(tree));
  tree_destroy(tree);
  print_count(output->file, heap, node);
  return COMMAND_OK;
}

enum command_status refs_run(struct session *session, int argc, char **argv) {
  static const struct one_node command = {refs_options, session_references,
                                          answer};
  struct refs refs = {.depth = 3, .limit = 10};

  return one_node_run(session, &command, argc, argv, &refs, &refs.output,
                      &refs.dot, &refs.force);
}
