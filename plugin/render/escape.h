/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * Text from the debuggee on its way to a terminal, and how wide it is there.
 *
 * Output is UTF-8 in every locale: gdb and the terminals of today take it, and
 * the names of a program should not depend on the variables of who looks.
 */
#ifndef MUPPY_ESCAPE_H
#define MUPPY_ESCAPE_H

#include <stddef.h>
#include <stdint.h>

#include "buffer.h"

#define ELLIPSIS "…"

/** The code point that BYTES begin with, or -1 when they are no valid UTF-8
 * (surrogates and overlong forms are not).  *LENGTH is what to skip: 1 for
 * a bad byte, 0 at the end only. */
int32_t utf8_decode(const char *bytes, size_t available, size_t *length);

/**
 * Appends LENGTH bytes in a form that can do nothing to a terminal and is valid
 * UTF-8: control characters and bytes that are no UTF-8 become \xNN, characters
 * that format (direction, joiners, line separators) or that the C library does
 * not know become \uNNNN.  Everything else stays as it is, backslashes too.
 */
void escape_append(struct buffer *text, const char *bytes, size_t length);
void escape_add(struct buffer *text, const char *string);

/** Columns that escaped text takes on a terminal. */
size_t display_width(const char *text);

enum cut {
  CUT_END,
  CUT_START
};
/** Appends escaped TEXT, cut to COLUMNS columns with an ellipsis at its end, or
 * at its start (which keeps the last part of a dotted name).  Returns
 * the columns taken. */
size_t cut_append(struct buffer *to, const char *text, size_t columns,
                  enum cut cut);

/** The bytes [start, end) of a text; start == end: none. */
struct span {
  size_t start, end;
};
/** Cuts at the end as above, but for what must be KEPT in full, such as an
 * address that is typed next: what comes before it is cut instead.  In fewer
 * columns than that takes, even it is cut. */
size_t cut_append_around(struct buffer *to, const char *text, size_t columns,
                         struct span kept);

#endif
