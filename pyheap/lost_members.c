/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What static types are called, when the file with their names is gone, that no
 * module knows: the types of what certain members of other objects hold. */
#include "config.h"

#include <string.h>

#include "heap.h"
#include "lost.h"

/** A member that always holds an object of one type, or NULL, or its holder. */
static const struct place {
  const char *holder; /**< The type that has the member. */
  enum fact member;
  const char *name; /**< Of the type of what it holds. */
} places[] = {
    {"memoryview", FACT_PyMemoryViewObject__mbuf, "managedbuffer"},
    {"functools._lru_cache_wrapper", FACT_lru_cache_object__root_next,
     "functools._lru_list_elem"},
    {"_contextvars.Context", FACT_PyContext__ctx_vars, "hamt"},
    {"Context", FACT_PyContext__ctx_vars, "hamt"}, /* up to 3.9 */
};

enum {
  PLACES = sizeof places / sizeof *places,
  HAMT_LEVELS = 8,    /**< Python/hamt.c, _Py_HAMT_MAX_TREE_DEPTH */
  HAMT_ARRAY = 32,    /**< HAMT_ARRAY_NODE_SIZE */
  NODE_LIMIT = 10000, /**< Nodes of HAMTs that are looked at. */
};

/** A node of a HAMT that is still to be looked at. */
struct pending {
  uint64_t node;
  int level;
};

struct search {
  struct pyheap *heap;
  uint64_t holders[PLACES];          /**< Types; 0: none has that name. */
  uint64_t bitmap, array, collision; /**< The types of a HAMT's nodes. */
  uint64_t root;     /**< Of the HAMT that was gone through last. */
  uint64_t metatype; /**< What the types of its nodes must be of. */
  unsigned nodes;    /**< How many were looked at, of all HAMTs. */
  struct pending pending[HAMT_LEVELS * HAMT_ARRAY];
  unsigned pending_count;
};

static uint64_t type_of(const struct pyheap *heap, uint64_t address) {
  return heap_word(heap, address, OFFSET(heap->layout, PyObject, ob_type));
}

/* Nodes of a HAMT ---------------------------------------------------------- */

/** Puts off NODE.  There is room: a level has as many nodes at most as one node
 * has items, for they are taken from the deepest level first. */
static void put_off(struct search *search, uint64_t node, int level) {
  if (!node || level >= HAMT_LEVELS ||
      search->pending_count == sizeof search->pending / sizeof *search->pending)
    return;
  search->pending[search->pending_count++] = (struct pending){node, level};
}

/** The nodes below an array node. */
static void put_off_array(struct search *search, uint64_t node, int level) {
  const struct pyheap *heap = search->heap;
  uint64_t first =
      node + (uint64_t)OFFSET(heap->layout, PyHamtNode_Array, a_array);

  for (uint64_t i = 0; i < HAMT_ARRAY; i++)
    put_off(search, heap_word(heap, first + 8 * i, 0), level + 1);
}

/** The nodes below one with pairs of a key and a value, of which those with no
 * key are nodes. */
static void put_off_pairs(struct search *search, uint64_t node, int level) {
  const struct pyheap *heap = search->heap;
  uint64_t size =
      heap_word(heap, node, OFFSET(heap->layout, PyVarObject, ob_size));
  uint64_t pairs =
      node + (uint64_t)OFFSET(heap->layout, PyHamtNode_Bitmap, b_array);

  if (size > 2 * HAMT_ARRAY)
    return;
  for (uint64_t i = 0; i < size / 2; i++)
    if (!heap_word(heap, pairs + 16 * i, 0))
      put_off(search, heap_word(heap, pairs + 16 * i, 8), level + 1);
}

/** Notes the type of NODE and puts off those below it.  The root is never one of
 * collisions, and of the others only one kind has no items of its own number
 * (Python/hamt.c). */
