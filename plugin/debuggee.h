/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * What gdb is debugging, as far as "info files" tells.
 */
#ifndef MUPPY_DEBUGGEE_H
#define MUPPY_DEBUGGEE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "pyheap/pyheap.h"

/** All paths are as gdb resolved them.  Neither core nor pid is set for what
 * only gdb can read, such as a program behind gdbserver. */
struct debuggee {
  char *core;
  char *exe;
  pid_t pid;
  pid_t thread; /**< Of pid, by which gdb named it; 0: by none. */
  struct pyheap_file *files;
  size_t file_count;
  /** Differs from that of another debuggee, and from that of this one after it
   * ran or its files changed.  NULL: nobody can tell. */
  char *identity;
};

/** Reads the answer of "info files" in the file FD. */
void debuggee_init(struct debuggee *debuggee, int fd);
void debuggee_deinit(struct debuggee *debuggee);
/** Whether the thread by which gdb named the process still is one of it.  Where
 * not, what "info files" said must be asked for again: the number is no one's
 * now, or another process's. */
bool debuggee_is_named(const struct debuggee *debuggee);
/** Whether it is a process that has ended though gdb still shows it: one that
 * was killed while it was stopped. */
bool debuggee_has_ended(const struct debuggee *debuggee);
/** Whether this process may read the core or the process without gdb. */
bool debuggee_is_readable(const struct debuggee *debuggee);
/** Whether what was read of A still holds for B. */
bool debuggee_is_same(const struct debuggee *a, const struct debuggee *b);

#endif
