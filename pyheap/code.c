/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names and lines of code objects and of frames that run them. */
#include "config.h"

#include <string.h>

#include "heap.h"
#include "text.h"
#include "value.h"

/** "app.py:42": the last part of co_filename, and a line. */
static void say_place(struct words *words, const struct pyheap *heap,
                      const struct object *code, int line) {
  cleanup_free char *path = text_utf8(
      heap, FIELD(heap->layout, code, PyCodeObject, co_filename), 4096);
  const char *slash = path ? strrchr(path, '/') : NULL;
  words_say(words, " (");
  words_say_utf8(words, slash ? slash + 1 : path ? path : "?");
  words_say(words, ":%d)", line);
}

int code_first_line(const struct pyheap *heap, const struct object *code) {
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

void say_code(struct words *words, const struct pyheap *heap,
              const struct object *code) {
  say_code_name(words, heap, code);
  say_place(words, heap, code, code_first_line(heap, code));
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
      line = (int)(line + (delta & 1 ? -(delta >> 1) : delta >> 1));
    } else if (code >= 10 && code <= 12) {
      line = (int)(line + (int64_t)code - 10);
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
      heap, address + (uint64_t)OFFSET(heap->layout, PyBytesObject, ob_sval),
      *size);
}

/** The line of bytecode offset AT: co_linetable of 3.10, pairs of a length in
 * bytes and a line delta, -128 for no line; up to 3.9 co_lnotab, where a pair
 * counts from its own end on (Objects/lnotab_notes.txt). */
static int find_old_line(const struct pyheap *heap, const struct object *code,
                         int64_t line, int64_t at) {
  const struct layout *layout = heap->layout;
  bool starts = layout->version < 0x030a;
  uint64_t size;
  const uint8_t *pairs =
      bytes_data(heap, FIELD(layout, code, PyCodeObject, co_linetable), &size);
  int64_t passed = 0;
  for (uint64_t i = 0; pairs && i + 2 <= size; i += 2) {
    int8_t delta = (int8_t)pairs[i + 1];
    passed += pairs[i];
    if (starts && passed > at)
      return (int)line;
    if (delta != -128)
      line += delta;
    if (!starts && passed > at)
      return (int)line;
  }
  return (int)line;
}

static int frame_object_line(const struct pyheap *heap,
                             const struct object *code, uint64_t frame) {
  const struct layout *layout = heap->layout;
  const uint8_t *at = heap_memory(
      heap, frame + (uint64_t)OFFSET(layout, PyFrameObject, f_lasti), 4);
  int lasti = at ? (int32_t)load_u32(at) : -1;
  int line = code_first_line(heap, code);
  if (lasti < 0)
    return line;
  /* From 3.10 on it counts instructions of 2 bytes. */
  return find_old_line(heap, code, line,
                       layout->version >= 0x030a ? 2ll * lasti : lasti);
}

static int frame_line(const struct pyheap *heap, const struct object *code,
                      uint64_t frame) {
  const struct layout *layout = heap->layout;
  int line = code_first_line(heap, code);
  int32_t offset = OFFSET(layout, _PyInterpreterFrame, prev_instr);
  if (offset < 0)
    offset = OFFSET(layout, _PyInterpreterFrame, instr_ptr);
  const uint8_t *at = heap_memory(heap, frame + (uint64_t)offset, 8);
  uint64_t start =
      code->address + (uint64_t)OFFSET(layout, PyCodeObject, co_code_adaptive);
  uint64_t size;
  const uint8_t *table =
      bytes_data(heap, FIELD(layout, code, PyCodeObject, co_linetable), &size);
  if (!at || !table || load_u64(at) < start)
    return line;
  return find_line(table, size, line, (int64_t)(load_u64(at) - start) / 2);
}

/** The code of a frame; the lowest bits of a 3.14 stack reference are flags
 * (pycore_stackref.h). */
uint64_t frame_code(const struct pyheap *heap, uint64_t frame) {
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
void say_frame(struct words *words, const struct pyheap *heap, uint64_t frame) {
  struct object code;
  const char *why;
  if (!object_load(heap, frame_code(heap, frame), &code, &why)) {
    words_say(words, "?");
    return;
  }
  say_code_name(words, heap, &code);
  say_place(words, heap, &code,
            heap_has_frame_objects(heap) ? frame_object_line(heap, &code, frame)
                                         : frame_line(heap, &code, frame));
}
