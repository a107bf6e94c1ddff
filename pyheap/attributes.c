/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Instances of classes in words: their first attributes. */
#include "config.h"

#include <string.h>

#include "dict.h"
#include "instance.h"
#include "value.h"

/** The text as it grows, and what was met on the way. */
struct attributes {
  struct words *words;
  const struct pyheap *heap;
  uint64_t dict; /**< The __dict__, or 0. */
  bool any;
};

/** What an attribute refers to: its value as repr() has it where that is short,
 * else its type, and never what it refers to itself. */
static void say_attribute_value(struct words *words, const struct pyheap *heap,
                                uint64_t address) {
  struct object object;

  if (say_literal(words, heap, address, &object))
    return;
  words_put(words, '<');
  say_short_type(words, object.type);
  int64_t length = object_length(heap, &object);
  if (length >= 0)
    words_say(words, " len=%lld", (long long)length);
  words_put(words, '>');
}

static void say_attribute(struct attributes *attributes, uint64_t name,
                          uint64_t value) {
  struct words *words = attributes->words;

  if (words->cut)
    return;
  if (attributes->any)
    words_say(words, ", ");
  attributes->any = true;
  if (name)
    say_text(words, attributes->heap, name);
  else
    words_put(words, '?');
  words_put(words, '=');
  say_attribute_value(words, attributes->heap, value);
}

static void take_references(struct visit *visit) {
  struct attributes *attributes = visit->context;

  for (size_t i = 0; i < visit->count; i++) {
    const struct pyheap_reference *reference = &visit->references[i];
    if (reference->name.form == PYHEAP_NAME_ATTRIBUTE)
      say_attribute(attributes, reference->name.value, reference->target);
    else if (reference->name.form == PYHEAP_NAME_TEXT &&
             strcmp((const char *)(uintptr_t)reference->name.value,
                    ".__dict__") == 0)
      attributes->dict = reference->target;
  }
  visit->stop = attributes->words->cut;
}

/** The items of the __dict__, but for those that the instance has told of. */
static void say_dict(struct attributes *attributes) {
  const struct pyheap *heap = attributes->heap;
  uint64_t position = 0, key, value;
  struct object object;
  const char *why;
  struct dict dict;

  if (!attributes->dict || attributes->words->cut ||
      !object_load(heap, attributes->dict, &object, &why) ||
      !(object.type->flags & TPFLAGS_DICT_SUBCLASS) ||
      !dict_open(heap, attributes->dict, &dict))
    return;
  if (dict.embedded && !heap_visits_managed_dict(heap))
    return;
  while (!attributes->words->cut && dict_next(&dict, &position, &key, &value))
    say_attribute(attributes, key, value);
}

bool has_attributes_for_value(const struct object *object) {
  const struct known_type *known = object->type->known;
  enum object_kind kind = known ? known->kind : KIND_OTHER;

  return object->type->python_class &&
         (kind == KIND_OTHER || kind == KIND_OBJECT);
}

void say_attributes(struct words *words, const struct pyheap *heap,
                    const struct object *object) {
  struct attributes attributes = {.words = words, .heap = heap};
  struct visit visit = {
      .heap = heap, .flush = take_references, .context = &attributes};

  object_visit(&visit, object);
  say_dict(&attributes);
}
