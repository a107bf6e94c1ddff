/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * The rows of the interpreter's types that are more than a list of members.
 */
#ifndef PYHEAP_KNOWN_CORE_H
#define PYHEAP_KNOWN_CORE_H

#include "known_type.h"

/* References */
void visit_list(struct visit *visit, const struct object *object);
void visit_tuple(struct visit *visit, const struct object *object);
/** A named tuple in C (PyStructSequence): may have more items than len(). */
void visit_structseq(struct visit *visit, const struct object *object);
/** Whether a set was allocated and no more, by a thread that was stopped
 * there (Objects/setobject.c, make_new_set). */
bool set_is_being_made(const struct pyheap *heap, const struct object *object);
void visit_set(struct visit *visit, const struct object *object);
void visit_type(struct visit *visit, const struct object *object);
void visit_capsule(struct visit *visit, const struct object *object);
void visit_module(struct visit *visit, const struct object *object);
void visit_hamt_bitmap(struct visit *visit, const struct object *object);
void visit_hamt_array(struct visit *visit, const struct object *object);
void visit_hamt_collision(struct visit *visit, const struct object *object);
void visit_tokenizer(struct visit *visit, const struct object *object);

/* __sizeof__ */
uint64_t int_size(const struct pyheap *heap, const struct object *object);
uint64_t str_size(const struct pyheap *heap, const struct object *object);
uint64_t bytearray_size(const struct pyheap *heap, const struct object *object);
uint64_t list_size(const struct pyheap *heap, const struct object *object);
uint64_t set_size(const struct pyheap *heap, const struct object *object);
uint64_t type_size(const struct pyheap *heap, const struct object *object);

#endif
