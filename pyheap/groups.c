/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Counting objects by more than their type: functions by name, dicts by length.
 * What tells two objects apart is numbers, so that a text is made for each group
 * and not for each object. */
#include "config.h"

#include <string.h>

#include "dict.h"
#include "heap.h"
#include "value.h"

enum {
  BATCH = 1 << 14,  /**< Objects a thread takes at a time. */
  NAME_LIMIT = 250, /**< Characters of a group's name. */
};

/** By what objects of a type are told apart. */
enum criterion {
  BY_TYPE,
  BY_LENGTH,
  BY_FUNCTION, /**< func_module and func_name */
  BY_MODULE,   /**< __name__ */
  BY_CODE,     /**< The code that a frame object runs. */
};

/** The types that have one: themselves, without subclasses. */
static const struct {
  const char *name;
  enum criterion criterion;
} criteria[] = {
    {"dict", BY_LENGTH},       {"list", BY_LENGTH},   {"set", BY_LENGTH},
    {"function", BY_FUNCTION}, {"module", BY_MODULE}, {"frame", BY_CODE},
};

/** Objects that are the same: of one type and with the same two numbers, which
 * are a length or addresses of what names them. */
struct bin {
  uint32_t type;
  uint64_t a, b;
  uint64_t count, bytes; /**< A count of 0: an empty slot. */
};

/** What one thread counted. */
struct bins {
  struct bin *slots; /**< Open addressing; a power of two, or none. */
  size_t capacity, used;
  struct pyheap_summary_row *rows; /**< By type, of those told apart by it. */
  bool out_of_memory;
};

struct grouping {
  const struct pyheap *heap;
  const struct pyheap_selection *selection;
  enum pyheap_detail detail;
  uint8_t *criteria; /**< By type index: enum criterion. */
  uint32_t type_count;
};

/* Counting ---------------------------------------------------------------- */

static enum criterion criterion_of(const struct type *type) {
  if (type->python_class)
    return BY_TYPE;
  for (size_t i = 0; i < sizeof criteria / sizeof *criteria; i++)
    if (strcmp(type->public.name, criteria[i].name) == 0)
      return criteria[i].criterion;
  return BY_TYPE;
}

static uint64_t module_name(const struct pyheap *heap,
                            const struct object *module) {
  const struct layout *layout = heap->layout;
  uint64_t dict = FIELD(layout, module, PyModuleObject, md_dict);
  uint64_t name = dict ? dict_lookup(heap, dict, "__name__") : 0;

  return name ? name : FIELD(layout, module, PyModuleObject, md_name);
}

/** What tells OBJECT apart from others of its type. */
static void find_numbers(const struct pyheap *heap, const struct object *object,
                         enum criterion criterion, struct bin *bin) {
  const struct layout *layout = heap->layout;

  switch (criterion) {
  case BY_TYPE:
    break;
  case BY_LENGTH:
    bin->a = (uint64_t)object_length(heap, object);
    break;
  case BY_FUNCTION:
    bin->a = FIELD(layout, object, PyFunctionObject, func_module);
    bin->b = FIELD(layout, object, PyFunctionObject, func_name);
    break;
  case BY_MODULE:
    bin->a = module_name(heap, object);
    break;
  case BY_CODE:
    bin->a =
        frame_code(heap, heap_has_frame_objects(heap)
                             ? object->address
                             : FIELD(layout, object, PyFrameObject, f_frame));
    break;
  }
}

static size_t hash(const struct bin *bin) {
  uint64_t mixed = bin->a * 0x9e3779b97f4a7c15u ^ bin->type;

  mixed = (mixed ^ mixed >> 32 ^ bin->b) * 0xd6e8feb86659fd93u;
  return (size_t)(mixed ^ mixed >> 32);
}

/** The slot of BIN's numbers, or the empty one where they belong. */
static struct bin *find_slot(const struct bins *bins, const struct bin *bin) {
  size_t mask = bins->capacity - 1;

  for (size_t at = hash(bin) & mask;; at = (at + 1) & mask) {
    struct bin *slot = &bins->slots[at];
    if (!slot->count ||
        (slot->type == bin->type && slot->a == bin->a && slot->b == bin->b))
      return slot;
  }
}

