/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * What the files of the commands give to the table in commands.c.
 */
#ifndef MUPPY_COMMANDS_H
#define MUPPY_COMMANDS_H

#include "plugin/command.h"

#define COMMAND(name)                                                          \
  extern const struct command_option name##_options[];                         \
  enum command_status name##_run(struct session *session, int argc,            \
                                 char **argv);

COMMAND(info)
COMMAND(summary)
COMMAND(filter)
COMMAND(refs)
COMMAND(browse)
COMMAND(object)
COMMAND(objects)
COMMAND(referents)
COMMAND(sizeof)
COMMAND(retained)
COMMAND(cycles)
COMMAND(export)
COMMAND(save)
COMMAND(diff)
COMMAND(track_start)
COMMAND(track_diff)
COMMAND(track_store)
COMMAND(track_list)
COMMAND(track_delete)
COMMAND(track_stop)
COMMAND(save_index)
COMMAND(help)
#undef COMMAND

/** track.c: what session->tracks points to; NULL is fine. */
struct tracks;
void tracks_destroy(struct tracks *tracks);

/** Usage, options and text of one command. */
void help_command(FILE *out, const struct command *command, bool gdb);
/** A line for each command, or more where WIDTH columns (0: unlimited) are too
 * few. */
void help_list(FILE *out, int width);
/** "  --name ARGUMENT", and the help indented below; DASHES "-" or "--". */
void help_option_list(FILE *out, const struct command_option *options,
                      const char *dashes);

#endif
