/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "fingerprint.h"

#include <string.h>

#include "heap.h"
#include "text.h"
#include "value.h"

enum {
  ENDS = 256, /**< Bytes at each end of what is longer than two of them. */
};

static uint64_t mix(uint64_t sum, uint64_t word) {
  sum = (sum ^ word) * 0x9e3779b97f4a7c15;
  return sum ^ sum >> 32;
}

static uint64_t mix_bytes(uint64_t sum, const uint8_t *bytes, uint64_t length) {
  uint64_t word = 0;

  for (; length >= sizeof word; bytes += sizeof word, length -= sizeof word)
    sum = mix(sum, load_u64(bytes));
  if (length)
    memcpy(&word, bytes, length);
  return mix(sum, word);
}

static uint16_t print_of(const uint8_t *bytes, uint64_t length) {
  uint64_t sum = mix(0, length);

  if (length <= 2 * ENDS) {
    sum = mix_bytes(sum, bytes, length);
  } else {
    sum = mix_bytes(sum, bytes, ENDS);
    sum = mix_bytes(sum, bytes + length - ENDS, ENDS);
  }
  sum ^= sum >> 48 ^ sum >> 24;
  return (uint16_t)sum ? (uint16_t)sum : 1;
}

/** LENGTH bytes at OFFSET of the object; 0 when they are not there. */
static uint16_t print_part(const struct object *object, int32_t offset,
                           uint64_t length) {
  if (offset < 0 || (uint64_t)offset > object->available ||
      length > object->available - (uint64_t)offset)
    return 0;
  return print_of(object->bytes + offset, length);
}

static uint16_t print_text(const struct pyheap *heap,
                           const struct object *object) {
  struct text text;

  return text_open(heap, object->address, &text)
             ? print_of(text.data, text.length * text.width)
             : 0;
}

static uint16_t print_int(const struct pyheap *heap,
                          const struct object *object) {
  uint64_t count;
  bool negative;
  const uint8_t *digits = int_digits(heap, object, &count, &negative);

  if (count && !digits)
    return 0;
  uint16_t print = print_of(digits, 4 * count);
  return negative && print < UINT16_MAX ? print + 1 : print;
}

static uint16_t print_tuple(const struct pyheap *heap,
                            const struct object *object) {
  uint64_t items = object_size_field(object), length;

  if (__builtin_mul_overflow(items, 8, &length))
    return 0;
  return print_part(object, OFFSET(heap->layout, PyTupleObject, ob_item),
                    length);
}

uint16_t fingerprint(const struct pyheap *heap, const struct object *object) {
  const struct layout *layout = heap->layout;

  switch (object->type->known ? object->type->known->kind : KIND_OTHER) {
  case KIND_STR:
    return print_text(heap, object);
  case KIND_BYTES:
    return print_part(object, OFFSET(layout, PyBytesObject, ob_sval),
                      object_size_field(object));
  case KIND_TUPLE:
    return print_tuple(heap, object);
  case KIND_INT:
    return print_int(heap, object);
  case KIND_FLOAT:
    return print_part(object, OFFSET(layout, PyFloatObject, ob_fval), 8);
  default:
    return 0;
  }
}
