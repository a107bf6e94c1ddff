/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "commands.h"

#include "plugin/commands/one_node.h"
#include "plugin/object_text.h"
#include "plugin/output.h"
#include "plugin/session.h"

struct object_options {
  uint64_t limit;
  const char *output;
  bool force;
};

const struct command_option object_options[] = {
    {"limit", "N|unlimited",
     "Show N attributes, items, … (default 25 of each).", OPTION_COUNT,
     offsetof(struct object_options, limit)},
    OUTPUT_OPTIONS(struct object_options),
    {0},
};

static enum command_status answer(struct session *session,
                                  const struct pyheap *heap, pyheap_node node,
                                  const void *values,
                                  const struct output *output) {
  const struct object_options *options = values;
  enum command_status status = session_interpreters(session);

  if (status != COMMAND_OK)
    return status;
  object_text(output->file, output->width, heap, node, options->limit);
  return COMMAND_OK;
}

enum command_status object_run(struct session *session, int argc, char **argv) {
  static const struct one_node command = {object_options, session_references,
                                          answer};
  struct object_options options = {.limit = 25};

  return one_node_run(session, &command, argc, argv, &options, &options.output,
                      NULL, &options.force);
}
