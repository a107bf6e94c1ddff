/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * The rows of dict and OrderedDict; dict.h reads their tables.
 */
#ifndef PYHEAP_KNOWN_DICT_H
#define PYHEAP_KNOWN_DICT_H

#include "dict.h"

/** The references to the keys themselves, for who owns the table. */
void visit_dict_keys(struct visit *visit, const struct dict_keys *keys);

/** Also for types that begin like a dict and call its tp_traverse. */
void visit_dict(struct visit *visit, const struct object *object);
uint64_t dict_size(const struct pyheap *heap, const struct object *object);

void visit_odict(struct visit *visit, const struct object *object);
uint64_t odict_size(const struct pyheap *heap, const struct object *object);

#endif
