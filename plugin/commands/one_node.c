/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "one_node.h"

#include "plugin/node_graph.h"
#include "plugin/options.h"
#include "plugin/render/escape.h"

static enum command_status answer(struct session *session,
                                  const struct one_node *command,
                                  uint64_t address, const void *values,
                                  const struct output *output) {
  enum command_status status;
  pyheap_node node;
  struct pyheap *heap = command->open(session, &status);

  if (!heap)
    return status;
  status = session_node(session, heap, address, &node);
  if (status != COMMAND_OK)
    return status;
  return command->answer(session, heap, node, values, output);
}

enum command_status one_node_run(struct session *session,
                                 const struct one_node *command, int argc,
                                 char **argv, void *values,
                                 const char *const *output,
                                 const char *const *dot, const bool *force) {
  const char *path = NULL;
  struct output to;
  uint64_t address;
  int operands;
  enum command_status status =
      options_parse(session, command->options, argc, argv, values, &operands);

  if (status == COMMAND_OK)
    status = output_choose(session, argv[0], *output, dot ? *dot : NULL, &path);
  if (status == COMMAND_OK)
    status = session_address(session, operands, argv, &address);
  if (status == COMMAND_OK)
    status = output_open(session, path, *force, &to);
  if (status != COMMAND_OK)
    return status;
  return output_close(session, &to,
                      answer(session, command, address, values, &to));
}

enum command_status one_node_dot(struct session *session,
                                 const struct pyheap *heap, pyheap_node node,
                                 const struct node_tree_kind *kind,
                                 const struct node_tree_options *options,
                                 const struct output *output) {
  bool cut;

  if (!node_graph_write(session, heap, node, kind, options, output->file, &cut))
    return session_canceled(session);
  if (cut)
    fputs(ELLIPSIS " the graph was cut; -depth, -level or -limit make it "
                   "smaller\n",
          session->out);
  return COMMAND_OK;
}
