/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * The memory that gdb can read, for where the helper cannot read by itself.
 */
#ifndef MUPPY_REGIONS_H
#define MUPPY_REGIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "pyheap/pyheap.h"

struct regions {
  struct pyheap_region *items; /**< Ascending, disjoint. */
  size_t count;
  struct pyheap_thread *threads; /**< With the registers that gdb knows. */
  size_t thread_count;
  uint64_t entry;  /**< Where the program starts; 0: gdb does not tell. */
  uint64_t random; /**< AT_RANDOM; 0: gdb does not tell. */
};

/**
 * Reads the answers of "maint info sections", "info proc mappings", "info auxv"
 * and "thread apply all info registers", one behind the other, in the file FD.
 * @param core  a core file is debugged: only the sections have their bytes.
 * Without memory, or without sense in the text, there are no regions.
 */
void regions_init(struct regions *regions, int fd, bool core);
void regions_deinit(struct regions *regions);

#endif
