/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "heap_tree.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/describe.h"
#include "plugin/object_text.h"
#include "plugin/render/number.h"
#include "pyheap/sorted.h"

enum {
  DETAILS_LIMIT = 25, /**< Attributes, items and so on. */
};

/** A reference to a child, as small as it gets: a dict has millions. */
struct reference {
  uint64_t name; /**< The value of struct pyheap_name. */
  pyheap_node node;
  uint8_t form; /**< enum pyheap_name_form */
  uint8_t kind; /**< enum pyheap_reference_kind */
};

/** How the children of an item are kept. */
enum list {
  LIST_ALL,        /**< Roots, orphans if any, then types; nothing is kept. */
  LIST_ROOTS,      /**< By number; nothing is kept. */
  LIST_OBJECTS,    /**< `nodes`, with their sizes. */
  LIST_REFERRERS,  /**< `nodes`. */
  LIST_REFERENCES, /**< `references`. */
};

struct browse_children {
  enum list list;
  pyheap_node parent; /**< Of referrers and references. */
  uint64_t count;
  pyheap_node *nodes;
  struct reference *references;
};

/* Opening ----------------------------------------------------------------- */

static uint64_t orphan_count(const struct heap_tree *tree) {
  return pyheap_info(tree->heap)->orphans;
}

static uint64_t root_count(const struct heap_tree *tree) {
  return pyheap_node_count(tree->heap) - pyheap_object_count(tree->heap);
}

/** Keys that sort objects by size, the largest first, then by address. */
static int compare_keys(const void *left, const void *right) {
  const uint64_t *a = left, *b = right;

  return *a < *b ? -1 : *a > *b;
}

static uint64_t size_key(const struct pyheap *heap, pyheap_node node) {
  uint64_t size = pyheap_size(heap, node);
  uint32_t capped = size < UINT32_MAX ? (uint32_t)size : UINT32_MAX;

  return (uint64_t)(UINT32_MAX - capped) << 32 | node;
}

static bool is_listed(const struct pyheap *heap, struct browse_item item,
                      pyheap_node node) {
  bool orphan = pyheap_is_orphan(heap, node);

  if (item.kind == HEAP_ITEM_ORPHANS)
    return orphan;
  return !orphan && pyheap_type_of(heap, node) == item.number;
}

static void list_objects(const struct pyheap *heap, struct browse_item item,
                         struct browse_children *children) {
  uint64_t *keys = NULL;
  size_t capacity = 0, count = 0;

  for (pyheap_node node = 0; node < pyheap_object_count(heap); node++) {
    if (!is_listed(heap, item, node))
      continue;
    if (count == capacity) {
      capacity = capacity ? capacity * 2 : 64;
      keys = must_realloc(keys, capacity * sizeof *keys);
    }
    keys[count++] = size_key(heap, node);
  }
  if (count)
    qsort(keys, count, sizeof *keys, compare_keys);
  children->nodes = must_alloc((count ? count : 1) * sizeof *children->nodes);
  for (size_t i = 0; i < count; i++)
    children->nodes[i] = (pyheap_node)keys[i];
  children->count = count;
  free(keys);
}

/** The different ones of an ascending array. */
static void add_different(struct browse_children *children,
                          const pyheap_node *nodes, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (i == 0 || nodes[i] != nodes[i - 1])
      children->nodes[children->count++] = nodes[i];
}

/** Roots first, as muppy refs has them. */
static void list_referrers(const struct pyheap *heap, pyheap_node node,
                           struct browse_children *children) {
  size_t count, roots;
  const pyheap_node *referrers = pyheap_referrers(heap, node, &count);

  for (roots = count; roots && pyheap_is_root(heap, referrers[roots - 1]);)
    roots--;
  children->nodes = must_alloc((count ? count : 1) * sizeof *children->nodes);
  add_different(children, referrers + roots, count - roots);
  add_different(children, referrers, roots);
  if (children->count && children->count < count)
    children->nodes = must_realloc(children->nodes,
                                   children->count * sizeof *children->nodes);
}

