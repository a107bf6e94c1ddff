/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * References of module types that lie outside the object or hold under a
 * condition: containers, ctypes, dates, databases.
 */
#include "config.h"

#include "dict.h"
#include "heap.h"
#include "known_core.h"
#include "known_modules.h"

#include <stdlib.h>

enum {
  /* Links that are in the list and not in the dict while calls run. */
  LIMIT_SPARE_LINKS = 1 << 10,
  LIMIT_PROFILE_ENTRIES = 1 << 20,
  LIMIT_TIME_ZONE_INFOS = 1 << 16,
  LIMIT_CACHED_STATEMENTS = 1 << 24,
};

const uint8_t *memory_array(const struct pyheap *heap, uint64_t address,
                            uint64_t count, int32_t size) {
  if (!address || size <= 0 || count > INT64_MAX / (uint64_t)size)
    return NULL;
  return heap_memory(heap, address, count * (uint64_t)size);
}

int32_t object_int(const struct object *object, int32_t offset) {
  if (offset < 0 || (uint64_t)offset + 4 > object->available)
    return 0;
  return (int32_t)load_u32(object->bytes + offset);
}

/* collections.deque ------------------------------------------------------- */

/* The items from INDEX on of the block at ADDRESS; fewer than LEFT are not an
 * error.  Returns how many, and the next block. */
static uint64_t visit_deque_block(struct visit *visit, uint64_t *address,
                                  uint64_t index, uint64_t left,
                                  uint64_t number) {
  const struct layout *layout = visit_layout(visit);
  const int32_t data = OFFSET(layout, BLOCK, data);
  const int32_t right = OFFSET(layout, BLOCK, rightlink);
  const uint64_t length = (uint64_t)(right - data) / 8;
  const uint8_t *block =
      memory_array(visit_heap(visit), *address, 1, SIZEOF(layout, BLOCK));
  if (!block || data < 0 || right < data || index >= length) {
    visit_problem(visit, "deque block", *address);
    return 0;
  }
  uint64_t count = length - index < left ? length - index : left;
  for (uint64_t i = 0; i < count; i++)
    visit_reference(visit, load_u64(block + data + 8 * (index + i)),
                    PYHEAP_VISITED, PYHEAP_NAME_INDEX, number + i);
  *address = load_member(block, right);
  return count;
}

/* One that is kept for reuse, which nothing refers to, holds the next one
 * uncounted where it held its future (Modules/_asynciomodule.c,
 * FutureIter_dealloc). */
void visit_future_iterator(struct visit *visit, const struct object *object) {
  visit_counted(visit, heap_refcount(visit_heap(visit), object->address) != 0);
  visit_named(visit,
              FIELD(visit_layout(visit), object, futureiterobject, future),
              PYHEAP_VISITED, "future");
  visit_counted(visit, true);
}

void visit_deque(struct visit *visit, const struct object *object) {
  const struct layout *layout = visit_layout(visit);
  uint64_t block = FIELD(layout, object, dequeobject, leftblock);
  uint64_t index = FIELD(layout, object, dequeobject, leftindex);
  const uint64_t length = FIELD(layout, object, PyVarObject, ob_size);
  /* Each item takes a word: a ring of blocks would serve any length. */
  if (length > memory_size(&visit_heap(visit)->memory) / 8) {
    visit_problem(visit, "length of a deque", object->address);
    return;
  }
  for (uint64_t done = 0; done < length;) {
    uint64_t count =
        visit_deque_block(visit, &block, index, length - done, done);
    if (!count)
      return;
    done += count;
    index = 0;
  }
}

/* functools.lru_cache ----------------------------------------------------- */

struct lru_link {
  uint64_t address, next, key, result, type;
};

