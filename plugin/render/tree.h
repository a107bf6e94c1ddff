/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * Trees as Pympler's ConsoleBrowser draws them, the first child beside its
 * parent:
 *
 *     root-+-first--grandchild
 *          |
 *          +-second
 *
 * Where that would leave the screen, the children go below their parent:
 *
 *     root
 *     +-first--grandchild
 *     +-second
 */
#ifndef MUPPY_TREE_H
#define MUPPY_TREE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "escape.h"

struct tree;

enum tree_shape {
  TREE_BESIDE, /**< Beside where it fits, else below. */
  TREE_BELOW,  /**< A line a node. */
};

/** A tree with its root, which has the number 0. */
struct tree *tree_create(const char *label);
void tree_destroy(struct tree *tree);
/** Adds a last child to PARENT and returns its number.  LABEL is escaped
 * already. */
uint32_t tree_add(struct tree *tree, uint32_t parent, const char *label);
/** What of NODE's label is not cut, as an address: bytes of it. */
void tree_keep(struct tree *tree, uint32_t node, struct span kept);
/** Nodes so far. */
uint32_t tree_count(const struct tree *tree);
/** Draws it in WIDTH columns (0: unlimited); labels that do not fit are cut. */
void tree_print(const struct tree *tree, FILE *out, int width,
                enum tree_shape shape);

#endif
