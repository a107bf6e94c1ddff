/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Objects in words: values in short, and len(). */
#include "config.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "heap.h"
#include "known_numpy.h"
#include "text.h"
#include "value.h"

/* Strings and numbers ------------------------------------------------------ */

/** The quote that repr() takes for a text that has these in it. */
static char choose_quote(bool has_single, bool has_double) {
  return has_single && !has_double ? '"' : '\'';
}

static void say_str(struct words *words, const struct pyheap *heap,
                    uint64_t address) {
  struct text text;
  if (!text_open(heap, address, &text)) {
    words_say(words, "<str that cannot be read>");
    return;
  }
  bool single = false, other = false;
  for (uint64_t i = 0; i < text.length && i < words->left; i++) {
    single |= text_at(&text, i) == '\'';
    other |= text_at(&text, i) == '"';
  }
  char quote = choose_quote(single, other);
  words_put(words, (uint32_t)quote);
  for (uint64_t i = 0; i < text.length && !words->cut; i++)
    words_put_escaped(words, text_at(&text, i), quote, true);
  words_put(words, (uint32_t)quote);
}

static void say_bytes(struct words *words, const struct pyheap *heap,
                      uint64_t data, uint64_t length) {
  uint64_t shown = length < words->left ? length : words->left;
  const uint8_t *bytes = heap_memory(heap, data, shown);
  if (!bytes && shown) {
    words_say(words, "<bytes that cannot be read>");
    return;
  }
  char quote = choose_quote(shown && memchr(bytes, '\'', shown),
                            shown && memchr(bytes, '"', shown));
  words_say(words, "b%c", quote);
  for (uint64_t i = 0; i < shown; i++)
    words_put_escaped(words, bytes[i], quote, false);
  if (shown < length)
    words->cut = true;
  words_put(words, (uint32_t)quote);
}

/** An int of COUNT digits of 30 bits, the lowest first, in decimal. */
static void say_digits(struct words *words, const uint8_t *digits,
                       uint64_t count, bool negative) {
  enum {
    MOST = 64,
    GROUP = 1000000000
  };
  uint32_t value[MOST];
  uint32_t groups[MOST * 30 / 29 + 2];
  size_t used = 0;

  if (count > MOST) {
    uint32_t top = load_u32(digits + 4 * (count - 1)) & ((1u << 30) - 1);
    uint64_t bits = 30 * (count - 1) + (top ? 32 - __builtin_clz(top) : 0);
    words_say(words, "<%sint of %llu bits>", negative ? "negative " : "",
              (unsigned long long)bits);
    return;
  }
  for (uint64_t i = 0; i < count; i++)
    value[i] = load_u32(digits + 4 * i) & ((1u << 30) - 1);
  while (count) {
    uint64_t rest = 0;
    for (uint64_t i = count; i-- > 0;) {
      uint64_t part = rest << 30 | value[i];
      value[i] = (uint32_t)(part / GROUP);
      rest = part % GROUP;
    }
    groups[used++] = (uint32_t)rest;
    while (count && !value[count - 1])
      count--;
  }
  words_say(words, "%s%u", negative ? "-" : "", used ? groups[used - 1] : 0);
  while (used > 1)
    words_say(words, "%09u", groups[--used - 1]);
}

const uint8_t *int_digits(const struct pyheap *heap,
                          const struct object *object, uint64_t *count,
                          bool *negative) {
  const struct layout *layout = heap->layout;
  int32_t tag = OFFSET(layout, PyLongObject, lv_tag);

  if (tag != FACT_ABSENT) {
    /* Include/cpython/longintrepr.h, 3.12: sign in bits 0 and 1 (2: negative),
     * digits above bit 3. */
    uint64_t value = object_field(object, tag);
    *negative = (value & 3) == 2;
    *count = (value & 3) == 1 ? 0 : value >> 3;
  } else {
    int64_t size =
        (int64_t)object_field(object, OFFSET(layout, PyVarObject, ob_size));
    *negative = size < 0;
    *count = size < 0 ? -(uint64_t)size : (uint64_t)size;
  }
  uint64_t at =
      object->address + (uint64_t)OFFSET(layout, PyLongObject, ob_digit);
  return *count < 1ull << 40 ? heap_memory(heap, at, 4 * *count) : NULL;
}

