/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "model.h"

#include <stdlib.h>
#include <string.h>

#include "pyheap/sorted.h"

enum {
  HISTORY_MAX = 100, /**< Trees; the oldest is forgotten. */
  STEP_ROWS = 256,   /**< Searched between two questions whether to go on. */
};

/** A node that is open. */
struct opened {
  struct opened *parent; /**< NULL: it is the top of the tree. */
  uint64_t index;        /**< Among the parent's children. */
  struct browse_item item;
  struct browse_children *children;
  uint64_t count;
  uint64_t rows;        /**< Below it: its children and what is open there. */
  struct opened **kids; /**< Those of its children that are open, by index. */
  size_t kid_count, kid_capacity;
};

/** A row: child INDEX of an open node, or the top (node NULL). */
struct place {
  struct opened *node;
  uint64_t index;
};

struct view {
  struct browse_item item;
  enum browse_direction direction;
  struct opened *top; /**< NULL: it is closed. */
  uint64_t cursor, first;
};

struct browse_model {
  const struct browse_source *source;
  struct view *views; /**< The last one is shown. */
  size_t view_count;
};

/* Opened nodes ------------------------------------------------------------ */

static void close_node(const struct browse_source *source,
                       struct opened *node) {
  source->close(node->children);
  free(node->kids);
  free(node);
}

/** Closes NODE and all that is open below; a path may be long, so this does
 * not recurse. */
static void close_all(const struct browse_source *source, struct opened *node) {
  struct opened *at = node;

  while (at) {
    if (at->kid_count) {
      at = at->kids[--at->kid_count];
      continue;
    }
    struct opened *parent = at == node ? NULL : at->parent;
    close_node(source, at);
    at = parent;
  }
}

/** Where the open child INDEX of NODE is in its kids, or is to be put. */
static size_t kid_position(const struct opened *node, uint64_t index) {
  return SORTED_PLACE(0, node->kid_count, i, node->kids[i]->index < index);
}

static struct opened *kid_at(const struct opened *node, uint64_t index) {
  size_t position = kid_position(node, index);

  if (position < node->kid_count && node->kids[position]->index == index)
    return node->kids[position];
  return NULL;
}

static void insert_kid(struct opened *node, struct opened *kid) {
  size_t position = kid_position(node, kid->index);

  if (node->kid_count == node->kid_capacity) {
    node->kid_capacity = node->kid_capacity ? node->kid_capacity * 2 : 4;
    node->kids =
        must_realloc(node->kids, node->kid_capacity * sizeof *node->kids);
  }
  memmove(node->kids + position + 1, node->kids + position,
          (node->kid_count - position) * sizeof *node->kids);
  node->kids[position] = kid;
  node->kid_count++;
}

static void remove_kid(struct opened *node, const struct opened *kid) {
  size_t position = kid_position(node, kid->index);

  node->kid_count--;
  memmove(node->kids + position, node->kids + position + 1,
          (node->kid_count - position) * sizeof *node->kids);
}

/** ROWS more below NODE; as many fewer where it wraps around. */
static void add_rows(struct opened *node, uint64_t rows) {
  for (; node; node = node->parent)
    node->rows += rows;
}

/* Rows and places --------------------------------------------------------- */

static struct view *shown(const struct browse_model *model) {
  return &model->views[model->view_count - 1];
}

/** Looks in NODE for the row that is OFFSET rows behind its own first child.
 * Returns NULL with *INDEX the child, or the kid below which the row is, whose
 * own row OFFSET is then counted from. */
static struct opened *step_down(const struct opened *node, uint64_t *offset,
                                uint64_t *index) {
  uint64_t below = 0; /* rows below the kids before */

  for (size_t i = 0; i < node->kid_count; i++) {
    struct opened *kid = node->kids[i];
    uint64_t own = kid->index + below;
    if (*offset <= own)
      break;
    if (*offset <= own + kid->rows) {
      *offset -= own + 1;
      return kid;
    }
    below += kid->rows;
  }
  *index = *offset - below;
  return NULL;
}

static struct place place_of(const struct view *view, uint64_t row) {
  struct opened *node = view->top;
  uint64_t index = 0;

  if (!row)
    return (struct place){0};
  row--;
  for (struct opened *kid; (kid = step_down(node, &row, &index));)
    node = kid;
  return (struct place){node, index};
}

