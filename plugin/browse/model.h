/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * What a browser shows, without a screen: a tree whose nodes open one at a
 * time, the row under the cursor, what was looked at before.
 *
 * A row is found by its number among all rows of the tree, and described when
 * it is looked at only: a node with millions of children costs what its source
 * keeps for them, and no more.
 */
#ifndef MUPPY_BROWSE_MODEL_H
#define MUPPY_BROWSE_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "plugin/render/escape.h"

enum browse_direction {
  BROWSE_REFERRERS,
  BROWSE_REFERENTS,
};

/** What a row is about; the source knows what the numbers mean.  Equal numbers
 * are the same thing, in whatever row. */
struct browse_item {
  uint32_t kind;
  uint32_t number;
};

/** A row in words, escaped, and what of it must not be cut. */
struct browse_text {
  struct buffer text;
  struct span kept;
};

/** What is below an opened item; only the source knows. */
struct browse_children;

/** Where the rows come from. */
struct browse_source {
  const void *context;
  /** What ITEM leads to, and how many they are; NULL with 0 for none. */
  struct browse_children *(*open)(const void *context, struct browse_item item,
                                  enum browse_direction direction,
                                  uint64_t *count);
  void (*close)(struct browse_children *children);
  /** Whether open() would find something; cheap, for every visible row. */
  bool (*leads)(const void *context, struct browse_item item,
                enum browse_direction direction);
  struct browse_item (*child)(const void *context,
                              const struct browse_children *children,
                              uint64_t index);
  /** Appends what the row of child INDEX says.  CHILDREN NULL: ITEM is the top
   * of a tree. */
  void (*describe)(const void *context, const struct browse_children *children,
                   uint64_t index, struct browse_item item,
                   struct browse_text *text);
};

enum browse_mark {
  BROWSE_CLOSED,
  BROWSE_OPEN,
  BROWSE_LEAF,  /**< There is nothing below. */
  BROWSE_CYCLE, /**< It is above itself: not to be followed. */
};

struct browse_row {
  struct browse_item item;
  uint32_t depth; /**< 0: the top. */
  enum browse_mark mark;
};

struct browse_model;

/** A model that shows ITEM, closed.  SOURCE must outlive it. */
struct browse_model *browse_create(const struct browse_source *source,
                                   struct browse_item item,
                                   enum browse_direction direction);
void browse_destroy(struct browse_model *model);

/* What is shown -------------------------------------------------------------
 */

/** Rows are numbered 0 .. browse_rows()-1, the top first. */
uint64_t browse_rows(const struct browse_model *model);
enum browse_direction browse_direction(const struct browse_model *model);
/** What TEXT (unless it is NULL) and *RET say of a row that there is. */
void browse_row(const struct browse_model *model, uint64_t row,
                struct browse_row *ret, struct browse_text *text);
void browse_text_deinit(struct browse_text *text);

/* The cursor, and the rows on a screen ------------------------------------ */

uint64_t browse_cursor(const struct browse_model *model);
/** Moves the cursor to ROW, or as near as there is one. */
void browse_move_to(struct browse_model *model, uint64_t row);
void browse_move(struct browse_model *model, int64_t rows);
/** To the row that the cursor's is below; false at the top. */
bool browse_move_up(struct browse_model *model);
/** The first row of a screen of HEIGHT rows: as few rows from what it was as
 * the cursor allows. */
uint64_t browse_first(struct browse_model *model, uint64_t height);
/** Moves what is shown by ROWS, the cursor only as far as it must. */
void browse_scroll(struct browse_model *model, int64_t rows, uint64_t height);

/** Moves as much of what is below the cursor's row onto the screen as fits. */
void browse_show_below(struct browse_model *model, uint64_t height);

/* Opening and closing ----------------------------------------------------- */

/** Opens the row under the cursor.  Returns its mark: BROWSE_OPEN, or why there
 * is nothing to open. */
enum browse_mark browse_open(struct browse_model *model);
/** Closes it; false when it was not open. */
bool browse_close(struct browse_model *model);

/* Trees before this one --------------------------------------------------- */

/** Shows ITEM as the top of a new tree, opened. */
void browse_visit(struct browse_model *model, struct browse_item item,
                  enum browse_direction direction);
/** Shows the tree before; false when there is none. */
bool browse_back(struct browse_model *model);

/* Search ------------------------------------------------------------------ */

enum browse_found {
  BROWSE_FOUND,
  BROWSE_FOUND_WRAPPED, /**< Beyond an end, from the other one on. */
  BROWSE_NOT_FOUND,
  BROWSE_STOPPED,
};

/** Tells how many rows of how many were looked at; false to stop. */
typedef bool browse_step_fn(void *context, uint64_t done, uint64_t total);

/** Moves the cursor to the next row, or the one before, that has WORDS in it,
 * in upper or lower case; it stays where it is when there is none. */
enum browse_found browse_search(struct browse_model *model, const char *words,
                                bool forward, browse_step_fn *step,
                                void *context);

#endif
