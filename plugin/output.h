/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * Where an answer goes: the session's screen or the file of -output.
 *
 * A file is written without a name, or beside its final place, and put there
 * when all is written, so that a failure leaves what was there before.
 */
#ifndef MUPPY_OUTPUT_H
#define MUPPY_OUTPUT_H

#include "plugin/command.h"

struct output {
  FILE *file;
  int width;       /**< Columns; 0 (unlimited) in a file. */
  char *path;      /**< Of the file, or NULL for the session's screen. */
  char *temporary; /**< What is written, or NULL to write in place. */
  bool nameless;   /**< It gets a name when it is complete. */
  bool force;
  int error; /**< Set by a writer that met an error: its errno. */
};

/** PATH NULL: the session's own.  An existing file is refused without FORCE,
 * now and again in output_close(). */
enum command_status output_open(struct session *session, const char *path,
                                bool force, struct output *ret);
/** Puts the file in place when STATUS is COMMAND_OK, else removes it.  Returns
 * STATUS, or why what was written did not arrive. */
enum command_status output_close(struct session *session, struct output *output,
                                 enum command_status status);

/** A path as the user typed it, to be opened: gdb passes arguments on as they
 * are, so "~/x" is for us to expand there.  free() it. */
char *path_expand(const struct session *session, const char *path);

/** The two options of every command that has them; TYPE is its struct with the
 * members `const char *output` and `bool force`. */
#define OUTPUT_OPTIONS(type)                                                   \
  {"output", "FILE", "Write to FILE, which must not exist.", OPTION_TEXT,      \
   offsetof(type, output)},                                                    \
  {                                                                            \
    "force", NULL, "Overwrite the FILE of -output.", OPTION_FLAG,              \
        offsetof(type, force)                                                  \
  }

/** The option of every command that can draw a graph instead; -force is for its
 * FILE, too. */
#define DOT_OPTION(type)                                                       \
  {                                                                            \
    "dot", "FILE", "Write a graph for Graphviz to FILE instead: dot -Tsvg.",   \
        OPTION_TEXT, offsetof(type, dot)                                       \
  }
/** Which of the two files is to be written: the paths of -output and of -dot, of
 * which one at most is given. */
enum command_status output_choose(struct session *session, const char *command,
                                  const char *output, const char *dot,
                                  const char **ret);

#endif