struct collection {
  const struct pyheap *heap;
  struct browse_children *children;
  size_t capacity;
};

static bool collect(void *context, const struct pyheap_reference *reference) {
  struct collection *collection = context;
  struct browse_children *children = collection->children;

  if (children->count == collection->capacity) {
    collection->capacity = collection->capacity ? collection->capacity * 2 : 16;
    children->references =
        must_realloc(children->references,
                     collection->capacity * sizeof *children->references);
  }
  children->references[children->count++] = (struct reference){
      .name = reference->name.value,
      .node = pyheap_node_at(collection->heap, reference->target),
      .form = (uint8_t)reference->name.form,
      .kind = (uint8_t)reference->kind,
  };
  return true;
}

static enum list list_of(struct browse_item item,
                         enum browse_direction direction) {
  switch (item.kind) {
  case HEAP_ITEM_ALL:
    return LIST_ALL;
  case HEAP_ITEM_ROOTS:
    return LIST_ROOTS;
  case HEAP_ITEM_NODE:
    return direction == BROWSE_REFERRERS ? LIST_REFERRERS : LIST_REFERENCES;
  default:
    return LIST_OBJECTS;
  }
}

static void close_children(struct browse_children *children) {
  free(children->nodes);
  free(children->references);
  free(children);
}

static bool stop_at_first(void *context,
                          const struct pyheap_reference *reference) {
  (void)reference;
  *(bool *)context = true;
  return false;
}

static bool leads(const void *context, struct browse_item item,
                  enum browse_direction direction) {
  const struct heap_tree *tree = context;
  bool found = false;
  size_t count;

  if (item.kind == HEAP_ITEM_NOTHING)
    return false;
  if (item.kind != HEAP_ITEM_NODE)
    return true;
  if (direction == BROWSE_REFERENTS) {
    pyheap_referents(tree->heap, item.number, stop_at_first, &found);
    return found;
  }
  if (pyheap_is_root(tree->heap, item.number))
    return false;
  pyheap_referrers(tree->heap, item.number, &count);
  return count > 0;
}

static struct browse_children *open_item(const void *context,
                                         struct browse_item item,
                                         enum browse_direction direction,
                                         uint64_t *count) {
  const struct heap_tree *tree = context;
  struct browse_children *children;

  if (!leads(tree, item, direction))
    return NULL;
  children = must_alloc(sizeof *children);
  *children = (struct browse_children){
      .list = list_of(item, direction),
      .parent = item.number,
  };
  struct collection collection = {tree->heap, children, 0};
  switch (children->list) {
  case LIST_ALL:
    children->count = 1 + (orphan_count(tree) > 0) + tree->type_count;
    break;
  case LIST_ROOTS:
    children->count = root_count(tree);
    break;
  case LIST_OBJECTS:
    list_objects(tree->heap, item, children);
    break;
  case LIST_REFERRERS:
    list_referrers(tree->heap, item.number, children);
    break;
  case LIST_REFERENCES:
    pyheap_referents(tree->heap, item.number, collect, &collection);
    break;
  }
  *count = children->count;
  if (children->count)
    return children;
  close_children(children);
  return NULL;
}

/* Children ---------------------------------------------------------------- */

static struct browse_item node_item(pyheap_node node) {
  if (node == PYHEAP_NO_NODE)
    return (struct browse_item){HEAP_ITEM_NOTHING, 0};
  return (struct browse_item){HEAP_ITEM_NODE, node};
}

