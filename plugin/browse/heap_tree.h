/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * The heap as the rows of a browser: types, their objects, the roots, and what
 * refers to an object or what it refers to.
 */
#ifndef MUPPY_BROWSE_HEAP_TREE_H
#define MUPPY_BROWSE_HEAP_TREE_H

#include <stdio.h>

#include "plugin/browse/model.h"
#include "plugin/reference_names.h"
#include "pyheap/pyheap.h"

/** What rows are about. */
enum heap_item {
  HEAP_ITEM_ALL,     /**< The whole heap: its roots and types. */
  HEAP_ITEM_ROOTS,   /**< All roots. */
  HEAP_ITEM_ORPHANS, /**< All orphans. */
  HEAP_ITEM_TYPE,    /**< The objects of type NUMBER, the largest first. */
  HEAP_ITEM_NODE,    /**< The object or root NUMBER. */
  HEAP_ITEM_NOTHING, /**< An address at which no object is. */
};

struct heap_tree {
  struct pyheap *heap; /**< With its references indexed. */
  struct reference_names *names;
  struct pyheap_summary_row *types; /**< Those with objects, largest first. */
  size_t type_count;
};

/** Errors: those of pyheap_summarize(). */
PYHEAP_MUST_CHECK struct pyheap_error *heap_tree_init(struct heap_tree *tree,
                                                      struct pyheap *heap);
void heap_tree_deinit(struct heap_tree *tree);

/** TREE must outlive it. */
struct browse_source heap_tree_source(const struct heap_tree *tree);

/** What a tree with ITEM at its top shows: "what refers to dict 0x7f3c…". */
void heap_tree_title(const struct heap_tree *tree, struct browse_item item,
                     enum browse_direction direction, struct buffer *text);
/** Writes all about ITEM, in lines of WIDTH columns. */
void heap_tree_details(const struct heap_tree *tree, struct browse_item item,
                       FILE *out, int width);

#endif
