/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * A model on a terminal: draws its rows, does what keys and mouse say.
 */
#ifndef MUPPY_BROWSE_SCREEN_H
#define MUPPY_BROWSE_SCREEN_H

#include <stdio.h>

#include "plugin/browse/model.h"
#include "plugin/browse/tty.h"

/** What a screen shows besides the rows. */
struct screen_content {
  void *context;
  /** What the tree with ITEM at its top is about. */
  void (*title)(void *context, struct browse_item item,
                enum browse_direction direction, struct buffer *text);
  /** Writes all about ITEM, in lines of WIDTH columns. */
  void (*details)(void *context, struct browse_item item, FILE *out, int width);
  /** Why nothing is below ITEM. */
  const char *(*leaf)(void *context, struct browse_item item,
                      enum browse_direction direction);
  /** The item that WORDS, typed by the user, name.  Returns NULL, or why there
   * is none, to be freed. */
  char *(*jump)(void *context, const char *words, struct browse_item *ret);
};

enum screen_end {
  SCREEN_LEFT,     /**< The user is done. */
  SCREEN_CANCELED, /**< The command was asked to stop. */
  SCREEN_LOST,     /**< The terminal is gone. */
};

/** Shows MODEL until the user leaves. */
enum screen_end screen_run(struct tty *tty, struct browse_model *model,
                           const struct screen_content *content);

#endif
