/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * Writing texts of limited length, in printable UTF-8, for people to read.
 */
#ifndef PYHEAP_WORDS_H
#define PYHEAP_WORDS_H

#include "known_type.h"

struct words {
  size_t left; /**< Characters that may still be written. */
  bool cut;    /**< There was more: the text will end in an ellipsis. */
  bool failed; /**< Out of memory. */
  int depth;   /**< Of values in values. */
  char *text;
  size_t length, capacity;
};

void words_put(struct words *words, uint32_t character);
/** A character as repr() would show it, QUOTE being the quote in use (0:
 * none). */
void words_put_escaped(struct words *words, uint32_t character, char quote,
                       bool is_text);
__attribute__((format(printf, 2, 3))) void words_say(struct words *words,
                                                     const char *format, ...);
/** A UTF-8 text of the target, escaped. */
void words_say_utf8(struct words *words, const char *text);
/** Ends the text and hands it out; the caller frees it. */
struct pyheap_error *words_finish(struct words *words, char **ret);

/** The str at ADDRESS, escaped, without quotes. */
void say_text(struct words *words, const struct pyheap *heap, uint64_t address);
/** The str that the object refers to at OFFSET; nothing where there is none. */
void say_member(struct words *words, const struct pyheap *heap,
                const struct object *object, int32_t offset);

#endif
