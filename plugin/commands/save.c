/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "commands.h"

#include <inttypes.h>
#include <stdio.h>

#include "plugin/options.h"
#include "plugin/output.h"
#include "plugin/render/number.h"
#include "plugin/session.h"
#include "pyheap/snapshot.h"

struct save {
  bool force;
};

const struct command_option save_options[] = {
    {"force", NULL, "Overwrite FILE.", OPTION_FLAG,
     offsetof(struct save, force)},
    {0},
};

static enum command_status write_snapshot(struct session *session,
                                          const struct output *output) {
  enum command_status status;
  struct pyheap_snapshot *snapshot;
  struct pyheap *heap = session_references(session, &status);

  if (!heap)
    return status;
  struct pyheap_error *error = pyheap_snapshot_take(heap, true, &snapshot);
  session_done(session);
  if (error)
    return session_error(session, error);
  uint32_t unreadable = pyheap_snapshot_unreadable(snapshot);
  if (unreadable)
    fprintf(session->out,
            "Objects that could not be read, saved as of type ?: %" PRIu32 "\n",
            unreadable);
  error = pyheap_snapshot_write(snapshot, fileno(output->file));
  pyheap_snapshot_destroy(snapshot);
  if (!error)
    return COMMAND_OK;
  if (error->code != PYHEAP_ERROR_OS)
    return session_error(session, error);
  status = session_fail(session, COMMAND_FAILED, "cannot write %s: %s",
                        output->path, error->message);
  pyheap_error_destroy(error);
  return status;
}

enum command_status save_run(struct session *session, int argc, char **argv) {
  struct save save = {0};
  struct output output;
  int operands;
  enum command_status status =
      options_parse(session, save_options, argc, argv, &save, &operands);

  if (status != COMMAND_OK)
    return status;
  if (operands == 0)
    return session_fail(session, COMMAND_USAGE,
                        "save: to which file? Give its name");
  if (operands > 1)
    return session_fail(session, COMMAND_USAGE,
                        "save: one file, please; '%s' is one too many",
                        argv[2]);
  status = output_open(session, argv[1], save.force, &output);
  if (status != COMMAND_OK)
    return status;
  status = write_snapshot(session, &output);
  return output_close(session, &output, status);
}