static bool load_lru_link(struct visit *visit, uint64_t address,
                          struct lru_link *ret) {
  const struct layout *layout = visit_layout(visit);
  const uint8_t *bytes = memory_array(visit_heap(visit), address, 1,
                                      SIZEOF(layout, lru_list_elem));
  if (!bytes)
    return false;
  *ret = (struct lru_link){
      .address = address,
      .next = load_member(bytes, OFFSET(layout, lru_list_elem, next)),
      .key = load_member(bytes, OFFSET(layout, lru_list_elem, key)),
      .result = load_member(bytes, OFFSET(layout, lru_list_elem, result)),
      .type = load_member(bytes, OFFSET(layout, PyObject, ob_type)),
  };
  return true;
}

/* The links are objects that the collector does not know; the cache visits in
 * their place what they hold.  It owns one reference to each itself. */
static void visit_lru_link(struct visit *visit, const struct lru_link *link) {
  visit_reference(visit, link->key, PYHEAP_VISITED, PYHEAP_NAME_KEY, link->key);
  visit_reference(visit, link->result, PYHEAP_VISITED, PYHEAP_NAME_ITEM,
                  link->key);
  /* Before 3.10 it is a static type. */
  if (OFFSET(visit_layout(visit), lru_cache_object, lru_list_elem_type) >= 0)
    visit_named(visit, link->type, PYHEAP_VISITED, "type of a link");
  visit_named(visit, link->address, PYHEAP_OWNED, "link");
}

void visit_lru_cache(struct visit *visit, const struct object *object) {
  struct lru_link link;
  if (!load_lru_link(visit, object->address, &link))
    return;
  const struct layout *layout = visit_layout(visit);
  const uint64_t cache = FIELD(layout, object, lru_cache_object, cache);
  struct dict dict;
  const uint64_t limit =
      LIMIT_SPARE_LINKS +
      (dict_open(visit_heap(visit), cache, &dict) ? dict.keys.entry_count : 0);
  /* The object itself is the ring's first link, and empty. */
  for (uint64_t i = 0; link.next != object->address; i++) {
    uint64_t address = link.next;
    if (i >= limit || !load_lru_link(visit, address, &link)) {
      visit_problem(visit, "link of an lru_cache", address);
      return;
    }
    visit_lru_link(visit, &link);
  }
}

/* operator.methodcaller --------------------------------------------------- */

/* 3.13 prepares the arguments on the first call, and the names of keyword
 * arguments are not initialized before (Modules/_operator.c,
 * methodcaller_new).  3.14 visits them. */
void visit_methodcaller(struct visit *visit, const struct object *object) {
  const struct layout *layout = visit_layout(visit);
  if (layout->version < 0x030e &&
      FIELD(layout, object, methodcallerobject, vectorcall_args))
    visit_named(visit,
                FIELD(layout, object, methodcallerobject, vectorcall_kwnames),
                PYHEAP_OWNED, "keyword names");
}

/* itertools.tee ----------------------------------------------------------- */

void visit_tee_data(struct visit *visit, const struct object *object) {
  const struct layout *layout = visit_layout(visit);
  const int32_t values = OFFSET(layout, teedataobject, values);
  const int32_t cells = (SIZEOF(layout, teedataobject) - values) / 8;
  const int32_t count =
      object_int(object, OFFSET(layout, teedataobject, numread));
  if (values < 0 || count < 0 || count > cells) {
    visit_problem(visit, "tee data", object->address);
    return;
  }
  visit_array(visit, object->address + (uint64_t)values, (uint64_t)count,
              PYHEAP_VISITED);
}

/* ctypes ------------------------------------------------------------------ */

/* What ctypes knows of a type: until 3.12 in a dict of another type, from 3.13
 * on behind the type object (Modules/_ctypes/ctypes.h, StgInfo). */

/* StgDictObject.proto: what _type_ says of a pointer or array type, 0 for a type
 * without. */
static uint64_t ctypes_proto(struct visit *visit, const struct object *object) {
  const struct pyheap *heap = visit_heap(visit);
  const struct layout *layout = visit_layout(visit);
  const uint64_t dict = FIELD(layout, object, PyTypeObject, tp_dict);
  const uint64_t dict_type =
      heap_word(heap, dict, OFFSET(layout, PyObject, ob_type));
  const uint64_t basicsize =
      heap_word(heap, dict_type, OFFSET(layout, PyTypeObject, tp_basicsize));
  /* An abstract base has a plain dict. */
  if (!basicsize || basicsize != (uint64_t)SIZEOF(layout, StgDictObject))
    return 0;
  return heap_word(heap, dict, OFFSET(layout, StgDictObject, proto));
}

