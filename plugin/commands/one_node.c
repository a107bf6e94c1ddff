/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "one_node.h"

#include "plugin/options.h"

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
                                 const char *const *output, const bool *force) {
  struct output to;
  uint64_t address;
  int operands;
  enum command_status status =
      options_parse(session, command->options, argc, argv, values, &operands);

  if (status == COMMAND_OK)
    status = session_address(session, operands, argv, &address);
  if (status == COMMAND_OK)
    status = output_open(session, *output, *force, &to);
  if (status != COMMAND_OK)
    return status;
  return output_close(session, &to,
                      answer(session, command, address, values, &to));
}
