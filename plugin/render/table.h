/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * Tables as Pympler draws them: cells joined by " | ", a rule of "=" below the
 * header.
 */
#ifndef MUPPY_TABLE_H
#define MUPPY_TABLE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "escape.h"

enum table_align {
  ALIGN_RIGHT,
  ALIGN_LEFT
};

struct table_column {
  const char *title;
  enum table_align align;
  size_t padding; /**< Blanks before the cells; Pympler has two. */
  /** Columns below which it is never cut; 0: it is not cut at all. */
  size_t minimum;
  enum cut cut; /**< Where. */
};

struct table;

/** COLUMNS must outlive the table. */
struct table *table_create(const struct table_column *columns, size_t count);
void table_destroy(struct table *table);
/** The next cell, row by row from the left; TEXT is escaped already. */
void table_add(struct table *table, const char *text);
/** The same for a number of things, and for bytes as format_size() has them. */
void table_add_count(struct table *table, uint64_t count);
void table_add_size(struct table *table, uint64_t bytes);
/** The same for a cell of which KEPT is not cut, such as an address that is typed
 * next, however narrow the screen. */
void table_add_around(struct table *table, const char *text, struct span kept);
/** How many of COUNT rows to show where LIMIT are wanted: a row about the only one
 * left would take the place of that one. */
static inline uint64_t table_shown(uint64_t count, uint64_t limit) {
  return count > limit && count - limit > 1 ? limit : count;
}
/** A line of "=" between this row and the next. */
void table_rule(struct table *table);
/** Prints it in at most WIDTH columns (0: unlimited), as far as columns may be
 * cut. */
void table_print(const struct table *table, FILE *out, int width);
/** Prints the rows so far and forgets them, so that tables of millions of rows
 * need no memory; columns keep their widths, or grow.  Returns with no row left.
 * Not for tables with rules. */
void table_flush(struct table *table, FILE *out, int width);

#endif