const uint8_t *ctypes_info(const struct pyheap *heap,
                           const struct object *object) {
  enum {
    MAXIMAL_ALIGNMENT = 16
  };
  const struct layout *layout = heap_layout(heap);
  const int32_t size = SIZEOF(layout, StgInfo);
  const int32_t type = SIZEOF(layout, PyHeapTypeObject);
  if (size < 0 || type < 0)
    return NULL;
  const uint64_t start =
      ((uint64_t)type + MAXIMAL_ALIGNMENT - 1) & -(uint64_t)MAXIMAL_ALIGNMENT;
  if (start + (uint64_t)size > object->available)
    return NULL;
  const uint8_t *info = object->bytes + start;
  /* That of an abstract base is not. */
  return load_u32(info + OFFSET(layout, StgInfo, initialized)) ? info : NULL;
}

/* CType_Type_traverse() of 3.13. */
static void visit_ctypes_info(struct visit *visit,
                              const struct object *object) {
  const struct layout *layout = visit_layout(visit);
  const struct {
    int32_t offset;
    const char *name;
  } members[] = {
      {OFFSET(layout, StgInfo, proto), "_type_"},
      {OFFSET(layout, StgInfo, argtypes), "_argtypes_"},
      {OFFSET(layout, StgInfo, converters), "converters"},
      {OFFSET(layout, StgInfo, restype), "_restype_"},
      {OFFSET(layout, StgInfo, checker), "_check_retval_"},
      {OFFSET(layout, StgInfo, pointer_type), ".__pointer_type__"},
      {OFFSET(layout, StgInfo, module), "module"},
  };
  const uint8_t *info = ctypes_info(visit_heap(visit), object);
  for (size_t i = 0; info && i < sizeof members / sizeof *members; i++)
    visit_named(visit, load_member(info, members[i].offset), PYHEAP_VISITED,
                members[i].name);
  visit_own_type(visit);
}

static void visit_ctypes(struct visit *visit, const struct object *object,
                         enum pyheap_reference_kind proto) {
  if (SIZEOF(visit_layout(visit), StgInfo) >= 0)
    visit_ctypes_info(visit, object);
  else
    visit_named(visit, ctypes_proto(visit, object), proto, "_type_");
  visit_type(visit, object);
}

/* CDataType_traverse() until 3.12. */
void visit_ctypes_type(struct visit *visit, const struct object *object) {
  visit_ctypes(visit, object, PYHEAP_VISITED);
}

void visit_ctypes_plain_type(struct visit *visit, const struct object *object) {
  visit_ctypes(visit, object, PYHEAP_OWNED);
}

/* curses, datetime, zoneinfo ---------------------------------------------- */

/* The structure of a panel, which ncurses may keep to itself: then its place in
 * panel.h of ABI 6. */
static int32_t panel_user(const struct layout *layout) {
  enum {
    PANEL_USER = 24
  };
  const int32_t offset = OFFSET(layout, panel, user);
  return offset < 0 ? PANEL_USER : offset;
}

/* PyCursesPanel_Traverse() of 3.14 visits it. */
void visit_curses_panel(struct visit *visit, const struct object *object) {
  const struct layout *layout = visit_layout(visit);
  const uint64_t panel = FIELD(layout, object, PyCursesPanelObject, pan);
  visit_named(visit, heap_word(visit_heap(visit), panel, panel_user(layout)),
              version_reached(visit_heap(visit), 0x030d0800) ? PYHEAP_VISITED
                                                             : PYHEAP_OWNED,
              ".userptr()");
}

