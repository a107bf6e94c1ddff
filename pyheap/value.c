/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Objects in words: values in short, len(), names of references and roots. */
#include "config.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "dict.h"
#include "heap.h"
#include "symbols.h"
#include "text.h"
#include "value.h"

/* Writing ----------------------------------------------------------------- */

static void words_put(struct words *words, uint32_t character) {
  if (words->left == 0) {
    words->cut = true;
    return;
  }
  if (words->length + 4 >= words->capacity) {
    size_t capacity = 2 * words->capacity + 64;
    char *grown = realloc(words->text, capacity);
    if (!grown) {
      words->failed = true;
      return;
    }
    words->text = grown;
    words->capacity = capacity;
  }
  char *end = words->text + words->length;
  utf8_put(&end, character);
  words->length = (size_t)(end - words->text);
  words->left--;
}

/** Whether a terminal may be shown the character: no control, no format and no
 * direction marks. */
static bool is_printable(uint32_t c) {
  if (c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad)
    return false;
  if ((c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
      (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || c == 0x61c)
    return false;
  return !(c >= 0xd800 && c < 0xe000) && c < 0xfffe;
}

/** A character as repr() would show it, QUOTE being the quote in use (0:
 * none). */
static void words_put_escaped(struct words *words, uint32_t c, char quote,
                              bool is_text) {
  static const char hex[] = "0123456789abcdef";
  const char *simple = c == '\n'   ? "\\n"
                       : c == '\r' ? "\\r"
                       : c == '\t' ? "\\t"
                       : c == '\\' ? "\\\\"
                                   : NULL;
  if (simple) {
    words_say(words, "%s", simple);
    return;
  }
  if (quote && c == (uint32_t)quote) {
    words_put(words, '\\');
    words_put(words, c);
    return;
  }
  if (is_text ? is_printable(c) || c > 0x10000 : c >= 0x20 && c < 0x7f) {
    words_put(words, c);
    return;
  }
  int digits = c < 0x100 ? 2 : c < 0x10000 ? 4 : 8;
  words_put(words, '\\');
  words_put(words, digits == 2 ? 'x' : digits == 4 ? 'u' : 'U');
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4)
    words_put(words, (uint32_t)hex[c >> shift & 15]);
}

void words_say(struct words *words, const char *format, ...) {
  char buffer[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(buffer, sizeof buffer, format, arguments);
  va_end(arguments);
  for (const char *at = buffer; *at; at++)
    words_put(words, (unsigned char)*at);
}

/** A UTF-8 text of the target, escaped. */
static void words_say_utf8(struct words *words, const char *text) {
  const uint8_t *at = (const uint8_t *)text;
  while (*at) {
    uint32_t c = *at++;
    int more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : c >= 0xc0 ? 1 : 0;
    if (more)
      c &= 0x3fu >> more;
    for (; more && (*at & 0xc0) == 0x80; more--)
      c = c << 6 | (*at++ & 0x3f);
    words_put_escaped(words, c, 0, true);
  }
}

struct pyheap_error *words_finish(struct words *words, char **ret) {
  if (!words->text && !words->failed)
    words->text = calloc(1, 4);
  if (words->failed || !words->text) {
    free(words->text);
    return &error_no_memory;
  }
  if (words->cut) {
    /* The last character makes room for the sign that more follows. */
    while (words->length && (words->text[words->length - 1] & 0xc0) == 0x80)
      words->length--;
    if (words->length)
      words->length--;
    char *end = words->text + words->length;
    utf8_put(&end, 0x2026);
    words->length = (size_t)(end - words->text);
  }
  words->text[words->length] = 0;
  *ret = words->text;
  return NULL;
}

/* Strings and numbers ------------------------------------------------------ */

static void say_str(struct words *words, const struct pyheap *heap,
                    uint64_t address) {
  struct text text;
  if (!text_open(heap, address, &text)) {
    words_say(words, "<str that cannot be read>");
    return;
  }
  char quote = '\'';
  for (uint64_t i = 0; i < text.length && i < words->left; i++)
    if (text_at(&text, i) == '\'')
      quote = '"';
  for (uint64_t i = 0; i < text.length && i < words->left; i++)
    if (text_at(&text, i) == '"')
      quote = '\'';
  words_put(words, (uint32_t)quote);
  for (uint64_t i = 0; i < text.length && !words->cut; i++)
    words_put_escaped(words, text_at(&text, i), quote, true);
  words_put(words, (uint32_t)quote);
}

void say_text(struct words *words, const struct pyheap *heap,
              uint64_t address) {
  struct text text;
  if (!text_open(heap, address, &text)) {
    words_say(words, "?");
    return;
  }
  for (uint64_t i = 0; i < text.length && !words->cut; i++)
    words_put_escaped(words, text_at(&text, i), 0, true);
}

static void say_bytes(struct words *words, const struct pyheap *heap,
                      uint64_t data, uint64_t length) {
  uint64_t shown = length < words->left ? length : words->left;
  const uint8_t *bytes = heap_memory(heap, data, shown);
  if (!bytes && shown) {
    words_say(words, "<bytes that cannot be read>");
    return;
  }
  words_say(words, "b'");
  for (uint64_t i = 0; i < shown; i++)
    words_put_escaped(words, bytes[i], '\'', false);
  if (shown < length)
    words->cut = true;
  words_put(words, '\'');
}

/** An int of COUNT digits of 30 bits, the lowest first, in decimal. */
static void say_digits(struct words *words, const uint8_t *digits,
                       uint64_t count, bool negative) {
  enum { MOST = 64, GROUP = 1000000000 };
  uint32_t value[MOST];
  uint32_t groups[MOST * 30 / 29 + 2];
  size_t used = 0;

  if (count > MOST) {
    words_say(words, "<%sint of %llu bits>", negative ? "negative " : "",
              (unsigned long long)(30 * count));
    return;
  }
  for (uint64_t i = 0; i < count; i++)
    value[i] = load_u32(digits + 4 * i);
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

/** The digits of an int, 30 bits each; NULL when they cannot be read (or are
 * none). */
static const uint8_t *int_digits(const struct pyheap *heap,
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

static void say_double(struct words *words, uint64_t bits) {
  char buffer[40];
  double value;
  memcpy(&value, &bits, sizeof value);
  if (isnan(value) || isinf(value)) {
    words_say(words, "%s", isnan(value) ? "nan" : value < 0 ? "-inf" : "inf");
    return;
  }
  for (int precision = 1; precision <= 17; precision++) {
    snprintf(buffer, sizeof buffer, "%.*g", precision, value);
    if (strtod(buffer, NULL) == value)
      break;
  }
  /* repr() has an exponent from 1e16 on. */
  if (strchr(buffer, 'e') && fabs(value) < 1e16 && fabs(value) >= 1e-4)
    snprintf(buffer, sizeof buffer, "%.0f", value);
  words_say(words, "%s%s", buffer, strpbrk(buffer, ".e") ? "" : ".0");
}

/* Names ------------------------------------------------------------------- */

/** The str member of the object at OFFSET, as it is. */
static void say_member(struct words *words, const struct pyheap *heap,
                       const struct object *object, int32_t offset) {
  uint64_t address = object_field(object, offset);
  if (address)
    say_text(words, heap, address);
}

static void say_address_value(struct words *words, const struct pyheap *heap,
                              uint64_t address) {
  struct object object;
  const char *why;
  if (address && object_load(heap, address, &object, &why))
    say_value(words, heap, &object);
}

/** "app.py:42": the last part of co_filename, and a line. */
static void say_place(struct words *words, const struct pyheap *heap,
                      const struct object *code, int line) {
  cleanup_free char *path =
      text_utf8(heap, FIELD(heap->layout, code, PyCodeObject, co_filename),
                4096);
  const char *slash = path ? strrchr(path, '/') : NULL;
  words_say(words, " (");
  words_say_utf8(words, slash ? slash + 1 : path ? path : "?");
  words_say(words, ":%d)", line);
}

static int first_line(const struct pyheap *heap, const struct object *code) {
  int32_t offset = OFFSET(heap->layout, PyCodeObject, co_firstlineno);
  return (int32_t)(uint32_t)object_field(code, offset);
}

/** The qualified name from 3.11 on. */
static void say_code_name(struct words *words, const struct pyheap *heap,
                          const struct object *code) {
  int32_t name = OFFSET(heap->layout, PyCodeObject, co_qualname);
  say_member(words, heap, code,
             name >= 0 ? name : OFFSET(heap->layout, PyCodeObject, co_name));
}

static void say_code(struct words *words, const struct pyheap *heap,
                     const struct object *code) {
  say_code_name(words, heap, code);
  say_place(words, heap, code, first_line(heap, code));
}

/** A varint of 6 bits a byte, the lowest first (Objects/locations.md, 3.11). */
static int64_t read_varint(const uint8_t *table, uint64_t size, uint64_t *at) {
  uint64_t value = 0;
  for (int shift = 0; *at < size && shift < 60; shift += 6) {
    uint8_t byte = table[(*at)++];
    value |= (uint64_t)(byte & 63) << shift;
    if (!(byte & 64))
      break;
  }
  return (int64_t)value;
}

/** The line of instruction INSTRUCTION, from co_linetable (3.11 and later). */
static int find_line(const uint8_t *table, uint64_t size, int line,
                     int64_t instruction) {
  int64_t passed = 0;
  for (uint64_t at = 0; at < size;) {
    uint8_t first = table[at++];
    unsigned code = first >> 3 & 15;
    passed += (first & 7) + 1;
    if (code == 13 || code == 14) {
      int64_t delta = read_varint(table, size, &at);
      line += (int)(delta & 1 ? -(delta >> 1) : delta >> 1);
    } else if (code >= 10 && code <= 12) {
      line += (int)code - 10;
    }
    if (instruction < passed)
      return line;
    while (at < size && !(table[at] & 128))
      at++;
  }
  return line;
}

/** The bytes of a bytes object. */
static const uint8_t *bytes_data(const struct pyheap *heap, uint64_t address,
                                 uint64_t *size) {
  struct object object;
  const char *why;
  if (!object_load(heap, address, &object, &why) ||
      !(object.type->flags & TPFLAGS_BYTES_SUBCLASS))
    return NULL;
  *size = object_size_field(&object);
  return heap_memory(
      heap,
      address + (uint64_t)OFFSET(heap->layout, PyBytesObject, ob_sval), *size);
}

/** The line of bytecode offset AT: co_linetable of 3.10, pairs of a length in
 * bytes and a line delta, -128 for no line; up to 3.9 co_lnotab, where a pair
 * counts from its own end on (Objects/lnotab_notes.txt). */
static int find_old_line(const struct pyheap *heap, const struct object *code,
                         int line, int at) {
  const struct layout *layout = heap->layout;
  bool starts = layout->version < 0x030a;
  uint64_t size;
  const uint8_t *pairs = bytes_data(
      heap, FIELD(layout, code, PyCodeObject, co_linetable), &size);
  int passed = 0;
  for (uint64_t i = 0; pairs && i + 2 <= size; i += 2) {
    int8_t delta = (int8_t)pairs[i + 1];
    passed += pairs[i];
    if (starts && passed > at)
      return line;
    if (delta != -128)
      line += delta;
    if (!starts && passed > at)
      return line;
  }
  return line;
}

static int frame_object_line(const struct pyheap *heap,
                             const struct object *code, uint64_t frame) {
  const struct layout *layout = heap->layout;
  const uint8_t *at = heap_memory(
      heap, frame + (uint64_t)OFFSET(layout, PyFrameObject, f_lasti), 4);
  int lasti = at ? (int32_t)load_u32(at) : -1;
  int line = first_line(heap, code);
  if (lasti < 0)
    return line;
  /* From 3.10 on it counts instructions of 2 bytes. */
  return find_old_line(heap, code, line,
                       layout->version >= 0x030a ? 2 * lasti : lasti);
}

static int frame_line(const struct pyheap *heap, const struct object *code,
                      uint64_t frame) {
  const struct layout *layout = heap->layout;
  int line = first_line(heap, code);
  int32_t offset = OFFSET(layout, _PyInterpreterFrame, prev_instr);
  if (offset < 0)
    offset = OFFSET(layout, _PyInterpreterFrame, instr_ptr);
  const uint8_t *at = heap_memory(heap, frame + (uint64_t)offset, 8);
  uint64_t start = code->address +
                   (uint64_t)OFFSET(layout, PyCodeObject, co_code_adaptive);
  uint64_t size;
  const uint8_t *table = bytes_data(
      heap, FIELD(layout, code, PyCodeObject, co_linetable), &size);
  if (!at || !table || load_u64(at) < start)
    return line;
  return find_line(table, size, line, (int64_t)(load_u64(at) - start) / 2);
}

/** The code of a frame; the lowest bits of a 3.14 stack reference are flags
 * (pycore_stackref.h). */
static uint64_t frame_code(const struct pyheap *heap, uint64_t frame) {
  const struct layout *layout = heap->layout;
  int32_t offset = OFFSET(layout, _PyInterpreterFrame, f_code);
  if (heap_has_frame_objects(heap))
    offset = OFFSET(layout, PyFrameObject, f_code);
  else if (offset < 0)
    offset = OFFSET(layout, _PyInterpreterFrame, f_executable);
  const uint8_t *bytes = heap_memory(heap, frame + (uint64_t)offset, 8);
  return bytes ? load_u64(bytes) & ~3ull : 0;
}

/** "handler (app.py:42)" for a frame object up to 3.10, then for an interpreter
 * frame. */
static void say_frame(struct words *words, const struct pyheap *heap,
                      uint64_t frame) {
  struct object code;
  const char *why;
  if (!object_load(heap, frame_code(heap, frame), &code, &why)) {
    words_say(words, "?");
    return;
  }
  say_code_name(words, heap, &code);
  say_place(words, heap, &code,
            heap_has_frame_objects(heap)
                ? frame_object_line(heap, &code, frame)
                : frame_line(heap, &code, frame));
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

static void say_exception(struct words *words, const struct pyheap *heap,
                          const struct object *object) {
  const struct layout *layout = heap->layout;
  struct object args;
  const char *why;
  if (!object_load(heap,
                   FIELD(layout, object, PyBaseExceptionObject, args), &args,
                   &why) ||
      !object_size_field(&args))
    return;
  const uint8_t *item = heap_memory(
      heap, args.address + (uint64_t)OFFSET(layout, PyTupleObject, ob_item), 8);
  if (item)
    say_address_value(words, heap, load_u64(item));
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
  words_say(words, ")");
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
    return (int64_t)object_field(object,
                                 OFFSET(layout, PyVarObject, ob_size));
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
    say_double(words, FIELD(layout, object, PyFloatObject, ob_fval));
    break;
  case KIND_COMPLEX:
    words_put(words, '(');
    say_double(words, FIELD(layout, object, PyComplexObject, real));
    words_put(words, '+');
    say_double(words, FIELD(layout, object, PyComplexObject, imag));
    words_say(words, "j)");
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
    say_bytes(words, heap,
              FIELD(layout, object, PyByteArrayObject, ob_start),
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
  case KIND_CELL:
    say_address_value(words, heap,
                      FIELD(layout, object, PyCellObject, ob_ref));
    break;
  case KIND_WEAKREF:
    words_say(words, "to 0x%llx",
              (unsigned long long)FIELD(layout, object, PyWeakReference,
                                        wr_object));
    break;
  default:
    break;
  }
  words->depth--;
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

/** The key of a dict: its value, or its type and address where it has none. */
static void say_key(struct words *words, const struct pyheap *heap,
                    uint64_t address) {
  struct object object;
  const char *why;
  if (!object_load(heap, address, &object, &why)) {
    words_put(words, '?');
    return;
  }
  enum object_kind kind =
      object.type->known ? object.type->known->kind : KIND_OTHER;
  if (kind != KIND_STR && kind != KIND_INT && kind != KIND_NONE &&
      kind != KIND_BOOL && kind != KIND_FLOAT && kind != KIND_BYTES) {
    words_say_utf8(words, object.type->public.name);
    words_say(words, " 0x%llx", (unsigned long long)address);
    return;
  }
  say_value(words, heap, &object);
}

/* Roots and references ----------------------------------------------------- */

static void say_root(struct words *words, const struct pyheap *heap,
                     const struct root *root) {
  const struct layout *layout = heap->layout;
  const uint8_t *bytes;
  int32_t offset;

  switch (root->kind) {
  case PYHEAP_ROOT_RUNTIME:
    words_say(words, "static memory");
    return;
  case PYHEAP_ROOT_INTERPRETER:
    offset = OFFSET(layout, PyInterpreterState, id);
    bytes = heap_memory(heap, root->address + (uint64_t)offset, 8);
    words_say(words, "interpreter %lld",
              bytes ? (long long)load_i64(bytes) : -1);
    return;
  case PYHEAP_ROOT_THREAD:
    offset = OFFSET(layout, PyThreadState, native_thread_id);
    if (offset < 0)
      offset = OFFSET(layout, PyThreadState, thread_id);
    bytes = heap_memory(heap, root->address + (uint64_t)offset, 8);
    words_say(words, "thread %llu",
              bytes ? (unsigned long long)load_u64(bytes) : 0);
    return;
  case PYHEAP_ROOT_FRAME:
    words_say(words, "frame ");
    say_frame(words, heap, root->address);
    return;
  }
}

const char *pyheap_root_name(const struct pyheap *heap, pyheap_node node) {
  struct root *root = (struct root *)heap_root(heap, node);
  if (!root->name) {
    struct words words = {.left = 200};
    say_root(&words, heap, root);
    struct pyheap_error *error = words_finish(&words, &root->name);
    pyheap_error_destroy(error);
  }
  return root->name ? root->name : "?";
}

/** "static NAME in FILE", by the symbols of the file that holds the variable.
 * The symbols of one file are kept: names are asked for in a row. */
static void say_static(struct words *words, const struct pyheap *heap,
                       uint64_t address) {
  struct pyheap *mutable = (struct pyheap *)heap;
  const struct memory *memory = &heap->memory;
  for (size_t i = 0; i < memory->static_count; i++) {
    const struct memory_static *area = &memory->statics[i];
    if (address < area->start || address >= area->end)
      continue;
    const struct memory_file *file = &memory->files[area->file];
    const char *slash = strrchr(file->path, '/');
    const char *name = slash ? slash + 1 : file->path;
    if (file->local && heap->symbols_path != file->local) {
      symbols_close(take(mutable->symbols));
      pyheap_error_destroy(symbols_open(file->local, &mutable->symbols));
      mutable->symbols_path = file->local;
    }
    uint64_t offset = 0;
    const char *symbol = NULL;
    if (heap->symbols && heap->symbols_path == file->local)
      symbol = symbols_name_at(
          heap->symbols,
          address - file->start + symbols_base(heap->symbols), &offset);
    words_say(words, "static ");
    if (symbol && offset < 1 << 16)
      words_say(words, offset ? "%s+0x%llx" : "%s", symbol,
                (unsigned long long)offset);
    else
      words_say(words, "+0x%llx", (unsigned long long)(address - file->start));
    words_say(words, " in ");
    words_say_utf8(words, name);
    return;
  }
  words_say(words, "static 0x%llx", (unsigned long long)address);
}

struct pyheap_error *pyheap_name_text(const struct pyheap *heap,
                                      struct pyheap_name name, size_t limit,
                                      char **ret) {
  struct words words = {.left = limit};

  switch (name.form) {
  case PYHEAP_NAME_TEXT:
    words_say_utf8(&words, (const char *)(uintptr_t)name.value);
    break;
  case PYHEAP_NAME_ATTRIBUTE:
    words_put(&words, '.');
    say_text(&words, heap, name.value);
    break;
  case PYHEAP_NAME_ITEM:
    words_put(&words, '[');
    say_key(&words, heap, name.value);
    words_put(&words, ']');
    break;
  case PYHEAP_NAME_KEY:
    words_say(&words, "key ");
    say_key(&words, heap, name.value);
    break;
  case PYHEAP_NAME_INDEX:
    words_say(&words, "[%llu]", (unsigned long long)name.value);
    break;
  case PYHEAP_NAME_LOCAL:
    words_say(&words, "local ");
    say_text(&words, heap, name.value);
    break;
  case PYHEAP_NAME_STACK:
    words_say(&words, "stack %llu", (unsigned long long)name.value);
    break;
  case PYHEAP_NAME_OFFSET:
    words_say(&words, "+0x%llx?", (unsigned long long)name.value);
    break;
  case PYHEAP_NAME_STATIC:
    say_static(&words, heap, name.value);
    break;
  }
  return words_finish(&words, ret);
}
