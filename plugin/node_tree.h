/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * The tree of nodes that one gets to from a node, along references in either
 * direction.
 */
#ifndef MUPPY_NODE_TREE_H
#define MUPPY_NODE_TREE_H

#include "plugin/command.h"
#include "plugin/reference_names.h"
#include "plugin/render/buffer.h"
#include "plugin/render/tree.h"

/** A way from a node to a neighbour. */
struct edge {
  pyheap_node node; /**< PYHEAP_NO_NODE: `address` is no object. */
  uint64_t address;
  uint64_t count; /**< References that it stands for. */
  enum pyheap_reference_kind kind;
  struct pyheap_name name;
};

struct edges {
  struct edge *items; /**< Room for the limit that the function was given. */
  size_t count;
  uint64_t total; /**< Of all, those beyond the limit included. */
};

/** What kind of tree it is. */
struct node_tree_kind {
  const char *neighbour; /**< "referrer" */
  const char *stage;     /**< For the progress. */
  /** Writes up to LIMIT edges of NODE. */
  void (*find)(const struct pyheap *heap, pyheap_node node, uint64_t limit,
               struct edges *edges);
  /** What stands before the description of EDGE's node: "['a'] in ". */
  void (*before)(struct buffer *text, struct reference_names *names,
                 pyheap_node from, const struct edge *edge);
  /** The names of EDGE's references alone: "['a']". */
  void (*name)(struct buffer *text, struct reference_names *names,
               pyheap_node from, const struct edge *edge);
  bool backward; /**< Neighbours refer to the node. */
  /** What stands behind it: " (owned)". */
  void (*after)(struct buffer *text, const struct edge *edge);
};

/** Finds up to LIMIT edges of a node; CAPACITY is the room that EDGES has, which
 * grows as needed.  free() their items. */
void edges_find(struct edges *edges, size_t *capacity,
                const struct node_tree_kind *kind, const struct pyheap *heap,
                pyheap_node node, uint64_t limit);

struct node_tree_options {
  uint64_t depth; /**< Levels below the root; UNLIMITED is 1,000. */
  uint64_t limit; /**< Neighbours of one node. */
  bool repeat;    /**< Follow a node again where it is met again. */
};

/**
 * Builds the tree below NODE.
 * @param[out] cut Whether it ended early because it grew too large to be read.
 * Returns NULL when canceled.
 */
struct tree *node_tree_build(struct session *session, const struct pyheap *heap,
                             pyheap_node node,
                             const struct node_tree_kind *kind,
                             const struct node_tree_options *options,
                             bool *cut);

#endif
