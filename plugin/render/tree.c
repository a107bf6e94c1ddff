/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "tree.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
  /** A screen without a width still ends somewhere, or a deep tree would print
   * in the square of its size. */
  WIDEST = 4096,
  /** Labels are not cut below this, however deep: wrapped lines beat none. */
  NARROWEST_LABEL = 24,
};

static const uint32_t none = UINT32_MAX;

struct tree_node {
  char *label;
  struct span kept;           /**< Of the label. */
  uint32_t first, last, next; /**< Children and sibling, or `none`. */
  uint32_t width;             /**< Of the label. */
  uint32_t need;              /**< Columns when all is drawn below. */
};

struct tree {
  struct tree_node *nodes;
  uint32_t count, capacity;
};

/** A node whose children are being drawn. */
struct level {
  uint32_t child; /**< The next one. */
  bool beside;    /**< It goes on the line that was begun. */
  bool many;
  size_t carry_length; /**< What continues below the node's children. */
};

struct drawing {
  const struct tree *tree;
  FILE *out;
  size_t screen;
  enum tree_shape shape;
  struct buffer line;  /**< The line being written. */
  struct buffer carry; /**< What the lines below begin with. */
  bool free_line;      /**< The last line written was a free one. */
  struct level *levels;
  size_t depth, capacity;
};

static uint32_t append_node(struct tree *tree, const char *label) {
  if (tree->count == tree->capacity) {
    tree->capacity = tree->capacity ? tree->capacity * 2 : 16;
    tree->nodes =
        must_realloc(tree->nodes, tree->capacity * sizeof *tree->nodes);
  }
  tree->nodes[tree->count] = (struct tree_node){
      .label = must_copy(label),
      .first = none,
      .last = none,
      .next = none,
      .width = (uint32_t)display_width(label),
  };
  return tree->count++;
}

struct tree *tree_create(const char *label) {
  struct tree *tree = must_alloc(sizeof *tree);

  *tree = (struct tree){0};
  append_node(tree, label);
  return tree;
}

void tree_destroy(struct tree *tree) {
  if (!tree)
    return;
  for (uint32_t i = 0; i < tree->count; i++)
    free(tree->nodes[i].label);
  free(tree->nodes);
  free(tree);
}

uint32_t tree_add(struct tree *tree, uint32_t parent, const char *label) {
  uint32_t added = append_node(tree, label);
  struct tree_node *node = &tree->nodes[parent];

  if (node->last == none)
    node->first = added;
  else
    tree->nodes[node->last].next = added;
  node->last = added;
  return added;
}

void tree_keep(struct tree *tree, uint32_t node, struct span kept) {
  tree->nodes[node].kept = kept;
}

uint32_t tree_count(const struct tree *tree) {
  return tree->count;
}

/** The most columns that a child of NODE needs. */
static uint32_t children_need(const struct tree *tree, uint32_t node) {
  uint32_t most = 0;

  for (uint32_t i = tree->nodes[node].first; i != none; i = tree->nodes[i].next)
    if (tree->nodes[i].need > most)
      most = tree->nodes[i].need;
  return most;
}

/** Children have greater numbers than their parents. */
static void find_needs(const struct tree *tree) {
  for (uint32_t i = tree->count; i--;) {
    uint32_t below =
        tree->nodes[i].first == none ? 0 : 2 + children_need(tree, i);
    uint32_t own = tree->nodes[i].width;
    tree->nodes[i].need = own > below ? own : below;
  }
}

static void end_line(struct drawing *drawing) {
  struct buffer *line = &drawing->line;

  while (line->length && line->bytes[line->length - 1] == ' ')
    buffer_truncate(line, line->length - 1);
  buffer_add(line, "\n");
  fwrite(line->bytes, 1, line->length, drawing->out);
  buffer_clear(line);
  drawing->free_line = false;
}

static void push_level(struct drawing *drawing, struct level level) {
  if (drawing->depth == drawing->capacity) {
    drawing->capacity = drawing->capacity ? drawing->capacity * 2 : 16;
    drawing->levels = must_realloc(drawing->levels,
                                   drawing->capacity * sizeof *drawing->levels);
  }
  drawing->levels[drawing->depth++] = level;
}

/** Writes a node behind what the line holds; its children are left to do. */
static void begin_node(struct drawing *drawing, uint32_t number) {
  const struct tree *tree = drawing->tree;
  const struct tree_node *node = &tree->nodes[number];
  size_t column = drawing->carry.length;
  size_t room = drawing->screen > column ? drawing->screen - column : 0;

  if (room < NARROWEST_LABEL)
    room = NARROWEST_LABEL;
  cut_append_around(&drawing->line, node->label, room, node->kept);
  if (node->first == none) {
    end_line(drawing);
    return;
  }
  bool many = node->first != node->last;
  bool beside =
      drawing->shape == TREE_BESIDE &&
      node->width + (many ? 3u : 2u) + children_need(tree, number) <= room;
  if (beside) {
    buffer_add(&drawing->line, many ? "-+-" : "--");
    buffer_fill(&drawing->carry, ' ', node->width + 1);
    buffer_add(&drawing->carry, many ? "| " : " ");
  } else {
    end_line(drawing);
    buffer_add(&drawing->carry, "| ");
  }
  push_level(drawing, (struct level){.child = node->first,
                                     .beside = beside,
                                     .many = many,
                                     .carry_length = drawing->carry.length});
}

/** Whether nothing but blanks continues. */
static bool is_blank(const struct buffer *text) {
  for (size_t i = 0; i < text->length; i++)
    if (text->bytes[i] != ' ')
      return false;
  return true;
}

/** After the last child of several: one free line, but not at the very end. */
static void end_level(struct drawing *drawing, const struct level *level) {
  if (!level->many || drawing->free_line || is_blank(&drawing->carry))
    return;
  buffer_append(&drawing->line, drawing->carry.bytes, drawing->carry.length);
  end_line(drawing);
  drawing->free_line = true;
}

static void next_child(struct drawing *drawing) {
  struct level *level = &drawing->levels[drawing->depth - 1];
  struct buffer *carry = &drawing->carry;

  buffer_truncate(carry, level->carry_length);
  if (level->child == none) {
    end_level(drawing, level);
    drawing->depth--;
    return;
  }
  uint32_t child = level->child;
  level->child = drawing->tree->nodes[child].next;
  if (!level->beside) {
    buffer_append(&drawing->line, carry->bytes, carry->length - 2);
    buffer_add(&drawing->line, "+-");
  }
  bool last = level->child == none;
  if (last && (level->many || !level->beside))
    memcpy(carry->bytes + carry->length - 2, "  ", 2);
  level->beside = false;
  begin_node(drawing, child);
}

void tree_print(const struct tree *tree, FILE *out, int width,
                enum tree_shape shape) {
  struct drawing drawing = {
      .tree = tree,
      .out = out,
      .screen = width > 0 ? (size_t)width : WIDEST,
      .shape = shape,
  };

  find_needs(tree);
  begin_node(&drawing, 0);
  while (drawing.depth)
    next_child(&drawing);
  buffer_deinit(&drawing.line);
  buffer_deinit(&drawing.carry);
  free(drawing.levels);
}
