/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * Writing about objects: texts of limited length, in printable UTF-8.
 */
#ifndef PYHEAP_VALUE_H
#define PYHEAP_VALUE_H

#include "heap.h"

struct words {
  size_t left;   /**< Characters that may still be written. */
  bool cut;      /**< There was more: the text will end in an ellipsis. */
  bool failed;   /**< Out of memory. */
  int depth;     /**< Of values in values. */
  char *text;
  size_t length, capacity;
};

__attribute__((format(printf, 2, 3))) void words_say(struct words *words,
                                                     const char *format, ...);
/** Ends the text and hands it out; the caller frees it. */
struct pyheap_error *words_finish(struct words *words, char **ret);

/** A str without quotes. */
void say_text(struct words *words, const struct pyheap *heap, uint64_t address);
/** See pyheap_value(). */
void say_value(struct words *words, const struct pyheap *heap,
               const struct object *object);
/** An int of 32 bits; false when it is larger or negative. */
bool int_value(const struct pyheap *heap, const struct object *object,
               uint32_t *ret);
int64_t object_length(const struct pyheap *heap, const struct object *object);

#endif
