/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The collector's lists, walked from many places at once.
 *
 * Each step along a list waits for a line of memory that only the step before
 * tells.  But an object that is found anywhere in the allocator's memory tells
 * its neighbours, so that a walk can begin there, too: with dozens of them under
 * way, memory is busy all the time.
 *
 * Nothing is believed.  Every link must be answered by the one that leads back,
 * and the chains that were walked must make up the lists from head to head. */
#include "config.h"

#include "gc_chains.h"

#include <stdlib.h>

#include "allocator.h"
#include "gc_lists.h"
#include "marks.h"
#include "parallel.h"

enum {
  AT_ONCE = 16,          /**< Chains that a thread has under way. */
  PLACE_BYTES = 1 << 20, /**< Memory for each place to begin at. */
  MIN_PLACES = 16,
  ENOUGH_PLACES = 64,
  MAX_PLACES = 1024,
  MAX_HEADS = 1024,
  LONG = 1024, /**< Objects that make the effort worth while. */
  /** Where an object is looked for at first; then as often as that tells. */
  FIRST_SAMPLES = 128,
  MAX_SAMPLES = 4096,
  RARE = 64,       /**< One object in more samples than these is too rare. */
  PATIENCE = 1024, /**< Rounds after which the user may have canceled. */
};

/** A part of a list: from one place to the next one where a chain begins. */
struct chain {
  uint64_t start; /**< A list's head, or the PyGC_Head of an object. */
  uint64_t end;   /**< Where the next chain begins; 0: there is none. */
  uint64_t count; /**< Objects that it has marked. */
  bool listed;    /**< It is a part of a list that begins at a head. */
};

struct places {
  struct pyheap *heap;
  const struct addresses *heads;
  struct chain chains[MAX_HEADS + MAX_SAMPLES]; /**< Of the heads first. */
  size_t count;
  struct shares shares; /**< Of the chains. */
  bool canceled;
};

/** A walk under way. */
struct cursor {
  struct chain *chain;
  /** Objects so far; noted in the chain at its end, for those of another thread
   * are in its cache line. */
  uint64_t count;
  uint64_t last, node;
  const uint8_t *links; /**< Of NODE; NULL when they cannot be read. */
  uint64_t bit;         /**< Of NODE's object; NO_BIT: none can be there. */
};

static const uint64_t NO_BIT = UINT64_MAX;

/* One chain ---------------------------------------------------------------- */

/** Asks for the memory of NODE, to which LAST has led. */
static void approach(const struct pyheap *heap, struct cursor *cursor,
                     uint64_t last, uint64_t node) {
  uint64_t header = (uint64_t)SIZEOF(heap->layout, PyGC_Head);

  cursor->last = last;
  cursor->node = node;
  cursor->links = memory_at(&heap->memory, node, header);
  __builtin_prefetch(cursor->links);
  if (mark_bit(heap, node + header, &cursor->bit))
    __builtin_prefetch(&heap->marks[cursor->bit / 64], 1);
  else
    cursor->bit = NO_BIT;
}

static bool is_head(const struct places *places, uint64_t node) {
  for (size_t i = 0; i < places->heads->count; i++)
    if (places->heads->list[i] == node)
      return true;
  return false;
}

static uint64_t link_at(const struct cursor *cursor, int32_t offset) {
  return load_u64(cursor->links + offset) & ~GC_FLAGS;
}

/** Goes on by one object; false at the end of the chain.  A chain that comes upon
 * a link that nothing answers has no end: what looks like an object on a list may
 * have been one before it was freed. */
static bool step(struct places *places, struct cursor *cursor) {
  struct pyheap *heap = places->heap;
  bool first = !cursor->last;

  if (!cursor->node || !cursor->links ||
      (!first && link_at(cursor, OFFSET(heap->layout, PyGC_Head, _gc_prev)) !=
                     cursor->last))
    return false;
  if (cursor->bit != NO_BIT && mark_set(heap->marks, cursor->bit)) {
    cursor->count++;
    approach(heap, cursor, cursor->node,
             link_at(cursor, OFFSET(heap->layout, PyGC_Head, _gc_next)));
    return true;
  }
  /* A head, or where another one began; unless that was before this one did. */
  if (is_head(places, cursor->node) || (cursor->bit != NO_BIT && !first))
    cursor->chain->end = cursor->node;
  return false;
}

/** Begins with the next chain; false when there is none left. */
static bool begin(struct places *places, struct cursor *cursor) {
  const struct pyheap *heap = places->heap;
  uint64_t number, end;

  if (!shares_take(&places->shares, &number, &end))
    return false;
  struct chain *chain = &places->chains[number];
  cursor->chain = chain;
  cursor->count = 0;
  approach(heap, cursor, 0, chain->start);
  if (number < places->heads->count)
    approach(heap, cursor, chain->start,
             cursor->links
                 ? link_at(cursor, OFFSET(heap->layout, PyGC_Head, _gc_next))
                 : 0);
  return true;
}

