/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * One line on gdb's terminal that says how far long work is.
 */
#ifndef MUPPY_GDB_PROGRESS_H
#define MUPPY_GDB_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct progress {
  struct timespec started;
  bool allowed; /**< There is a terminal, and it is not in full-screen use. */
  int columns;  /**< Of what is shown now. */
};

void progress_begin(struct progress *progress);
/** Shows the stage when the work has taken more than a second. */
void progress_show(struct progress *progress, const char *stage, uint64_t done,
                   uint64_t total);
/** Erases the line.  Fine without progress_begin(). */
void progress_end(struct progress *progress);

#endif
