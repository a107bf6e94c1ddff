/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "reference_names.h"

#include <inttypes.h>
#include <stdlib.h>

#include "plugin/describe.h"
#include "pyheap/sorted.h"

enum {
  NAMES_SHOWN = 3, /**< Of several references between the same two. */
  /** Nodes whose references are kept, in a table without collisions: another
   * one takes the place. */
  PLACES = 256,
  MANY = 256,            /**< References that are worth a place. */
  COSTLY = 1 << 16,      /**< Those looked at, after which they are kept. */
  ENTRIES_MAX = 1 << 24, /**< Kept of all nodes together: 384 MiB. */
};

/** A reference of a node. */
struct entry {
  pyheap_node to;
  uint32_t rank; /**< Among the node's. */
  uint64_t name;
  uint8_t form, kind;
};

/** A node that has many. */
struct place {
  pyheap_node from;
  uint64_t looked_at;    /**< References, in all searches so far. */
  struct entry *entries; /**< By target and rank; NULL: not kept yet. */
  size_t count, capacity;
};

struct reference_names {
  const struct pyheap *heap;
  size_t kept; /**< Entries of all places. */
  struct place places[PLACES];
};

struct reference_names *reference_names_create(const struct pyheap *heap) {
  struct reference_names *names = must_alloc(sizeof *names);

  names->heap = heap;
  names->kept = 0;
  for (size_t i = 0; i < PLACES; i++)
    names->places[i] = (struct place){.from = PYHEAP_NO_NODE};
  return names;
}

void reference_names_destroy(struct reference_names *names) {
  if (!names)
    return;
  for (size_t i = 0; i < PLACES; i++)
    free(names->places[i].entries);
  free(names);
}

const struct pyheap *reference_names_heap(const struct reference_names *names) {
  return names->heap;
}

/** Looks for the references between two nodes. */
struct search {
  uint64_t target; /**< Its address. */
  uint64_t wanted; /**< Stop after so many. */
  uint64_t found;
  uint64_t looked_at;
  struct {
    struct pyheap_name name;
    enum pyheap_reference_kind kind;
  } references[NAMES_SHOWN];
};

/** Takes one that was looked for; false when all are found. */
static bool take(struct search *search, struct pyheap_name name,
                 enum pyheap_reference_kind kind) {
  if (search->found < NAMES_SHOWN) {
    search->references[search->found].name = name;
    search->references[search->found].kind = kind;
  }
  return ++search->found < search->wanted;
}

static bool search_reference(void *context,
                             const struct pyheap_reference *reference) {
  struct search *search = context;

  return take(search, reference->name, reference->kind);
}

/* What is kept ------------------------------------------------------------ */

struct keeping {
  const struct pyheap *heap;
  struct place *place;
  size_t room;
};

static bool keep(void *context, const struct pyheap_reference *reference) {
  const struct keeping *keeping = context;
  struct place *place = keeping->place;
  pyheap_node to = pyheap_node_at(keeping->heap, reference->target);

  if (place->count >= keeping->room)
    return false;
  if (to == PYHEAP_NO_NODE)
    return true;
  if (place->count == place->capacity) {
    place->capacity = place->capacity ? 2 * place->capacity : 4 * MANY;
    place->entries =
        must_realloc(place->entries, place->capacity * sizeof *place->entries);
  }
  place->entries[place->count] = (struct entry){
      .to = to,
      .rank = (uint32_t)place->count,
      .name = reference->name.value,
      .form = (uint8_t)reference->name.form,
      .kind = (uint8_t)reference->kind,
  };
  place->count++;
  return true;
}

static int compare_entries(const void *left, const void *right) {
  const struct entry *a = left, *b = right;

  if (a->to != b->to)
    return a->to < b->to ? -1 : 1;
  return a->rank < b->rank ? -1 : a->rank > b->rank;
}

static void forget(struct reference_names *names, struct place *place) {
  names->kept -= place->count;
  free(place->entries);
  *place = (struct place){.from = PYHEAP_NO_NODE};
}

/** Keeps the references of a place's node; those that are too many are searched
 * as before. */
static void keep_all(struct reference_names *names, struct place *place) {
  struct keeping keeping = {names->heap, place, ENTRIES_MAX - names->kept};

  pyheap_referents(names->heap, place->from, keep, &keeping);
  if (place->count == keeping.room) {
    place->count = 0;
    forget(names, place);
    return;
  }
  names->kept += place->count;
  if (place->count)
    qsort(place->entries, place->count, sizeof *place->entries,
          compare_entries);
}

static void search_kept(const struct place *place, pyheap_node to,
                        struct search *search) {
  size_t i = SORTED_PLACE(0, place->count, j, place->entries[j].to < to);

  for (; i < place->count && place->entries[i].to == to; i++) {
    const struct entry *entry = &place->entries[i];
    struct pyheap_name name = {(enum pyheap_name_form)entry->form, entry->name};
    if (!take(search, name, (enum pyheap_reference_kind)entry->kind))
      return;
  }
}

static struct search find(struct reference_names *names, pyheap_node from,
                          pyheap_node to, uint64_t count) {
  struct search search = {.target = pyheap_address(names->heap, to),
                          .wanted = count};
  struct place *place = &names->places[from % PLACES];

  if (place->from == from && place->entries) {
    search_kept(place, to, &search);
    return search;
  }
  search.looked_at = pyheap_referents_to(names->heap, from, search.target,
                                         search_reference, &search) +
                     search.found;
  if (place->from == from)
    place->looked_at += search.looked_at;
  else if (search.looked_at < MANY)
    return search;
  else {
    forget(names, place);
    *place = (struct place){.from = from, .looked_at = search.looked_at};
  }
  if (place->looked_at >= COSTLY && place->looked_at > search.looked_at)
    keep_all(names, place);
  return search;
}

/* Text -------------------------------------------------------------------- */

/** What is inside something else, and not a part of it. */
static bool is_contained(enum pyheap_name_form form) {
  switch (form) {
  case PYHEAP_NAME_ITEM:
  case PYHEAP_NAME_KEY:
  case PYHEAP_NAME_INDEX:
  case PYHEAP_NAME_LOCAL:
  case PYHEAP_NAME_STACK:
    return true;
  default:
    return false;
  }
}

/** Appends the names of what was found. */
static void add_names(struct buffer *text, const struct pyheap *heap,
                      const struct search *search) {
  uint64_t shown = search->found < NAMES_SHOWN ? search->found : NAMES_SHOWN;

  for (uint64_t i = 0; i < shown; i++) {
    buffer_add(text, i ? ", " : "");
    describe_name(text, heap, search->references[i].name);
    describe_probable(text, search->references[i].kind,
                      search->references[i].name.form);
  }
  if (search->found > shown)
    buffer_format(text, ", " ELLIPSIS " %" PRIu64 " more",
                  search->found - shown);
}

void describe_references(struct buffer *text, struct reference_names *names,
                         pyheap_node from, pyheap_node to, uint64_t count) {
  struct search search = find(names, from, to, count);

  add_names(text, names->heap, &search);
  if (search.found)
    buffer_add(text,
               is_contained(search.references[0].name.form) ? " in " : " of ");
}

void describe_reference_names(struct buffer *text,
                              struct reference_names *names, pyheap_node from,
                              pyheap_node to, uint64_t count) {
  struct search search = find(names, from, to, count);

  add_names(text, names->heap, &search);
}
