/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * All about one object, a line each.
 */
#ifndef MUPPY_OBJECT_TEXT_H
#define MUPPY_OBJECT_TEXT_H

#include <stdio.h>

#include "pyheap/pyheap.h"

/** Writes what is known of NODE in lines of WIDTH columns (0: unlimited), with
 * up to LIMIT attributes, items and so on.  Needs pyheap_index_references(). */
void object_text(FILE *out, int width, const struct pyheap *heap,
                 pyheap_node node, uint64_t limit);

#endif
