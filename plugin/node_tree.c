/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "node_tree.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/describe.h"
#include "plugin/render/number.h"
#include "plugin/session.h"

enum {
  /** Beyond these a tree on a screen tells nothing; without repetitions cut a
   * graph has exponentially many paths. */
  NODES_MAX = 100000,
  DEPTH_MAX = 1000,
};

/** A node of the tree that is to be added, in the order of the drawing. */
struct pending {
  struct edge edge;
  uint32_t parent; /**< In the tree. */
  uint64_t more;   /**< Not 0: a line about so many neighbours left out. */
};

/** What is known about a node in the tree, by its number there. */
struct place {
  pyheap_node node;
  uint32_t parent;
  uint32_t depth;
};

/** What is known about a node, wherever it is in the tree. */
struct seen {
  pyheap_node node;  /**< PYHEAP_NO_NODE: an empty slot. */
  uint16_t distance; /**< Its least one from the root plus one, where each node
                          is shown once; 0: too far, or too many. */
  bool included;     /**< The tree goes on from it. */
};

struct walk {
  struct session *session;
  const struct pyheap *heap;
  const struct node_tree_kind *kind;
  struct node_tree_options options;
  struct reference_names *names;
  struct tree *tree;
  struct place *places;
  size_t place_capacity;
  struct pending *pending; /**< The next is the last. */
  size_t pending_count, pending_capacity;
  struct edges edges;
  size_t edge_capacity;
  /** A hash table, for a tree has few of a heap's nodes: never more than half
   * full, of a power of two of slots. */
  struct seen *seen;
  size_t seen_count, seen_slots;
};

/** The slot of NODE, or the one where it goes. */
static struct seen *find_slot(const struct walk *walk, pyheap_node node) {
  size_t mask = walk->seen_slots - 1;
  size_t i = (node * 0x9e3779b97f4a7c15 >> 32) & mask;

  while (walk->seen[i].node != PYHEAP_NO_NODE && walk->seen[i].node != node)
    i = (i + 1) & mask;
  return &walk->seen[i];
}

static void grow_seen(struct walk *walk) {
  struct seen *old = walk->seen;
  size_t slots = walk->seen_slots;

  walk->seen_slots = slots ? 2 * slots : 1024;
  walk->seen = must_alloc(walk->seen_slots * sizeof *walk->seen);
  for (size_t i = 0; i < walk->seen_slots; i++)
    walk->seen[i] = (struct seen){.node = PYHEAP_NO_NODE};
  for (size_t i = 0; i < slots; i++)
    if (old[i].node != PYHEAP_NO_NODE)
      *find_slot(walk, old[i].node) = old[i];
  free(old);
}

/** What is known about NODE; valid until the next call. */
static struct seen *seen_at(struct walk *walk, pyheap_node node) {
  if (2 * walk->seen_count >= walk->seen_slots)
    grow_seen(walk);
  struct seen *seen = find_slot(walk, node);
  if (seen->node == PYHEAP_NO_NODE) {
    seen->node = node;
    walk->seen_count++;
  }
  return seen;
}

static uint32_t add(struct walk *walk, uint32_t parent, pyheap_node node,
                    uint32_t depth, const char *label) {
  uint32_t number = walk->tree ? tree_add(walk->tree, parent, label) : 0;

  if (!walk->tree)
    walk->tree = tree_create(label);
  if (number >= walk->place_capacity) {
    walk->place_capacity = walk->place_capacity ? walk->place_capacity * 2 : 64;
    walk->places =
        must_realloc(walk->places, walk->place_capacity * sizeof *walk->places);
  }
  walk->places[number] = (struct place){node, parent, depth};
  return number;
}

void edges_find(struct edges *edges, size_t *capacity,
                const struct node_tree_kind *kind, const struct pyheap *heap,
                pyheap_node node, uint64_t limit) {
  edges->count = 0;
  edges->total = 0;
  kind->find(heap, node, 0, edges);
  if (limit > edges->total)
    limit = edges->total;
  if (limit > *capacity) {
    edges->items = must_realloc(edges->items, limit * sizeof *edges->items);
    *capacity = limit;
  }
  if (!limit)
    return;
  edges->count = 0;
  edges->total = 0;
  kind->find(heap, node, limit, edges);
}