bool int_value(const struct pyheap *heap, const struct object *object,
               uint32_t *ret) {
  uint64_t count;
  bool negative;
  if (!(object->type->flags & TPFLAGS_LONG_SUBCLASS))
    return false;
  const uint8_t *digits = int_digits(heap, object, &count, &negative);
  if (!digits || negative || count < 1 || count > 2 ||
      (count == 2 && load_u32(digits + 4) > 3))
    return false;
  *ret = load_u32(digits) | (count == 2 ? load_u32(digits + 4) << 30 : 0);
  return true;
}

static void say_int(struct words *words, const struct pyheap *heap,
                    const struct object *object) {
  uint64_t count;
  bool negative;
  const uint8_t *digits = int_digits(heap, object, &count, &negative);
  if (count && !digits)
    words_say(words, "<int that cannot be read>");
  else
    say_digits(words, digits, count, negative);
}

/** The digits of VALUE, which is finite, as "d.ddde+xx" with PRECISION digits;
 * whether these are enough to read it back. */
static bool write_digits(char *buffer, size_t size, int precision,
                         double value) {
  snprintf(buffer, size, "%.*e", precision - 1, value);
  if (strtod(buffer, NULL) == value)
    return true;
  /* What rounds to a power of two reaches further up than down, so that the
   * nearest text may be too far where the next one is not. */
  snprintf(buffer, size, "%.*Le", precision - 1, value * (1 + 0x1p-54L));
  return strtod(buffer, NULL) == value;
}

/** As repr() has it, but for the ".0" of whole numbers. */
static void say_double(struct words *words, double value) {
  char buffer[40];
  int precision = 1;

  if (isnan(value) || isinf(value)) {
    words_say(words, "%s", isnan(value) ? "nan" : value < 0 ? "-inf" : "inf");
    return;
  }
  while (precision < 17 &&
         !write_digits(buffer, sizeof buffer, precision, value))
    precision++;
  if (precision == 17)
    snprintf(buffer, sizeof buffer, "%.16e", value);
  int exponent = atoi(strchr(buffer, 'e') + 1);
  if (exponent >= -4 && exponent < 16)
    snprintf(buffer, sizeof buffer, "%.*f",
             precision - 1 > exponent ? precision - 1 - exponent : 0, value);
  words_say(words, "%s", buffer);
}