static bool begin_another(struct places *places, struct cursor *cursor) {
  cursor->chain->count = cursor->count;
  return begin(places, cursor);
}

static bool is_to_stop(struct places *places, bool caller, uint64_t round) {
  if (round % PATIENCE)
    return false;
  if (caller && heap_canceled(places->heap, "walking the collector's lists",
                              round * AT_ONCE, 0))
    __atomic_store_n(&places->canceled, true, __ATOMIC_RELAXED);
  return __atomic_load_n(&places->canceled, __ATOMIC_RELAXED);
}

static void walk_chains(void *context, unsigned thread) {
  struct places *places = context;
  struct cursor cursors[AT_ONCE];
  unsigned active = 0;

  while (active < AT_ONCE && begin(places, &cursors[active]))
    active++;
  for (uint64_t round = 1; active && !is_to_stop(places, thread == 0, round);
       round++)
    for (unsigned i = 0; i < active;)
      if (step(places, &cursors[i]) || begin_another(places, &cursors[i]))
        i++;
      else
        cursors[i] = cursors[--active];
}

/* Where they begin --------------------------------------------------------- */

/** Whether NODE has a neighbour on a list, and that knows it. */
static bool is_listed(const struct pyheap *heap, uint64_t node) {
  int32_t next = OFFSET(heap->layout, PyGC_Head, _gc_next);
  int32_t previous = OFFSET(heap->layout, PyGC_Head, _gc_prev);
  uint64_t neighbour = heap_word(heap, node, next) & ~GC_FLAGS;
  return neighbour &&
         (heap_word(heap, neighbour, previous) & ~GC_FLAGS) == node;
}

/** What may be a PyGC_Head on a list in the allocator's block at ADDRESS; else 0.
 * What the allocator and the type put before it takes up to 32 bytes. */
static uint64_t listed_in_block(const struct pyheap *heap, uint64_t address) {
  uint64_t start, size;

  if (!pymalloc_block_at(heap, address, &start, &size))
    return 0;
  for (uint64_t before = 0; before <= 32 && before + 32 <= size; before += 16)
    if (is_listed(heap, start + before))
      return start + before;
  return 0;
}

/** 2^64 divided by the golden ratio: the parts of its multiples are spread evenly,
 * however many there are, and one is far from the next. */
static const uint64_t GOLDEN = 0x9e3779b97f4a7c15;

struct sampling {
  const struct pyheap *heap;
  uint64_t tried, found[MAX_SAMPLES];
};

static void take_sample(void *context, uint64_t index) {
  struct sampling *sampling = context;
  const struct pyheap *heap = sampling->heap;
  uint64_t number = sampling->tried + index;
  uint64_t part = number * GOLDEN >> 40;
  uint64_t bit = heap->memory.bit_count * part >> 24;
  sampling->found[number] =
      mark_range(heap, bit)->flags & MEMORY_FILE
          ? 0
          : listed_in_block(heap, heap_bit_address(heap, bit));
}

/** How many places are worth looking for. */
static size_t wanted_places(const struct pyheap *heap) {
  uint64_t places = heap->memory.bit_count * MEMORY_GRANULE / PLACE_BYTES;
  return places < ENOUGH_PLACES ? ENOUGH_PLACES
         : places > MAX_PLACES  ? MAX_PLACES
                                : (size_t)places;
}

/** How many more samples are likely to lead to WANTED objects when TRIED led to
 * FOUND; 0: there are enough, or they are rare, as in memory that is not read
 * otherwise. */
static uint64_t more_samples(uint64_t wanted, uint64_t found, uint64_t tried) {
  if (found >= wanted || found * RARE < tried || tried == MAX_SAMPLES)
    return 0;
  /* A quarter more, so that it is not done for a few again. */
  uint64_t more = (wanted - found) * tried / found * 5 / 4 + 1;
  return more < MAX_SAMPLES - tried ? more : MAX_SAMPLES - tried;
}

/** Looks for objects all over the memory.  False without memory. */
static bool find_places(struct places *places) {
  cleanup_free struct sampling *sampling = malloc(sizeof *sampling);
  size_t heads = places->count, wanted = wanted_places(places->heap);
  if (!sampling)
    return false;
  sampling->heap = places->heap;
  sampling->tried = 0;
  for (uint64_t more = FIRST_SAMPLES; more;
       more = more_samples(wanted, places->count - heads, sampling->tried)) {
    parallel_each(places->heap->threads, more, take_sample, sampling);
    for (size_t i = 0; i < more; i++)
      if (sampling->found[sampling->tried + i])
        places->chains[places->count++] =
            (struct chain){.start = sampling->found[sampling->tried + i]};
    sampling->tried += more;
  }
  return true;
}

