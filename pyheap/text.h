/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * Reading a str of the target.
 */
#ifndef PYHEAP_TEXT_H
#define PYHEAP_TEXT_H

#include "known_type.h"

struct text {
  const uint8_t *data; /**< LENGTH characters of WIDTH bytes. */
  uint64_t length;     /**< len() */
  unsigned width;      /**< 1 (Latin-1), 2 or 4 */
};

/** PyASCIIObject.state, unpacked. */
struct text_state {
  unsigned width; /**< Bytes a character; 0 when only wchar_t[] is there. */
  bool compact;   /**< The characters follow the header. */
  bool ascii;
  bool ready; /**< Up to 3.11: there are characters besides wchar_t[]. */
};
struct text_state text_state(const struct layout *layout, uint32_t word);

/** False when the object at ADDRESS is no str or cannot be read. */
bool text_open(const struct pyheap *heap, uint64_t address, struct text *text);
/** Character I of an opened text. */
uint32_t text_at(const struct text *text, uint64_t i);
/** Whether it is the ASCII string EXPECTED. */
bool text_equals(const struct pyheap *heap, uint64_t address,
                 const char *expected);
/** The str as UTF-8, LIMIT characters at most, not escaped (NUL becomes
 * U+FFFD, surrogates too); NULL when it is no str or memory ran out.  free()
 */
char *text_utf8(const struct pyheap *heap, uint64_t address, uint64_t limit);
/** Appends CHARACTER to *END in UTF-8: up to 4 bytes. */
void utf8_put(char **end, uint32_t character);

#endif