static void note_node(struct search *search, uint64_t node, int level) {
  const struct pyheap *heap = search->heap;
  uint64_t type = type_of(heap, node);

  if (!type || type_of(heap, type) != search->metatype)
    return;
  if (!heap_word(heap, type, OFFSET(heap->layout, PyTypeObject, tp_itemsize))) {
    search->array = type;
    put_off_array(search, node, level);
    return;
  }
  if (level == 0)
    search->bitmap = type;
  if (type == search->bitmap)
    put_off_pairs(search, node, level);
  else if (search->bitmap)
    search->collision = type;
}

/** Notes the types of the nodes of HAMT, while there are some to be found.  A node
 * of collisions hardly ever exists, and contexts are many: what was looked at for
 * all of them is bounded, also where nodes are damaged and hold themselves. */
static void note_nodes(struct search *search, uint64_t hamt) {
  const struct pyheap *heap = search->heap;
  uint64_t root =
      heap_word(heap, hamt, OFFSET(heap->layout, PyHamtObject, h_root));

  /* Contexts that were copied share it. */
  if (root == search->root)
    return;
  search->root = root;
  search->metatype = type_of(heap, type_of(heap, hamt));
  search->pending_count = 0;
  put_off(search, root, 0);
  while (search->pending_count && search->nodes < NODE_LIMIT &&
         !(search->bitmap && search->array && search->collision)) {
    struct pending next = search->pending[--search->pending_count];
    search->nodes++;
    note_node(search, next.node, next.level);
  }
}

/* Going through the objects ------------------------------------------------- */

static struct pyheap_error *
take_held(struct search *search, const struct place *place, uint64_t address) {
  struct pyheap *heap = search->heap;
  uint64_t held = heap_word(heap, address, heap->layout->facts[place->member]);
  uint64_t type = held ? type_of(heap, held) : 0;
  if (!type || type == type_of(heap, address))
    return NULL;
  if (place->member == FACT_PyContext__ctx_vars)
    note_nodes(search, held);
  return lost_names_take(heap, type, place->name);
}

static struct pyheap_error *take_object(struct search *search,
                                        uint64_t address) {
  uint64_t type = type_of(search->heap, address);
  for (size_t i = 0; type && i < PLACES; i++)
    if (type == search->holders[i])
      TRY(take_held(search, &places[i], address));
  return NULL;
}

/** Goes through the list of HEAD.  It may be damaged: where it comes by a node
 * again that it has been at, at ever larger distances, it ends. */
static struct pyheap_error *take_list(struct search *search, uint64_t head) {
  const struct layout *layout = search->heap->layout;
  uint64_t header = (uint64_t)SIZEOF(layout, PyGC_Head), mark = head;
  static const uint64_t FLAGS = 3; /* The low bits of links. */

  for (uint64_t node = head, steps = 0;; steps++) {
    node = heap_word(search->heap, node, OFFSET(layout, PyGC_Head, _gc_next)) &
           ~FLAGS;
    if (!node || node == head || node == mark)
      return NULL;
    TRY(take_object(search, node + header));
    if (!(steps & (steps - 1)))
      mark = node;
  }
}

struct pyheap_error *lost_members_find(struct pyheap *heap) {
  enum {
    GENERATIONS = 4
  };
  struct search search = {.heap = heap};
  uint64_t interpreter =
      heap_word(heap, heap->runtime,
                OFFSET(heap->layout, pyruntimestate, interpreters_main));

  for (size_t i = 0; i < PLACES; i++)
    search.holders[i] = lost_names_address(heap, places[i].holder);
  for (int generation = 0; generation < GENERATIONS; generation++) {
    uint64_t head = runtime_generation(heap, interpreter, generation);
    if (head)
      TRY(take_list(&search, head));
  }
  TRY(lost_names_take(heap, search.bitmap, "hamt_bitmap_node"));
  TRY(lost_names_take(heap, search.array, "hamt_array_node"));
  return lost_names_take(heap, search.collision, "hamt_collision_node");
}