/** Whether there are so many objects on the lists: no more of them are read. */
static bool are_long(const struct places *places) {
  const struct pyheap *heap = places->heap;
  uint64_t header = (uint64_t)SIZEOF(heap->layout, PyGC_Head), count = 0;

  for (size_t i = 0; i < places->heads->count; i++) {
    uint64_t head = places->heads->list[i], node = head;
    do
      node = gc_next_object(heap, node + header) - header;
    while (node != head && node + header && ++count < LONG);
  }
  return count >= LONG;
}

/* What they make up -------------------------------------------------------- */

static int compare_chains(const void *a, const void *b) {
  uint64_t left = ((const struct chain *)a)->start;
  uint64_t right = ((const struct chain *)b)->start;
  return left < right ? -1 : left > right;
}

static struct chain *find_chain(const struct places *places, uint64_t start) {
  return bsearch(&(struct chain){.start = start}, places->chains, places->count,
                 sizeof *places->chains, compare_chains);
}

/** Leaves the chains that were walked, by their starts: where a place was found
 * twice, or another walk came by before one began there, there is none. */
static void sort_chains(struct places *places) {
  size_t count = 0;
  for (size_t i = 0; i < places->count; i++)
    if (places->chains[i].end || places->chains[i].count)
      places->chains[count++] = places->chains[i];
  places->count = count;
  qsort(places->chains, count, sizeof *places->chains, compare_chains);
}

/** Whether the chains from HEAD on come back to it. */
static bool is_list(const struct places *places, uint64_t head) {
  uint64_t at = head;
  do {
    struct chain *chain = find_chain(places, at);
    if (!chain || chain->listed)
      return false;
    chain->listed = true;
    at = chain->end;
  } while (at != head);
  return true;
}

/** Takes back what a chain has marked that is on no list. */
static void forget_chain(const struct places *places,
                         const struct chain *chain) {
  const struct pyheap *heap = places->heap;
  struct cursor cursor;

  approach(heap, &cursor, 0, chain->start);
  for (uint64_t i = 0; i < chain->count; i++) {
    mark_clear(heap->marks, cursor.bit);
    approach(heap, &cursor, 0,
             link_at(&cursor, OFFSET(heap->layout, PyGC_Head, _gc_next)));
  }
}

/** Whether the lists were walked, each from its head to its head; nothing else is
 * marked then. */
static bool are_lists(struct places *places) {
  sort_chains(places);
  for (size_t i = 0; i < places->heads->count; i++)
    if (!is_list(places, places->heads->list[i]))
      return false;
  for (size_t i = 0; i < places->count; i++)
    if (!places->chains[i].listed)
      forget_chain(places, &places->chains[i]);
  return true;
}

/* All ---------------------------------------------------------------------- */

/** A bit for each head stops the walks there as well. */
static void mark_heads(const struct places *places, bool set) {
  const struct pyheap *heap = places->heap;
  uint64_t header = (uint64_t)SIZEOF(heap->layout, PyGC_Head), bit;

  for (size_t i = 0; i < places->heads->count; i++) {
    if (!mark_bit(heap, places->heads->list[i] + header, &bit))
      continue;
    if (set)
      mark_set(heap->marks, bit);
    else
      mark_clear(heap->marks, bit);
  }
}

static struct pyheap_error *walk(struct places *places, bool *done) {
  struct pyheap *heap = places->heap;

  mark_heads(places, true);
  places->shares = (struct shares){.end = places->count, .size = 1};
  parallel_run(heap->threads, walk_chains, places);
  mark_heads(places, false);
  if (places->canceled)
    return error_canceled();
  *done = are_lists(places);
  if (*done)
    return NULL;
  free(heap->marks);
  heap->marks = calloc(mark_words(heap), sizeof *heap->marks);
  return heap->marks ? NULL : &error_no_memory;
}

struct pyheap_error *gc_chains_walk(struct pyheap *heap,
                                    const struct addresses *heads, bool *done) {
  *done = false;
  if (heads->count > MAX_HEADS)
    return NULL;
  cleanup_free struct places *places = parallel_calloc(1, sizeof *places);
  if (!places)
    return &error_no_memory;
  places->heap = heap;
  places->heads = heads;
  if (!are_long(places))
    return NULL;
  for (size_t i = 0; i < heads->count; i++)
    places->chains[places->count++] = (struct chain){.start = heads->list[i]};
  if (!find_places(places))
    return &error_no_memory;
  if (places->count < heads->count + MIN_PLACES)
    return NULL;
  return walk(places, done);
}