static void find_edges(struct walk *walk, pyheap_node node, uint64_t limit) {
  edges_find(&walk->edges, &walk->edge_capacity, walk->kind, walk->heap, node,
             limit);
}

static void push(struct walk *walk, struct pending pending) {
  if (walk->pending_count == walk->pending_capacity) {
    walk->pending_capacity =
        walk->pending_capacity ? walk->pending_capacity * 2 : 64;
    walk->pending = must_realloc(walk->pending, walk->pending_capacity *
                                                    sizeof *walk->pending);
  }
  walk->pending[walk->pending_count++] = pending;
}

/** Finds how near to the root each node is.  A node that is shown once is shown
 * there, for elsewhere not all that is within the depth would follow; false when
 * canceled. */
static bool find_distances(struct walk *walk, pyheap_node root) {
  pyheap_node *queue = must_alloc(NODES_MAX * sizeof *queue);
  size_t count = 0;
  bool complete = true;

  seen_at(walk, root)->distance = 1;
  queue[count++] = root;
  for (size_t i = 0; i < count && complete; i++) {
    uint16_t distance = seen_at(walk, queue[i])->distance;
    if (distance > walk->options.depth)
      break;
    find_edges(walk, queue[i], walk->options.limit);
    for (size_t j = 0; j < walk->edges.count && count < NODES_MAX; j++) {
      pyheap_node node = walk->edges.items[j].node;
      struct seen *seen = node == PYHEAP_NO_NODE ? NULL : seen_at(walk, node);
      if (!seen || seen->distance)
        continue;
      seen->distance = (uint16_t)(distance + 1);
      queue[count++] = node;
    }
    complete =
        i % 256 || session_continue(walk->session, walk->kind->stage, i, 0);
  }
  free(queue);
  return complete;
}

/** Makes the neighbours of a place pending, the first one on top. */
static void push_neighbours(struct walk *walk, uint32_t place) {
  struct edges *edges = &walk->edges;

  find_edges(walk, walk->places[place].node, walk->options.limit);
  if (edges->total > edges->count)
    push(walk, (struct pending){.parent = place,
                                .more = edges->total - edges->count});
  for (size_t i = edges->count; i--;)
    push(walk, (struct pending){.edge = edges->items[i], .parent = place});
}

static bool is_ancestor(const struct walk *walk, uint32_t place,
                        pyheap_node node) {
  for (;; place = walk->places[place].parent) {
    if (walk->places[place].node == node)
      return true;
    if (place == 0)
      return false;
  }
}

/** How a node of the tree goes on. */
enum follow {
  FOLLOW,
  NO_OBJECT,
  CYCLE,
  INCLUDED,
  INCLUDED_LATER,
  TOO_DEEP,
};

/** Whether a node is shown once and somewhere else: what has no neighbours is
 * shown rather than referred to. */
static enum follow is_elsewhere(struct walk *walk, pyheap_node node,
                                uint32_t depth) {
  bool was = seen_at(walk, node)->included;
  uint16_t distance = seen_at(walk, node)->distance;

  if (!was && (!distance || distance > depth))
    return FOLLOW;
  find_edges(walk, node, 0);
  return !walk->edges.total ? FOLLOW : was ? INCLUDED : INCLUDED_LATER;
}

static enum follow how_to_follow(struct walk *walk,
                                 const struct pending *pending) {
  pyheap_node node = pending->edge.node;

  if (node == PYHEAP_NO_NODE)
    return NO_OBJECT;
  if (is_ancestor(walk, pending->parent, node))
    return CYCLE;
  uint32_t depth = walk->places[pending->parent].depth + 1;
  enum follow elsewhere =
      walk->options.repeat ? FOLLOW : is_elsewhere(walk, node, depth);
  if (elsewhere != FOLLOW)
    return elsewhere;
  return depth >= walk->options.depth ? TOO_DEEP : FOLLOW;
}

static struct span add_no_object(struct buffer *label, uint64_t address) {
  size_t start = label->length;

  buffer_format(label, "0x%" PRIx64, address);
  struct span span = {start, label->length};
  buffer_add(label, " (no object)");
  return span;
}

static const char *where_included(enum follow follow) {
  return follow == INCLUDED ? "already included" : "included below";
}