/** The inverse. */
static uint64_t row_of(struct place place) {
  uint64_t row = 0;

  while (place.node) {
    row += place.index + 1;
    for (size_t i = 0; i < place.node->kid_count; i++) {
      if (place.node->kids[i]->index >= place.index)
        break;
      row += place.node->kids[i]->rows;
    }
    place = (struct place){place.node->parent, place.node->index};
  }
  return row;
}

static struct browse_item item_of(const struct browse_model *model,
                                  struct place place) {
  if (!place.node)
    return shown(model)->item;
  return model->source->child(model->source->context, place.node->children,
                              place.index);
}

static struct opened *opened_at(const struct browse_model *model,
                                struct place place) {
  return place.node ? kid_at(place.node, place.index) : shown(model)->top;
}

static bool is_above(const struct opened *node, struct browse_item item) {
  for (; node; node = node->parent)
    if (node->item.kind == item.kind && node->item.number == item.number)
      return true;
  return false;
}

static enum browse_mark mark_of(const struct browse_model *model,
                                struct place place, struct browse_item item) {
  const struct browse_source *source = model->source;

  if (opened_at(model, place))
    return BROWSE_OPEN;
  if (is_above(place.node, item))
    return BROWSE_CYCLE;
  return source->leads(source->context, item, shown(model)->direction)
             ? BROWSE_CLOSED
             : BROWSE_LEAF;
}

uint64_t browse_rows(const struct browse_model *model) {
  const struct opened *top = shown(model)->top;

  return 1 + (top ? top->rows : 0);
}

enum browse_direction browse_direction(const struct browse_model *model) {
  return shown(model)->direction;
}

void browse_row(const struct browse_model *model, uint64_t row,
                struct browse_row *ret, struct browse_text *text) {
  const struct browse_source *source = model->source;
  struct place place = place_of(shown(model), row);

  ret->item = item_of(model, place);
  ret->mark = mark_of(model, place, ret->item);
  ret->depth = 0;
  for (const struct opened *node = place.node; node; node = node->parent)
    ret->depth++;
  if (!text)
    return;
  source->describe(source->context, place.node ? place.node->children : NULL,
                   place.index, ret->item, text);
  if (ret->mark == BROWSE_CYCLE)
    buffer_add(&text->text, " (cycle)");
}

void browse_text_deinit(struct browse_text *text) {
  buffer_deinit(&text->text);
}

/* The cursor -------------------------------------------------------------- */

uint64_t browse_cursor(const struct browse_model *model) {
  return shown(model)->cursor;
}

void browse_move_to(struct browse_model *model, uint64_t row) {
  uint64_t last = browse_rows(model) - 1;

  shown(model)->cursor = row < last ? row : last;
}

/** ROW moved, but not below 0. */
static uint64_t moved(uint64_t row, int64_t rows) {
  if (rows >= 0)
    return row + (uint64_t)rows;
  uint64_t back = -(uint64_t)rows;
  return row > back ? row - back : 0;
}

void browse_move(struct browse_model *model, int64_t rows) {
  browse_move_to(model, moved(browse_cursor(model), rows));
}

bool browse_move_up(struct browse_model *model) {
  struct view *view = shown(model);
  struct place place = place_of(view, view->cursor);

  if (!place.node)
    return false;
  view->cursor = row_of((struct place){place.node->parent, place.node->index});
  return true;
}

uint64_t browse_first(struct browse_model *model, uint64_t height) {
  struct view *view = shown(model);
  uint64_t rows = browse_rows(model);

  if (!height)
    height = 1;
  /* No free rows below the last one while there are others above. */
  if (view->first + height > rows)
    view->first = rows > height ? rows - height : 0;
  if (view->cursor < view->first)
    view->first = view->cursor;
  if (view->cursor - view->first >= height)
    view->first = view->cursor - height + 1;
  return view->first;
}

void browse_scroll(struct browse_model *model, int64_t rows, uint64_t height) {
  struct view *view = shown(model);
  uint64_t count = browse_rows(model);
  uint64_t last = count > height ? count - height : 0;
  uint64_t first = moved(browse_first(model, height), rows);

  view->first = first < last ? first : last;
  if (view->cursor < view->first)
    view->cursor = view->first;
  if (height && view->cursor >= view->first + height)
    view->cursor = view->first + height - 1;
}

