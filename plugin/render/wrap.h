/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * Sentences on a screen: broken between words.
 */
#ifndef MUPPY_WRAP_H
#define MUPPY_WRAP_H

#include <stddef.h>
#include <stdio.h>

/**
 * Prints escaped TEXT and a newline, on lines of at most WIDTH columns (0:
 * unlimited).  The first begins where INDENT columns are taken already; the
 * others have as many blanks.  A word that fits nowhere stays whole.
 */
void print_wrapped(FILE *out, int width, size_t indent, const char *text);

#endif
