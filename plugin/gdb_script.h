/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * muppy.gdb: the user commands that gdb loads, made from the table of commands.
 */
#ifndef MUPPY_GDB_SCRIPT_H
#define MUPPY_GDB_SCRIPT_H

#include <stdio.h>

/**
 * Writes the script.
 * @param reader   absolute path of muppy.so.
 * @param program  absolute path of the program muppy.
 * @return A command_status.
 */
int gdb_script_write(FILE *out, const char *reader, const char *program);

#endif
