/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * The commands of muppy: one table for gdb and the command line.
 *
 * A command takes its arguments as getopt_long_only() does, so that gdb's
 * "-limit 20" and GNU's "--limit=20" are the same, abbreviations included.
 */
#ifndef MUPPY_COMMAND_H
#define MUPPY_COMMAND_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "pyheap/pyheap.h"

/** How a command ended; also the exit status of the command line program. */
enum command_status {
  COMMAND_OK = 0,
  COMMAND_FAILED = 1, /**< The answer could not be given. */
  COMMAND_USAGE = 2,  /**< The arguments make no sense. */
  COMMAND_TARGET = 3, /**< No heap to read: no debuggee, no Python, … */
  COMMAND_CANCELED = 4,
  COMMAND_EVALUATE = 5, /**< gdb must evaluate session->evaluate first. */
};

/** Where a command that fills the screen has it from. */
struct command_terminal {
  void *context;
  /**
   * Lends the terminal until the command is over.
   * @param restore  What brings its screen back, should this process end before
   *                 it can do so: fewer than TERMINAL_RESTORE bytes.
   * @param[out] fd  For reading and writing; the caller closes it.
   * @return NULL, or why there is none, in a static buffer.
   */
  const char *(*lend)(void *context, const char *restore, int *fd);
  int wake; /**< Becomes readable when is_canceled() may change; -1: a signal
                 comes then. */
  bool (*is_canceled)(void *context);
  bool can_stop; /**< Ctrl-Z may stop this process. */
};

enum {
  TERMINAL_RESTORE = 100
};

/** What a command works on.  One session serves many commands. */
struct session {
  struct pyheap *heap;         /**< Opened by session_open() when needed. */
  struct pyheap_target target; /**< What to open. */
  FILE *out;                   /**< The answer. */
  int width;                   /**< Columns of the screen; 0: unlimited. */
  bool gdb;                    /**< Called from gdb. */
  bool ignore_index;           /**< A saved index is not to be used. */
  const struct command_terminal *terminal; /**< Or NULL. */
  char *message; /**< Why the command failed: one line without "muppy: ". */
  /** In gdb: an operand that is no number, to be evaluated there; set with
   * COMMAND_EVALUATE.  On the second call the value is in `evaluated`. */
  char *evaluate;
  const uint64_t *evaluated;
  size_t evaluated_count;
  size_t evaluated_used;
  struct tracks *tracks; /**< What the commands "track …" keep; or NULL. */
  /** On the command line: those that stand before the command; or NULL. */
  const struct command_option *leading_options;
  bool restarted; /**< A process that served this gdb before has ended. */
};

enum option_kind {
  OPTION_FLAG,   /**< bool: set to true. */
  OPTION_COUNT,  /**< uint64_t: a number, or "unlimited" (or 0): UINT64_MAX. */
  OPTION_LEVELS, /**< The same, but 0 makes no sense. */
  OPTION_DETAIL, /**< The same, but 0 is 0. */
  OPTION_NUMBER, /**< uint64_t: a decimal number. */
  OPTION_SIZE,   /**< uint64_t: bytes, "512", "1k", "2M". */
  OPTION_CHOICE, /**< int: which of the words of `argument`, from 0. */
  OPTION_TEXT,   /**< const char *: as it is. */
};

struct command_option {
  const char *name;     /**< "limit" */
  const char *argument; /**< "N|unlimited", or NULL for a flag. */
  const char *help;     /**< One or more lines. */
  enum option_kind kind;
  size_t offset; /**< Where the value goes in the command's struct. */
};

struct command {
  const char *name;     /**< "summary" */
  const char *operands; /**< "ADDRESS" for the Usage line, or "". */
  const char *brief;    /**< One sentence, ending in a period. */
  const char *help; /**< Paragraphs, with an example; no trailing newline. */
  const struct command_option *options; /**< Up to a NULL name. */
  enum command_status (*run)(struct session *session, int argc, char **argv);
  /** Of a prefix such as "track", which then has neither options nor `run`: the
   * commands behind it, up to a NULL name.  These have none of their own. */
  const struct command *subcommands;
  const char *prefix; /**< Of a subcommand: the name of what it is behind. */
};

/** The table; name NULL behind the last. */
extern const struct command commands[];

/** The command that the first of the COUNT words names, by an unambiguous start
 * too, or the subcommand that the first two do; *USED is how many words that
 * took.  NULL with the session's message set. */
const struct command *command_find(struct session *session, int count,
                                   char **words, int *used);
/** Runs argv[0] (and argv[1], a subcommand) with its arguments.  On failure
 * session->message says why. */
enum command_status command_run(struct session *session, int argc, char **argv);

/** Closes the heap and forgets messages; the target stays. */
void session_close(struct session *session);

#endif
