/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * Objects that are looked at one after the other, and whose memory is asked for
 * some others before: first its own, and when that has come what it has
 * elsewhere.  The processor brings it meanwhile.
 */
#ifndef PYHEAP_AHEAD_H
#define PYHEAP_AHEAD_H

#include "heap.h"

enum {
  AHEAD_FIRST_LINE = 16, /**< Objects after which a first line has come, */
  AHEAD_TABLE = 12,      /**< … and then a table. */
  AHEAD_RING = 32,
};
_Static_assert(AHEAD_FIRST_LINE + AHEAD_TABLE + 2 <= AHEAD_RING, "room");

struct ahead {
  const struct pyheap *heap;
  struct ahead_object {
    pyheap_node node;
    struct object object; /**< Its address 0: it cannot be read. */
  } ring[AHEAD_RING];
  /** Of those TAKEN, some are LOADED, and of these some were GIVEN. */
  uint64_t taken, loaded, given;
};

/** Asks for one more object.  Before the next one, ahead_give() is to be called. */
static inline void ahead_take(struct ahead *ahead, pyheap_node node,
                              uint64_t address) {
  struct ahead_object *place = &ahead->ring[ahead->taken++ % AHEAD_RING];

  place->node = node;
  object_find(ahead->heap, address, &place->object);
  object_prefetch_header(&place->object);
}

/** The next object whose memory has come, or NULL: for now, while there is MORE to
 * take, else for good. */
static inline const struct ahead_object *ahead_give(struct ahead *ahead,
                                                    bool more) {
  const char *why;

  if (ahead->loaded < ahead->taken &&
      (!more || ahead->taken - ahead->loaded > AHEAD_FIRST_LINE)) {
    struct object *object = &ahead->ring[ahead->loaded++ % AHEAD_RING].object;
    if (object_read(ahead->heap, object, &why))
      object_prefetch(ahead->heap, object);
    else
      object->address = 0;
  }
  if (ahead->given < ahead->loaded &&
      (!more || ahead->loaded - ahead->given > AHEAD_TABLE))
    return &ahead->ring[ahead->given++ % AHEAD_RING];
  return NULL;
}

#endif
