/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * Where instances of classes keep their attributes.
 */
#ifndef PYHEAP_INSTANCE_H
#define PYHEAP_INSTANCE_H

#include "known_type.h"

/** The attributes of an instance whose type has a managed dict (3.11 and
 * later): in values beside or inside the instance, or in a dict. */
void visit_managed_dict(struct visit *visit, const struct object *object);
/** Asks for the memory that this will read. */
void prefetch_managed_dict(const struct pyheap *heap,
                           const struct object *object);
/** The __dict__ at the type's tp_dictoffset. */
void visit_dict_at(struct visit *visit, const struct object *object);
/** Whether an instance that has both a dict and inline values visits the dict,
 * which then visits the values (gh-130327, 3.13.6 and later, and Debian's
 * 3.13); before, it is the other way round. */
bool heap_visits_managed_dict(const struct pyheap *heap);

#endif