/* Objects without a time zone are allocated without the member. */
static void visit_tzinfo(struct visit *visit, const struct object *object,
                         int32_t hastzinfo, int32_t tzinfo) {
  if (hastzinfo < 0 || (uint64_t)hastzinfo >= object->available ||
      !object->bytes[hastzinfo])
    return;
  visit_named(visit, object_field(object, tzinfo), PYHEAP_OWNED, ".tzinfo");
}

void visit_datetime_datetime(struct visit *visit, const struct object *object) {
  const struct layout *layout = visit_layout(visit);
  visit_tzinfo(visit, object, OFFSET(layout, PyDateTime_DateTime, hastzinfo),
               OFFSET(layout, PyDateTime_DateTime, tzinfo));
}

void visit_datetime_time(struct visit *visit, const struct object *object) {
  const struct layout *layout = visit_layout(visit);
  visit_tzinfo(visit, object, OFFSET(layout, PyDateTime_Time, hastzinfo),
               OFFSET(layout, PyDateTime_Time, tzinfo));
}

/* The three references of a _ttinfo at BYTES, which may be NULL. */
static void visit_ttinfo(struct visit *visit, const uint8_t *bytes) {
  const struct layout *layout = visit_layout(visit);
  visit_named(visit, load_member(bytes, OFFSET(layout, _ttinfo, utcoff)),
              PYHEAP_OWNED, "UTC offset");
  visit_named(visit, load_member(bytes, OFFSET(layout, _ttinfo, dstoff)),
              PYHEAP_OWNED, "DST offset");
  visit_named(visit, load_member(bytes, OFFSET(layout, _ttinfo, tzname)),
              PYHEAP_OWNED, "zone name");
}

static void visit_ttinfo_at(struct visit *visit, const struct object *object,
                            int32_t offset) {
  const int32_t size = SIZEOF(visit_layout(visit), _ttinfo);
  if (offset < 0 || size < 0 ||
      (uint64_t)offset + (uint64_t)size > object->available)
    return;
  visit_ttinfo(visit, object->bytes + offset);
}

void visit_zoneinfo(struct visit *visit, const struct object *object) {
  const struct layout *layout = visit_layout(visit);
  const int32_t size = SIZEOF(layout, _ttinfo);
  const uint64_t infos = FIELD(layout, object, PyZoneInfo_ZoneInfo, _ttinfos);
  const uint64_t count =
      FIELD(layout, object, PyZoneInfo_ZoneInfo, num_ttinfos);
  if (infos && count) {
    const uint8_t *bytes =
        count <= LIMIT_TIME_ZONE_INFOS
            ? memory_array(visit_heap(visit), infos, count, size)
            : NULL;
    if (!bytes)
      visit_problem(visit, "transitions of a ZoneInfo", infos);
    for (uint64_t i = 0; bytes && i < count; i++)
      visit_ttinfo(visit, bytes + i * (uint64_t)size);
  }
  visit_ttinfo_at(visit, object,
                  OFFSET(layout, PyZoneInfo_ZoneInfo, tzrule_std));
  const int32_t std_only = OFFSET(layout, PyZoneInfo_ZoneInfo, tzrule_std_only);
  if (std_only >= 0 && (uint64_t)std_only < object->available &&
      !object->bytes[std_only])
    visit_ttinfo_at(visit, object,
                    OFFSET(layout, PyZoneInfo_ZoneInfo, tzrule_dst));
}

/* _lsprof ----------------------------------------------------------------- */

bool address_stack_push(struct address_stack *stack, uint64_t address) {
  if (!address)
    return true;
  if (stack->count == stack->capacity) {
    size_t capacity = stack->capacity ? 2 * stack->capacity : 64;
    uint64_t *addresses =
        reallocarray(stack->addresses, capacity, sizeof *addresses);
    if (!addresses)
      return false;
    stack->addresses = addresses;
    stack->capacity = capacity;
  }
  stack->addresses[stack->count++] = address;
  return true;
}

void address_stack_deinit(struct address_stack *stack) {
  free(stack->addresses);
}

