/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "known_dict.h"

#include "heap.h"
#include "instance.h"

void visit_dict_keys(struct visit *visit, const struct dict_keys *keys) {
  for (uint64_t i = 0; i < keys->entry_count; i++) {
    uint64_t key = dict_key_at(keys, i);
    visit_reference(visit, key, PYHEAP_OWNED, PYHEAP_NAME_KEY, key);
  }
}

void visit_dict(struct visit *visit, const struct object *object) {
  struct dict dict;
  if (!dict_open(visit_heap(visit), object->address, &dict)) {
    visit_problem(visit, "dicts whose table makes no sense", object->address);
    return;
  }
  /* The instance that the values are in reports them. */
  bool elsewhere =
      dict.embedded && !heap_visits_managed_dict(visit_heap(visit));
  uint64_t position = 0, key, value;
  while (!elsewhere && dict_next(&dict, &position, &key, &value)) {
    visit_reference(visit, value, PYHEAP_VISITED, PYHEAP_NAME_ITEM, key);
    if (dict.keys.general)
      visit_reference(visit, key, PYHEAP_VISITED, PYHEAP_NAME_KEY, key);
  }
  /* dict_traverse() passes strings by.  A table with several owners belongs to
   * a class, whose row reports its keys (ht_cached_keys). */
  if (!dict.keys.general && dict.keys.refcount == 1)
    visit_dict_keys(visit, &dict.keys);
}

/** How many values a split table has room for.  Since 3.11 keys give room up
 * as instances are made (Objects/dictobject.c, shared_keys_usable_size). */
static uint64_t values_capacity(const struct layout *layout,
                                const struct dict_keys *keys) {
  if (OFFSET(layout, PyDictKeysObject, dk_log2_size) == FACT_ABSENT)
    return keys->capacity;
  return keys->entry_count + keys->usable;
}

uint64_t dict_size(const struct pyheap *heap, const struct object *object) {
  uint64_t size = object_basicsize(object);
  struct dict dict;
  if (!dict_open(heap, object->address, &dict))
    return size;
  if (dict.values)
    size += 8 * values_capacity(heap_layout(heap), &dict.keys);
  if (dict.keys.refcount == 1)
    size += dict.keys.bytes;
  return size;
}

/* An OrderedDict has a list of nodes, in order, beside the dict. */
void visit_odict(struct visit *visit, const struct object *object) {
  const struct layout *layout = visit_layout(visit);
  visit_named(visit, FIELD(layout, object, PyODictObject, od_inst_dict),
              PYHEAP_VISITED, ".__dict__");
  /* Not ma_used, which damage may have made larger than any memory. */
  struct dict dict;
  uint64_t limit = dict_open(visit_heap(visit), object->address, &dict)
                       ? dict.keys.entry_count
                       : 0;
  uint64_t node = FIELD(layout, object, PyODictObject, od_first);
  for (uint64_t i = 0; node; i++) {
    const uint8_t *bytes =
        heap_memory(visit_heap(visit), node, SIZEOF(layout, _odictnode));
    /* While an item is being removed there is one node more than items. */
    if (!bytes || i > limit) {
      visit_problem(visit, "ordered dicts whose list makes no sense", node);
      break;
    }
    uint64_t key = load_u64(bytes + OFFSET(layout, _odictnode, key));
    visit_reference(visit, key, PYHEAP_VISITED, PYHEAP_NAME_KEY, key);
    node = load_u64(bytes + OFFSET(layout, _odictnode, next));
  }
  visit_dict(visit, object);
}

uint64_t odict_size(const struct pyheap *heap, const struct object *object) {
  const struct layout *layout = heap_layout(heap);
  uint64_t size = dict_size(heap, object) +
                  8 * FIELD(layout, object, PyODictObject, od_fast_nodes_size);
  if (!FIELD(layout, object, PyODictObject, od_first))
    return size;
  return size + SIZEOF(layout, _odictnode) *
                    FIELD(layout, object, PyDictObject, ma_used);
}
