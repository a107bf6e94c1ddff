/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * Objects, code and frames in words.
 */
#ifndef PYHEAP_VALUE_H
#define PYHEAP_VALUE_H

#include "heap.h"
#include "words.h"

/** See pyheap_value(). */
void say_value(struct words *words, const struct pyheap *heap,
               const struct object *object);
/** "name='x', parent=<Node>", the first attributes of an instance of a class:
 * attributes.c. */
void say_attributes(struct words *words, const struct pyheap *heap,
                    const struct object *object);
/** Whether that is the value of the object: it is of a class that derives from
 * nothing which has a value of its own. */
bool has_attributes_for_value(const struct object *object);
/** The value of the object at ADDRESS when repr() of it is that, or "?" when there
 * is none; else false, and *OBJECT is loaded. */
bool say_literal(struct words *words, const struct pyheap *heap,
                 uint64_t address, struct object *object);
/** Of a type the name behind its module, which is the same for most. */
void say_short_type(struct words *words, const struct type *type);
/** "handler (app.py:42)" for a code object: its first line. */
void say_code(struct words *words, const struct pyheap *heap,
              const struct object *code);
/** The same for a frame, with the line that runs: a PyFrameObject up to 3.10, a
 * _PyInterpreterFrame later. */
void say_frame(struct words *words, const struct pyheap *heap, uint64_t frame);
/** The digits of an int, 30 bits in 4 bytes each, the lowest first; NULL when
 * they cannot be read, or are none as in 0. */
const uint8_t *int_digits(const struct pyheap *heap,
                          const struct object *object, uint64_t *count,
                          bool *negative);
/** The code object that such a frame runs, or 0. */
uint64_t frame_code(const struct pyheap *heap, uint64_t frame);
/** co_firstlineno */
int code_first_line(const struct pyheap *heap, const struct object *code);
/** An int of 32 bits; false when it is larger or negative. */
bool int_value(const struct pyheap *heap, const struct object *object,
               uint32_t *ret);
/** See pyheap_length(). */
int64_t object_length(const struct pyheap *heap, const struct object *object);

#endif