/* A binary tree that is rotated, not balanced: its depth may be its size. */
static bool visit_profile_entry(struct visit *visit,
                                struct address_stack *stack, uint64_t node) {
  const struct layout *layout = visit_layout(visit);
  const uint8_t *bytes =
      memory_array(visit_heap(visit), node, 1, SIZEOF(layout, ProfilerEntry));
  if (!bytes)
    return false;
  visit_named(visit, load_member(bytes, OFFSET(layout, ProfilerEntry, userObj)),
              PYHEAP_OWNED, "profiled");
  uint64_t left = load_member(bytes, OFFSET(layout, rotating_node, left));
  uint64_t right = load_member(bytes, OFFSET(layout, rotating_node, right));
  return address_stack_push(stack, right) && address_stack_push(stack, left);
}

void visit_lsprof_profiler(struct visit *visit, const struct object *object) {
  struct address_stack stack = {0};
  const struct layout *layout = visit_layout(visit);
  uint64_t node = FIELD(layout, object, ProfilerObject, profilerEntries);
  /* profiler_traverse() of Modules/_lsprof.c visits it since 3.12.5. */
  visit_named(visit, FIELD(layout, object, ProfilerObject, externalTimer),
              visit_heap(visit)->info.hexversion >= 0x030c0500 ? PYHEAP_VISITED
                                                               : PYHEAP_OWNED,
              "timer");
  bool whole = address_stack_push(&stack, node);
  for (uint64_t i = 0; whole && stack.count; i++) {
    node = stack.addresses[--stack.count];
    whole =
        i < LIMIT_PROFILE_ENTRIES && visit_profile_entry(visit, &stack, node);
  }
  if (!whole)
    visit_problem(visit, "entries of a profiler", node);
  address_stack_deinit(&stack);
}

/* sqlite3 ----------------------------------------------------------------- */

static void visit_sqlite_callback(struct visit *visit, uint64_t context,
                                  const char *name) {
  const struct pyheap *heap = visit_heap(visit);
  const struct layout *layout = visit_layout(visit);
  if (!context)
    return;
  visit_named(
      visit,
      heap_word(heap, context, OFFSET(layout, _callback_context, callable)),
      PYHEAP_VISITED, name);
  visit_named(
      visit,
      heap_word(heap, context, OFFSET(layout, _callback_context, module)),
      PYHEAP_VISITED, "callback module");
}

void visit_sqlite_connection(struct visit *visit, const struct object *object) {
  const struct layout *layout = visit_layout(visit);
  visit_sqlite_callback(visit,
                        FIELD(layout, object, pysqlite_Connection, trace_ctx),
                        "trace callback");
  visit_sqlite_callback(
      visit, FIELD(layout, object, pysqlite_Connection, progress_ctx),
      "progress handler");
  visit_sqlite_callback(
      visit, FIELD(layout, object, pysqlite_Connection, authorizer_ctx),
      "authorizer");
}

/* pysqlite_Cache until 3.10: a list of nodes, each an object, that begins with
 * the last one used. */
void visit_sqlite_cache(struct visit *visit, const struct object *object) {
  const struct pyheap *heap = visit_heap(visit);
  const struct layout *layout = visit_layout(visit);
  const enum pyheap_reference_kind kind =
      layout->version >= 0x030a ? PYHEAP_VISITED : PYHEAP_OWNED;
  /* A connection's cache does not own the connection. */
  if (object_int(object, OFFSET(layout, pysqlite_Cache, decref_factory)))
    visit_named(visit, FIELD(layout, object, pysqlite_Cache, factory), kind,
                "factory");
  uint64_t node = FIELD(layout, object, pysqlite_Cache, first);
  for (uint32_t i = 0; node; i++) {
    if (i == LIMIT_CACHED_STATEMENTS) {
      visit_problem(visit, "nodes of a cache of statements", node);
      return;
    }
    visit_reference(visit, node, kind, PYHEAP_NAME_INDEX, i);
    node = heap_word(heap, node, OFFSET(layout, pysqlite_Node, next));
  }
}
