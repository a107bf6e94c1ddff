/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * What memory itself tells where the interpreter's file is gone, as with the
 * core file of a container that is no more: where the runtime is, and what types
 * are called whose names were in the file.
 */
#ifndef PYHEAP_LOST_H
#define PYHEAP_LOST_H

#include "error.h"

struct pyheap;

/** Addresses at which a runtime may be. */
struct lost_runtimes {
  uint64_t *described; /**< Of what begins as _PyRuntime does from 3.13 on. */
  size_t described_count;
  uint64_t *lists; /**< Of what may be runtime.interpreters.head of 3.8 to
                             3.12. */
  size_t list_count;
};

/** Looks for them in the C variables of the target, or EVERYWHERE: in all memory
 * that can be written, for the target may not tell where these are.
 * @param[out] ret lost_runtimes_deinit() it.  Errors: NO_MEMORY, CANCELED. */
PYHEAP_MUST_CHECK struct pyheap_error *
lost_runtimes_find(const struct pyheap *heap, bool everywhere,
                   struct lost_runtimes *ret);
void lost_runtimes_deinit(struct lost_runtimes *runtimes);

/** The name of a type, as its tp_name would have it. */
struct lost_name {
  uint64_t address; /**< Of the type. */
  char *name;
  int rank; /**< Of several, the one of the highest rank is taken. */
};

struct lost_names {
  struct lost_name *list; /**< By address. */
  size_t count, capacity;
  bool wanted; /**< Names are missing. */
};

void lost_names_deinit(struct lost_names *names);
/** Finds the names of static types that cannot be read, among what the modules of
 * the main interpreter define.  Once the layout is known; types that were read
 * before are to be forgotten then.  Errors: NO_MEMORY. */
PYHEAP_MUST_CHECK struct pyheap_error *lost_names_find(struct pyheap *heap);
/** The name of the type at ADDRESS, or NULL. */
const char *lost_names_get(const struct pyheap *heap, uint64_t address);
/** The type of that name, 0 when none has it. */
uint64_t lost_names_address(const struct pyheap *heap, const char *name);
/** Takes NAME for the static type at ADDRESS, unless that is 0 or has a name that
 * can be read.  Errors: NO_MEMORY. */
PYHEAP_MUST_CHECK struct pyheap_error *
lost_names_take(struct pyheap *heap, uint64_t address, const char *name);
/** The name of a static type that its base tells, remembered as of now; NULL when
 * that tells none.  Whoever calls holds the lock of the types. */
const char *lost_names_by_base(struct pyheap *heap, uint64_t address);
/** lost_members.c: finds names among what the main interpreter's collector
 * tracks, once those of the modules are found.  Errors: NO_MEMORY. */
PYHEAP_MUST_CHECK struct pyheap_error *lost_members_find(struct pyheap *heap);
/** Remembers a name; takes it over.  Whoever calls holds the lock of the types.
 */
const char *lost_names_add(struct pyheap *heap, uint64_t address, char *name);

#endif
