/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "reference_names.h"

#include <inttypes.h>
#include <stdlib.h>

#include "plugin/describe.h"
#include "pyheap/give_back.h"
#include "pyheap/sorted.h"

enum {
  NAMES_SHOWN = 3, /**< Of several references between the same two. */
  /** Nodes whose references are kept, in a table without collisions: another
   * one takes the place when it was looked through for longer. */
  PLACES = 256,
  MANY = 256, /**< References that are worth a place. */
  /** To keep a reference, numbered and sorted, takes as long as to look at 30 to
   * 80, the more the farther apart the objects are.  So much is looked through
   * before a node's are kept: what is asked for only some of them does not wait
   * for all, and a tree of all takes little more than if they were kept at
   * once. */
  KEEPING = 32,
  TRIED_FIRST = KEEPING * 4 * MANY,
  ENTRIES_MAX = 1 << 24, /**< Kept of all nodes together: 256 MiB. */
  GIVE_BACK = 1 << 16,   /**< Entries that the system gets back: a MiB. */
};

/** A reference of a node. */
struct entry {
  pyheap_node to;
  uint32_t rank : 24; /**< Among the node's. */
  uint32_t form : 6, kind : 2;
  uint64_t name;
};
_Static_assert(PYHEAP_NAME_STATIC < 1 << 6 && PYHEAP_PROBABLE < 1 << 2,
               "form and kind");

/** A node that has many. */
struct place {
  pyheap_node from;
  /** References, in all searches so far, less those looked at for other nodes that
   * could have had the place. */
  uint64_t looked_at;
  uint64_t longest; /**< Of these searches: there are at least as many. */
  /** They are kept when as many were looked at.  UINT64_MAX: never, they are too
   * many. */
  uint64_t next_try;
  struct entry *entries; /**< By target and rank; NULL: not kept yet. */
  size_t count, capacity;
};

struct reference_names {
  const struct pyheap *heap;
  size_t kept;      /**< Entries of all places. */
  size_t kept_most; /**< Those that there were at the same time. */
  struct place places[PLACES];
};

struct reference_names *reference_names_create(const struct pyheap *heap) {
  struct reference_names *names = must_alloc(sizeof *names);

  names->heap = heap;
  names->kept = names->kept_most = 0;
  for (size_t i = 0; i < PLACES; i++)
    names->places[i] = (struct place){.from = PYHEAP_NO_NODE};
  return names;
}

void reference_names_destroy(struct reference_names *names) {
  if (!names)
    return;
  for (size_t i = 0; i < PLACES; i++)
    free(names->places[i].entries);
  if (names->kept_most >= GIVE_BACK)
    give_back_freed();
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
  bool stopped, out_of_memory;
};

/** Makes room for one more. */
static bool reserve(struct place *place, size_t room) {
  if (place->count < place->capacity)
    return true;
  size_t capacity = place->capacity ? 2 * place->capacity : 4 * MANY;
  if (capacity > room)
    capacity = room;
  struct entry *grown =
      reallocarray(place->entries, capacity, sizeof *place->entries);
  if (!grown)
    return false;
  place->entries = grown;
  place->capacity = capacity;
  return true;
}

static bool keep(void *context, const struct pyheap_reference *reference) {
  struct keeping *keeping = context;
  struct place *place = keeping->place;
  pyheap_node to = pyheap_node_at(keeping->heap, reference->target);

  if (to == PYHEAP_NO_NODE)
    return true;
  keeping->stopped = place->count >= keeping->room;
  if (keeping->stopped)
    return false;
  keeping->out_of_memory = !reserve(place, keeping->room);
  if (keeping->out_of_memory)
    return false;
  place->entries[place->count] = (struct entry){
      .to = to,
      .rank = (uint32_t)place->count,
      .name = reference->name.value,
      .form = (uint32_t)reference->name.form,
      .kind = (uint32_t)reference->kind,
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

/** Frees what is kept of a place's node. */
static void drop(struct place *place) {
  free(place->entries);
  place->entries = NULL;
  place->count = place->capacity = 0;
}

/** Keeps the references of a place's node, when they are as few as what was looked
 * at is worth.  Otherwise, and without memory, they are searched as before. */
static void keep_all(struct reference_names *names, struct place *place) {
  size_t room = ENTRIES_MAX - names->kept;
  bool worth_all = place->looked_at / KEEPING >= room;
  struct keeping keeping = {
      .heap = names->heap,
      .place = place,
      .room = worth_all ? room : (size_t)(place->looked_at / KEEPING),
  };

  pyheap_referents(names->heap, place->from, keep, &keeping);
  if (names->kept + place->count > names->kept_most)
    names->kept_most = names->kept + place->count;
  if (keeping.stopped || keeping.out_of_memory || !place->count) {
    bool never = worth_all || keeping.out_of_memory || !place->count;
    place->next_try = never ? UINT64_MAX : 2 * place->looked_at;
    drop(place);
    return;
  }
  names->kept += place->count;
  qsort(place->entries, place->count, sizeof *place->entries, compare_entries);
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

/** The place of a node that was searched, NULL when there is none for it. */
static struct place *place_of(struct reference_names *names, pyheap_node from,
                              uint64_t looked_at) {
  struct place *place = &names->places[from % PLACES];

  if (place->from == from)
    return place;
  if (looked_at < MANY)
    return NULL;
  if (place->looked_at > looked_at) {
    place->looked_at -= looked_at;
    return NULL;
  }
  names->kept -= place->count;
  drop(place);
  *place = (struct place){.from = from, .next_try = TRIED_FIRST};
  return place;
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
  search.looked_at =
      pyheap_referents_to(names->heap, from, search.target, count == 1,
                          search_reference, &search) +
      search.found;
  place = place_of(names, from, search.looked_at);
  if (!place)
    return search;
  place->looked_at += search.looked_at;
  if (place->longest < search.looked_at)
    place->longest = search.looked_at;
  if (place->looked_at >= place->next_try &&
      place->looked_at / KEEPING >= place->longest)
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