void browse_show_below(struct browse_model *model, uint64_t height) {
  struct view *view = shown(model);
  const struct opened *node = opened_at(model, place_of(view, view->cursor));

  if (!node || !height)
    return;
  uint64_t below = node->rows < height - 1 ? node->rows : height - 1;
  uint64_t last = view->cursor + below;
  if (last - browse_first(model, height) >= height)
    view->first = last - height + 1;
}

/* Opening and closing ----------------------------------------------------- */

enum browse_mark browse_open(struct browse_model *model) {
  const struct browse_source *source = model->source;
  struct view *view = shown(model);
  struct place place = place_of(view, view->cursor);
  struct browse_item item = item_of(model, place);
  enum browse_mark mark = mark_of(model, place, item);
  uint64_t count = 0;

  if (mark != BROWSE_CLOSED)
    return mark;
  struct browse_children *children =
      source->open(source->context, item, view->direction, &count);
  if (!children)
    return BROWSE_LEAF;
  struct opened *node = must_alloc(sizeof *node);
  *node = (struct opened){
      .parent = place.node,
      .index = place.index,
      .item = item,
      .children = children,
      .count = count,
      .rows = count,
  };
  if (place.node)
    insert_kid(place.node, node);
  else
    view->top = node;
  add_rows(place.node, count);
  return BROWSE_OPEN;
}

bool browse_close(struct browse_model *model) {
  struct view *view = shown(model);
  struct place place = place_of(view, view->cursor);
  struct opened *node = opened_at(model, place);

  if (!node)
    return false;
  if (place.node)
    remove_kid(place.node, node);
  else
    view->top = NULL;
  add_rows(place.node, -node->rows);
  close_all(model->source, node);
  return true;
}

/* Trees ------------------------------------------------------------------- */

static void push_view(struct browse_model *model, struct browse_item item,
                      enum browse_direction direction) {
  if (model->view_count == HISTORY_MAX) {
    close_all(model->source, model->views[0].top);
    model->view_count--;
    memmove(model->views, model->views + 1,
            model->view_count * sizeof *model->views);
  }
  model->views[model->view_count++] =
      (struct view){.item = item, .direction = direction};
}

struct browse_model *browse_create(const struct browse_source *source,
                                   struct browse_item item,
                                   enum browse_direction direction) {
  struct browse_model *model = must_alloc(sizeof *model);

  *model = (struct browse_model){
      .source = source,
      .views = must_alloc(HISTORY_MAX * sizeof *model->views),
  };
  push_view(model, item, direction);
  return model;
}

void browse_destroy(struct browse_model *model) {
  if (!model)
    return;
  for (size_t i = 0; i < model->view_count; i++)
    close_all(model->source, model->views[i].top);
  free(model->views);
  free(model);
}

void browse_visit(struct browse_model *model, struct browse_item item,
                  enum browse_direction direction) {
  push_view(model, item, direction);
  browse_open(model);
}

bool browse_back(struct browse_model *model) {
  if (model->view_count == 1)
    return false;
  close_all(model->source, shown(model)->top);
  model->view_count--;
  return true;
}

/* Search ------------------------------------------------------------------ */

static bool row_matches(const struct browse_model *model, uint64_t row,
                        const char *words, struct browse_text *text) {
  struct browse_row found;

  buffer_clear(&text->text);
  browse_row(model, row, &found, text);
  return strcasestr(buffer_string(&text->text), words) != NULL;
}

enum browse_found browse_search(struct browse_model *model, const char *words,
                                bool forward, browse_step_fn *step,
                                void *context) {
  __attribute__((cleanup(browse_text_deinit))) struct browse_text text = {0};
  uint64_t rows = browse_rows(model), row = browse_cursor(model);
  bool wrapped = false;

  for (uint64_t i = 0; i < rows; i++) {
    if (i % STEP_ROWS == 0 && !step(context, i, rows))
      return BROWSE_STOPPED;
    bool at_end = forward ? row + 1 == rows : row == 0;
    wrapped |= at_end;
    if (at_end)
      row = forward ? 0 : rows - 1;
    else
      row += forward ? 1 : UINT64_MAX;
    if (!row_matches(model, row, words, &text))
      continue;
    browse_move_to(model, row);
    return wrapped ? BROWSE_FOUND_WRAPPED : BROWSE_FOUND;
  }
  return BROWSE_NOT_FOUND;
}
