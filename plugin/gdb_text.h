/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * What gdb answered to a command under "pipe".
 */
#ifndef MUPPY_GDB_TEXT_H
#define MUPPY_GDB_TEXT_H

/** The answer in the file FD as a terminal would show it, or NULL when there is
 * none or memory is short; free() it. */
char *gdb_text(int fd);

#endif
