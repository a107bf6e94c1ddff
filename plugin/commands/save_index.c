/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "commands.h"

#include "plugin/options.h"
#include "plugin/saved_index.h"
#include "plugin/session.h"

struct save_index {
  bool cache;
};

const struct command_option save_index_options[] = {
    {"cache", NULL,
     "Save it in your cache folder ($XDG_CACHE_HOME/gdb-muppy), not beside\n"
     "the core.",
     OPTION_FLAG, offsetof(struct save_index, cache)},
    {0},
};

enum command_status save_index_run(struct session *session, int argc,
                                   char **argv) {
  struct save_index save_index = {0};
  int operands;
  enum command_status status = options_parse(session, save_index_options, argc,
                                             argv, &save_index, &operands);

  if (status != COMMAND_OK)
    return status;
  if (operands)
    return session_fail(session, COMMAND_USAGE,
                        "save-index: '%s' is one too many", argv[1]);
  return saved_index_save(
      session, save_index.cache ? SAVED_CACHE : SAVED_BESIDE, session->out);
}
