/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * The graph of nodes around a node, for Graphviz: what node_tree.h draws as a
 * tree, with each node once.
 */
#ifndef MUPPY_NODE_GRAPH_H
#define MUPPY_NODE_GRAPH_H

#include "plugin/node_tree.h"

enum {
  /** Graphviz takes minutes over so many. */
  NODE_GRAPH_MAX = 5000,
};

/**
 * Writes what one gets to from NODE within the depth and limit of the options.
 * @param[out] cut Whether it ended early because it grew too large to be drawn.
 * Returns false when canceled.
 */
bool node_graph_write(struct session *session, const struct pyheap *heap,
                      pyheap_node node, const struct node_tree_kind *kind,
                      const struct node_tree_options *options, FILE *out,
                      bool *cut);
/** Writes COUNT nodes, ascending, and all references among them.  START is marked
 * if it is one of them. */
void node_graph_among(const struct pyheap *heap, const char *title,
                      const pyheap_node *nodes, size_t count, pyheap_node start,
                      FILE *out);

#endif
