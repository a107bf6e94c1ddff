/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * The memory of another process, read by several threads at once.  Reading takes
 * the kernel longer than a look at what was read, and it does that for each
 * thread by itself.
 */
#ifndef PYHEAP_PROCESS_MEMORY_H
#define PYHEAP_PROCESS_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "pyheap.h"

/** A part of the process's memory that is read at once, and its place here. */
struct process_piece {
  uint64_t start;
  uint8_t *bytes;
  uint32_t length, got; /**< The first GOT bytes could be read. */
  uint32_t flags;       /**< The caller's. */
};

/** Pieces to be read, in the order in which they were added.  All 0, with the
 * first four set, is what to begin with. */
struct process_pieces {
  pid_t process; /**< Or one of its threads. */
  int fd;        /**< /proc/PID/mem of it. */
  unsigned threads;
  const struct pyheap_progress *progress; /**< Or NULL. */
  struct process_piece *list;
  size_t count, capacity;
  uint64_t length; /**< Of all. */
};

/** LENGTH bytes at START, here at BYTES.  False when memory is short. */
bool process_pieces_add(struct process_pieces *pieces, uint64_t start,
                        uint8_t *bytes, uint64_t length, uint32_t flags);
void process_pieces_deinit(struct process_pieces *pieces);
/** Reads them all; false when that was canceled. */
bool process_pieces_copy(struct process_pieces *pieces);
/** Whether the process holds all of what is here.  False also when that was
 * canceled or memory is short. */
bool process_pieces_compare(struct process_pieces *pieces);

#endif
