/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * The script that gdb sources to learn how a command ended.
 *
 * gdb prints the answer itself, by echo, so that its pager, its logging, pipe
 * and MI see it.  Used on both sides: by the helper, and by muppy.so when there
 * is no helper to speak for itself.
 */
#ifndef MUPPY_GDB_RESPONSE_H
#define MUPPY_GDB_RESPONSE_H

#include <stddef.h>
#include <stdio.h>

/** Writes commands that print TEXT as it is.  Control characters other than
 * newlines and tabs, which no terminal should get, are shown as \xNN. */
void response_echo(FILE *script, const char *text, size_t length);

/** Writes how the command ended, a command_status; 0 is success. */
void response_status(FILE *script, int status);

/** Writes that the command failed for REASON, one line without "muppy: ". */
void response_failure(FILE *script, int status, const char *reason);

/** Writes that the user interrupted the command, and prints REASON. */
void response_canceled(FILE *script, int status, const char *reason);

/** Writes that gdb must evaluate EXPRESSION, add the value to the request and
 * ask again. */
void response_evaluate(FILE *script, const char *expression);

#endif