static bool grow(struct bins *bins) {
  struct bins grown = {.capacity = bins->capacity ? bins->capacity * 2 : 256};

  grown.slots = calloc(grown.capacity, sizeof *grown.slots);
  if (!grown.slots) {
    bins->out_of_memory = true;
    return false;
  }
  for (size_t i = 0; i < bins->capacity; i++)
    if (bins->slots[i].count)
      *find_slot(&grown, &bins->slots[i]) = bins->slots[i];
  free(bins->slots);
  bins->slots = grown.slots;
  bins->capacity = grown.capacity;
  return true;
}

/** Adds BIN's count and bytes to the bin of its numbers. */
static void add_bin(struct bins *bins, const struct bin *bin) {
  if (2 * bins->used >= bins->capacity && !grow(bins))
    return;
  struct bin *slot = find_slot(bins, bin);
  if (slot->count) {
    slot->count += bin->count;
    slot->bytes += bin->bytes;
    return;
  }
  *slot = *bin;
  bins->used++;
}

static void count_object(const struct grouping *grouping, pyheap_node node,
                         struct bins *bins) {
  const struct pyheap *heap = grouping->heap;
  struct object object;
  const char *why;

  if (!object_load(heap, heap_number_address(heap, node), &object, &why) ||
      object.type->index >= grouping->type_count)
    return;
  struct bin bin = {.type = object.type->index,
                    .count = 1,
                    .bytes = object_getsizeof(heap, &object)};
  enum criterion criterion = grouping->criteria[bin.type];
  if (criterion == BY_TYPE) {
    bins->rows[bin.type].count++;
    bins->rows[bin.type].bytes += bin.bytes;
    return;
  }
  find_numbers(heap, &object, criterion, &bin);
  add_bin(bins, &bin);
}

struct counting {
  const struct grouping *grouping;
  struct bins *bins; /**< By thread. */
  struct heap_shares work;
};

static void count_shares(void *context, unsigned thread) {
  struct counting *counting = context;
  const struct pyheap_selection *selection = counting->grouping->selection;
  struct bins *own = &counting->bins[thread];
  uint64_t first, end;

  while (heap_shares_take(&counting->work, thread, &first, &end))
    for (pyheap_node node = pyheap_next_selected(selection, (pyheap_node)first);
         node < end && !own->out_of_memory;
         node = pyheap_next_selected(selection, node + 1))
      count_object(counting->grouping, node, own);
}

/** Counts all that are selected; false when canceled. */
static bool count_all(const struct grouping *grouping, struct bins *bins) {
  struct counting counting = {
      .grouping = grouping,
      .bins = bins,
      .work = {.heap = grouping->heap,
               .stage = "grouping objects",
               .shares = {.end = grouping->selection->end, .size = BATCH}}};

  parallel_run(grouping->heap->threads, count_shares, &counting);
  return !counting.work.canceled;
}

/* Names ------------------------------------------------------------------- */

/** The str at ADDRESS, or what else a name can be. */
static void say_name(struct words *words, const struct pyheap *heap,
                     uint64_t address) {
  struct object object;
  const char *why;

  if (!address || !object_load(heap, address, &object, &why))
    words_say(words, "?");
  else if (object.type->flags & TPFLAGS_UNICODE_SUBCLASS)
    say_text(words, heap, address);
  else
    say_value(words, heap, &object);
}

static void say_frame_code(struct words *words, const struct pyheap *heap,
                           uint64_t address, enum pyheap_detail detail) {
  const struct layout *layout = heap->layout;
  struct object code;
  const char *why;

  words_say(words, "frame (codename: ");
  if (!address || !object_load(heap, address, &code, &why)) {
    words_say(words, "?)");
    return;
  }
  say_name(words, heap, FIELD(layout, &code, PyCodeObject, co_name));
  if (detail >= PYHEAP_DETAIL_PLACE) {
    words_say(words, ", filename: ");
    say_name(words, heap, FIELD(layout, &code, PyCodeObject, co_filename));
  }
  words_say(words, ", codeline: %d)", code_first_line(heap, &code));
}

