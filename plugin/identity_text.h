/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * What a snapshot is of, in words.
 */
#ifndef MUPPY_IDENTITY_TEXT_H
#define MUPPY_IDENTITY_TEXT_H

#include "plugin/render/escape.h"
#include "pyheap/snapshot.h"

/** "process 4711, CPython 3.11.2, core file x, 2026-03-01 12:00:00".  Returns
 * where in TEXT the time is, which tells moments apart. */
struct span identity_add(struct buffer *text,
                         const struct pyheap_identity *identity);

#endif
