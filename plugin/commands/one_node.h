/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * What the commands about one object or root have in common.
 */
#ifndef MUPPY_ONE_NODE_H
#define MUPPY_ONE_NODE_H

#include "plugin/node_tree.h"
#include "plugin/output.h"
#include "plugin/session.h"

struct one_node {
  const struct command_option *options;
  /** session_objects() or session_references(). */
  struct pyheap *(*open)(struct session *session, enum command_status *status);
  enum command_status (*answer)(struct session *session,
                                const struct pyheap *heap, pyheap_node node,
                                const void *values,
                                const struct output *output);
};

/** Parses the options into VALUES, finds the node that the operands name and
 * answers for it.  OUTPUT, DOT (or NULL) and FORCE are members of VALUES. */
enum command_status one_node_run(struct session *session,
                                 const struct one_node *command, int argc,
                                 char **argv, void *values,
                                 const char *const *output,
                                 const char *const *dot, const bool *force);
/** Answers with a graph. */
enum command_status one_node_dot(struct session *session,
                                 const struct pyheap *heap, pyheap_node node,
                                 const struct node_tree_kind *kind,
                                 const struct node_tree_options *options,
                                 const struct output *output);

#endif