static struct pyheap_error *name_bin(const struct grouping *grouping,
                                     const struct bin *bin, char **ret) {
  const struct pyheap *heap = grouping->heap;
  struct words words = {.left = NAME_LIMIT};

  switch ((enum criterion)grouping->criteria[bin->type]) {
  case BY_TYPE:
    break;
  case BY_LENGTH:
    words_say(&words, "%s, len=%lld", heap->types.list[bin->type]->public.name,
              (long long)bin->a);
    break;
  case BY_FUNCTION:
    words_say(&words, "function (");
    /* Without one, __module__ is None. */
    if (bin->a)
      say_name(&words, heap, bin->a);
    else
      words_say(&words, "None");
    words_say(&words, ".");
    say_name(&words, heap, bin->b);
    words_say(&words, ")");
    break;
  case BY_MODULE:
    words_say(&words, "module(");
    say_name(&words, heap, bin->a);
    words_say(&words, ")");
    break;
  case BY_CODE:
    say_frame_code(&words, heap, bin->a, grouping->detail);
    break;
  }
  return words_finish(&words, ret);
}

/* All of it --------------------------------------------------------------- */

/** Adds what the threads counted to the first of them. */
static struct pyheap_error *merge(const struct grouping *grouping,
                                  struct bins *bins) {
  for (unsigned i = 0; i < grouping->heap->threads; i++) {
    for (size_t j = 0; i && j < bins[i].capacity; j++)
      if (bins[i].slots[j].count)
        add_bin(&bins[0], &bins[i].slots[j]);
    for (uint32_t type = 0; i && type < grouping->type_count; type++) {
      bins[0].rows[type].count += bins[i].rows[type].count;
      bins[0].rows[type].bytes += bins[i].rows[type].bytes;
    }
    if (bins[i].out_of_memory || bins[0].out_of_memory)
      return &error_no_memory;
  }
  return NULL;
}

static struct pyheap_error *make_groups(const struct grouping *grouping,
                                        const struct bins *bins,
                                        struct pyheap_group **ret,
                                        size_t *count) {
  size_t used = 0;
  struct pyheap_group *groups =
      calloc(bins->used + grouping->type_count + 1, sizeof *groups);

  if (!groups)
    return &error_no_memory;
  for (uint32_t type = 0; type < grouping->type_count; type++)
    if (bins->rows[type].count)
      groups[used++] = (struct pyheap_group){type, NULL, bins->rows[type].count,
                                             bins->rows[type].bytes};
  for (size_t i = 0; i < bins->capacity; i++) {
    const struct bin *bin = &bins->slots[i];
    if (!bin->count)
      continue;
    groups[used] =
        (struct pyheap_group){bin->type, NULL, bin->count, bin->bytes};
    struct pyheap_error *error = name_bin(grouping, bin, &groups[used++].name);
    if (error) {
      pyheap_groups_destroy(groups, used);
      return error;
    }
  }
  *ret = groups;
  *count = used;
  return NULL;
}

static struct pyheap_error *group_all(const struct grouping *grouping,
                                      struct bins *bins,
                                      struct pyheap_group **ret,
                                      size_t *count) {
  for (unsigned i = 0; i < grouping->heap->threads; i++) {
    bins[i].rows = calloc(grouping->type_count + 1ull, sizeof *bins[i].rows);
    if (!bins[i].rows)
      return &error_no_memory;
  }
  if (!count_all(grouping, bins))
    return error_canceled();
  TRY(merge(grouping, bins));
  return make_groups(grouping, &bins[0], ret, count);
}

struct pyheap_error *pyheap_group_selected(
    struct pyheap *heap, const struct pyheap_selection *selection,
    enum pyheap_detail detail, struct pyheap_group **ret, size_t *count) {
  struct grouping grouping = {.heap = heap,
                              .selection = selection,
                              .detail = detail,
                              .type_count = heap->types.count};
  cleanup_free uint8_t *criteria_of = calloc(grouping.type_count + 1ull, 1);
  cleanup_free struct bins *bins = calloc(heap->threads, sizeof *bins);

  if (!criteria_of || !bins)
    return &error_no_memory;
  for (uint32_t i = 0; detail > PYHEAP_DETAIL_TYPE && i < grouping.type_count;
       i++)
    criteria_of[i] = (uint8_t)criterion_of(heap->types.list[i]);
  grouping.criteria = criteria_of;
  struct pyheap_error *error = group_all(&grouping, bins, ret, count);
  for (unsigned i = 0; i < heap->threads; i++) {
    free(bins[i].slots);
    free(bins[i].rows);
  }
  return error;
}

void pyheap_groups_destroy(struct pyheap_group *groups, size_t count) {
  for (size_t i = 0; i < count; i++)
    free(groups[i].name);
  free(groups);
}