static struct browse_item child(const void *context,
                                const struct browse_children *children,
                                uint64_t index) {
  const struct heap_tree *tree = context;
  bool orphans = orphan_count(tree) > 0;

  switch (children->list) {
  case LIST_ALL:
    if (index == 0)
      return (struct browse_item){HEAP_ITEM_ROOTS, 0};
    if (index == 1 && orphans)
      return (struct browse_item){HEAP_ITEM_ORPHANS, 0};
    return (struct browse_item){HEAP_ITEM_TYPE,
                                tree->types[index - 1 - orphans].type};
  case LIST_ROOTS:
    return node_item(pyheap_object_count(tree->heap) + (pyheap_node)index);
  case LIST_REFERENCES:
    return node_item(children->references[index].node);
  default:
    return node_item(children->nodes[index]);
  }
}

/* Rows in words ----------------------------------------------------------- */

static void describe_all(const struct heap_tree *tree, struct buffer *text) {
  const struct pyheap_info *info = pyheap_info(tree->heap);
  char size[SIZE_TEXT];

  escape_add(text, info->source);
  buffer_add(text, ": ");
  describe_count(text, info->reachable, "object");
  buffer_format(text, ", %s", format_size_short(size, info->reachable_bytes));
}

static void describe_group(struct buffer *text, uint64_t count,
                           uint64_t bytes) {
  char size[SIZE_TEXT];

  buffer_format(text, "%9" PRIu64 " %s  ", count, format_size(size, bytes));
}

static const struct pyheap_summary_row *
row_of_type(const struct heap_tree *tree, uint32_t type) {
  for (size_t i = 0; i < tree->type_count; i++)
    if (tree->types[i].type == type)
      return &tree->types[i];
  return NULL;
}

static void describe_type_row(const struct heap_tree *tree, uint32_t type,
                              struct buffer *text) {
  const struct pyheap_summary_row *row = row_of_type(tree, type);

  describe_group(text, row ? row->count : 0, row ? row->bytes : 0);
  describe_type(text, tree->heap, type);
}

/** Finds the address behind a reference that leads to no object, which is too
 * rare to be kept. */
struct count_down {
  uint64_t left;
  uint64_t target;
};

static bool count_down(void *context,
                       const struct pyheap_reference *reference) {
  struct count_down *count = context;

  count->target = reference->target;
  return count->left-- > 0;
}

static void describe_nothing(const struct heap_tree *tree,
                             const struct browse_children *children,
                             uint64_t index, struct browse_text *text) {
  struct count_down count = {.left = index};

  pyheap_referents(tree->heap, children->parent, count_down, &count);
  text->kept.start = text->text.length;
  buffer_format(&text->text, "0x%" PRIx64, count.target);
  text->kept.end = text->text.length;
  buffer_add(&text->text, " (no object)");
}

/** How often REFERRER refers to NODE. */
static uint64_t multiplicity(const struct pyheap *heap, pyheap_node node,
                             pyheap_node referrer) {
  size_t count;
  const pyheap_node *referrers = pyheap_referrers(heap, node, &count);
  uint64_t first = SORTED_PLACE(0, count, i, referrers[i] < referrer);

  return SORTED_PLACE(first, count, i, referrers[i] <= referrer) - first;
}

static void describe_reference(const struct heap_tree *tree,
                               const struct browse_children *children,
                               uint64_t index, struct browse_text *text) {
  const struct reference *reference = &children->references[index];
  struct pyheap_name name = {reference->form, reference->name};

  describe_name(&text->text, tree->heap, name);
  buffer_add(&text->text, ": ");
  if (reference->node == PYHEAP_NO_NODE)
    describe_nothing(tree, children, index, text);
  else
    text->kept = describe_node(&text->text, tree->heap, reference->node);
  if (reference->kind == PYHEAP_OWNED)
    buffer_add(&text->text, " (owned)");
  else if (reference->kind == PYHEAP_PROBABLE)
    buffer_add(&text->text, " (probable)");
}

/** What stands before a node, which depends on what it is below. */
static void describe_child(const struct heap_tree *tree,
                           const struct browse_children *children,
                           pyheap_node node, struct buffer *text) {
  char size[SIZE_TEXT];

  if (!children)
    return;
  if (children->list == LIST_OBJECTS)
    buffer_format(text, "%s  ",
                  format_size(size, pyheap_size(tree->heap, node)));
  if (children->list == LIST_REFERRERS)
    describe_references(text, tree->names, node, children->parent,
                        multiplicity(tree->heap, children->parent, node));
}

