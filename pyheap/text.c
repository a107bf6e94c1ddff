/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "text.h"

#include <stdlib.h>
#include <string.h>

#include "type.h"

/** Where the bits behind `interned` begin: that is two bits, but a byte of its
 * own in free-threaded builds since 3.14 (Include/cpython/unicodeobject.h). */
static unsigned interned_bits(const struct layout *layout) {
  return layout->free_threaded && layout->version >= 0x030e ? 8 : 2;
}

struct text_state text_state(const struct layout *layout, uint32_t word) {
  /* kind:3 compact:1 ascii:1, and ready:1 as long as there was a wstr. */
  word >>= interned_bits(layout);
  return (struct text_state){
      .width = word & 7,
      .compact = word >> 3 & 1,
      .ascii = word >> 4 & 1,
      .ready =
          OFFSET(layout, PyASCIIObject, wstr) == FACT_ABSENT || (word >> 5 & 1),
  };
}

/** The address of the characters, and how wide they are. */
static uint64_t find_data(const struct pyheap *heap, uint64_t address,
                          const uint8_t *bytes, struct text *text) {
  const struct layout *layout = heap_layout(heap);
  struct text_state state = text_state(
      layout, load_u32(bytes + OFFSET(layout, PyASCIIObject, state)));
  text->width = state.width;
  if (state.compact)
    return address + (uint64_t)(state.ascii
                                    ? SIZEOF(layout, PyASCIIObject)
                                    : SIZEOF(layout, PyCompactUnicodeObject));
  const uint8_t *pointer = heap_memory(
      heap, address + (uint64_t)OFFSET(layout, PyUnicodeObject, data), 8);
  if (text->width && pointer)
    return load_u64(pointer);
  /* Before 3.12 a str may have no other form than wchar_t[]. */
  if (OFFSET(layout, PyASCIIObject, wstr) == FACT_ABSENT || text->width)
    return 0;
  pointer = heap_memory(
      heap,
      address + (uint64_t)OFFSET(layout, PyCompactUnicodeObject, wstr_length),
      8);
  if (!pointer)
    return 0;
  text->width = 4;
  text->length = load_u64(pointer);
  return load_u64(bytes + OFFSET(layout, PyASCIIObject, wstr));
}

bool text_open(const struct pyheap *heap, uint64_t address, struct text *text) {
  const struct layout *layout = heap_layout(heap);
  const uint8_t *bytes =
      heap_memory(heap, address, (uint64_t)SIZEOF(layout, PyASCIIObject));
  if (!bytes)
    return false;
  const struct type *type =
      types_get(heap, load_u64(bytes + OFFSET(layout, PyObject, ob_type)));
  if (!type || !(type->flags & TPFLAGS_UNICODE_SUBCLASS))
    return false;
  text->length = load_u64(bytes + OFFSET(layout, PyASCIIObject, length));
  uint64_t data = find_data(heap, address, bytes, text), size;
  if (!data || (text->width != 1 && text->width != 2 && text->width != 4) ||
      __builtin_mul_overflow(text->length, text->width, &size))
    return false;
  text->data = heap_memory(heap, data, size);
  return text->data;
}

uint32_t text_at(const struct text *text, uint64_t i) {
  switch (text->width) {
  case 1:
    return text->data[i];
  case 2:
    return load_u16(text->data + 2 * i);
  default:
    return load_u32(text->data + 4 * i);
  }
}

bool text_equals(const struct pyheap *heap, uint64_t address,
                 const char *expected) {
  struct text text;
  size_t length = strlen(expected);
  return text_open(heap, address, &text) && text.width == 1 &&
         text.length == length && memcmp(text.data, expected, length) == 0;
}

void utf8_put(char **end, uint32_t c) {
  char *at = *end;
  if (!c || (c >= 0xd800 && c < 0xe000) || c > 0x10ffff)
    c = 0xfffd;
  if (c < 0x80) {
    *at++ = (char)c;
  } else if (c < 0x800) {
    *at++ = (char)(0xc0 | c >> 6);
    *at++ = (char)(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    *at++ = (char)(0xe0 | c >> 12);
    *at++ = (char)(0x80 | (c >> 6 & 0x3f));
    *at++ = (char)(0x80 | (c & 0x3f));
  } else {
    *at++ = (char)(0xf0 | c >> 18);
    *at++ = (char)(0x80 | (c >> 12 & 0x3f));
    *at++ = (char)(0x80 | (c >> 6 & 0x3f));
    *at++ = (char)(0x80 | (c & 0x3f));
  }
  *end = at;
}

char *text_utf8(const struct pyheap *heap, uint64_t address, uint64_t limit) {
  struct text text;
  if (!text_open(heap, address, &text))
    return NULL;
  uint64_t length = text.length < limit ? text.length : limit;
  char *utf8 = malloc(4 * length + 1);
  if (!utf8)
    return NULL;
  char *end = utf8;
  for (uint64_t i = 0; i < length; i++)
    utf8_put(&end, text_at(&text, i));
  *end = 0;
  return utf8;
}