static struct span add_included(struct buffer *label, const struct pyheap *heap,
                                const struct edge *edge, const char *where) {
  describe_type(label, heap, pyheap_type_of(heap, edge->node));
  buffer_format(label, " (%s, ", where);
  size_t start = label->length;
  buffer_format(label, "0x%" PRIx64 ")", edge->address);
  return (struct span){start, label->length};
}

/** Returns where in LABEL the address is. */
static struct span make_label(struct walk *walk, struct buffer *label,
                              const struct pending *pending,
                              enum follow follow) {
  const struct edge *edge = &pending->edge;
  pyheap_node from = walk->places[pending->parent].node;

  walk->kind->before(label, walk->names, from, edge);
  if (follow == NO_OBJECT)
    return add_no_object(label, edge->address);
  bool elsewhere = follow == INCLUDED || follow == INCLUDED_LATER;
  bool brief = elsewhere && !pyheap_is_root(walk->heap, edge->node);
  struct span address =
      brief ? add_included(label, walk->heap, edge, where_included(follow))
            : describe_node(label, walk->heap, edge->node);
  walk->kind->after(label, edge);
  if (brief)
    return address;
  if (elsewhere)
    buffer_format(label, " (%s)", where_included(follow));
  if (follow == CYCLE)
    buffer_add(label, " (cycle)");
  if (follow != TOO_DEEP)
    return address;
  find_edges(walk, edge->node, 0);
  if (!walk->edges.total)
    return address;
  buffer_add(label, " (" ELLIPSIS " ");
  describe_count(label, walk->edges.total, walk->kind->neighbour);
  buffer_add(label, ")");
  return address;
}

static void add_more(struct walk *walk, const struct pending *pending) {
  cleanup_buffer struct buffer label = {0};

  buffer_format(&label, ELLIPSIS " %" PRIu64 " more %s%s", pending->more,
                walk->kind->neighbour, pending->more == 1 ? "" : "s");
  add(walk, pending->parent, PYHEAP_NO_NODE, 0, buffer_string(&label));
}

static void add_pending(struct walk *walk, const struct pending *pending) {
  cleanup_buffer struct buffer label = {0};
  pyheap_node node = pending->edge.node;
  enum follow follow = how_to_follow(walk, pending);

  struct span address = make_label(walk, &label, pending, follow);
  uint32_t place =
      add(walk, pending->parent, node, walk->places[pending->parent].depth + 1,
          buffer_string(&label));
  tree_keep(walk->tree, place, address);
  if (follow == FOLLOW || follow == TOO_DEEP)
    seen_at(walk, node)->included = true;
  if (follow == FOLLOW)
    push_neighbours(walk, place);
}

/** Works off what is pending; false when canceled. */
static bool grow(struct walk *walk, bool *cut) {
  while (walk->pending_count) {
    uint32_t count = tree_count(walk->tree);
    if (count >= NODES_MAX) {
      *cut = true;
      return true;
    }
    if (count % 256 == 0 &&
        !session_continue(walk->session, walk->kind->stage, count, 0))
      return false;
    struct pending pending = walk->pending[--walk->pending_count];
    if (pending.more)
      add_more(walk, &pending);
    else
      add_pending(walk, &pending);
  }
  return true;
}

struct tree *node_tree_build(struct session *session, const struct pyheap *heap,
                             pyheap_node node,
                             const struct node_tree_kind *kind,
                             const struct node_tree_options *options,
                             bool *cut) {
  cleanup_buffer struct buffer label = {0};
  struct walk walk = {
      .session = session,
      .heap = heap,
      .kind = kind,
      .options = *options,
      .names = reference_names_create(heap),
  };
  bool complete;

  *cut = false;
  if (walk.options.depth > DEPTH_MAX)
    walk.options.depth = DEPTH_MAX;
  struct span address = describe_node(&label, heap, node);
  add(&walk, 0, node, 0, buffer_string(&label));
  tree_keep(walk.tree, 0, address);
  seen_at(&walk, node)->included = true;
  complete = walk.options.repeat || find_distances(&walk, node);
  if (complete) {
    push_neighbours(&walk, 0);
    complete = grow(&walk, cut);
  }
  session_done(session);
  free(walk.seen);
  free(walk.places);
  free(walk.pending);
  free(walk.edges.items);
  reference_names_destroy(walk.names);
  if (complete)
    return walk.tree;
  tree_destroy(walk.tree);
  return NULL;
}
