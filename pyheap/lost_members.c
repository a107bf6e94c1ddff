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
  HAMT_LEVELS = 7, /**< Python/hamt.c, _Py_HAMT_MAX_TREE_DEPTH */
  HAMT_ARRAY = 32, /**< HAMT_ARRAY_NODE_SIZE */
};

struct search {
  struct pyheap *heap;
  uint64_t holders[PLACES]; /**< Types; 0: none has that name. */
  uint64_t hamt;
  uint64_t bitmap, array, collision; /**< The types of its nodes. */
};

static uint64_t type_of(const struct pyheap *heap, uint64_t address) {
  return heap_word(heap, address, OFFSET(heap->layout, PyObject, ob_type));
}

/* Nodes of a HAMT ---------------------------------------------------------- */

static void note_node(struct search *search, uint64_t node, int level);

/** The nodes below one with COUNT pairs of a key and a value, of which those with
 * no key are nodes. */
static void note_pairs(struct search *search, uint64_t pairs, uint64_t count,
                       int level) {
  for (uint64_t i = 0; i < count; i++)
    if (!heap_word(search->heap, pairs + 16 * i, 0))
      note_node(search, heap_word(search->heap, pairs + 16 * i, 8), level + 1);
}

/** Notes the types of NODE and of those below it.  The root is never one of
 * collisions, and of the others only one kind has no items of its own number
 * (Python/hamt.c). */
static void note_node(struct search *search, uint64_t node, int level) {
  const struct layout *layout = search->heap->layout;
  uint64_t type = node ? type_of(search->heap, node) : 0;
  if (!type || level > HAMT_LEVELS)
    return;
  if (!heap_word(search->heap, type,
                 OFFSET(layout, PyTypeObject, tp_itemsize))) {
    uint64_t first = node + (uint64_t)OFFSET(layout, PyHamtNode_Array, a_array);
    search->array = type;
    for (uint64_t i = 0; i < HAMT_ARRAY; i++)
      note_node(search, heap_word(search->heap, first, (int32_t)(8 * i)),
                level + 1);
    return;
  }
  if (level == 0)
    search->bitmap = type;
  if (type != search->bitmap) {
    if (search->bitmap)
      search->collision = type;
    return;
  }
  uint64_t size =
      heap_word(search->heap, node, OFFSET(layout, PyVarObject, ob_size));
  if (size <= 2 * HAMT_ARRAY)
    note_pairs(search,
               node + (uint64_t)OFFSET(layout, PyHamtNode_Bitmap, b_array),
               size / 2, level);
}

/* Going through the objects ------------------------------------------------- */

static struct pyheap_error *
take_held(struct search *search, const struct place *place, uint64_t address) {
  struct pyheap *heap = search->heap;
  uint64_t held = heap_word(heap, address, heap->layout->facts[place->member]);
  uint64_t type = held ? type_of(heap, held) : 0;
  if (!type || type == type_of(heap, address))
    return NULL;
  if (place->member == FACT_PyContext__ctx_vars &&
      !(search->bitmap && search->array && search->collision))
    note_node(search,
              heap_word(heap, held, OFFSET(heap->layout, PyHamtObject, h_root)),
              0);
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
