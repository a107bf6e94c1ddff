/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "commands.h"

#include "plugin/object_list.h"
#include "plugin/options.h"
#include "plugin/session.h"

const struct command_option filter_options[] = {
    OBJECT_LIST_OPTIONS,
    {0},
};

enum command_status filter_run(struct session *session, int argc, char **argv) {
  struct object_list list = OBJECT_LIST;
  int operands;
  enum command_status status =
      options_parse(session, filter_options, argc, argv, &list, &operands);

  if (status != COMMAND_OK)
    return status;
  if (operands == 0)
    return session_fail(session, COMMAND_USAGE,
                        "filter: which type? Give a name, such as dict, "
                        "app.models.User or '*Error'; objects does without");
  if (operands > 1)
    return session_fail(session, COMMAND_USAGE,
                        "filter: one type, please; '%s' is one too many",
                        argv[2]);
  list.select.type = argv[1];
  return object_list_run(session, argv[0], &list);
}
