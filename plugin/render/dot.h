/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * Graphs in the language of Graphviz (dot -Tsvg FILE).
 */
#ifndef MUPPY_DOT_H
#define MUPPY_DOT_H

#include <stdint.h>
#include <stdio.h>

enum dot_style {
  DOT_PLAIN,
  DOT_START, /**< What was asked about. */
  DOT_ROOT,  /**< What refers to objects and is none. */
  DOT_MORE,  /**< Stands for what was left out. */
};

void dot_begin(FILE *out, const char *title);
/** A node with the lines of LABEL, which is escaped for a terminal already. */
void dot_node(FILE *out, uint64_t id, const char *label, enum dot_style style);
/** An arrow with LABEL; "": none. */
void dot_edge(FILE *out, uint64_t from, uint64_t to, const char *label);
void dot_end(FILE *out);

#endif
