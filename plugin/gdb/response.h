/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * What gdb sources to learn how a command ended and to print its output.
 *
 * gdb prints the output itself, by echo, so that its pager, its logging, pipe
 * and MI see it.  Used on both sides: by the helper, and by muppy.so when there
 * is no helper to speak for itself.
 */
#ifndef MUPPY_GDB_RESPONSE_H
#define MUPPY_GDB_RESPONSE_H

#include <stddef.h>
#include <stdio.h>

/** Writes commands that print TEXT as it is.  Control characters other than
 * newlines and tabs, which no terminal should get, are shown as \xNN. */
void response_echo(FILE *output, const char *text, size_t length);

/** Writes commands that print that the user interrupted the command.  gdb adds
 * its own "Quit". */
void response_canceled(FILE *output, const char *reason);

/** Writes how the command ended: a command_status, 0 is success. */
void response_status(FILE *response, int status);

/** Writes that gdb's text user interface must draw its windows anew and set the
 * terminal up again (keys, mouse): another program had it. */
void response_redraw(FILE *output);

/** Writes that the command failed for REASON, one line without "muppy: ". */
void response_failure(FILE *response, int status, const char *reason);

/** Writes that gdb must evaluate EXPRESSION and run the request again. */
void response_evaluate(FILE *response, const char *expression);

/** Writes that gdb must list the memory that it can read and run the request
 * again. */
void response_regions(FILE *response);
/** For what is debugged ("info files"). */
void response_files(FILE *response);

#endif
