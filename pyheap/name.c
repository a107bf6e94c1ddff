/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names of roots and of references. */
#include "config.h"

#include <string.h>

#include "c_stack.h"
#include "heap.h"
#include "symbols.h"
#include "value.h"

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
  case PYHEAP_ROOT_STACK:
    words_say(words, "C stack of thread %d",
              (int)c_stack_at(heap, root->address)->thread);
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

/** "NAME in FILE", by the symbols of the file that holds the variable.
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
          heap->symbols, address - file->start + symbols_base(heap->symbols),
          &offset);
    /* A stripped file has but its exported symbols: what lies behind one is
     * another variable. */
    const uint8_t *word = heap_memory(heap, address, 8);
    if (word && heap_is_interned_dict(heap, load_u64(word)))
      words_say(words, "dict of interned strings");
    else if (symbol && !offset)
      words_say(words, "%s", symbol);
    else
      words_say(words, "+0x%llx", (unsigned long long)(address - file->start));
    words_say(words, " in ");
    words_say_utf8(words, name);
    return;
  }
  words_say(words, "0x%llx", (unsigned long long)address);
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
  case PYHEAP_NAME_BLOCK:
    words_say(&words, "+0x%x->+0x%x?", (uint32_t)name.value,
              (uint32_t)(name.value >> 32));
    break;
  case PYHEAP_NAME_STATIC:
    say_static(&words, heap, name.value);
    break;
  }
  return words_finish(&words, ret);
}