static double to_double(uint64_t bits) {
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static void say_float(struct words *words, double value) {
  say_double(words, value);
  /* What say_double() has no point or exponent in. */
  if (fabs(value) < 1e16 && value == floor(value))
    words_say(words, ".0");
}

static void say_complex(struct words *words, double real, double imaginary) {
  bool has_real = real != 0 || signbit(real);

  if (has_real) {
    words_put(words, '(');
    say_double(words, real);
    if (isnan(imaginary) || !signbit(imaginary))
      words_put(words, '+');
  }
  say_double(words, imaginary);
  words_say(words, has_real ? "j)" : "j");
}

/* By name ----------------------------------------------------------------- */

static void say_address_value(struct words *words, const struct pyheap *heap,
                              uint64_t address) {
  struct object object;
  const char *why;
  if (address && object_load(heap, address, &object, &why))
    say_value(words, heap, &object);
}

static void say_c_string(struct words *words, const struct pyheap *heap,
                         uint64_t address) {
  const char *text = memory_string(&heap->memory, address, 1024);
  words_say_utf8(words, text ? text : "?");
}

static void say_builtin(struct words *words, const struct pyheap *heap,
                        const struct object *object) {
  const struct layout *layout = heap->layout;
  uint64_t method = FIELD(layout, object, PyCFunctionObject, m_ml);
  const uint8_t *bytes = heap_memory(
      heap, method + (uint64_t)OFFSET(layout, PyMethodDef, ml_name), 8);
  if (bytes)
    say_c_string(words, heap, load_u64(bytes));
}

static void say_descriptor(struct words *words, const struct pyheap *heap,
                           const struct object *object) {
  const struct layout *layout = heap->layout;
  const struct type *type =
      types_get(heap, FIELD(layout, object, PyDescrObject, d_type));
  if (type) {
    words_say_utf8(words, type->public.name);
    words_put(words, '.');
  }
  say_member(words, heap, object, OFFSET(layout, PyDescrObject, d_name));
}

void say_short_type(struct words *words, const struct type *type) {
  const char *name = type->public.name;
  uint32_t module = type->public.module_length;

  words_say_utf8(words, module ? name + module + 1 : name);
}

bool say_literal(struct words *words, const struct pyheap *heap,
                 uint64_t address, struct object *object) {
  const char *why;
  if (!object_load(heap, address, object, &why)) {
    words_put(words, '?');
    return true;
  }
  switch (object->type->known ? object->type->known->kind : KIND_OTHER) {
  case KIND_NONE:
  case KIND_BOOL:
  case KIND_INT:
  case KIND_FLOAT:
  case KIND_COMPLEX:
  case KIND_STR:
  case KIND_BYTES:
  case KIND_RANGE:
    say_value(words, heap, object);
    return true;
  default:
    return false;
  }
}

/** An object within a value: what has no value as repr() shows it is told by
 * its type. */
static void say_part(struct words *words, const struct pyheap *heap,
                     uint64_t address) {
  struct object object;
  if (say_literal(words, heap, address, &object))
    return;
  words_put(words, '<');
  words_say_utf8(words, object.type->public.name);
  words_say(words, " 0x%llx>", (unsigned long long)address);
}

/** The arguments, as repr() has them between its brackets. */
static void say_exception(struct words *words, const struct pyheap *heap,
                          const struct object *object) {
  const struct layout *layout = heap->layout;
  struct object args;
  const char *why;
  if (!object_load(heap, FIELD(layout, object, PyBaseExceptionObject, args),
                   &args, &why) ||
      !(args.type->flags & TPFLAGS_TUPLE_SUBCLASS))
    return;
  uint64_t items =
      args.address + (uint64_t)OFFSET(layout, PyTupleObject, ob_item);
  for (uint64_t i = 0; i < object_size_field(&args) && !words->cut; i++) {
    const uint8_t *item = heap_memory(heap, items + 8 * i, 8);
    if (i)
      words_say(words, ", ");
    if (!item)
      return;
    say_part(words, heap, load_u64(item));
  }
}

static void say_generator(struct words *words, const struct pyheap *heap,
                          const struct object *object) {
  const struct layout *layout = heap->layout;
  say_member(words, heap, object, OFFSET(layout, PyGenObject, gi_qualname));
}

static void say_range(struct words *words, const struct pyheap *heap,
                      const struct object *object) {
  const struct layout *layout = heap->layout;
  words_say(words, "range(");
  say_address_value(words, heap, FIELD(layout, object, rangeobject, start));
  words_say(words, ", ");
  say_address_value(words, heap, FIELD(layout, object, rangeobject, stop));
  struct object step;
  const char *why;
  uint32_t number;
  if (!object_load(heap, FIELD(layout, object, rangeobject, step), &step,
                   &why) ||
      !int_value(heap, &step, &number) || number != 1) {
    words_say(words, ", ");
    say_address_value(words, heap, FIELD(layout, object, rangeobject, step));
  }
  words_put(words, ')');
}

/* Lengths ----------------------------------------------------------------- */

int64_t object_length(const struct pyheap *heap, const struct object *object) {
  const struct layout *layout = heap->layout;
  switch (object->type->known ? object->type->known->kind : KIND_OTHER) {
  case KIND_STR: {
    struct text text;
    return text_open(heap, object->address, &text) ? (int64_t)text.length : -1;
  }
  case KIND_BYTES:
  case KIND_BYTEARRAY:
  case KIND_LIST:
  case KIND_TUPLE:
  case KIND_DEQUE:
    return (int64_t)object_field(object, OFFSET(layout, PyVarObject, ob_size));
  case KIND_DICT:
    return (int64_t)FIELD(layout, object, PyDictObject, ma_used);
  case KIND_SET:
    return (int64_t)FIELD(layout, object, PySetObject, used);
  default:
    return -1;
  }
}

int64_t pyheap_length(const struct pyheap *heap, pyheap_node node) {
  struct object object;
  const char *why;
  if (node >= heap->object_count ||
      !object_load(heap, heap_number_address(heap, node), &object, &why))
    return -1;
  return object_length(heap, &object);
}

/* Values ------------------------------------------------------------------ */

void say_value(struct words *words, const struct pyheap *heap,
               const struct object *object) {
  const struct layout *layout = heap->layout;
  enum object_kind kind =
      object->type->known ? object->type->known->kind : KIND_OTHER;
  const struct type *type;
  uint32_t number;

  if (words->depth++ > 4)
    return;
  switch (kind) {
  case KIND_NONE:
    words_say(words, "None");
    break;
  case KIND_BOOL:
    words_say(words, "%s",
              int_value(heap, object, &number) && number ? "True" : "False");
    break;
  case KIND_INT:
    say_int(words, heap, object);
    break;
  case KIND_FLOAT:
    say_float(words, to_double(FIELD(layout, object, PyFloatObject, ob_fval)));
    break;
  case KIND_COMPLEX:
    say_complex(words, to_double(FIELD(layout, object, PyComplexObject, real)),
                to_double(FIELD(layout, object, PyComplexObject, imag)));
    break;
  case KIND_STR:
    say_str(words, heap, object->address);
    break;
  case KIND_BYTES:
    say_bytes(words, heap,
              object->address +
                  (uint64_t)OFFSET(layout, PyBytesObject, ob_sval),
              object_size_field(object));
    break;
  case KIND_BYTEARRAY:
    say_bytes(words, heap, FIELD(layout, object, PyByteArrayObject, ob_start),
              object_field(object, OFFSET(layout, PyVarObject, ob_size)));
    break;
  case KIND_LIST:
  case KIND_TUPLE:
  case KIND_DICT:
  case KIND_SET:
  case KIND_DEQUE:
    words_say(words, "len=%lld", (long long)object_length(heap, object));
    break;
  case KIND_FUNCTION:
    say_member(words, heap, object,
               OFFSET(layout, PyFunctionObject, func_qualname));
    break;
  case KIND_METHOD:
    say_address_value(words, heap,
                      FIELD(layout, object, PyMethodObject, im_func));
    break;
  case KIND_BUILTIN:
    say_builtin(words, heap, object);
    break;
  case KIND_CODE:
    say_code(words, heap, object);
    break;
  case KIND_MODULE:
    say_member(words, heap, object, OFFSET(layout, PyModuleObject, md_name));
    break;
  case KIND_FRAME:
    say_frame(words, heap,
              heap_has_frame_objects(heap)
                  ? object->address
                  : FIELD(layout, object, PyFrameObject, f_frame));
    break;
  case KIND_GENERATOR:
    say_generator(words, heap, object);
    break;
  case KIND_TYPE:
    type = types_get(heap, object->address);
    words_say_utf8(words, type ? type->public.name : "?");
    break;
  case KIND_DESCRIPTOR:
    say_descriptor(words, heap, object);
    break;
  case KIND_EXCEPTION:
    say_exception(words, heap, object);
    break;
  case KIND_RANGE:
    say_range(words, heap, object);
    break;
  case KIND_NDARRAY:
    say_ndarray(words, heap, object);
    break;
  case KIND_CELL:
    say_address_value(words, heap, FIELD(layout, object, PyCellObject, ob_ref));
    break;
  case KIND_WEAKREF:
    words_say(
        words, "to 0x%llx",
        (unsigned long long)FIELD(layout, object, PyWeakReference, wr_object));
    break;
  default:
    if (has_attributes_for_value(object))
      say_attributes(words, heap, object);
    break;
  }
  words->depth--;
}

bool pyheap_value_is_attributes(const struct pyheap *heap, pyheap_node node) {
  struct object object;
  const char *why;
  return node < heap->object_count &&
         object_load(heap, heap_number_address(heap, node), &object, &why) &&
         has_attributes_for_value(&object);
}

struct pyheap_error *pyheap_value(const struct pyheap *heap, pyheap_node node,
                                  size_t limit, char **ret) {
  struct words words = {.left = limit};
  struct object object;
  const char *why;
  if (node < heap->object_count &&
      object_load(heap, heap_number_address(heap, node), &object, &why))
    say_value(&words, heap, &object);
  return words_finish(&words, ret);
}
