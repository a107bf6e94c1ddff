/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "commands.h"

#include <inttypes.h>

#include "plugin/commands/one_node.h"
#include "plugin/describe.h"
#include "plugin/node_tree.h"
#include "plugin/output.h"
#include "plugin/session.h"

struct referents {
  uint64_t level;
  uint64_t limit;
  const char *dot;
  const char *output;
  bool force;
};

const struct command_option referents_options[] = {
    {"level", "N|unlimited",
     "Follow references over N levels (default 1, at most 1000).",
     OPTION_LEVELS, offsetof(struct referents, level)},
    {"limit", "N|unlimited", "Show N references of each object (default 25).",
     OPTION_COUNT, offsetof(struct referents, limit)},
    DOT_OPTION(struct referents),
    OUTPUT_OPTIONS(struct referents),
    {0},
};

struct collection {
  const struct pyheap *heap;
  struct edges *edges;
  uint64_t limit;
};

static bool collect(void *context, const struct pyheap_reference *reference) {
  const struct collection *collection = context;
  struct edges *edges = collection->edges;

  edges->total++;
  if (edges->count < collection->limit)
    edges->items[edges->count++] = (struct edge){
        .node = pyheap_node_at(collection->heap, reference->target),
        .address = reference->target,
        .count = 1,
        .kind = reference->kind,
        .name = reference->name,
    };
  return true;
}

static void find_referents(const struct pyheap *heap, pyheap_node node,
                           uint64_t limit, struct edges *edges) {
  struct collection collection = {heap, edges, limit};

  pyheap_referents(heap, node, collect, &collection);
}

static void add_name(struct buffer *text, struct reference_names *names,
                     pyheap_node from, const struct edge *edge) {
  (void)from;
  describe_name(text, reference_names_heap(names), edge->name);
  buffer_add(text, ": ");
}

static void add_name_alone(struct buffer *text, struct reference_names *names,
                           pyheap_node from, const struct edge *edge) {
  (void)from;
  describe_name(text, reference_names_heap(names), edge->name);
}

static void add_kind(struct buffer *text, const struct edge *edge) {
  if (edge->kind == PYHEAP_OWNED)
    buffer_add(text, " (owned)");
  else if (edge->kind == PYHEAP_PROBABLE)
    buffer_add(text, " (probable)");
}

static const struct node_tree_kind kind = {
    .neighbour = "reference",
    .stage = "following references",
    .find = find_referents,
    .before = add_name,
    .name = add_name_alone,
    .after = add_kind,
};

static bool is_certain(void *context,
                       const struct pyheap_reference *reference) {
  *(bool *)context = reference->kind == PYHEAP_PROBABLE;
  return !*(bool *)context;
}

/** Builds the index where some reference may be refuted by it: those of NODE that
 * are probable, and any further away.  Nodes have other numbers then. */
static enum command_status refute(struct session *session,
                                  const struct pyheap *heap, uint64_t levels,
                                  pyheap_node *node) {
  enum command_status status;
  bool probable = levels > 1;

  if (!probable)
    pyheap_referents(heap, *node, is_certain, &probable);
  if (!probable)
    return COMMAND_OK;
  uint64_t address = pyheap_address(heap, *node);
  struct pyheap *indexed = session_references(session, &status);
  return indexed ? session_node(session, indexed, address, node) : status;
}

static enum command_status answer(struct session *session,
                                  const struct pyheap *heap, pyheap_node node,
                                  const void *values,
                                  const struct output *output) {
  const struct referents *referents = values;
  /* Each object's references are shown once: what it refers to is the same
   * wherever it is met. */
  struct node_tree_options options = {
      .depth = referents->level,
      .limit = referents->limit,
      .repeat = false,
  };
  bool cut;
  enum command_status status = refute(session, heap, referents->level, &node);
  if (status != COMMAND_OK)
    return status;
  if (referents->dot)
    return one_node_dot(session, heap, node, &kind, &options, output);
  struct tree *tree =
      node_tree_build(session, heap, node, &kind, &options, &cut);
  if (!tree)
    return session_canceled(session);
  tree_print(tree, output->file, output->width, TREE_BELOW);
  if (tree_count(tree) == 1)
    fputs("refers to nothing\n", output->file);
  if (cut)
    fprintf(output->file,
            ELLIPSIS " cut at %" PRIu32 " nodes; -level or -limit make the "
                     "tree smaller\n",
            tree_count(tree));
  tree_destroy(tree);
  return COMMAND_OK;
}

enum command_status referents_run(struct session *session, int argc,
                                  char **argv) {
  static const struct one_node command = {referents_options, session_objects,
                                          answer};
  struct referents referents = {.level = 1, .limit = 25};

  return one_node_run(session, &command, argc, argv, &referents,
                      &referents.output, &referents.dot, &referents.force);
}