static void describe(const void *context,
                     const struct browse_children *children, uint64_t index,
                     struct browse_item item, struct browse_text *text) {
  const struct heap_tree *tree = context;

  text->kept = (struct span){0};
  switch (item.kind) {
  case HEAP_ITEM_ALL:
    describe_all(tree, &text->text);
    return;
  case HEAP_ITEM_ROOTS:
    buffer_format(&text->text, "%9" PRIu64 "             roots",
                  root_count(tree));
    return;
  case HEAP_ITEM_ORPHANS:
    describe_group(&text->text, orphan_count(tree),
                   pyheap_info(tree->heap)->orphan_bytes);
    buffer_add(&text->text, "orphans");
    return;
  case HEAP_ITEM_TYPE:
    describe_type_row(tree, item.number, &text->text);
    return;
  default:
    break;
  }
  if (children && children->list == LIST_REFERENCES) {
    describe_reference(tree, children, index, text);
    return;
  }
  describe_child(tree, children, item.number, &text->text);
  text->kept = describe_node(&text->text, tree->heap, item.number);
}

/* The tree as a whole ----------------------------------------------------- */

static int compare_types(const void *left, const void *right) {
  const struct pyheap_summary_row *a = left, *b = right;

  if (a->bytes != b->bytes)
    return a->bytes < b->bytes ? 1 : -1;
  return a->type < b->type ? -1 : a->type > b->type;
}

struct pyheap_error *heap_tree_init(struct heap_tree *tree,
                                    struct pyheap *heap) {
  struct pyheap_summary_row *types;
  size_t count;
  struct pyheap_error *error =
      pyheap_summarize(heap, PYHEAP_REACHABLE, &types, &count);

  if (error)
    return error;
  if (count)
    qsort(types, count, sizeof *types, compare_types);
  *tree = (struct heap_tree){heap, reference_names_create(heap), types, count};
  return NULL;
}

void heap_tree_deinit(struct heap_tree *tree) {
  reference_names_destroy(tree->names);
  free(tree->types);
}

struct browse_source heap_tree_source(const struct heap_tree *tree) {
  return (struct browse_source){
      .context = tree,
      .open = open_item,
      .close = close_children,
      .leads = leads,
      .child = child,
      .describe = describe,
  };
}

void heap_tree_title(const struct heap_tree *tree, struct browse_item item,
                     enum browse_direction direction, struct buffer *text) {
  if (item.kind != HEAP_ITEM_NODE) {
    buffer_add(text, "roots and types; below an object: ");
    buffer_add(text, direction == BROWSE_REFERRERS ? "what refers to it"
                                                   : "what it refers to");
    return;
  }
  if (direction == BROWSE_REFERRERS) {
    buffer_add(text, "what refers to ");
    describe_identity(text, tree->heap, item.number);
    return;
  }
  buffer_add(text, "what ");
  describe_identity(text, tree->heap, item.number);
  buffer_add(text, " refers to");
}

/** The node that ITEM is, or that a type is; PYHEAP_NO_NODE: none. */
static pyheap_node node_of(const struct heap_tree *tree,
                           struct browse_item item) {
  if (item.kind == HEAP_ITEM_NODE)
    return item.number;
  if (item.kind == HEAP_ITEM_TYPE)
    return pyheap_node_at(tree->heap,
                          pyheap_type(tree->heap, item.number)->address);
  return PYHEAP_NO_NODE;
}

void heap_tree_details(const struct heap_tree *tree, struct browse_item item,
                       FILE *out, int width) {
  pyheap_node node = node_of(tree, item);

  if (node == PYHEAP_NO_NODE)
    fputs("no object\n", out);
  else
    object_text(out, width, tree->heap, node, DETAILS_LIMIT);
}
